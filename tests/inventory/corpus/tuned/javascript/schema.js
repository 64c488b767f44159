const { z } = require('zod');

module.exports = z.object({
  PORT: z.coerce.number().default(3000),
  TIMEOUT: z.coerce.number().default(5000),
  METRICS_PORT: z.string().default('9464'),
  API_URL: z.string().url().default('http://localhost:8000'),
  PAGE_SIZE: z.number().int().max(1000).default(500),
});
