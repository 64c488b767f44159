/*
 * libeager.c - a library that cannot wait: its constructor does the job, before main and maybe before other libraries'
 * constructors. EAGER_PORT names the port; without it nothing is done.
 *
 * eager_job() is the same for whoever loads it later.
 */
#include "job.h"

int eager_job(const char *name, int port);

int eager_job(const char *name, int port)
{
	return job_told(1, name, port);
}

__attribute__((constructor)) static void at_once(void)
{
	const char *port = getenv("EAGER_PORT");

	if (port && atoi(port))
		eager_job("constructor", atoi(port));
}
