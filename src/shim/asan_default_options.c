#include "shim.h"

/*
 * AddressSanitizer's runtime, where it is a shared library (gcc's choice), ends a program in which another library was
 * loaded before it: other libraries' hooks might keep its own from being called. Ours call on into them. It asks this
 * function for its options (compiler-rt: lib/asan/asan_flags.cpp), the first definition in the process counts, and what
 * the user has in ASAN_OPTIONS comes on top. No other sanitizer checks, and in a program without one nobody calls it.
 */
EXPORT const char *__asan_default_options(void);
EXPORT const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}
