# Puma on port 3999 was the old way.
max_threads_count = ENV.fetch("RAILS_MAX_THREADS") { 5000 }
threads 5, max_threads_count
worker_timeout 3600 if ENV.fetch("RAILS_ENV", "development") == "development"

port ENV.fetch("PORT") { 3000 }
bind "tcp://127.0.0.1:9292"
environment ENV.fetch("RAILS_ENV") { "development" }
pidfile ENV.fetch("PIDFILE") { "tmp/pids/server.pid" }
preload_app!
