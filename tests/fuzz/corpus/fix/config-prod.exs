import Config

config :report, ReportWeb.Endpoint, http: [port: 4000]
