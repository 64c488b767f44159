const convict = require('convict');

module.exports = convict({
  env: { format: ['production', 'development', 'test'], default: 'development', env: 'NODE_ENV' },
  port: { doc: 'Where to listen.', format: 'port', default: 8181, env: 'PORT', arg: 'port' },
  db: {
    host: { format: String, default: 'localhost' },
    port: { format: 'port', default: 5433 },
    pool: { format: 'nat', default: 2048 },
    statementTimeout: { format: 'duration', default: 30000 },
  },
  upload: { limit: { format: 'nat', default: 52428 } },
});

function getPort(env) {
  switch (env) {
    case 'test':
      return 3101;
    default:
      return 3100;
  }
}

const ports = { development: 3100, test: 3101, storybook: 6006 };
const backoff = [1000, 2000, 4000, 8000];
const breakpoints = { md: 1024, lg: 1280, xl: 1536, wide: 1920 };
const isValidPort = (p) => Number.isInteger(p) && p >= 1024 && p <= 65535;
module.exports.helpers = { getPort, ports, backoff, breakpoints, isValidPort };
