/*
 * program.c - reading executables: ELF headers, `#!` lines, permissions.
 *
 * Theory of operation: a file is judged as execve(2) and ld.so(8) would judge it. A script is followed to its
 * interpreter (and `env NAME` to NAME), at most as deep as the kernel goes. Of an ELF file only headers are read,
 * with every offset checked against the file's size: it is somebody else's and may be broken. Go is recognised by the
 * note or the section that its linker always writes; both survive `strip`. liburing is looked for in what the loader is
 * asked for: a program that has its own copy of it, or none, may use io_uring all the same.
 *
 * Limits: what a program does once it runs - statically linked children, raw system calls of its own - cannot be read
 * here.
 */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#define COMPAT_MACHINE EM_386
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#define COMPAT_MACHINE EM_ARM
#else
#error "portshim knows the system call conventions of x86_64 and aarch64 only"
#endif

#define HEADERS_MAX 256
#define NOTE_MAX 65536
#define DYNAMIC_MAX 512
#define GO_BUILDID_NOTE 4 /* cmd/link writes it with the name "Go" */

/* What is read lies close together, in two places: the headers at the start, the names of sections at the end. */
#define WINDOW 4096

struct window {
	uint64_t offset;
	size_t length;
	unsigned char bytes[WINDOW];
};

struct elf {
	int fd;
	uint64_t size;
	Elf64_Ehdr header;
	struct window windows[2];
	unsigned oldest;
};

static bool fail(struct ps_program *p, enum ps_program_kind kind, const char *problem)
{
	p->kind = kind;
	snprintf(p->problem, sizeof(p->problem), "%s", problem);
	return false;
}

/* ---- finding ---- */

static bool search_path(struct ps_program *p, const char *name)
{
	const char *at = getenv("PATH");
	bool seen = false, there;
	struct stat st;

	if (!at)
		at = "/usr/local/bin:/usr/bin:/bin";
	for (;;) {
		size_t length = strcspn(at, ":");

		snprintf(p->path, sizeof(p->path), "%.*s%s%s", (int)length, at, length ? "/" : "./", name);
		there = stat(p->path, &st) == 0;
		if (there && S_ISREG(st.st_mode) && access(p->path, X_OK) == 0)
			return true;
		seen = seen || there;
		if (!at[length])
			break;
		at += length + 1;
	}
	snprintf(p->path, sizeof(p->path), "%s", name);
	return seen ? fail(p, PS_PROGRAM_NOT_EXECUTABLE, "there is such a file in PATH, but it cannot be executed")
		    : fail(p, PS_PROGRAM_NOT_FOUND, "no directory of PATH has it");
}

static bool find(struct ps_program *p, const char *name)
{
	struct stat st;

	if (!name[0])
		return fail(p, PS_PROGRAM_NOT_FOUND, "the name is empty");
	if (!strchr(name, '/'))
		return search_path(p, name);
	snprintf(p->path, sizeof(p->path), "%s", name);
	if (stat(name, &st) != 0)
		return fail(p, errno == ENOENT || errno == ENOTDIR ? PS_PROGRAM_NOT_FOUND : PS_PROGRAM_NOT_EXECUTABLE,
			    strerror(errno));
	if (S_ISDIR(st.st_mode))
		return fail(p, PS_PROGRAM_NOT_EXECUTABLE, "it is a directory");
	if (!S_ISREG(st.st_mode))
		return fail(p, PS_PROGRAM_NOT_EXECUTABLE, "it is no regular file");
	if (access(name, X_OK) != 0)
		return fail(p, PS_PROGRAM_NOT_EXECUTABLE, "you have no permission to execute it");
	return true;
}

/* ---- rights ---- */

/* The kernel tells the loader to run in secure mode when a program gains rights; where it gains none, it is as any
 * other. */
static void read_rights(struct ps_program *p)
{
	struct statvfs fs;
	struct stat st;

	if (stat(p->path, &st) != 0 || (statvfs(p->path, &fs) == 0 && fs.f_flag & ST_NOSUID))
		return;
	p->setid = (st.st_mode & S_ISUID && st.st_uid != getuid()) ||
		   ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid());
	p->capabilities = geteuid() != 0 && getxattr(p->path, "security.capability", NULL, 0) > 0;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1) {
		p->barred = p->setid || p->capabilities;
		p->setid = p->capabilities = false;
	}
}

