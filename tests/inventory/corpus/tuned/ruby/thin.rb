require 'net/http'
http = Net::HTTP.new('localhost', 4444)
http.read_timeout = 6000
Net::HTTP.start('127.0.0.1', 4445) { |h| h.get('/x?n=1000') }
UDPSocket.new.bind('0.0.0.0', 5005)
Sidekiq.configure_server { |c| c.redis = { url: 'redis://localhost:6379', size: 1000 } }
