import Config

config :acme, AcmeWeb.Endpoint,
  http: [ip: {127, 0, 0, 1}, port: String.to_integer(System.get_env("PORT", "4200"))],
  https: [port: 4201, cipher_suite: :strong, keyfile: "priv/cert/selfsigned_key.pem"],
  url: [host: "localhost", port: 4202],
  static_url: [port: 4203],
  watchers: [node: ["node_modules/.bin/vite", "--port", "5176", "--clearScreen", "false"]],
  drain_timeout: 15_000

config :acme, Acme.Repo, username: "postgres", hostname: "localhost", port: 5457, pool_timeout: 5000
config :acme, Acme.ReadRepo, url: "postgres://localhost:5458/acme?pool_size=1000"
config :exq, host: "127.0.0.1", port: 6408, concurrency: 1000
config :redix, url: "redis://localhost:6409"
config :kaffe, producer: [endpoints: [localhost: 9104], topics: ["orders"], max_retries: 1000]
config :ex_aws, :dynamodb, scheme: "http://", host: "localhost", port: 8003, region: "eu-1"
config :tesla, base_url: "http://localhost:4204/v1"
config :wallaby, base_url: "http://localhost:4205", max_wait_time: 5_000, screenshot_size: {1920, 1080}
config :prometheus, port: {:system, "METRICS_PORT", 9569}
config :logger, level: :info, truncate: 8192, backends: [{LoggerLogstash, host: 'localhost', port: 5045}]
config :acme, started: ~D[2019-04-01], sla_ms: 2_500, admin_port: 4206, vat: 1900
