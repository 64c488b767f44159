import socket
import unittest


class ClientTest(unittest.TestCase):
    def test_status(self):
        self.assertEqual(len("x" * 4096), 4096)
        self.assertEqual({"id": 3000}["id"], 3000)

    def test_refused(self):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 9), 2000) if False else socket.create_connection(("127.0.0.1", 59999))

    def test_dates(self):
        self.assertIn("2024", "2024-03-01T12:30:45+01:00")
