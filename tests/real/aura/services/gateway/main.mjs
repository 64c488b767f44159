// The AI gateway, as NestJS would start it: its data is in PostgreSQL, its counters in Redis, which it can do without.
import { json, self, server, started } from "../../lib/http.mjs";
import { query } from "./postgres.mjs";
import { redis } from "./redis.mjs";

const DATABASE_URL = process.env.DATABASE_URL ?? "postgresql://aura@localhost:5432/postgres";
const REDIS_URL = process.env.REDIS_URL ?? "redis://localhost:6379";

async function bootstrap() {
	const app = server("gateway", {
		"/models": async (request, response) => {
			const [row] = await query(DATABASE_URL, "select inet_server_port(), count(*) from models");
			const calls = await redis(REDIS_URL, "INCR calls").catch((error) => error.code);
			json(response, 200, { ...self("gateway"), database: Number(row[0]), models: Number(row[1]), calls });
		},
	});
	await app.listen(process.env.PORT ?? 4001, started("gateway"));
}

bootstrap();
