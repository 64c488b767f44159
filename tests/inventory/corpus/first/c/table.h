#ifndef TABLE_H
#define TABLE_H

/* Code points and sizes. Port numbers are in net.h. */
enum code { CODE_OK = 2000, CODE_GONE = 4100, CODE_LATE = 5040 };

struct row {
	unsigned id, support, report;
};

static const struct row rows[] = {
	{1000, 3000, 8080},
	{1001, 3001, 8081},
};

#define PORTABLE 1999
#define IMPORT_MAX 8000
#define EXPORTED_SYMBOLS 5000
#define VIEWPORT_WIDTH 1280

#endif
