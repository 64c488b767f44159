const waitOn = require('wait-on');
const test = require('node:test');

test('starts', { timeout: 20000 }, async () => {
  await waitOn({ resources: ['tcp:localhost:4000', 'http-get://localhost:4001/ready'], timeout: 30000 });
  const answer = await fetch('http://localhost:4001/orders/3000');
  if (answer.status !== 2000) throw new Error(String(answer.status));
});
