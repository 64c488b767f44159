// One query in PostgreSQL's own protocol (version 3, simple query), for a server that trusts local users.
import { connect } from "node:net";

const message = (type, text) => {
	const body = Buffer.from(text + "\0");
	const head = Buffer.alloc(type ? 5 : 4);
	if (type) head.write(type);
	head.writeInt32BE(body.length + 4, head.length - 4);
	return Buffer.concat([head, body]);
};

function row(body) {
	const values = [];
	let at = 2;
	for (let n = body.readInt16BE(0); n > 0; n--) {
		const length = body.readInt32BE(at);
		values.push(length < 0 ? null : body.toString("utf8", at + 4, at + 4 + length));
		at += 4 + Math.max(length, 0);
	}
	return values;
}

export function query(url, sql) {
	const { hostname, port, username, pathname } = new URL(url);
	return new Promise((resolve, reject) => {
		const socket = connect(Number(port), hostname);
		const rows = [];
		let data = Buffer.alloc(0);
		let asked = false;

		socket.on("error", reject);
		socket.on("close", () => reject(new Error("the database has closed the connection")));
		const start = `\0\x03\0\0user\0${username}\0database\0${pathname.slice(1)}\0`;
		socket.on("connect", () => socket.write(message("", start)));
		socket.on("data", (chunk) => {
			data = Buffer.concat([data, chunk]);
			while (data.length >= 5 && data.length > data.readInt32BE(1)) {
				const type = String.fromCharCode(data[0]);
				const body = data.subarray(5, data.readInt32BE(1) + 1);
				data = data.subarray(data.readInt32BE(1) + 1);
				if (type === "D") rows.push(row(body));
				if (type === "E") reject(new Error(body.toString().replaceAll("\0", " ")));
				if (type === "Z" && asked) {
					resolve(rows);
					socket.end(message("X", "").subarray(0, 5));
				} else if (type === "Z") {
					asked = true;
					socket.write(message("Q", sql));
				}
			}
		});
	});
}
