// HTTP and WebSocket on one port: $PORT, else 3000. /health answers 503 for as long as the file "ill" is there.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer } from "node:http";

const server = createServer((request, response) => {
	response.statusCode = request.url === "/health" && existsSync("ill") ? 503 : 200;
	response.end(`server ${process.pid}`);
});

server.on("upgrade", (request, socket) => {
	const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const accept = createHash("sha1").update(key).digest("base64");

	socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		`Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
	// Short masked texts, answered with the same behind our name.
	socket.on("data", (frame) => {
		if ((frame[0] & 15) !== 1 || frame[1] < 128 || frame[1] > 128 + 60)
			return socket.end();
		const length = frame[1] - 128, mask = frame.subarray(2, 6);
		const text = frame.subarray(6, 6 + length).map((byte, i) => byte ^ mask[i % 4]);
		const answer = Buffer.from(`server ${process.pid}: ${Buffer.from(text)}`);

		socket.write(Buffer.concat([Buffer.from([0x81, answer.length]), answer]));
	});
	socket.on("error", () => socket.destroy());
});

server.listen(Number(process.env.PORT || 3000), "127.0.0.1", () => console.log(server.address().port));
