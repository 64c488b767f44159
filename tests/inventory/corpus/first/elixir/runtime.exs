import Config

if System.get_env("PHX_SERVER"), do: config(:shop, ShopWeb.Endpoint, server: true)

port = String.to_integer(System.get_env("PORT") || "4000")
pool = String.to_integer(System.get_env("POOL_SIZE") || "1000")

config :shop, ShopWeb.Endpoint,
  url: [host: "localhost", port: 443, scheme: "https"],
  http: [ip: {0, 0, 0, 0, 0, 0, 0, 0}, port: port]

config :shop, Shop.Repo,
  hostname: "localhost",
  port: 5434,
  queue_target: 5000,
  pool_size: pool

config :shop, :sync_url, System.get_env("SYNC_URL", "http://localhost:3001/v1/shape")
