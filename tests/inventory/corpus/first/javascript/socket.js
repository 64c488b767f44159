const net = require('net');
const dgram = require('dgram');

const server = net.createServer((socket) => {
  socket.setTimeout(60000);
  socket.write('220 ready\r\n');
});
server.maxConnections = 1024;
server.listen(2525, '127.0.0.1', 511);

const udp = dgram.createSocket('udp4');
udp.bind(41234);
udp.send('ping', 41234, 'localhost');

const client = net.createConnection({ host: 'mail.internal', port: 2525 }, () => client.end());
const other = net.connect(6379, 'localhost');
other.on('error', (e) => process.exit(e.errno === 111 ? 3 : 1));
