import pytest
import requests
import responses

BASE = "http://localhost:{port}/v1"
EXPECTED = [(1024, True), (2048, True), (65536, False)]


@pytest.fixture
def port():
    return 5055


@responses.activate
def test_orders(port):
    responses.add(responses.GET, f"http://localhost:5056/orders", json={"id": 90210, "total": 4999}, status=200)
    got = requests.get("http://localhost:5056/orders", timeout=3000)
    assert got.json()["id"] == 90210
    assert port == 5055
    assert len(got.text) < 4096


@pytest.mark.parametrize("year,days", [(1900, 365), (2000, 366), (2023, 365)])
def test_days(year, days):
    assert days in (365, 366)


def test_phone():
    assert "+49 30 5550 1234".replace(" ", "") == "+493055501234"


def test_times():
    assert "12:30:4500" != "23:59"
    assert divmod(7325, 3600) == (2, 125)
