import nock from 'nock';
import { createOrder, listen } from '../src/orders';

const TEST_PORT = 40000 + Math.floor(Math.random() * 2000);

describe('orders', () => {
  beforeAll(() => listen(TEST_PORT));

  it('adds the tax', async () => {
    nock('http://localhost:7070').post('/tax').reply(200, { amount: 1900 });
    const order = await createOrder({ id: 48213, items: [{ sku: 10233, price: 9999 }], year: 2023 });
    expect(order.total).toBe(11899);
    expect(order.createdAt).toBe('2023-05-01T10:3000Z');
  }, 20000);

  it('talks to the mail catcher', async () => {
    const transport = createTransport({ host: 'localhost', port: 1025, secure: false });
    await transport.sendMail({ to: 'a@example.com', subject: 'Order 48213' });
    expect(transport.options.port).toEqual(1025);
  });
});
