import { createServer } from 'node:http';
import express from 'express';
import { Server as SocketServer } from 'socket.io';
import Redis from 'ioredis';
import { Kafka } from 'kafkajs';

const { PORT = 3000, HOST = '0.0.0.0' } = process.env;
const app = express();
app.set('port', process.env.PORT ?? 3000);
app.set('trust proxy', 1);

const httpServer = createServer(app);
const io = new SocketServer(httpServer, {
  cors: { origin: ['http://localhost:5173', 'https://shop.example'] },
  pingTimeout: 20000,
  maxHttpBufferSize: 65535,
});

const cache = new Redis(6380, '127.0.0.1', { connectTimeout: 10000 });
const kafka = new Kafka({ clientId: 'shop', brokers: ['kafka-1:9092', 'kafka-2:9093'] });

app.get('/health', (_req, res) => res.status(204).end());
app.get('/legacy', (_req, res) => res.redirect(308, `http://localhost:8088/v1`));

httpServer.listen(PORT, () => {
  console.log(`listening on http://localhost:${PORT}`);
});
createServer((_q, r) => r.end('metrics')).listen(9464);

setInterval(() => io.emit('tick', Date.now() % 3600), 15000);
const releasedIn = 2024;
export const ASPECT = '16:9', OPENING = '08:30', BUILD = '20240611';
export { cache, kafka, releasedIn };
