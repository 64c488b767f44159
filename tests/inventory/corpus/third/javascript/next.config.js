/** @type {import('next').NextConfig} */
module.exports = {
  images: { deviceSizes: [1080, 1200, 1920, 2048, 3840], remotePatterns: [{ protocol: 'http', hostname: 'localhost', port: '1337' }] },
  async rewrites() {
    return [{ source: '/api/:path*', destination: 'http://127.0.0.1:8001/:path*' }];
  },
  env: { API: process.env.API ?? 'http://localhost:8001', STARTED: '2021' },
  staticPageGenerationTimeout: 1000,
  experimental: { isrMemoryCacheSize: 52428 },
};
