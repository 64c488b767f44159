import pytest
import redis
from pymongo import MongoClient

SERVICE_PORTS = {"users": 7000, "events": 7765, "bridge": 7766}
START_TIMEOUT = 9000


@pytest.fixture(scope="session")
def store():
    r = redis.Redis(host="localhost", port=6380, db=3, socket_timeout=2000)
    yield r
    r.close()


@pytest.fixture
def mongo():
    return MongoClient("localhost", 27018, serverSelectionTimeoutMS=3000)


@pytest.mark.parametrize("port", [7000, 7765])
def test_ports(port):
    assert port in SERVICE_PORTS.values()
    assert 1024 < port < 49152


def test_years():
    assert sorted([2024, 1999])[0] == 1999
