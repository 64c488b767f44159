// What all services share: JSON answers, who they are, and an end that lets connections go.
import { createServer } from "node:http";

export function json(response, status, value) {
	response.writeHead(status, { "content-type": "application/json" });
	response.end(JSON.stringify(value) + "\n");
}

export async function fetchJson(url) {
	const response = await fetch(url);
	return response.json();
}

export const self = (name) => ({ service: name, who: process.env.WHO ?? "", pid: process.pid, PORT: process.env.PORT });

export function server(name, routes) {
	return createServer(async (request, response) => {
		const path = request.url.split("?")[0];
		const route = Object.keys(routes).find((r) => path === r || (r.endsWith("/*") && path.startsWith(r.slice(0, -1))));
		try {
			if (route) await routes[route](request, response);
			else json(response, path === "/" || path === "/health" ? 200 : 404, self(name));
		} catch (error) {
			if (!response.headersSent) json(response, 502, { ...self(name), error: error.cause?.code ?? error.message });
			else response.end();
		}
	});
}

export function started(name) {
	return () => console.log(`${name} is ready`);
}
