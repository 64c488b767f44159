<!doctype html>
<p>It's at port 4030</p>
<?php $port = 4030; ?>
<p><?= $port ?></p>
