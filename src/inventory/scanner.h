/*
 * scanner.h - what the parts of the scanner share: the file being read, and what a piece of text stands in.
 */
#ifndef PORTSHIM_INVENTORY_SCANNER_H
#define PORTSHIM_INVENTORY_SCANNER_H

#include "lex.h"
#include "words.h"

#define SCAN_NESTING 3 /* strings in strings, and code in strings */

/* Smaller numbers are counts, not ports that anybody writes into a program. */
#define SCAN_LEAST 20

struct ps_scanner {
	struct ps_scan *found;
	enum ps_language language;
	const char *text;
	uint32_t size;
};

/* What is known about a word or a string before one looks into it. */
struct ps_text_place {
	uint32_t from, until;          /* its contents */
	uint32_t literal, literal_end; /* with its quotes */
	enum ps_portness key;          /* of the name that it is the value of */
	enum ps_use use;               /* of a host and port in it */
	bool guess;                    /* nothing said that use: a host that stands for all addresses does */
	bool addresses;                /* hosts and ports are to be expected: key or call say so */
	bool mapping;                  /* so are sides of a mapping */
	bool named_hosts;              /* `name:3000` is a host and its port */
	bool image;                    /* what looks like a host is the name of an image or a file */
	bool prose;                    /* among other words of a text */
};

/* Records a port; false if the digits are no port. The first record of an offset wins. */
bool scanner_add(struct ps_scanner *scanner, const struct ps_text_place *place, uint32_t from, uint32_t until,
		 enum ps_use use, enum ps_certainty certainty, bool inside, bool remote);

/* URLs, hosts with ports, mappings and ${NAME:-3000} in a word or a string. */
void scanner_text(struct ps_scanner *scanner, const struct ps_text_place *place);

/* The value of plain decimal digits (with _ between them), or 0 if they are no port. */
unsigned scanner_port(const char *digits, size_t length);

#endif
