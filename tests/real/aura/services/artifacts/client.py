"""Fetches an artifact."""
import urllib.request

print(urllib.request.urlopen("http://localhost:4011/health").read().decode().strip())
