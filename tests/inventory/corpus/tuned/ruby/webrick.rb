require 'webrick'
server = WEBrick::HTTPServer.new(:Port => 8000, :DocumentRoot => './public', :RequestTimeout => 3000)
trap('INT') { server.shutdown }
server.start
puts "took #{Time.now.year - 2000} years"
