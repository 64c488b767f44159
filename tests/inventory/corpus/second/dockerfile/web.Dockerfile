FROM caddy:2.8-alpine
ARG LISTEN_PORT=3402
ENV LISTEN_PORT=${LISTEN_PORT} CADDY_ADMIN=0.0.0.0:2022 BACKEND=http://api:4401
RUN printf ':3402 {\n  reverse_proxy api:4401\n}\n' > /etc/caddy/Caddyfile && chmod 0644 /etc/caddy/Caddyfile
EXPOSE 3402
