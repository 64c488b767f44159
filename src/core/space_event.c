#include <portshim/space.h>

#include "sys.h"

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
	space_poke(space->runtime, space->run->id);
}

void space_event(struct ps_space *space, enum ps_event_kind kind, uint16_t port, int error)
{
	space_event_by(space, (int32_t)sys0(SYS_getpid), kind, port, error);
}
