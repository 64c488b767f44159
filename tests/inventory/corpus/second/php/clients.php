<?php

class Clients
{
    private int $port = 9300;
    private int $timeout = 2500;
    public const FOUNDED = 1999;

    public function all(): array
    {
        $pdo = new PDO('mysql:host=127.0.0.1;port=3308;dbname=shop', 'app', 'secret');
        $mysqli = new mysqli('localhost', 'app', 'secret', 'shop', 3309);
        $redis = new Redis();
        $redis->connect('127.0.0.1', 6384, 2500);
        $memcached = new Memcached();
        $memcached->addServer('localhost', 11213);
        $amqp = new AMQPStreamConnection('localhost', 5674, 'guest', 'guest');
        $fp = fsockopen('localhost', 25, $errno, $errstr, 30);
        $smtp = new PHPMailer();
        $smtp->Host = 'localhost';
        $smtp->Port = 2525;
        $client = new GuzzleHttp\Client(['base_uri' => 'http://localhost:8983/solr/', 'timeout' => 3000]);
        curl_setopt($ch, CURLOPT_URL, "http://127.0.0.1:9200/_search?size=1000");
        curl_setopt($ch, CURLOPT_PORT, 9200);
        curl_setopt($ch, CURLOPT_TIMEOUT_MS, 2000);
        $mongo = new MongoDB\Client("mongodb://mongo:27017,mongo2:27018/?replicaSet=rs0");
        return compact('pdo', 'mysqli', 'redis', 'memcached', 'amqp', 'fp', 'mongo');
    }

    public function testPhone(): void
    {
        $this->assertSame('555-4321', format(5554321));
        $this->assertEquals(2048, strlen(str_repeat('x', 2048)));
        $this->assertSame('12:3000', sprintf('%d:%d', 12, 3000));
        $this->get('/orders/30001')->assertStatus(404);
    }
}
