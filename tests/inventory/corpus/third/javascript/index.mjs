import Fastify from 'fastify';
import Hapi from '@hapi/hapi';
import { WebSocketServer, WebSocket } from 'ws';
import { MongoClient } from 'mongodb';
import amqp from 'amqplib';
import net from 'node:net';
import { z } from 'zod';

const schema = z.object({
  PORT: z.coerce.number().int().min(1024).max(65535).default(3333),
  GRAPHQL_PORT: z.string().default('4040'),
  CACHE_TTL: z.coerce.number().default(3600),
});
const env = schema.parse(process.env);

const fastify = Fastify({ logger: true, bodyLimit: 1048576, requestTimeout: 30000 });
const hapi = Hapi.server({ port: process.env.ADMIN_PORT || 3334, host: 'localhost' });
const wss = new WebSocketServer({ port: 3335, perMessageDeflate: { threshold: 1024 } });
const mongo = await MongoClient.connect('mongodb://localhost:27021/shop', { serverSelectionTimeoutMS: 5000 });
const queue = await amqp.connect('amqp://localhost:5678');

fastify.get('/users/:id(\\d{4,5})', async (req, reply) => reply.code(404).send({ code: 40401, year: 1999 }));
await fastify.listen({ port: env.PORT, host: '::' });
net.createServer((s) => s.pipe(s)).listen(3336, '127.0.0.1');
const client = net.connect(3337, 'localhost', () => client.setTimeout(15000));
const socket = new WebSocket(`ws://127.0.0.1:3338/feed?limit=2000`);
const base = location.hostname === 'localhost' ? 'http://localhost:3339' : `https://${location.host}`;
const rpc = { host: '127.0.0.1', port: 50062, deadline: 10_000 };

export const settings = {
  apiPort: 3340,
  wsPort: env.WS_PORT ?? 3341,
  pageSize: 5000,
  colors: ['#112233', '#445566'],
  size: [1920, 1080],
  sale: { from: '2024-01-15T08:30:00Z', percent: 2550 },
  mapTile: { z: 14, x: 8802, y: 5373 },
};
requestAnimationFrame((t) => setTimeout(() => wss.clients.size && t > 16667, 2500));
export { hapi, mongo, queue, socket, base, rpc };
