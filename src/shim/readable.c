/*
 * Theory of operation
 *
 * A bad pointer gives EFAULT from the kernel, and must not become a crash because a hook looked at it first. The kernel
 * can be asked whether memory can be read (kernel_readable), but that is a system call for each address, and the cheap
 * calls here are hardly dearer than that. Most addresses lie where no question is needed:
 *
 *   - on the stack, in the frames of our callers: above our own frame, and mapped;
 *   - in the program's own image, which stays for the life of the process: its segments are in the auxiliary vector;
 *   - in the heap that grows with brk(2): below its end, and above an address in it that was found readable before.
 *
 * Everything else (thread stacks far away, memory from mmap) is asked for each time, because it can go away.
 */
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "shim.h"

#include "../core/sys.h"

extern unsigned long getauxval(unsigned long) __attribute__((weak));

#define SEGMENTS 6
#define HEAP_REACH ((uintptr_t)1 << 34) /* how far from the image the kernel may put the heap (arch_randomize_brk, and growth) */

static struct {
	uintptr_t first, end;
} image[SEGMENTS]; /* the unused ones are empty. The last segment, data, is first */
static uintptr_t image_bias; /* what addresses in its headers are relative to */
static _Atomic uintptr_t image_end; /* set last, by the first who asks: few ever touch the page of the headers */
static _Atomic uintptr_t heap_first = UINTPTR_MAX, heap_end; /* each only ever widens */

/* The program's headers lie in one of its segments. Others' do not: musl's loader, called by its name, leaves its own
 * in the auxiliary vector; without PT_PHDR nobody knows then what their addresses are relative to. */
static bool has_itself(const ElfW(Phdr) *header, unsigned long count, uintptr_t bias)
{
	for (unsigned long i = 0; i < count; i++)
		if (header[i].p_type == PT_LOAD && (uintptr_t)header - bias - header[i].p_vaddr < header[i].p_memsz)
			return true;
	return false;
}

/* Several threads may do this at once, and write the same. */
static void find_segments(void)
{
	const ElfW(Phdr) *header = getauxval ? (const ElfW(Phdr) *)getauxval(AT_PHDR) : NULL;
	unsigned long count = header ? getauxval(AT_PHNUM) : 0;
	uintptr_t bias = 0, last = 0;
	unsigned n = 0;

	for (unsigned long i = 0; i < count; i++)
		if (header[i].p_type == PT_PHDR)
			bias = (uintptr_t)header - header[i].p_vaddr;
	if (!has_itself(header, count, bias))
		return;
	image_bias = bias;
	for (unsigned long i = count; i-- > 0 && n < SEGMENTS;) {
		if (header[i].p_type != PT_LOAD || !(header[i].p_flags & PF_R))
			continue;
		image[n].first = bias + header[i].p_vaddr;
		image[n].end = image[n].first + header[i].p_memsz;
		if (image[n].end > last)
			last = image[n].end;
		n++;
	}
	atomic_store_explicit(&image_end, last, memory_order_release);
}

static inline void know_segments(void)
{
	if (!atomic_load_explicit(&image_end, memory_order_acquire))
		find_segments();
}

/* Asks, and widens what is known of the heap. */
static bool ask(uintptr_t first, uintptr_t end)
{
	uintptr_t limit;

	if (!kernel_readable((const void *)first, end - first))
		return false;
	if (first - atomic_load_explicit(&image_end, memory_order_relaxed) < HEAP_REACH) {
		limit = (uintptr_t)sys1(SYS_brk, 0);
		if (end <= limit) {
			if (first < atomic_load_explicit(&heap_first, memory_order_relaxed))
				atomic_store_explicit(&heap_first, first, memory_order_relaxed);
			if (limit > atomic_load_explicit(&heap_end, memory_order_relaxed))
				atomic_store_explicit(&heap_end, limit, memory_order_relaxed);
		}
	}
	return true;
}

bool readable_elsewhere(const void *p, unsigned long size)
{
	uintptr_t first = (uintptr_t)p, end = first + size;

	if (end < first)
		return false;
	know_segments();
	for (unsigned i = 0; i < SEGMENTS; i++)
		if (first >= image[i].first && end <= image[i].end)
			return true;
	if (first >= atomic_load_explicit(&heap_first, memory_order_relaxed) &&
	    end <= atomic_load_explicit(&heap_end, memory_order_relaxed))
		return true;
	return ask(first, end);
}

/* Is it in the program's data, behind what is read-only once it is relocated (RELRO)? Headers are few. */
static bool is_variable(uintptr_t first, uintptr_t end)
{
	const ElfW(Phdr) *header = image[0].end ? (const ElfW(Phdr) *)getauxval(AT_PHDR) : NULL;
	unsigned long count = header ? getauxval(AT_PHNUM) : 0;
	bool found = false;

	for (unsigned long i = 0; i < count; i++) {
		uintptr_t start = image_bias + header[i].p_vaddr;

		if (first >= start && end <= start + header[i].p_memsz && header[i].p_type == PT_LOAD)
			found = header[i].p_flags & PF_W;
		if (first < start + header[i].p_memsz && end > start && header[i].p_type == PT_GNU_RELRO)
			return false;
	}
	return found;
}

bool writable_elsewhere(void *p)
{
	uintptr_t first = (uintptr_t)p, end = first + 8;

	know_segments();
	if (first >= atomic_load_explicit(&heap_first, memory_order_relaxed) &&
	    end <= atomic_load_explicit(&heap_end, memory_order_relaxed))
		return true;
	return is_variable(first, end) || kernel_writable(p);
}
