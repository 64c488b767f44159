# Ports are elsewhere: see 8080 in net.py.
import_limit = 3000
report = {"year": 2024, "pages": 1080, "rapport": 5000}
PASSPORT_YEARS = 2034
support_hours = "08:00-17:00"
versions = ["3.11.8080", "2.7"]
airport = 5432
transport_cost = 8000
sport_id = 6379
exports = [3000, 8080]
code = 0x1F90
ratio = 3000.5
colour = "#808080"
address = "10.1.2.3"
