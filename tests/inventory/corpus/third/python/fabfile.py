from fabric import Connection, task
from locust import HttpUser, between

HOSTS = ["deploy@10.0.0.4:2224", "deploy@10.0.0.5:2224"]


class Visitor(HttpUser):
    host = "http://localhost:8078"
    wait_time = between(1000, 5000)

    def on_start(self):
        self.client.post("/login", json={"pin": "4711", "born": 1984})


@task
def deploy(c):
    c.run("docker run -d -p 8079:80 --restart always --memory 4096m shop:2024.1")
    c.run("curl --retry 5 --max-time 3000 http://localhost:8079/health")
    c.run("chown 1000:1000 /srv && chmod 0755 /srv/2024")
    Connection("build.example.com", port=2225, connect_timeout=9000).run("uptime")
