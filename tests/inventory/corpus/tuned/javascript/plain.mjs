import http from 'node:http';
import { WebSocketServer } from 'ws';

const server = http.createServer((req, res) => {
  res.writeHead(200, { 'Content-Length': 2048, 'Retry-After': 3600 });
  res.end();
});
server.keepAliveTimeout = 65000;
server.listen(8080);
new WebSocketServer({ port: 8081, maxPayload: 65535 });
http.get({ host: 'localhost', port: 9200, path: '/_cluster/health', timeout: 5000 }, () => {});
