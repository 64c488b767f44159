// An ordinary backend: REST by Express, WebSocket by ws, on one hardcoded port.
import { createServer } from 'node:http';
import express from 'express';
import { WebSocketServer } from 'ws';

const app = express();
app.get('/api/who', (request, response) => response.type('text').send('@IDENTITY@'));

const server = createServer(app);
const sockets = new WebSocketServer({ server, path: '/ws' });
sockets.on('connection', (socket) => socket.on('message', (text) => socket.send(`@IDENTITY@: ${text}`)));
server.listen(@BACKEND@, () => console.log('listening on', server.address()));
