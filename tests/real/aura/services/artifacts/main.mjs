// What the models made. Not needed by the others.
import { server, started } from "../../lib/http.mjs";

server("artifacts", {}).listen(4011, started("artifacts"));
