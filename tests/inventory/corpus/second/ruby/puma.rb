max_threads = ENV.fetch("RAILS_MAX_THREADS") { 5 }
threads max_threads, max_threads
worker_timeout 3600 if ENV.fetch("RAILS_ENV", "development") == "development"
port ENV.fetch("PORT") { 3000 }
ssl_bind "0.0.0.0", "9292", key: "key.pem", cert: "cert.pem"
bind "tcp://127.0.0.1:3010"
activate_control_app "tcp://127.0.0.1:9293", auth_token: "12345"
persistent_timeout 2000
