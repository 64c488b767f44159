<?php
return [
    'app' => ['url' => env('APP_URL', 'http://localhost:8000'), 'year' => 2024],
    'mail' => ['host' => 'localhost', 'port' => (int) env('MAIL_PORT', 1025), 'timeout' => 3000],
    'queue' => ['retry_after' => 9000, 'host' => 'rabbitmq', 'port' => 5672],
    'ports' => ['web' => 8080, 'admin' => 8081],
    'export' => ['chunk' => 5000],
];
