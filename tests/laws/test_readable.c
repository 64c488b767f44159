/*
 * Law 11 where the program's headers, as the auxiliary vector has them, are not the program's: the loader was called by
 * its name, and left its own there (musl's does).
 */
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "laws.h"

/* A loader's: no PT_PHDR, and addresses that are relative to where it is. */
static const ElfW(Phdr) headers[] = {
	{.p_type = PT_LOAD, .p_flags = PF_R, .p_memsz = 0x14000},
	{.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = 0x14000, .p_memsz = 0x1000},
};

unsigned long getauxval(unsigned long type)
{
	return type == AT_PHDR ? (unsigned long)headers : type == AT_PHNUM ? COUNT(headers) : 0;
}

static void what_is_relative_is_no_address(void **state)
{
	static char variable[16];

	(void)state;
	assert_false(readable_elsewhere((void *)0x1000, 16));
	assert_false(readable_elsewhere((void *)0x14008, 16));
	assert_false(writable_elsewhere((void *)0x14008));
	assert_true(readable_elsewhere(variable, sizeof(variable)));
	assert_true(writable_elsewhere(variable));
	assert_false(writable_elsewhere((void *)(uintptr_t)headers));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_relative_is_no_address)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
