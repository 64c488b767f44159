<?php
$port = $_ENV['PORT'] ?? 8080;
$timeout = $_ENV['TIMEOUT'] ?? 3000;
// $port = 9999;
# $port = 9998;
$api = 'http://localhost:8000/api';
http_response_code(404);
header('Location: http://localhost:8080/login?year=2024');
echo "<p style='width: 1000px'>Order 5000</p>";
