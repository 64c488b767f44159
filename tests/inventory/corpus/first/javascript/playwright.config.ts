import { defineConfig, devices } from '@playwright/test';

const PORT = process.env.PORT || 4173;

export default defineConfig({
  timeout: 30_000,
  retries: process.env.CI ? 2 : 0,
  use: { baseURL: `http://localhost:${PORT}`, actionTimeout: 10000 },
  projects: [{ name: 'chromium', use: { ...devices['Desktop Chrome'], viewport: { width: 1920, height: 1080 } } }],
  webServer: [
    { command: 'npm run preview -- --port 4173', port: 4173, timeout: 120000 },
    { command: 'node mock/server.js', url: 'http://127.0.0.1:9099/ready' },
  ],
});
