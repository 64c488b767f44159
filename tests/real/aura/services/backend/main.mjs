// The backend: REST, and events as a stream.
import { fetchJson, json, self, server, started } from "../../lib/http.mjs";

const PORT = Number(process.env.PORT ?? 4010);
const GATEWAY = process.env.AI_GATEWAY_URL ?? "http://localhost:4001";

function events(request, response) {
	let n = 0;
	response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
	const event = () => JSON.stringify({ n: n++, who: process.env.WHO, pid: process.pid });
	const timer = setInterval(() => response.write(`data: ${event()}\n\n`), 20);
	response.on("close", () => clearInterval(timer));
}

server("backend", {
	"/items": async (request, response) =>
		json(response, 200, { ...self("backend"), gateway: await fetchJson(`${GATEWAY}/models`) }),
	"/events": events,
}).listen(PORT, "0.0.0.0", started("backend"));
