/*
 * fuzz_discovery.c - the discovery files: any records and names become JSON, and any bytes are read as a service's
 * own file.
 *
 * The first half of an input is names and records, drawn into ports.json and read back; the rest is put where a
 * service's own file should be, for the keeper's is_current() (with src/keeper/tidy.c in this file, as it is static).
 * Bytes above 127 are left out of names: those of directories are passed on as they are, and need not be UTF-8.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "../../src/cli/json_text.h"
#include "../../src/cli/manifest.h"
#include "../../src/keeper/tidy.c"
#include "fuzz.h"

#define RECORDS 8

static struct ps_space space;
static char folder[] = "/dev/shm/portshim-fuzz-XXXXXX", own[64];
static uint16_t web; /* the service with that file */

static void clear_away(void)
{
	unlink(space.env->discovery);
	unlink(own);
	rmdir(folder);
}

static void put_file(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char text[] = "{\"version\":1,\"services\":{\"web\":{\"port\":3000,\"discovery\":\"web.json\"},"
				   "\"live\":{\"inherit\":\"web\",\"scheme\":\"ws\"}}}";
	struct ps_error error = { 0 };
	struct ps_manifest *m;
	char path[64];

	(void)argc;
	(void)argv;
	MUST(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/manifest.json", folder);
	snprintf(own, sizeof(own), "%s/web.json", folder);
	put_file(path, text, sizeof(text) - 1);
	MUST(manifest_load(&m, path, NULL, NULL, &error) == 0);
	unlink(path);
	space.plan = manifest_compile(m, NULL);
	manifest_free(m);
	space.host = calloc(1, sizeof(*space.host));
	space.env = calloc(1, sizeof(*space.env));
	MUST(space.plan && space.host && space.env);
	while (strcmp(plan_string(space.plan, plan_service(space.plan, web)->discovery), own) != 0)
		MUST(++web < space.plan->service_count);
	space.env->id = PS_ENV_BIT | 1;
	snprintf(space.env->discovery, sizeof(space.env->discovery), "%s/ports.json", folder);
	atexit(clear_away);
	return 0;
}

static void take_name(struct fuzz *f, char *to, size_t room)
{
	fuzz_string(f, to, room);
	for (; *to; to++)
		*to &= 0x7f;
}

/* As a manifest could have it. */
static void take_scheme(struct fuzz *f, char *to, size_t room)
{
	fuzz_string(f, to, room);
	for (; *to; to++)
		*to = "abcdefghijklmnopqrstuvwxyz012+.-"[*to & 31];
}

static uint16_t take_record(struct fuzz *f)
{
	uint16_t port = (uint16_t)fuzz_take(f, 2);
	struct ps_record *r;

	port += !port;
	r = &space.host->record[port];
	r->owner = fuzz_take(f, 8);
	r->run = (uint32_t)fuzz_take(f, 4);
	r->reason = (uint8_t)fuzz_take(f, 1);
	r->protocols = (uint8_t)fuzz_take(f, 1);
	r->at = (uint8_t)fuzz_take(f, 1);
	for (int i = 0; i < 16 && r->at & PS_AT_OTHER; i++)
		r->address[i] = (uint8_t)fuzz_take(f, 1);
	take_scheme(f, r->scheme, sizeof(r->scheme));
	take_name(f, r->service, sizeof(r->service));
	if (fuzz_take(f, 1) & 1)
		strcpy(r->service, "web");
	space.host->record[port].head = head_make(space.env->id, (uint16_t)fuzz_take(f, 2), PS_LISTENING);
	shared_set(space.host->owned, port);
	shared_set(space.env->actual, port);
	return port;
}

/* As strictly as a manifest is read. */
static void check_json(const char *path, int entries)
{
	struct ps_json_text text = { 0 };
	struct ps_json_fault fault;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	cJSON *root;

	MUST(fd >= 0 && fstat(fd, &st) == 0);
	text.size = (size_t)st.st_size;
	text.text = malloc(text.size + 1);
	MUST(text.text && read(fd, text.text, text.size) == st.st_size);
	text.text[text.size] = '\0';
	close(fd);
	MUST(json_text_check(&text, &fault));
	root = json_text_build(&text);
	MUST(entries < 0 || cJSON_GetArraySize(cJSON_GetObjectItem(root, "services")) >= entries);
	json_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, data + size / 2 };
	uint16_t ports[RECORDS];
	int count = 0, different = 0;

	take_name(&f, space.env->project, sizeof(space.env->project));
	take_name(&f, space.env->name, sizeof(space.env->name));
	take_name(&f, space.env->profile, sizeof(space.env->profile));
	while (count < RECORDS && f.at < f.end)
		ports[count++] = take_record(&f);
	for (int i = 0; i < count; i++) {
		uint16_t requested = head_requested(space.host->record[ports[i]].head);

		atomic_fetch_or(&space.env->pages, scope_page(requested));
		space.env->forward[requested] = ports[i];
		different++;
		for (int k = 0; k < i; k++)
			if (ports[k] == ports[i]) {
				different--;
				break;
			}
	}
	unlink(own);
	MUST(discovery_write(&space, count ? ports[0] : 0) == 0);
	check_json(space.env->discovery, different);
	if (access(own, F_OK) == 0) {
		check_json(own, -1);
		MUST(is_current(&space, web));
	}
	put_file(own, data + size / 2, size - size / 2);
	is_current(&space, web);
	for (int i = 0; i < count; i++) {
		space.env->forward[head_requested(space.host->record[ports[i]].head)] = 0;
		shared_clear(space.env->actual, ports[i]);
		shared_clear(space.host->owned, ports[i]);
		space.host->record[ports[i]].head = 0;
	}
	return 0;
}
