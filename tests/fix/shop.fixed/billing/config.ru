require 'rack'
#\ -p 4020
app = ->(env) { [200, {}, ["http://localhost:#{ENV.fetch("WEB_PORT", "3000")}\n"]] }
run app
