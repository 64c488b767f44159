# Units and codes; nothing in here talks to anybody.
import math

MM_PER_INCH = 25.4
EARTH_RADIUS_KM = 6371
SEA_PORTS = {"Hamburg": 53551, "Rotterdam": 3011}
PASSPORT_DIGITS = 9000
EXPORT_CHUNK = 50000
airport_elevation_ft = {"MUC": 1487, "ZRH": 1416}


def report(year=2024, page_size=5000, transport="bus"):
    rows = range(1000, 9000, 250)
    return [(r, math.sqrt(r), year - r // 365) for r in rows if r % 4000 != 80]


def duration(text="12:30", ratio="16:9000"):
    h, m = text.split(":")
    return int(h) * 3600 + int(m) * 60
