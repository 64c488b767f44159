export const config = {
  server: { port: parseInt(process.env.PORT || '4010', 10), host: '0.0.0.0' },
  redis: { host: 'localhost', port: 6379, ttl: 3600 },
  postgres: { url: process.env.DATABASE_URL ?? 'postgres://localhost:5432/aura' },
  ports: [3000, 3001, 3002],
  limits: { requests: 1000, windowMs: 60000, size: 10485 },
};
