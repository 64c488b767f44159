#include <string.h>

#include <portshim/space.h>

#include "sys.h"
#include "text.h"

/* The first word is what a place is taken by. Who comes between the two stores tells of the name twice. */
bool space_name(_Atomic uint64_t names[PS_NAMED][2], const char *name, uint16_t *place)
{
	char text[PS_NAMED_MAX];
	uint64_t words[2];

	memset(text, 0, sizeof(text));
	text_copy(text, sizeof(text), name);
	memcpy(words, text, sizeof(words));
	for (*place = 0; words[0] && *place < PS_NAMED; ++*place) {
		_Atomic uint64_t *at = names[*place];
		uint64_t first = 0;

		if (atomic_compare_exchange_strong(&at[0], &first, words[0])) {
			atomic_store(&at[1], words[1]);
			return true;
		}
		if (first == words[0] && atomic_load(&at[1]) == words[1])
			return false;
	}
	return false;
}

void space_event_by(struct ps_space *space, int32_t pid, enum ps_event_kind kind, uint16_t port, int error)
{
	uint32_t sequence = atomic_fetch_add(&space->run->events, 1) + 1;
	struct ps_event *event = &space->run->event[sequence % PS_EVENTS];

	atomic_store(&event->sequence, 0);
	event->kind = (uint16_t)kind;
	event->port = port;
	event->error = error;
	event->pid = pid;
	atomic_store(&event->sequence, sequence);
	space_poke(space->runtime, space->run);
}

void space_event(struct ps_space *space, enum ps_event_kind kind, uint16_t port, int error)
{
	space_event_by(space, (int32_t)sys0(SYS_getpid), kind, port, error);
}
