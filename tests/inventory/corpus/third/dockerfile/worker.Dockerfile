FROM python:3.12.3-slim AS base
ENV PORT 8854
ENV FLASK_RUN_PORT=8854 FLASK_RUN_HOST=0.0.0.0 GUNICORN_CMD_ARGS="--bind=0.0.0.0:8854 --timeout=3600"
ENV REDIS_URL=redis://redis:6379/0 DATABASE_URL=postgres://db:5432/app
EXPOSE 8854 8855
HEALTHCHECK CMD nc -z localhost 8854 || exit 1
CMD exec uvicorn app:app --host 0.0.0.0 --port 8854 --limit-concurrency 1000
