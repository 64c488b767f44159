# Builds libuv's tests where its sources are, with neither cmake nor autotools: libuv.sh uses it.
UNIX := async core dl epoll fs getaddrinfo getnameinfo linux-core linux-inotify linux-syscalls loop loop-watcher \
	pipe poll process procfs-exepath proctitle random-devurandom random-getentropy random-getrandom random-sysctl-linux \
	signal stream tcp thread tty udp
LIBRARY := $(wildcard src/*.c) $(wildcard $(UNIX:%=src/unix/%.c))
TESTS := $(filter-out %-win.c test/benchmark-% test/run-benchmarks.c,$(wildcard test/*.c))

run-tests: $(TESTS:.c=.o) libuv.a
	$(CC) -o $@ $^ -pthread -ldl -lrt -lutil

libuv.a: $(LIBRARY:.c=.o)
	$(AR) rcs $@ $^

%.o: %.c
	$(CC) -w -O0 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DHAVE_PTHREAD_H -Iinclude -Isrc -Itest -c -o $@ $<
