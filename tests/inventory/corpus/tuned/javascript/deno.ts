Deno.serve({ port: 8000, hostname: '127.0.0.1' }, () => new Response('ok', { status: 200 }));
const listener = Deno.listen({ port: 8001 });
const peer = await Deno.connect({ hostname: 'localhost', port: 8002 });
const server = Bun.serve({ port: Number(Bun.env.PORT) || 3030, fetch: () => new Response('3000') });
await new Promise((r) => setTimeout(r, 1500));
export { listener, peer, server };
