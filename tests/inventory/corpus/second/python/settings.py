from datetime import date, timedelta
from pathlib import Path

from pydantic import AnyUrl, Field
from pydantic_settings import BaseSettings

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": "5433",
        "CONN_MAX_AGE": 600,
        "TEST": {"NAME": "shop_test_2024"},
    }
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://cache:6379/1", "TIMEOUT": 3600}}
EMAIL_HOST, EMAIL_PORT = "localhost", 1025
CELERY_BROKER_URL = "amqp://guest:guest@localhost:5672//"
DATA_UPLOAD_MAX_MEMORY_SIZE = 26214
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
INTERNAL_IPS = ["127.0.0.1", "::1"]
FOUNDED = date(1998, 11, 3)


class Settings(BaseSettings):
    http_port: int = Field(default=8081, ge=1, le=65535)
    grpc_port: int = 50052
    search_url: AnyUrl = "http://localhost:9200"
    retention: timedelta = timedelta(seconds=86400)
    max_rows: int = 50000
    root: Path = Path("/srv/shop/2024")
