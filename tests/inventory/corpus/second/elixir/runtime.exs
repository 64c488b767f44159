import Config

port = String.to_integer(System.get_env("PORT") || "4002")

config :shop, ShopWeb.Endpoint,
  url: [host: System.get_env("PHX_HOST", "localhost"), port: 443, scheme: "https"],
  http: [ip: {0, 0, 0, 0, 0, 0, 0, 0}, port: port, transport_options: [num_acceptors: 1024]],
  check_origin: ["http://localhost:5173", "//shop.example"],
  live_view: [signing_salt: "a1b2c3d4"]

config :shop, Shop.Repo,
  url: System.get_env("DATABASE_URL") || "ecto://postgres:postgres@localhost:5440/shop_dev",
  pool_size: 1500,
  queue_interval: 2000,
  ownership_timeout: 60_000

config :shop, Shop.Mailer, adapter: Swoosh.Adapters.SMTP, relay: "localhost", port: 1026, retries: 2
config :shop, :electric, url: "http://localhost:3003", timeout: 5000
config :libcluster, topologies: [epmd: [config: [hosts: [:"a@127.0.0.1"], polling_interval: 5_000]]]
config :statix, host: "127.0.0.1", port: 8127
config :shop, founded: 1998, phone: "030-5550-1234"
