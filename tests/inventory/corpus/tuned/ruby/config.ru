require 'rack'
# 9291 is the admin's
app = proc { |env| [200, { 'content-length' => '2024' }, ['ok']] }
Rack::Handler::WEBrick.run app, Port: 9294, Host: 'localhost', MaxClients: 1000
run app
