require 'pg'
require 'mysql2'
CONN = PG.connect(host: 'localhost', port: 5432, dbname: 'shop', connect_timeout: 3000)
OTHER = Mysql2::Client.new(host: '127.0.0.1', port: 3306, read_timeout: 5000)
URL = ENV.fetch('REDIS_URL', 'redis://localhost:6379/1')
PORT = (ENV['API_PORT'] || 4000).to_i
LIMIT = (ENV['LIMIT'] || 5000).to_i
