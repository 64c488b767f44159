<?php

declare(strict_types=1);

use React\Http\HttpServer;
use React\Socket\SocketServer;
use Workerman\Worker;

define('APP_PORT', 8089);
const WS_PORT = 2346;

$worker = new Worker('websocket://0.0.0.0:2346');
$worker->count = 4;
$worker->onMessage = fn ($c, $data) => $c->send(substr($data, 0, 4096));

$http = new HttpServer(fn () => React\Http\Message\Response::plaintext('ok'));
$http->listen(new SocketServer('127.0.0.1:8090'));

$swoole = new Swoole\Http\Server('0.0.0.0', 9501);
$swoole->set(['worker_num' => 8, 'max_request' => 10000, 'buffer_output_size' => 32768]);

$port = getenv('PORT') ?: 8089;
$port2 = $_ENV['ADMIN_PORT'] ?? 8091;
$socket = stream_socket_server("tcp://127.0.0.1:$port", $errno, $errstr);
$raw = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
socket_bind($raw, '127.0.0.1', 10101);
socket_listen($raw, 1024);
http_response_code(503);
header('Retry-After: 3600');
