/*
 * publish.h - from a socket that listens to what others see of it: the record, then the discovery file. For call_*.c.
 */
#ifndef PORTSHIM_CORE_PUBLISH_H
#define PORTSHIM_CORE_PUBLISH_H

#include <portshim/caller.h>

/* Records a socket that listens (UDP: is bound) on `address`. The run's lock is held, or could not be had. Returns true
 * if publish_write must follow, after the lock is left. */
bool publish_record(struct ps_caller *caller, int fd, const struct ps_address *address, unsigned protocol);
void publish_write(struct ps_caller *caller, uint16_t port);

#endif
