// talk.mjs - a server and a client with what Bun and Deno themselves have for it, not node's modules.
//
//	talk.mjs serve PORT WORD	answers with WORD: HTTP, WebSocket, and UDP at the same number
//	talk.mjs ask PORT		asks by all of these, and prints what was said
const bun = globalThis.Bun, deno = globalThis.Deno;
const [role, number, word] = bun ? bun.argv.slice(2) : deno.args;
const port = Number(number), text = (bytes) => new TextDecoder().decode(bytes);

function serveHttp() {
	if (bun)
		return bun.serve({ port, hostname: "0.0.0.0", fetch: (request, server) => server.upgrade(request) ? undefined
			: new Response(word), websocket: { message: (socket, said) => void socket.send(word + said) } }).port;
	return deno.serve({ port, hostname: "0.0.0.0", onListen() {} }, (request) => {
		if (request.headers.get("upgrade") !== "websocket")
			return new Response(word);
		const { socket, response } = deno.upgradeWebSocket(request);
		socket.onmessage = (event) => socket.send(word + event.data);
		return response;
	}).addr.port;
}

// A socket for datagrams: heard(bytes, from, send) for each that comes; from: [address, port].
async function datagrams(at, heard) {
	if (bun) {
		const socket = await bun.udpSocket({ hostname: "127.0.0.1", port: at, socket: {
			data: (own, bytes, fromPort, from) => heard(bytes, [from, fromPort]) } });
		return (bytes, [host, to]) => socket.send(bytes, to, host);
	}
	const socket = deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: at });
	(async () => {
		for await (const [bytes, from] of socket)
			heard(bytes, [from.hostname, from.port]);
	})();
	return (bytes, [hostname, to]) => socket.send(bytes, { transport: "udp", hostname, port: to });
}

async function serve() {
	const send = await datagrams(port, (bytes, from) => send(new TextEncoder().encode(word), from));
	console.log(`listening on ${serveHttp()}`);
}

function askWebSocket() {
	return new Promise((done, failed) => {
		const socket = new WebSocket(`ws://localhost:${port}/`);
		socket.onopen = () => socket.send("!");
		socket.onmessage = (event) => done(event.data);
		socket.onerror = () => failed(new Error("no WebSocket"));
	});
}

function askDatagram() {
	return new Promise(async (done) => {
		const send = await datagrams(0, (bytes, from) => done([text(bytes), ...from].join(" ")));
		await send(new Uint8Array([63]), ["127.0.0.1", port]);
	});
}

async function ask() {
	for (const host of ["localhost", "127.0.0.1"])
		console.log(await (await fetch(`http://${host}:${port}/`)).text());
	console.log(await askWebSocket());
	console.log(await askDatagram());
}

await (role === "serve" ? serve() : ask());
if (role !== "serve")
	bun ? process.exit(0) : deno.exit(0);
