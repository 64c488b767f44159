// The shop's front: hands /api on to the backend. Port 3000 since 2019.
const http = require('node:http');
const path = require('path');

const api = `${process.env.API_URL || 'http://localhost:4010'}/api/v1`; // the backend
const artifacts = `http://127.0.0.1:${process.env.ARTIFACTS_PORT || 4011}/${path.basename(__dirname)}`;
const quotes = /['"`]/;

function backend(name) {
  return http.get({ host: 'localhost', port: Number(process.env.API_PORT || 4010), path: `/api/${name}`, timeout: 3000 });
}

const server = http.createServer((request, response) => {
  if (quotes.test(request.url)) return response.writeHead(400).end();
  response.end(JSON.stringify({ api, artifacts, limit: 3000 }));
});

server.listen(Number(process.env.PORT || 3000), '127.0.0.1', () => {
  console.log(`listening on http://localhost:${process.env.PORT || 3000}`);
});

module.exports = { backend, port: Number(process.env.PORT || 3000) };
