# frozen_string_literal: true

require 'socket'
require 'net/http'

=begin
Bills. Listens on port 4020.
=end
class Billing
  PORT = 4020
  API = 'http://localhost:4010/v1'
  ORIGINS = ["http://localhost:3000", "http://#{Socket.gethostname}:3000/"].freeze
  NAMES = %w[web api 4010].freeze

  def initialize(host: 'localhost', port: 4020)
    @server = TCPServer.new(host, port)
    @pattern = %r{^/bill/(\d+)$}
  end

  def warm
    Net::HTTP.get(URI("http://localhost:4030/stock?limit=#{4030}")) if ENV['WARM']
    Net::HTTP.start('localhost', 4010) { |http| http.get('/') }
  end

  def help
    <<~TEXT
      open http://localhost:3000
    TEXT
  end
end
