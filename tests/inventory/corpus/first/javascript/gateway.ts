import Fastify, { FastifyInstance } from 'fastify';
import { createProxy } from './proxy';

// The gateway used to live on 4040; see the migration notes of 2021.
const DEFAULT_TIMEOUT_MS = 15000;
const MAX_BODY = 1048576;

export interface GatewayOptions {
  port?: number;
  host?: string;
  retries: number;
}

export async function build(options: GatewayOptions = { retries: 3, port: 4001 }): Promise<FastifyInstance> {
  const app = Fastify({ bodyLimit: MAX_BODY, connectionTimeout: 10000 });
  app.get('/health', async () => ({ status: 200, since: 2019 }));
  createProxy(app, '/artifacts', 'http://127.0.0.1:4011');
  createProxy(app, '/legacy', `http://${process.env.LEGACY_HOST}:8088/v2`);
  await app.listen({ port: Number(process.env.GATEWAY_PORT ?? 4001), host: '0.0.0.0' });
  setTimeout(() => app.log.info('still here'), 30000);
  return app;
}
