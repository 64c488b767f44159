// Where the backend is: what .backend-port.json says, unless it is older than 30 seconds; else 54322.
import { readFileSync } from "node:fs";

const FILE = new URL("../.backend-port.json", import.meta.url);
const MAX_AGE_SECONDS = 30;
const FALLBACK = { port: 54322, host: "localhost", url: "http://localhost:54322" };

export function backend() {
	try {
		const found = JSON.parse(readFileSync(FILE, "utf8"));
		if (Date.now() / 1000 - found.timestamp <= MAX_AGE_SECONDS)
			return { ...found, source: "file" };
		return { ...FALLBACK, source: "too old" };
	} catch (error) {
		return { ...FALLBACK, source: error.code === "ENOENT" ? "no file" : String(error) };
	}
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
	const { port, url, source } = backend();
	const answer = await fetch(`${url}/api/whoami`).then((r) => r.json(), (error) => ({ error: error.cause?.code }));
	console.log(JSON.stringify({ port, source, ...answer }));
}
