// A datagram service on a hardcoded port, and its two kinds of client.
import dgram from 'node:dgram';

const socket = dgram.createSocket('udp4');
const role = process.argv[2] ?? 'server';

if (role === 'server') {
	socket.on('message', (text, from) => socket.send('@IDENTITY@', from.port, from.address));
	socket.bind(@PORT@);
} else {
	socket.on('message', (text, from) => {
		console.log(`${text} ${from.address}:${from.port}`);
		socket.close();
	});
	if (role === 'connected')
		socket.connect(@PORT@, '127.0.0.1', () => socket.send('who'));
	else
		socket.send('who', @PORT@, '127.0.0.1');
}
