<?php
$redis = new Redis();
$redis->connect('127.0.0.1', 6379, 2.5);
$redis->setEx('key', 3600, 'v');
$m = new Memcached();
$m->addServer('cache', 11211);
$m->setOption(Memcached::OPT_CONNECT_TIMEOUT, 2000);
