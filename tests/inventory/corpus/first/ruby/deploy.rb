# config valid for Capistrano 3.18
set :application, 'shop'
set :keep_releases, 2024
set :ssh_options, { port: 2222, keepalive: 3000 }
server 'shop.example.com:2222', roles: %w[app], user: 'deploy'
set :puma_bind, 'tcp://127.0.0.1:9292'
set :health, -> { "http://localhost:#{fetch(:web_port, 8080)}/up" }
