require "active_support/core_ext/integer/time"

Rails.application.configure do
  config.cache_store = :redis_cache_store, { url: ENV.fetch("REDIS_URL", "redis://localhost:6379/1"), expires_in: 7200 }
  config.action_mailer.default_url_options = { host: "localhost", port: 3000 }
  config.action_mailer.smtp_settings = { address: "localhost", port: 1025, open_timeout: 5000 }
  config.hosts << "shop.localhost:3000"
  config.public_file_server.headers = { "Cache-Control" => "public, max-age=#{2.days.to_i}" }
  config.active_record.migration_error = :page_load
  config.action_cable.url = "ws://localhost:28080/cable"
  config.webpacker_dev_server = "http://localhost:3035"
  config.x.year = 2024
  config.x.limits = { rows: 5000, bytes: 65535 }
end
