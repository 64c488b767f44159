require 'socket'
require 'redis'
require 'net/http'

class TcpService
  DEFAULT_PORT = 7777
  VERSION = '1.4.2'
  MAX_BYTES = 65_535

  def initialize(port: DEFAULT_PORT, backlog: 1024)
    @server = TCPServer.new('0.0.0.0', port)
    @server.listen(512)
    @status = TCPServer.new('127.0.0.1', 7778)
    @redis = Redis.new(host: 'localhost', port: 6379, timeout: 5000)
  end

  def ping
    s = TCPSocket.new 'localhost', 7777
    s.puts "PING #{Time.now.year - 1970}"
    Net::HTTP.get(URI("http://localhost:7779/status?since=2020"))
    sleep 3000 / 1000
  end
end
