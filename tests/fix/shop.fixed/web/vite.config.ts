import { defineConfig } from 'vite';

export default defineConfig({
  server: {
    port: Number(process.env.PORT || 3000),
    strictPort: true,
    proxy: { '/api': process.env.API_URL || 'http://localhost:4010', '/ws': { target: `ws://localhost:${process.env.API_PORT || 4010}`, timeout: 60000 } },
  },
});
