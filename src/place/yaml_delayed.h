/*
 * yaml_delayed.h - libyaml, loaded with the first YAML file that is read.
 */
#ifndef PORTSHIM_PLACE_YAML_DELAYED_H
#define PORTSHIM_PLACE_YAML_DELAYED_H

#include <yaml.h>

/* Why libyaml could not be loaded, or NULL: after yaml_parser_initialize has failed. */
const char *yaml_delayed_error(void);

#endif
