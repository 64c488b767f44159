€var http = require('http');
var url = 'http://localhost:4010';

http.get(url + '/health');
http.get('http://localhost:4011/list?all=1', function (response) {
	response.resume();
});
http.createServer(function (request, response) {
	response.end('ok');
}).listen(9464);
