/*
 * faulty.c - does the job, and then what a sanitizer has to find: faulty KIND PORT.
 */
#include <pthread.h>
#include <stdio.h>

#include "job.h"

static int shared;

static void *writer(void *unused)
{
	shared++;
	return unused;
}

static int heap(volatile int one)
{
	char *block = calloc(4, 1);
	int value = block ? block[4 * one] : 0;

	free(block);
	return value;
}

static int overflow(volatile int one)
{
	int most = 0x7fffffff;

	return most + one;
}

static int race(void)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, writer, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return shared;
}

int main(int argc, char **argv)
{
	if (argc < 3 || job_told(1, "job", atoi(argv[2])))
		return 2;
	switch (argv[1][0]) {
	case 'a':
		printf("%d\n", heap(argc - 2));
		break;
	case 'u':
		printf("%d\n", overflow(argc - 2));
		break;
	case 't':
		printf("%d\n", race());
		break;
	default:
		break;
	}
	return 0;
}
