#!/bin/sh
# no ports here, not even 8080
export REPORT_YEAR=2024 SUPPORT=3000
mkdir -p 2024 3000
kill -s TERM 8080
cut -c 1-3000 file | head -n 1000 | tail -c 4096
printf '%d files in %s\n' 3000 "12:30"
test "$status" -eq 404 && exit 143
tar --exclude=4000 -czf backup-2024.tar.gz .
