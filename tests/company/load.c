/*
 * load.c - a program that loads a library late and lets it do the job: load LIBRARY FLAG PORT.
 */
#include <dlfcn.h>
#include <stdio.h>

#include "job.h"

int main(int argc, char **argv)
{
	int flags = RTLD_NOW, (*eager_job)(const char *, int) = NULL;
	void *library;

	if (argc < 4)
		return 2;
	if (strcmp(argv[2], "deep") == 0)
		flags |= RTLD_DEEPBIND;
	else if (strcmp(argv[2], "global") == 0)
		flags |= RTLD_GLOBAL;
	else if (strcmp(argv[2], "lazy") == 0)
		flags = RTLD_LAZY;
	library = strcmp(argv[2], "apart") == 0 ? dlmopen(LM_ID_NEWLM, argv[1], flags) : dlopen(argv[1], flags);
	if (library)
		*(void **)&eager_job = dlsym(library, "eager_job");
	if (!eager_job) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	return eager_job("library", atoi(argv[3]));
}
