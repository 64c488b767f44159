require 'rack'
#\ -p 4020
app = ->(env) { [200, {}, ["http://localhost:3000\n"]] }
run app
