// The React front end's server: the page, and /api on the backend, streams included.
import { request as forward } from "node:http";
import { server, started } from "../../lib/http.mjs";

const PORT = process.env.PORT || 54112;
const BACKEND = process.env.BACKEND_URL ?? "http://localhost:4010";

function api(request, response) {
	const { method, headers } = request;
	const upstream = forward(BACKEND + request.url.slice("/api".length), { method, headers });
	upstream.on("response", (answer) => {
		response.writeHead(answer.statusCode, answer.headers);
		answer.pipe(response);
	});
	upstream.on("error", (error) => {
		response.statusCode = 502;
		response.end(JSON.stringify({ service: "front", who: process.env.WHO, error: error.code }) + "\n");
	});
	request.pipe(upstream);
	response.on("close", () => upstream.destroy());
}

server("front", { "/api/*": api }).listen(PORT, started("front"));
