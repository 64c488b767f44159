import cluster from 'node:cluster';
import http from 'node:http';

if (cluster.isPrimary) {
	for (let i = 0; i < 4; i++)
		cluster.fork();
	let listening = 0;
	cluster.on('listening', () => ++listening === 4 && console.log('all four listen'));
	cluster.on('exit', (worker, code) => process.exitCode ||= code);
	process.on('SIGTERM', () => {
		for (const worker of Object.values(cluster.workers))
			worker.kill();
	});
} else {
	http.createServer((request, response) => {
		response.setHeader('Connection', 'close');
		response.end(`@IDENTITY@ ${cluster.worker.id}\n`);
	}).listen(@PORT@);
}
