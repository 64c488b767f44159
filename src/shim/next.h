/*
 * next.h - the definition of a function that would be used if this library were not there, as dlsym(RTLD_NEXT) finds
 * it.
 */
#ifndef PORTSHIM_NEXT_H
#define PORTSHIM_NEXT_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#define NEXT_OBJECTS 8

/* The symbol table of a loaded object, and the hash table that leads into it. */
struct next_table {
	const ElfW(Sym) *symbols;
	const char *strings;
	const uint16_t *versions; /* NULL: it has none */
	const uint32_t *hash;     /* DT_GNU_HASH */
	uintptr_t bias;
};

struct next_tables {
	struct next_table table[NEXT_OBJECTS];
	unsigned count;
	uintptr_t libc_first, libc_end; /* where libc is; 0 and 0: the loader's list says nothing */
};

/* Finds the objects behind this library, in the order in which the loader searches them; as many as can be read
 * here, which may be none. For init alone: the loader may change its list at other times. */
void next_start(struct next_tables *tables);

/* NULL: the loader has to be asked. */
void *next_symbol(const struct next_tables *tables, const char *name);

/* True if it is libc's own, and no other library's that stands before it. Before 2.34, glibc has functions that block
 * in libpthread: they count as another library's. */
static inline bool next_in_libc(const struct next_tables *tables, const void *found)
{
	return (uintptr_t)found >= tables->libc_first && (uintptr_t)found < tables->libc_end;
}

#endif