/* ---- ELF ---- */

static bool covers(const struct window *w, uint64_t size, uint64_t offset)
{
	return offset >= w->offset && offset - w->offset <= w->length && size <= w->length - (offset - w->offset);
}

static bool read_at(struct elf *e, void *to, uint64_t size, uint64_t offset)
{
	const struct window *w = e->windows;
	ssize_t got;

	if (offset > e->size || size > e->size - offset || size > WINDOW)
		return false;
	if (!covers(w, size, offset) && !covers(++w, size, offset)) {
		struct window *next = &e->windows[e->oldest];

		e->oldest ^= 1;
		got = pread(e->fd, next->bytes, WINDOW, (off_t)offset);
		next->offset = offset;
		next->length = got > 0 ? (size_t)got : 0;
		w = next;
		if (!covers(w, size, offset))
			return false;
	}
	memcpy(to, w->bytes + (offset - w->offset), size);
	return true;
}

static bool segment(struct elf *e, unsigned i, Elf64_Phdr *segment)
{
	return i < e->header.e_phnum && i < HEADERS_MAX && e->header.e_phentsize == sizeof(*segment) &&
	       read_at(e, segment, sizeof(*segment), e->header.e_phoff + (uint64_t)i * sizeof(*segment));
}

static bool section(struct elf *e, unsigned i, Elf64_Shdr *section)
{
	return i < e->header.e_shnum && i < HEADERS_MAX && e->header.e_shentsize == sizeof(*section) &&
	       read_at(e, section, sizeof(*section), e->header.e_shoff + (uint64_t)i * sizeof(*section));
}

static uint64_t align4(uint64_t n)
{
	return (n + 3) & ~UINT64_C(3);
}

static bool has_go_note(struct elf *e, const Elf64_Phdr *s)
{
	uint64_t at = 0, size = s->p_filesz < NOTE_MAX ? s->p_filesz : NOTE_MAX;
	Elf64_Nhdr note;
	char name[4];

	while (at < size && size - at >= sizeof(note) + sizeof(name)) {
		if (!read_at(e, &note, sizeof(note), s->p_offset + at) ||
		    !read_at(e, name, sizeof(name), s->p_offset + at + sizeof(note)))
			return false;
		if (note.n_type == GO_BUILDID_NOTE && note.n_namesz == 4 && memcmp(name, "Go\0", 4) == 0)
			return true;
		at += sizeof(note) + align4(note.n_namesz) + align4(note.n_descsz);
	}
	return false;
}

static bool has_go_section(struct elf *e)
{
	Elf64_Shdr names, s;
	char name[16];

	if (!section(e, e->header.e_shstrndx, &names))
		return false;
	for (unsigned i = 0; section(e, i, &s); i++)
		if (read_at(e, name, sizeof(".go.buildinfo"), names.sh_offset + s.sh_name) &&
		    memcmp(name, ".go.buildinfo", sizeof(".go.buildinfo")) == 0)
			return true;
	return false;
}

/* Where in the file the byte lies that is loaded at this address; 0 if nowhere. */
static uint64_t file_offset(struct elf *e, uint64_t address)
{
	Elf64_Phdr s;

	for (unsigned i = 0; segment(e, i, &s); i++)
		if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz)
			return s.p_offset + (address - s.p_vaddr);
	return 0;
}

static bool dynamic(struct elf *e, const Elf64_Phdr *s, unsigned i, Elf64_Dyn *entry)
{
	return i < DYNAMIC_MAX && (i + 1) * sizeof(*entry) <= s->p_filesz &&
	       read_at(e, entry, sizeof(*entry), s->p_offset + i * sizeof(*entry)) && entry->d_tag != DT_NULL;
}

