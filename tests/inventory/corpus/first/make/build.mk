# serve on 9999
DOCKER_PORTS = -p 8080:80 -p 9229:9229
HTTP_PORT = 8080
CACHE_KB := 4096
watch:
	esbuild src/main.ts --bundle --servedir=www --serve=8000
	npx browser-sync start --proxy localhost:3000 --port 3001 --ui-port 3002
	test $$(wc -c < out.js) -lt 50000
