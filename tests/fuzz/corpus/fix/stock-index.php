„<?php
declare(strict_types=1);

namespace Shop\Stock;

const PORT = 4030;

/** Stock. See http://localhost:4030/docs */
final class Stock
{
    private const API = 'http://localhost:4010';
    private int $port = 4030;
    private array $options = ['host' => 'localhost', 'port' => 4030];

    public function __construct(string $host = 'localhost', int $port = 4030)
    {
        static $backend = ['port' => 4010];
        $api = 'http://localhost:4010/api';
        $web = "http://{$host}:3000/{$port}";
        $database = ['host' => '127.0.0.1', 'port' => 5432];
        $socket = fsockopen('localhost', 4010, $errno, $error, 30);
        echo "listening on http://localhost:4030\n", $api . 'x';
    }
}

$server = stream_socket_server('tcp://127.0.0.1:4030');
$text = <<<TEXT
http://localhost:3000
TEXT;