/* True if the dynamic section asks for a library whose name begins so. */
static bool needs(struct elf *e, const Elf64_Phdr *s, const char *library)
{
	size_t length = strlen(library);
	uint64_t strings = 0;
	Elf64_Dyn entry;
	char name[16];

	for (unsigned i = 0; dynamic(e, s, i, &entry); i++)
		if (entry.d_tag == DT_STRTAB)
			strings = file_offset(e, entry.d_un.d_ptr);
	for (unsigned i = 0; strings && dynamic(e, s, i, &entry); i++)
		if (entry.d_tag == DT_NEEDED && read_at(e, name, length, strings + entry.d_un.d_val) &&
		    memcmp(name, library, length) == 0)
			return true;
	return false;
}

static void read_segments(struct ps_program *p, struct elf *e)
{
	Elf64_Phdr s;

	for (unsigned i = 0; segment(e, i, &s); i++) {
		if (s.p_type == PT_INTERP && s.p_filesz > 1 && s.p_filesz < sizeof(p->loader) &&
		    read_at(e, p->loader, s.p_filesz, s.p_offset))
			p->loader[s.p_filesz] = '\0';
		if (s.p_type == PT_NOTE && has_go_note(e, &s))
			p->go = true;
		if (s.p_type == PT_DYNAMIC && needs(e, &s, "liburing.so"))
			p->io_uring = true;
	}
	p->go = p->go || has_go_section(e);
}

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_386:
		return "i386";
	case EM_X86_64:
		return "x86_64";
	case EM_ARM:
		return "arm";
	case EM_AARCH64:
		return "aarch64";
	case EM_RISCV:
		return "riscv";
	default:
		return "another architecture";
	}
}

static void judge_loader(struct ps_program *p)
{
	const char *base = strrchr(p->loader, '/');

	base = base ? base + 1 : p->loader;
	if (!p->loader[0])
		p->kind = PS_PROGRAM_STATIC;
	else if (access(p->loader, F_OK) != 0)
		fail(p, PS_PROGRAM_NOT_EXECUTABLE, "the loader that it names does not exist on this system");
	else if (strncmp(base, "ld-musl", 7) == 0)
		p->kind = PS_PROGRAM_MUSL;
	else if (strncmp(base, "ld-linux", 8) == 0 || strncmp(base, "ld-2", 4) == 0)
		p->kind = PS_PROGRAM_GLIBC;
	else
		p->kind = PS_PROGRAM_OTHER_LOADER;
}

static void read_elf(struct ps_program *p, struct elf *e)
{
	const unsigned char *ident = e->header.e_ident;
	bool little = ident[EI_DATA] == ELFDATA2LSB;

	/* Class, data and machine lie at the same place in both classes. */
	if (!read_at(e, &e->header, 20, 0) || !little || ident[EI_CLASS] != ELFCLASS64 ||
	    e->header.e_machine != OWN_MACHINE) {
		snprintf(p->problem, sizeof(p->problem), "it is made for %s%s; portshim is %s",
			 little ? machine_name(e->header.e_machine) : "another architecture",
			 ident[EI_CLASS] == ELFCLASS32 ? ", 32 bits" : "", machine_name(OWN_MACHINE));
		p->kind = PS_PROGRAM_FOREIGN;
		p->compat = little && ident[EI_CLASS] == ELFCLASS32 && e->header.e_machine == COMPAT_MACHINE;
		return;
	}
	if (!read_at(e, &e->header, sizeof(e->header), 0) ||
	    (e->header.e_type != ET_EXEC && e->header.e_type != ET_DYN)) {
		fail(p, PS_PROGRAM_NOT_EXECUTABLE, "it is an ELF file, but no program");
		return;
	}
	read_segments(p, e);
	judge_loader(p);
}

/* ---- scripts ---- */

static bool is_env(const char *path)
{
	const char *base = strrchr(path, '/');

	return strcmp(base ? base + 1 : path, "env") == 0;
}

