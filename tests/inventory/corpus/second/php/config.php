<?php

use Illuminate\Support\Str;

return [
    'default' => env('DB_CONNECTION', 'mysql'),
    'lifetime' => 7200,
    'connections' => [
        'mysql' => [
            'driver' => 'mysql',
            'host' => env('DB_HOST', '127.0.0.1'),
            'port' => env('DB_PORT', '3307'),
            'charset' => 'utf8mb4',
            'options' => [1002 => 'SET NAMES utf8'],
        ],
        'pgsql' => ['url' => 'pgsql://app:secret@localhost:5437/app', 'port' => 5437, 'sslmode' => 'prefer'],
    ],
    'redis' => ['client' => 'phpredis', 'host' => env('REDIS_HOST', 'redis'), 'port' => (int) env('REDIS_PORT', 6383), 'read_timeout' => 60000],
    'mail' => ['transport' => 'smtp', 'host' => 'mailpit', 'port' => 1025, 'timeout' => 3000],
    'url' => env('APP_URL', 'http://localhost:8000'),
    'year' => 2024,
    'upload_max' => 20480,
];
