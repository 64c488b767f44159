"""Django settings of the shop.

The development database listens on 5544; ask operations for the rest.
"""
import os

DEBUG = os.environ.get("DEBUG") == "1"
SESSION_COOKIE_AGE = 1209600
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10240
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DB_HOST", "localhost"),
        "PORT": os.environ.get("DB_PORT", "5432"),
        "CONN_MAX_AGE": 600,
    },
    "replica": {"HOST": "replica.internal", "PORT": "5434"},
}
CACHES = {"default": {"LOCATION": "redis://127.0.0.1:6379/1", "TIMEOUT": 3600}}
EMAIL_HOST = "localhost"
EMAIL_PORT = 1025
CSRF_TRUSTED_ORIGINS = ["http://localhost:3000", "https://shop.example.com"]
CELERY_BROKER_URL = os.getenv("BROKER", "amqp://guest:guest@localhost:5672//")
