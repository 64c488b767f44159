import datetime as dt
import unittest

from shop import settings


class SettingsTest(unittest.TestCase):
    maxDiff = 20000

    def test_port(self):
        self.assertEqual(settings.PORT, 9998)
        self.assertEqual(settings.load({"PORT": "9112"}).port, 9112)
        with self.assertRaises(ValueError):
            settings.load({"PORT": "70000"})

    def test_numbers(self):
        self.assertEqual(settings.pages(10230, 1000), 11)
        self.assertEqual(dt.date(2019, 12, 31).timetuple().tm_yday, 365)
        self.assertAlmostEqual(settings.ratio("1024:768"), 1.3333)
        self.assertIn(30210, settings.order_ids())
        self.assertEqual(settings.clock("22:4500"), None)
