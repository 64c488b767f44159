<?php

return [
    'default' => env('DB_CONNECTION', 'mysql'),
    'connections' => [
        'mysql' => [
            'host' => env('DB_HOST', '127.0.0.1'),
            'port' => env('DB_PORT', '3306'),
            'timeout' => 5000,
        ],
        'reports' => [
            'dsn' => 'pgsql:host=reports;port=5433;dbname=reports',
            'charset' => 'utf8mb4',
            'chunk' => 10000,
        ],
    ],
    'redis' => [
        'cache' => ['url' => 'redis://redis:6379/2', 'read_timeout' => 60000],
    ],
    // 'legacy' => ['port' => 3307],
];
