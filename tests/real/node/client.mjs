// client.mjs http|ws PORT PATH: prints what the server at localhost says.
import WebSocket from 'ws';

const [kind, port, path] = process.argv.slice(2);
if (kind === 'http') {
	const response = await fetch(`http://localhost:${port}${path}`, { headers: { accept: 'text/html,*/*' } });
	console.log((await response.text()).trim());
} else {
	const socket = new WebSocket(`ws://localhost:${port}${path}`);
	socket.on('open', () => socket.send('hello'));
	socket.on('message', (text) => {
		console.log(`${text}`);
		socket.close();
	});
}
