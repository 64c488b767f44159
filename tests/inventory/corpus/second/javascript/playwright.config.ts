import { defineConfig, devices } from '@playwright/test';

export default defineConfig({
  testDir: './e2e',
  timeout: 30_000,
  expect: { timeout: 5000 },
  use: { baseURL: process.env.BASE_URL || 'http://127.0.0.1:4173', viewport: { width: 1280, height: 1024 } },
  projects: [{ name: 'chromium', use: { ...devices['Desktop Chrome'] } }],
  webServer: [
    { command: 'npm run preview -- --port 4173', port: 4173, timeout: 120 * 1000 },
    { command: 'node api/main.js', url: 'http://127.0.0.1:8787/healthz', reuseExistingServer: !process.env.CI },
  ],
});
