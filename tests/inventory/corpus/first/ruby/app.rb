require 'sinatra'

set :port, 4567
set :bind, '0.0.0.0'
set :session_secret, '30003000'
set :max_age, 3600

get '/orders/:id' do
  halt 404 if params[:id].to_i > 5000
  status 201
  "order #{params[:id]} of 2023"
end

configure :production do
  set :port, ENV['PORT'] || 8080
end
