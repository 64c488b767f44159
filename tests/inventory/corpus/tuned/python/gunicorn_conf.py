import multiprocessing

bind = "0.0.0.0:8000"
workers = multiprocessing.cpu_count() * 2 + 1
max_requests = 1000
max_requests_jitter = 5000
timeout = 1200
forwarded_allow_ips = "10.0.0.1"
statsd_host = "localhost:8125"
