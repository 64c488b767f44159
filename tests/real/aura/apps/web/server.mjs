// The site. Next's custom server has its port like this.
import { server, started } from "../../lib/http.mjs";

const port = parseInt(process.env.PORT || "3000", 10);

server("web", {}).listen(port, started("web"));
