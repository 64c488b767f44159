// One command in Redis' inline form, answered by a number or a line.
import { connect } from "node:net";

export function redis(url, command) {
	const { hostname, port } = new URL(url);
	return new Promise((resolve, reject) => {
		const socket = connect(Number(port), hostname, () => socket.write(command + "\r\n"));
		socket.on("error", reject);
		socket.on("data", (data) => {
			const text = data.toString().trim();
			resolve(text[0] === ":" ? Number(text.slice(1)) : text.slice(1));
			socket.end();
		});
	});
}
