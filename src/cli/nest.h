/*
 * nest.h - the scopes that a run's clients see: the chain of a run inside a run, and doors to other environments.
 */
#ifndef PORTSHIM_CLI_NEST_H
#define PORTSHIM_CLI_NEST_H

#include "launch.h"

/* The run that this process itself runs in ($PORTSHIM_RUN), or NULL: there is none, it is over, or it belongs to
 * another runtime directory. The caller closes it. */
struct ps_scope *nest_outer(const char *runtime);

/* True if a run without an environment of its own choice stays in that of the run around it: a private one, which
 * nothing may leave, and a named one, because the user named it. */
bool nest_stays(const char *runtime, const struct ps_scope *outer, const struct ps_launch_options *options,
		const struct ps_project *project);

/* Fills the chain of a run in the environment `env`. `outer` may be NULL; `isolated` runs see nothing of it. */
void nest_chain(uint32_t chain[PS_CHAIN_MAX], uint32_t env, const struct ps_scope *outer, bool isolated, bool quiet);

/* Adds the environments that --allow names, by name, id or directory. Returns 0 or the error's code. */
int nest_allow(uint32_t chain[PS_CHAIN_MAX], const char *runtime, const struct ps_option_list *allow,
	       struct ps_error *error);

/* Calls `each` for every environment of the runtime directory until it returns false. */
void nest_environments(const char *runtime, bool (*each)(const struct ps_scope *env, void *context), void *context);

#endif
