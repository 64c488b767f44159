import { defineConfig } from 'vite';
import react from '@vitejs/plugin-react';

export default defineConfig({
  plugins: [react()],
  server: {
    port: 5173,
    strictPort: true,
    hmr: { clientPort: 443 },
    proxy: { '/api': 'http://localhost:4010', '/ws': { target: 'ws://localhost:4010', timeout: 60000 } },
  },
  preview: { port: 4173 },
  build: { chunkSizeWarningLimit: 1600, target: 'es2020' },
});
