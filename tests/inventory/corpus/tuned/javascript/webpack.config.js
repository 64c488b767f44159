const path = require('path');
module.exports = {
  output: { path: path.resolve(__dirname, 'dist'), publicPath: 'http://localhost:3001/' },
  performance: { maxAssetSize: 512000 },
  devServer: { host: '0.0.0.0', port: 3001, historyApiFallback: true, client: { webSocketURL: 'ws://localhost:3001/ws' } },
  watchOptions: { poll: 1000, aggregateTimeout: 3000 },
};
