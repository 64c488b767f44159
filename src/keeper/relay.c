/*
 * relay.c - what the keeper and its worker tell each other.
 */
#include "relay.h"

#include <sys/mman.h>

/* What lies behind it starts on a page (notify.h). */
#define ROOM ((sizeof(struct ps_relay) + 4095) / 4096 * 4096)

struct ps_relay *relay_create(size_t more)
{
	struct ps_relay *relay =
		mmap(NULL, ROOM + more, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return relay == MAP_FAILED ? NULL : relay;
}

void *relay_more(struct ps_relay *relay)
{
	return (char *)relay + ROOM;
}

void relay_free(struct ps_relay *relay, size_t more)
{
	if (relay)
		munmap(relay, ROOM + more);
}

void relay_tell(struct ps_relay *relay, int status)
{
	uint64_t count = (atomic_load(&relay->news) >> 32) + 1;

	atomic_store(&relay->news, count << 32 | (uint32_t)status);
}

bool relay_hear(struct ps_relay *relay, bool all, uint32_t *seen, int *status)
{
	uint64_t news = atomic_load(&relay->news);

	/* In this order: news from before `looking` is false came with everything that belongs to it. */
	if ((uint32_t)(news >> 32) == *seen || (!all && atomic_load(&relay->looking)))
		return false;
	*seen = (uint32_t)(news >> 32);
	*status = (int)(uint32_t)news;
	return true;
}