/* The program that "/usr/bin/env -S name args" runs: the first word that is neither an option nor a variable. */
static bool env_operand(char *args, const char **name)
{
	char *save = NULL, *word;

	for (word = strtok_r(args, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		if (word[0] == '-' && strncmp(word, "-S", 2) == 0 && word[2]) {
			*name = word + 2;
			return true;
		}
		if (word[0] == '-' || strchr(word, '='))
			continue;
		*name = word;
		return true;
	}
	return false;
}

/* Follows a `#!` line. False when the way ends, with kind and problem set. */
static bool follow(struct ps_program *p, char *line)
{
	char *interpreter, *args, *end = line + strcspn(line, "\n");
	const char *name;
	bool through_env;

	if (p->script_count == PS_PROGRAM_SCRIPTS)
		return fail(p, PS_PROGRAM_NOT_EXECUTABLE, "its `#!` lines lead on too often");
	*end = '\0';
	if (end > line && end[-1] == '\r')
		return fail(p, PS_PROGRAM_NOT_EXECUTABLE,
			    "its `#!` line ends in a carriage return (a Windows line end)");
	snprintf(p->script[p->script_count++], PS_PATH_MAX, "%s", p->path);
	interpreter = line + 2 + strspn(line + 2, " \t");
	args = interpreter + strcspn(interpreter, " \t");
	if (*args)
		*args++ = '\0';
	name = interpreter;
	through_env = is_env(interpreter) && env_operand(args, &name);
	if (find(p, name))
		return true;
	snprintf(p->problem, sizeof(p->problem), "its `#!` line asks for %.100s%.100s, which %s",
		 through_env ? "env " : "", name,
		 p->kind == PS_PROGRAM_NOT_FOUND ? "is not there" : "cannot be executed");
	p->kind = PS_PROGRAM_NOT_EXECUTABLE;
	return false;
}

/* One file. True if it is a script, and the way goes on with its interpreter. */
static bool read_file(struct ps_program *p)
{
	struct elf e = {.fd = open(p->path, O_RDONLY | O_CLOEXEC)};
	char start[512] = "";
	bool more = false;
	struct stat st;
	ssize_t got;

	if (e.fd < 0 || fstat(e.fd, &st) != 0) {
		/* Executable but not readable is allowed, for all but scripts. */
		fail(p, errno == EACCES ? PS_PROGRAM_UNREADABLE : PS_PROGRAM_NOT_EXECUTABLE, strerror(errno));
		goto out;
	}
	e.size = (uint64_t)st.st_size;
	got = pread(e.fd, start, sizeof(start) - 1, 0);
	if (got < 4) {
		fail(p, PS_PROGRAM_NOT_EXECUTABLE, "it is too short to be a program");
		goto out;
	}
	if (memcmp(start, ELFMAG, SELFMAG) == 0) {
		memcpy(e.header.e_ident, start, EI_NIDENT);
		read_elf(p, &e);
	} else if (start[0] == '#' && start[1] == '!') {
		more = follow(p, start);
	} else {
		/* execvp(3) gives such a file to the shell. */
		char line[] = "#!/bin/sh";

		if (strlen(start) == (size_t)got)
			more = follow(p, line);
		else
			fail(p, PS_PROGRAM_NOT_EXECUTABLE, "it has a format that the kernel does not know");
	}
out:
	if (e.fd >= 0)
		close(e.fd);
	return more;
}

static bool is_shell(const char *path)
{
	static const char *const shells[] = {"sh",  "bash", "dash",  "zsh",  "ksh",  "fish",  "busybox",
					     "env", "nice", "nohup", "time", "make", "xargs", "timeout"};
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	for (unsigned i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(base, shells[i]) == 0)
			return true;
	return false;
}

void program_read(struct ps_program *p, const char *name)
{
	memset(p, 0, sizeof(*p));
	if (!find(p, name))
		return;
	while (read_file(p))
		;
	if (p->kind == PS_PROGRAM_NOT_FOUND || p->kind == PS_PROGRAM_NOT_EXECUTABLE)
		return;
	read_rights(p);
	p->shell = is_shell(p->path);
}

bool program_preloads(const struct ps_program *p)
{
	return (p->kind == PS_PROGRAM_GLIBC || p->kind == PS_PROGRAM_MUSL || p->kind == PS_PROGRAM_OTHER_LOADER) &&
	       !p->setid && !p->capabilities;
}
