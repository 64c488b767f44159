const request = require('supertest');
const { GenericContainer } = require('testcontainers');
const app = require('../app');

let server;
beforeAll(async () => {
  server = app.listen(4999);
  container = await new GenericContainer('redis:7.2').withExposedPorts(6379).start();
  jest.setTimeout(60000);
});

test('GET /orders', async () => {
  const res = await request('http://localhost:4999').get('/orders?since=2020&page=1000');
  expect(res.status).toBe(200);
  expect(res.body).toHaveLength(1024);
  expect(res.body[0]).toMatchObject({ id: 70123, ean: '40123', weight: 1250, createdAt: 1700 });
  expect(server.address().port).toBe(4999);
});

test('phone numbers', () => {
  expect(format('0049305551234')).toBe('+49 30 5551 234');
  expect(parseRange('1000-2000')).toEqual([1000, 2000]);
  expect(ipv6('fe80:0:0:0:202:b3ff:fe1e:8329')).toBe(true);
});
