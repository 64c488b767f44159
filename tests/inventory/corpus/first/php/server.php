<?php
use Swoole\Http\Server;

define('APP_PORT', 9501);
const MAX_REQUEST = 10000;

$server = new Server('0.0.0.0', 9501);
$server->set(['worker_num' => 4, 'max_request' => MAX_REQUEST, 'package_max_length' => 8192]);
$server->on('request', function ($request, $response) {
    $response->status(404);
    $response->header('Cache-Control', 'max-age=3600');
    $response->end('<h1 style="width: 3000px">Not Found</h1>');
});

$fp = fsockopen('localhost', 11211, $errno, $errstr, 30);
$port = getenv('ADMIN_PORT') ?: 9502;
$year = date('Y') ?: 2024;
$server->start();
