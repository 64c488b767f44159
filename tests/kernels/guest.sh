#!/bin/bash
# guest.sh - the first process of a machine that exists for these tests (run.sh): guest.sh SUITE...
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PORTSHIM_TEST_GUEST=yes
chmod 755 / /portshim
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t securityfs securityfs /sys/kernel/security
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=755 run /run
ln -sf /proc/self/fd /dev/fd
ip link set lo up
ip addr add 198.51.100.2/32 dev lo
ulimit -n 4096
echo 0 >/proc/sys/kernel/printk
cd /portshim || exit
status=0
echo "=== $(uname -srm)"
# What an ordinary user meets on most machines; the scenes change it, and end with what cannot be taken back.
echo 1 >/proc/sys/kernel/yama/ptrace_scope
for suite; do
	TEST_TIMEOUT=1800 JOBS=1 tests/run.sh build "$suite" || status=1
done
BUILD=build PORTSHIM_TEST_BUILD=/portshim/build python3 tests/kernels/scenes.py || status=1
[ $status != 0 ] || echo "=== good"
echo o >/proc/sysrq-trigger
sleep 60
