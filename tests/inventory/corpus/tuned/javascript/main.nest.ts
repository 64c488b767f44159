import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { bodyParser: true });
  app.enableCors({ origin: ['http://localhost:3000', 'http://localhost:54112'], maxAge: 86400 });
  await app.listen(process.env.PORT ?? 4001);
}
bootstrap();
