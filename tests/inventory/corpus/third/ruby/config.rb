require "dotenv/load"

module Shop
  DEFAULT_PORT = 4600
  SINCE = 1999
  TIMEOUT = 15_000

  class Config
    attr_accessor :host, :port, :rows

    def initialize(host: "localhost", port: 4601, rows: 5000)
      @host, @port, @rows = host, port, rows
    end

    def self.load
      new(port: Integer(ENV.fetch("PORT", "4602")), rows: Integer(ENV.fetch("ROWS", "2000")))
    end

    def redis_port
      ENV["REDIS_PORT"]&.to_i || 6399
    end

    def default_port
      4603
    end
  end
end

Sidekiq.configure_server { |c| c.redis = { url: "redis://localhost:6399/2", network_timeout: 5000 } }
Elasticsearch::Client.new(host: "localhost", port: 9207, request_timeout: 3000)
Bunny.new(hostname: "localhost", port: 5680, heartbeat: 60)
Sequel.connect(adapter: "postgres", host: "localhost", port: 5452, max_connections: 1024)
HTTParty.get("http://localhost:4604/v1/items?limit=1000", timeout: 2500)
Faraday.new(url: "http://127.0.0.1:4605") { |f| f.options.timeout = 9000 }
Aws.config.update(endpoint: "http://localhost:4566", region: "eu-1")
Redis.new(host: "127.0.0.1", port: 6400, db: 1)
uri = URI("http://localhost:4606/status/404")
Net::SSH.start("example.com", "deploy", port: 2226)
Net::SMTP.start("localhost", 1028)
Socket.tcp("localhost", 4607, connect_timeout: 3)
Socket.tcp_server_loop(4608) { |s, _| s.close }
Rackup::Handler::Puma.run(app, Host: "0.0.0.0", Port: 4609, Threads: "0:1024")
EventMachine.run { EventMachine.start_server("0.0.0.0", 4610, Echo) }
