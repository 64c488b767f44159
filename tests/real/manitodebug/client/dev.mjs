// Serves the files of this directory on 5173, as Vite does.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const server = createServer(async (request, response) => {
	const name = request.url === "/" ? "index.html" : request.url.slice(1);

	try {
		response.end(await readFile(new URL(name, import.meta.url)));
	} catch {
		response.writeHead(404).end();
	}
});

server.listen(5173, "localhost", () => console.log(server.address().port));
