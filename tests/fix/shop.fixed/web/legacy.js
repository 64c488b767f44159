var http = require('http');
var url = process.env.API_URL || 'http://localhost:4010';

http.get(url + '/health');
http.get('http://localhost:' + (process.env.ARTIFACTS_PORT || 4011) + '/list?all=1', function (response) {
	response.resume();
});
http.createServer(function (request, response) {
	response.end('ok');
}).listen(Number(process.env.METRICS_PORT || 9464));
