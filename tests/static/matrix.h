/*
 * matrix.h - cases that must look the same to a program whether portshim moves its ports or not.
 *
 * One program, linked statically by each C library there is: so that every call of it meets the filter (src/notify).
 * It goes through its cases, each in a process of its own, and prints a line for each result: what the call returned,
 * errno, addresses with the port's name in place of its number, and how long it took where that matters. matrix.py
 * runs it bare on free ports and under portshim on held ones, and compares.
 *
 * A line that begins with "note" is not compared: it is a number that matrix.py looks at.
 */
#ifndef TESTS_STATIC_MATRIX_H
#define TESTS_STATIC_MATRIX_H

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

struct matrix_case {
	const char *name;
	void (*run)(void);
};
extern const struct matrix_case matrix_stream[], matrix_names[], matrix_datagrams[], matrix_processes[],
	matrix_entries[];

/* Prints a line of the case that runs. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The result of a call, and the name of errno if it is -1. */
void result(const char *what, long value);
#define R(what, call) (errno = 0, result(what, (long)(call)))
/* Ends the case: what must work did not. */
void must(bool good, const char *what);

/* Another port each time: one to ask for (moved under portshim), and one on which nobody is. */
int port(void);
int closed(void);
/* What is printed for a port: P0 ..., C0 ..., 0, E (the kernel's choice), or X and the number. */
const char *port_name(int number);
/* Address and port in words. */
const char *address_name(const void *address, socklen_t length);

struct sockaddr_in in4(const char *text, int number);
struct sockaddr_in6 in6(const char *text, int number);
int stream4(void);
int datagram4(void);
void option(int fd, int level, int name, int value);
int bind4(int fd, const char *text, int number);
int connect4(int fd, const char *text, int number);
/* A server on 127.0.0.1 that listens. */
int server4(int number, int backlog);
/* One line each: what the two say of the socket. */
void own_name(const char *what, int fd);
void peer_name(const char *what, int fd);
bool ready(int fd, short events, int milliseconds);
#define PATIENCE 20000 /* milliseconds, for what comes */
/* Nothing of the kernel's answers to whoever connects now: its queue is full. */
int full_server(int number);
double seconds(void);
/* "too early", "in time", or "late": seconds after that, of which a busy machine may need some. */
const char *how_long(double since, double least);
/* Installs a handler of SIGALRM that counts; and sends it, after so many milliseconds, once, or in a row. */
void handler(bool restart);
void alarm_in(int milliseconds, int again_microseconds);
extern volatile sig_atomic_t *handled; /* shared with a process that the case starts after handler() */
/* For a process that the case has started: returns when so many have come. It ends with the case. */
void until_handled(int count);
/* Nanoseconds for which whoever serves the calls has waited for a processor, where the kernel tells. */
long long waited_for_processor(void);

/* What this program does when a case executes it: words[0] says which part. */
int matrix_as(int count, char **words);

#endif
