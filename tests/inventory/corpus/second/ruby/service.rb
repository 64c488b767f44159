require "sinatra/base"
require "socket"
require "net/http"
require "optparse"
require "webrick"

options = { port: 4568, workers: 1024 }
OptionParser.new do |o|
  o.on("-p", "--port PORT", Integer, "port (default 4568)") { |v| options[:port] = v }
end.parse!

class App < Sinatra::Base
  set :port, ENV["PORT"] || 4568
  set :bind, "0.0.0.0"
  set :timeout, 3000
  get("/years") { (1990..2024).to_a.join(",") }
end

server = TCPServer.new("127.0.0.1", 7778)
gossip = UDPSocket.new
gossip.bind("0.0.0.0", 7946)
client = TCPSocket.open("localhost", 7779)
http = Net::HTTP.new("localhost", 8983)
http.read_timeout = 9000
web = WEBrick::HTTPServer.new(Port: 8008, DocumentRoot: "/srv/www/2024")
mongo = Mongo::Client.new(["127.0.0.1:27018"], database: "shop")
memcache = Dalli::Client.new("localhost:11212", expires_in: 3600)
nats = NATS.connect("nats://localhost:4222")
DRb.start_service("druby://localhost:8787", server)
puts "error 4040", Time.at(1700).year, client.read(2048)
Rack::Handler::Thin.run(App, Port: 9090, Host: "localhost")
