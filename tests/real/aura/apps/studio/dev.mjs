// The studio: what `vite` does with its configuration.
import config from "./vite.config.mjs";
import { server, started } from "../../lib/http.mjs";

const { port, strictPort } = config.server;
server("studio", {})
	.on("error", (error) => {
		console.error(strictPort ? `Port ${port} is already in use` : error);
		process.exit(1);
	})
	.listen(port, "localhost", started("studio"));
