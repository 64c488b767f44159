<?php
define('DB_HOST', 'localhost:3306');
define('WP_MEMORY_LIMIT', '2560M');
define('WP_SITEURL', 'http://localhost:8080');
define('AUTOSAVE_INTERVAL', 3000);
$table_prefix = 'wp_2024_';
