import Config

config :report, ReportWeb.Endpoint,
  http: [ip: {127, 0, 0, 1}, port: 4000],
  check_origin: ["http://localhost:3000", "//localhost:4000"],
  url: [host: "localhost", port: 4000],
  secret_key_base: "4000"

config :report, Report.Repo,
  hostname: "localhost",
  port: 5432,
  pool_size: 10
