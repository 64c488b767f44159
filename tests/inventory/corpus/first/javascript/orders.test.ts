import { describe, it, expect, beforeAll } from 'vitest';
import request from 'supertest';
import { Pool } from 'pg';

const baseURL = 'http://localhost:3100';
const pool = new Pool({ host: 'localhost', port: 5433, max: 20, idleTimeoutMillis: 30000 });

describe('orders', () => {
  beforeAll(async () => {
    await pool.query('select 1');
  }, 20000);

  it('answers 201 and keeps the id', async () => {
    const order = { id: 5001, year: 2024, total: 3999, postcode: '10115', phone: '030 555-4000' };
    const answer = await request(baseURL).post('/orders').send(order);
    expect(answer.status).toBe(201);
    expect(answer.body.id).toEqual(5001);
    expect(answer.headers.location).toBe('http://localhost:3100/orders/5001');
  });
});
