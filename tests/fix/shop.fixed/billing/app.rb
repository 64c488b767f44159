# frozen_string_literal: true

require 'socket'
require 'net/http'

=begin
Bills. Listens on port 4020.
=end
class Billing
  PORT = Integer(ENV.fetch('PORT', '4020'))
  API = "#{ENV.fetch("API_URL", "http://localhost:4010")}/v1"
  ORIGINS = ["http://localhost:#{ENV.fetch("WEB_PORT", "3000")}", "http://#{Socket.gethostname}:3000/"].freeze
  NAMES = %w[web api 4010].freeze

  def initialize(host: 'localhost', port: Integer(ENV.fetch('PORT', '4020')))
    @server = TCPServer.new(host, port)
    @pattern = %r{^/bill/(\d+)$}
  end

  def warm
    Net::HTTP.get(URI("http://localhost:#{ENV.fetch("STOCK_PORT", "4030")}/stock?limit=#{4030}")) if ENV['WARM']
    Net::HTTP.start('localhost', Integer(ENV.fetch('API_PORT', '4010'))) { |http| http.get('/') }
  end

  def help
    <<~TEXT
      open http://localhost:3000
    TEXT
  end
end
