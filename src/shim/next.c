/*
 * Theory of operation
 *
 * Some thirty times dlsym(RTLD_NEXT) costs more than all else that the constructor does but mapping the files. The
 * loader's list of objects (`_r_debug`, link.h) is in the order in which it searches them, so what comes behind this
 * library is what RTLD_NEXT means, and each object says where its tables are. A name's hash is made once and looked up
 * in each.
 *
 * Whatever is unusual is left to the loader: another libc's loader (no list), an object without DT_GNU_HASH, a function
 * that is chosen at run time (STT_GNU_IFUNC), more objects than there is room for. The first object that cannot be read
 * ends the list, so nothing behind it is found instead of something in it.
 *
 * Source: ELF gABI, "Dynamic Section"; DT_GNU_HASH is described by glibc's elf/dl-lookup.c only: four words, the Bloom
 * filter, the buckets, then for each symbol its hash, whose lowest bit ends a chain.
 */
#include <string.h>

#include "next.h"

#include "../core/text.h"

extern struct r_debug _r_debug __attribute__((weak));
extern unsigned long getauxval(unsigned long) __attribute__((weak));
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

#define BITS (8 * sizeof(uintptr_t))
#define HIDDEN_VERSION 0x8000 /* not the default one of its name */

/* glibc relocates these addresses in place where it can write; where it cannot, they are relative. */
static const void *place(const struct link_map *map, uintptr_t address)
{
	return (const void *)(address < map->l_addr ? address + map->l_addr : address);
}

static int read_table(struct next_table *table, const struct link_map *map)
{
	*table = (struct next_table){.bias = map->l_addr};
	for (const ElfW(Dyn) *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
		const void *there = place(map, entry->d_un.d_ptr);

		if (entry->d_tag == DT_SYMTAB)
			table->symbols = there;
		else if (entry->d_tag == DT_STRTAB)
			table->strings = there;
		else if (entry->d_tag == DT_VERSYM)
			table->versions = there;
		else if (entry->d_tag == DT_GNU_HASH)
			table->hash = there;
	}
	return table->symbols && table->strings && table->hash && table->hash[0] && table->hash[2];
}

/* Objects do not overlap, and start at their load address or (a program at a fixed place) above it. So libc, which has
 * a function that nobody interposes, reaches at most to where the next one starts. */
static void find_libc(struct next_tables *tables, const struct link_map *map)
{
	uintptr_t inside = (uintptr_t)getauxval, first = 0, end = UINTPTR_MAX;

	for (; map; map = map->l_next)
		if (map->l_addr > inside && map->l_addr < end)
			end = map->l_addr;
		else if (map->l_addr <= inside && map->l_addr > first)
			first = map->l_addr;
	tables->libc_first = first;
	tables->libc_end = first ? end : 0;
}

void next_start(struct next_tables *tables)
{
	const struct link_map *map = &_r_debug ? _r_debug.r_map : NULL;

	tables->count = 0;
	find_libc(tables, map);
	while (map && map->l_ld != _DYNAMIC)
		map = map->l_next;
	for (map = map ? map->l_next : NULL; map && tables->count < NEXT_OBJECTS; map = map->l_next)
		if (!read_table(&tables->table[tables->count++], map)) {
			tables->count--;
			break;
		}
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static const ElfW(Sym) *find(const struct next_table *t, const char *name, uint32_t hash)
{
	uint32_t buckets = t->hash[0], first = t->hash[1], words = t->hash[2], shift = t->hash[3];
	const uintptr_t *filter = (const uintptr_t *)(t->hash + 4);
	const uint32_t *bucket = (const uint32_t *)(filter + words), *chain = bucket + buckets;
	uintptr_t word = filter[hash / BITS % words];
	uint32_t at;

	if (!(word >> (hash % BITS) & word >> ((hash >> shift) % BITS) & 1))
		return NULL;
	at = bucket[hash % buckets];
	if (at < first)
		return NULL;
	do {
		const ElfW(Sym) *s = &t->symbols[at];

		if ((chain[at - first] | 1) == (hash | 1) && s->st_shndx != SHN_UNDEF &&
		    !(t->versions && t->versions[at] & HIDDEN_VERSION) && text_equal(t->strings + s->st_name, name))
			return s;
	} while (!(chain[at++ - first] & 1));
	return NULL;
}

void *next_symbol(const struct next_tables *tables, const char *name)
{
	uint32_t hash = hash_of(name);

	for (unsigned i = 0; i < tables->count; i++) {
		const ElfW(Sym) *s = find(&tables->table[i], name, hash);

		if (s)
			return ELF64_ST_TYPE(s->st_info) == STT_FUNC ? (void *)(tables->table[i].bias + s->st_value) : NULL;
	}
	return NULL;
}
