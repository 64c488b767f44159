/** @type {import('next').NextConfig} */
const nextConfig = {
  reactStrictMode: true,
  images: {
    deviceSizes: [640, 750, 828, 1080, 1200, 1920],
    minimumCacheTTL: 3600,
    remotePatterns: [{ protocol: 'http', hostname: 'localhost', port: '9000' }],
  },
  async rewrites() {
    return [{ source: '/api/:path*', destination: 'http://localhost:8000/:path*' }];
  },
  async headers() {
    return [{ source: '/(.*)', headers: [{ key: 'Strict-Transport-Security', value: 'max-age=63072000' }] }];
  },
};

export default nextConfig;
