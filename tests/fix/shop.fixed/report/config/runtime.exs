import Config

config :report, ReportWeb.Endpoint,
  http: [ip: {127, 0, 0, 1}, port: String.to_integer(System.get_env("PORT") || "4000")],
  check_origin: ["http://localhost:#{System.get_env("WEB_PORT") || "3000"}", "//localhost:#{System.get_env("PORT") || "4000"}"],
  url: [host: "localhost", port: String.to_integer(System.get_env("PORT") || "4000")],
  secret_key_base: "4000"

config :report, Report.Repo,
  hostname: "localhost",
  port: String.to_integer(System.get_env("DATABASE_PORT") || "5432"),
  pool_size: 10
