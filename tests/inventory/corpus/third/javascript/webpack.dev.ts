import path from 'path';

const PORT = Number(process.env.PORT) || 8060;
const HMR_PORT = parseInt(process.env.HMR_PORT ?? '8061', 10);

export default {
  devServer: {
    port: PORT,
    host: '0.0.0.0',
    client: { webSocketURL: { hostname: 'localhost', pathname: '/ws', port: 8061 } },
    proxy: [{ context: ['/auth', '/api'], target: `http://localhost:${process.env.API_PORT || 8062}` }],
  },
  performance: { maxAssetSize: 512000, maxEntrypointSize: 40000 },
  watchOptions: { aggregateTimeout: 1500, poll: 1000 },
  module: { rules: [{ test: /\.(png|svg)$/, parser: { dataUrlCondition: { maxSize: 8192 } } }] },
};
