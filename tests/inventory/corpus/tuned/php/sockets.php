<?php
$s = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
socket_bind($s, '127.0.0.1', 10000);
socket_listen($s, 1024);
$t = stream_socket_server('tcp://0.0.0.0:8000', $no, $str);
$u = stream_socket_client('tcp://localhost:8001', $no, $str, 30);
$data = socket_read($s, 2048);
