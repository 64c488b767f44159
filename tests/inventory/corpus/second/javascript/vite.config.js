import { defineConfig } from 'vite';
import react from '@vitejs/plugin-react';

export default defineConfig(({ mode }) => ({
  plugins: [react()],
  build: { target: 'es2020', chunkSizeWarningLimit: 1600, assetsInlineLimit: 4096 },
  server: {
    port: 5174,
    strictPort: true,
    hmr: { clientPort: 443, path: '/hmr' },
    proxy: {
      '/api': { target: 'http://localhost:4000', changeOrigin: true },
      '/socket.io': { target: mode === 'test' ? 'ws://localhost:4001' : 'ws://localhost:4002', ws: true },
    },
  },
  preview: { port: 4174 },
}));
