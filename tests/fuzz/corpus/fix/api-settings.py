‚import os
from pathlib import Path

BASE = Path(__file__).parent
port = int(os.environ.get('API_PORT', '4010'))
metrics_port = 9464
second_port = 9465
redis = b'redis://localhost:6379/0'
public = 'http://localhost:4010'
pattern = 'http://localhost:3000/{name}'
