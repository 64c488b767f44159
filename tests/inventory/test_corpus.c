/*
 * test_corpus.c - precision and recall of the scanner, on files whose ports people have marked.
 *
 * Each set has a folder for each language, and in it the file `labels`: one line for each port, FILE:LINE:COLUMN PORT
 * USE. Every other number of the files is a trap. The sets but the tuned one were written and labelled before the scanner
 * had seen them; what it made of them at first sight is in docs/testing.md. Since then it has learned from all of them.
 * PORTSHIM_CORPUS_SHOW=1 lists what differs, PORTSHIM_CORPUS_SHOW=SET that of one set.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "inventory/scan.h"

#define CORPUS "tests/inventory/corpus/"
#define LANGUAGES_MAX 64
#define LABELS_MAX 1024
#define BAR 90

struct label {
	char file[64];
	unsigned line, column, port;
	char use[16];
	bool found;
};

struct count {
	char language[32];
	unsigned files, labels, right, wrong, same_use;
};

struct counts {
	struct count list[LANGUAGES_MAX];
	unsigned count;
	struct count all;
};

static const char *const sets[] = { "tuned", "first", "second", "third" };
#define SETS (sizeof(sets) / sizeof(sets[0]))

static struct counts counted[SETS];

static unsigned percent(unsigned part, unsigned whole)
{
	return whole ? part * 100 / whole : 100;
}

static char *read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	char *text = malloc(1 << 20);

	assert_non_null(file);
	assert_non_null(text);
	*size = fread(text, 1, 1 << 20, file);
	fclose(file);
	return text;
}

static unsigned read_labels(const char *folder, struct label *labels)
{
	char path[512], line[256];
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/labels", folder);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		struct label *l = &labels[count];

		memset(l, 0, sizeof(*l));
		assert_int_equal(sscanf(line, "%63[^:]:%u:%u %u %15s", l->file, &l->line, &l->column, &l->port, l->use),
				 5);
		assert_true(++count < LABELS_MAX);
	}
	fclose(file);
	return count;
}

static struct label *find_label(struct label *labels, unsigned count, const char *file, const struct ps_port_use *use)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(labels[i].file, file) == 0 && labels[i].line == use->line &&
		    labels[i].column == use->column && labels[i].port == use->port)
			return &labels[i];
	return NULL;
}

static void scan_one(const char *folder, const char *name, struct label *labels, unsigned label_count, struct count *c,
		     bool show)
{
	struct ps_scan scan = { 0 };
	char path[512];
	size_t size;
	char *text;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	text = read_whole(path, &size);
	assert_false(scan_unreadable(text, size));
	scan_text(&scan, scan_language(path, text, size), text, size);
	assert_false(scan.failed);
	c->files++;
	for (size_t i = 0; i < scan.count; i++) {
		struct label *l = find_label(labels, label_count, name, &scan.list[i]);

		if (!l) {
			c->wrong++;
			if (show)
				printf("  wrong: %s:%u:%u %u %s\n", path, scan.list[i].line, scan.list[i].column,
				       scan.list[i].port, scan_use_name(scan.list[i].use));
			continue;
		}
		assert_false(l->found); /* each place once */
		l->found = true;
		c->right++;
		c->same_use += strcmp(l->use, scan_use_name(scan.list[i].use)) == 0;
		if (show && strcmp(l->use, scan_use_name(scan.list[i].use)) != 0)
			printf("  kind: %s:%u:%u is %s, not %s\n", path, l->line, l->column, l->use,
			       scan_use_name(scan.list[i].use));
	}
	scan_free(&scan);
	free(text);
}

static void scan_folder(const char *set, const char *language, struct count *c, bool show)
{
	static struct label labels[LABELS_MAX];
	struct dirent *entry;
	char folder[256];
	DIR *directory;

	snprintf(folder, sizeof(folder), CORPUS "%s/%s", set, language);
	snprintf(c->language, sizeof(c->language), "%s", language);
	c->labels = read_labels(folder, labels);
	directory = opendir(folder);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, "labels") != 0 && strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			scan_one(folder, entry->d_name, labels, c->labels, c, show);
	closedir(directory);
	for (unsigned i = 0; i < c->labels; i++)
		if (!labels[i].found && show)
			printf("  missed: %s/%s:%u:%u %u %s\n", folder, labels[i].file, labels[i].line,
			       labels[i].column, labels[i].port, labels[i].use);
}

static void add(struct count *to, const struct count *from)
{
	to->files += from->files;
	to->labels += from->labels;
	to->right += from->right;
	to->wrong += from->wrong;
	to->same_use += from->same_use;
}

static int by_language(const void *a, const void *b)
{
	return strcmp(((const struct count *)a)->language, ((const struct count *)b)->language);
}

static void print_count(const char *set, const struct count *c)
{
	printf("  %-9s %-11s %3u files %4u ports: precision %3u %%, recall %3u %%, kind %3u %%\n", set, c->language,
	       c->files, c->labels, percent(c->right, c->right + c->wrong), percent(c->right, c->labels),
	       percent(c->same_use, c->right));
}

static void scan_set(const char *set, struct counts *counts)
{
	const char *wanted = getenv("PORTSHIM_CORPUS_SHOW");
	bool show = wanted && (strcmp(wanted, "1") == 0 || strcmp(set, wanted) == 0);
	struct dirent *entry;
	char folder[64];
	DIR *directory;

	snprintf(folder, sizeof(folder), CORPUS "%s", set);
	directory = opendir(folder);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.') {
			assert_true(counts->count < LANGUAGES_MAX);
			scan_folder(set, entry->d_name, &counts->list[counts->count++], show);
		}
	closedir(directory);
	qsort(counts->list, counts->count, sizeof(counts->list[0]), by_language);
	for (unsigned i = 0; i < counts->count; i++) {
		print_count(set, &counts->list[i]);
		add(&counts->all, &counts->list[i]);
	}
	snprintf(counts->all.language, sizeof(counts->all.language), "all");
	print_count(set, &counts->all);
}

static void check(const struct count *c, unsigned bar)
{
	if (percent(c->right, c->right + c->wrong) < bar || percent(c->right, c->labels) < bar)
		fail_msg("%s: below %u %%", c->language, bar);
}

/* Each set as a whole. In one set a language has some 25 ports: one makes four in a hundred. */
static void test_sets(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SETS; i++) {
		scan_set(sets[i], &counted[i]);
		check(&counted[i].all, BAR);
		assert_true(percent(counted[i].all.same_use, counted[i].all.right) >= BAR);
	}
}

/* Each language, all sets together. */
static void test_languages(void **state)
{
	unsigned files = 0;

	(void)state;
	for (unsigned i = 0; i < counted[0].count; i++) {
		struct count all = counted[0].list[i];

		for (unsigned set = 1; set < SETS; set++)
			for (unsigned j = 0; j < counted[set].count; j++)
				if (strcmp(counted[set].list[j].language, all.language) == 0)
					add(&all, &counted[set].list[j]);
		print_count("all", &all);
		files += all.files;
		check(&all, BAR);
	}
	assert_true(files >= 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_languages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
