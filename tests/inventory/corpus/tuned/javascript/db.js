const mysql = require('mysql2/promise');
const { createClient } = require('redis');
const nodemailer = require('nodemailer');

exports.pool = mysql.createPool({ host: 'db', port: 3306, connectionLimit: 1000, connectTimeout: 10000 });
exports.cache = createClient({ socket: { host: 'localhost', port: 6380 } });
exports.mail = nodemailer.createTransport({ host: 'localhost', port: 1025, secure: false });
exports.search = { node: 'http://elastic:changeme@localhost:9200' };
