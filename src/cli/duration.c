#include "duration.h"

#include <stdlib.h>
#include <string.h>

bool duration_parse(const char *text, int64_t *ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1e3}, {"", 1e3}, {"m", 60e3}, {"h", 3600e3}};
	char *end;
	double n;

	if (strcmp(text, "forever") == 0) {
		*ms = -1;
		return true;
	}
	/* strtod also takes signs, "inf" and hexadecimal. */
	if (!text[0] || text[strspn(text, "0123456789.")] == 'x' || strspn(text, "0123456789.") == 0)
		return false;
	n = strtod(text, &end);
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0 || n * units[i].ms > 1e12)
			continue;
		*ms = (int64_t)(n * units[i].ms);
		return true;
	}
	return false;
}
