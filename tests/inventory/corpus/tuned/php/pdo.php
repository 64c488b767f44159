<?php
$pdo = new PDO('mysql:host=127.0.0.1;port=3306;dbname=shop', 'root', '', [PDO::ATTR_TIMEOUT => 5000]);
$db = mysqli_connect('localhost', 'root', '', 'shop', 3307);
$link = new mysqli('localhost', 'root', 'secret', 'shop', 3308);
$rows = $pdo->query('SELECT * FROM orders WHERE id > 3000 LIMIT 1000')->fetchAll();
