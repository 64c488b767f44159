Åimport { defineConfig } from 'vite';

export default defineConfig({
  server: {
    port: 3000,
    strictPort: true,
    proxy: { '/api': 'http://localhost:4010', '/ws': { target: 'ws://localhost:4010', timeout: 60000 } },
  },
});
