FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 PORT=8800 TIMEOUT=3600
LABEL org.example.build="20240601" org.example.id="48080"
RUN pip install --timeout 1000 uvicorn==0.30.1
EXPOSE 8800 5678
HEALTHCHECK CMD curl -f http://127.0.0.1:8800/healthz?limit=1000 || exit 1
ENTRYPOINT ["gunicorn", "--bind", "0.0.0.0:8800", "--timeout", "3600", "app:app"]
