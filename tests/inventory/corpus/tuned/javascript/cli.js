#!/usr/bin/env node
const { program } = require('commander');
const yargs = require('yargs');

program
  .option('-p, --port <number>', 'port to use', 8080)
  .option('-t, --timeout <ms>', 'patience', 3000);
const argv = yargs
  .option('port', { type: 'number', default: 1234 })
  .option('retries', { type: 'number', default: 1000 }).argv;
module.exports = { argv, version: '1.2.3' };
