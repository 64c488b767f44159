<?php

namespace App;

final class Config
{
    public const HTTP_PORT = 8500;
    public const TIMEOUT_MS = 3000;

    public function __construct(private string $host = 'localhost', private int $port = 8501, private int $limit = 1000)
    {
    }

    public function port(): int
    {
        return (int) ($_SERVER['APP_PORT'] ?? 8502);
    }

    private function getDefaultPort(string $scheme): int
    {
        return $scheme === 'https' ? 443 : 8503;
    }

    public static function fromEnv(): array
    {
        return [
            'http' => ['host' => '0.0.0.0', 'port' => getenv('HTTP_PORT') ?: 8504],
            'rpc_port' => 8505,
            'ports' => [8506, 8507],
            'ttl' => 86400,
            'ids' => [10001, 10002],
            'dsn' => 'pgsql:host=localhost;port=5453;dbname=shop',
            'broker' => 'tcp://127.0.0.1:61613',
            'gearman' => '127.0.0.1:4730',
        ];
    }
}

$client = new \Predis\Client(['scheme' => 'tcp', 'host' => '127.0.0.1', 'port' => 6401, 'timeout' => 2500]);
$predis = new \Predis\Client('tcp://127.0.0.1:6402?database=2');
$ftp = ftp_connect('localhost', 2121, 3000);
$ldap = ldap_connect('ldap://localhost:3890');
$smtp = new \Swift_SmtpTransport('localhost', 2529);
$es = \Elastic\Elasticsearch\ClientBuilder::create()->setHosts(['localhost:9208'])->build();
$loop = new \React\Socket\TcpServer(8508);
$ratchet = \Ratchet\Server\IoServer::factory($component, 8509);
$sock = @fsockopen('udp://127.0.0.1', 8127, $no, $message, 1.5);
$mysql = mysqli_connect('127.0.0.1', 'root', '', 'shop', 3313);
$dbh = new \PDO("mysql:host={$host};port=3314;charset=utf8mb4", 'root');
$ch = curl_init('http://localhost:8510/orders?from=2019&to=2024');
curl_setopt_array($ch, [CURLOPT_PORT => 8510, CURLOPT_CONNECTTIMEOUT_MS => 2000, CURLOPT_BUFFERSIZE => 16384]);
echo date('Y', 1700), number_format(12345.6), str_pad('7', 1024), PHP_EOL;
