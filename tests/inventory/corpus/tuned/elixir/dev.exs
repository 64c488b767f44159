import Config

config :shop, ShopWeb.Endpoint,
  http: [ip: {127, 0, 0, 1}, port: 4000],
  debug_errors: true,
  secret_key_base: "3000300030003000"

# http: [port: 4999]
config :shop, Shop.Repo, hostname: "localhost", port: 5432, pool_size: 1000, timeout: 15000
config :logger, level: :debug, truncate: 8192
