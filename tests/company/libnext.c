/*
 * libnext.c - holds what src/shim/next.c finds in the loader's list against dlsym(RTLD_NEXT), from the place in the
 * list that LD_PRELOAD gives this library. When it is loaded it says how many names next.c found by itself, how many it
 * left to the loader, and which differ.
 */
#include <stdio.h>

#include "../../src/shim/next.c"
#include "../../src/shim/real.c"

__attribute__((constructor)) static void compare(void)
{
	struct next_tables tables;
	unsigned found = 0, left = 0;

	next_start(&tables);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *ours = next_symbol(&tables, wanted[i].name);

		found += ours != NULL;
		left += !ours;
		if (ours && ours != dlsym(NEXT, wanted[i].name))
			printf("%s differs\n", wanted[i].name);
	}
	printf("next found %u left %u\n", found, left);
	fflush(stdout);
}
