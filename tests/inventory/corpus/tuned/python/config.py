from dataclasses import dataclass, field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    port: int = 8000
    redis_url: str = "redis://localhost:6379/0"
    workers: int = 2000
    grpc_port: int = 50051
    timeout_ms: int = 5000
    origins: list[str] = ["http://localhost:5173", "http://127.0.0.1:3000"]


@dataclass
class Peer:
    host: str = "localhost"
    port: int = 9000
    weights: list = field(default_factory=lambda: [1000, 2000])
