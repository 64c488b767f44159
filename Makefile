# portshim - see README.md. Quiet unless V=1.
CC ?= cc
prefix ?= /usr/local
bindir ?= $(prefix)/bin
libdir ?= $(prefix)/lib
mandir ?= $(prefix)/share/man
datadir ?= $(prefix)/share
BUILD ?= build
V ?= 0
Q = $(if $(filter 0,$(V)),@)
# Nothing is said under make -s.
say = $(if $(filter 0,$(V)),$(if $(findstring s,$(firstword -$(MAKEFLAGS))),@:,@printf '  %-7s %s\n' '$(1)' '$(2)'))

VERSION := 0.1.0
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wformat=2
CFLAGS ?= -O2 -g
CPPFLAGS_ALL := -D_GNU_SOURCE -DPORTSHIM_VERSION='"$(VERSION)"' -Iinclude $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 $(WARN) -MMD -MP -fno-strict-aliasing $(CFLAGS)

CORE := $(wildcard src/core/*.c)
SHIM := $(wildcard src/shim/*.c)
CLI := $(wildcard $(foreach d,cli edit place sync finding check inventory known free init fix health,src/$d/*.c))
KEEPER := $(wildcard src/keeper/*.c src/notify/*.c)

objects = $(patsubst src/%.c,$(BUILD)/$(1)/%.o,$(2))

# The shim lives in other people's processes: position-independent, everything hidden, no stack protector or fortified calls of
# its own (they would add symbols), and no named dependency, so that it asks no libc version of its host (docs/architecture.md).
SHIM_CFLAGS := -fPIC -fvisibility=hidden -fno-stack-protector -U_FORTIFY_SOURCE -fno-plt -ffunction-sections -fdata-sections
# gcc for aarch64 calls libgcc for each atomic operation otherwise: a symbol that no host has, so that no program would start.
SHIM_CFLAGS += $(if $(filter aarch64%,$(shell $(CC) -dumpmachine)),-mno-outline-atomics)
SHIM_LDFLAGS := -shared -nostdlib -Wl,-soname,libportshim.so -Wl,--version-script=src/shim/exports.map -Wl,-Bsymbolic-functions \
	-Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,noseparate-code -Wl,--hash-style=gnu -Wl,-O1 -Wl,--gc-sections -Wl,--build-id

# What a process does once or never: small counts there, because every page of it is a page fault at a process's start.
COLD := core/assign core/blame core/candidates core/from core/kernel core/lock core/plan core/process core/publish core/space core/space_event core/want shim/bare shim/complain shim/execve \
	shim/init shim/next shim/posix_spawn shim/preload shim/privilege
$(COLD:%=$(BUILD)/pic/%.o): SHIM_CFLAGS += -Os

all: $(BUILD)/portshim $(BUILD)/libportshim.so

$(BUILD)/libportshim.so: $(call objects,pic,$(CORE) $(SHIM)) src/shim/exports.map
	$(call say,LINK,$@)
	$(Q)$(CC) $(SHIM_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(SHIM_EXTRA)

$(BUILD)/portshim: $(call objects,obj,$(CORE) $(CLI) $(KEEPER))
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PROGRAM_EXTRA) -lcjson -ldl -pthread

$(BUILD)/pic/%.o: src/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(SHIM_CFLAGS) $(INSTRUMENT) $(INSTRUMENT_$(*F)) -c -o $@ $<

$(BUILD)/obj/%.o: src/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(INSTRUMENT) -c -o $@ $<

clean:
	$(Q)rm -rf $(BUILD)

# ---- installing. Any of these paths may have a space in it: every use is quoted. -----------------------------------------
MAN := $(wildcard docs/man/*.[1-8])
SCHEMAS := $(wildcard manifest/*.schema.json)
EXAMPLES := $(wildcard manifest/examples/*.json)
COMPLETIONS := wrappers/completions
bash_to := $(datadir)/bash-completion/completions
zsh_to := $(datadir)/zsh/site-functions
fish_to := $(datadir)/fish/vendor_completions.d
data_to := $(datadir)/portshim
man_to = $(mandir)/man$(subst .,,$(suffix $(1)))

# put and take: one recipe line for (MODE, FILE, DIRECTORY, NAME).
define put
	$(Q)install -d '$(DESTDIR)$(3)' && install -m $(1) $(2) '$(DESTDIR)$(3)/$(4)'

endef
define take
	$(Q)rm -f '$(DESTDIR)$(3)/$(4)'

endef
# $(call installed,put) does it for everything that is installed.
installed = $(call $(1),755,$(BUILD)/portshim,$(bindir),portshim) \
	$(call $(1),644,$(BUILD)/libportshim.so,$(libdir),libportshim.so) \
	$(foreach f,$(MAN),$(call $(1),644,$f,$(call man_to,$f),$(notdir $f))) \
	$(foreach f,$(SCHEMAS),$(call $(1),644,$f,$(data_to),$(notdir $f))) \
	$(foreach f,$(EXAMPLES),$(call $(1),644,$f,$(data_to)/examples,$(notdir $f))) \
	$(foreach f,$(wildcard $(COMPLETIONS)/portshim.bash),$(call $(1),644,$f,$(bash_to),portshim)) \
	$(foreach f,$(wildcard $(COMPLETIONS)/_portshim),$(call $(1),644,$f,$(zsh_to),_portshim)) \
	$(foreach f,$(wildcard $(COMPLETIONS)/portshim.fish),$(call $(1),644,$f,$(fish_to),portshim.fish))

install: all
	$(call say,INSTALL,$(DESTDIR)$(prefix))
	$(call installed,put)

uninstall:
	$(call say,REMOVE,$(DESTDIR)$(prefix))
	$(call installed,take)
	$(Q)rmdir '$(DESTDIR)$(data_to)/examples' '$(DESTDIR)$(data_to)' 2>/dev/null || :

# ---- the source as one file: what is committed, nothing else; distcheck builds, tests and installs from it. --------------
DIST := portshim-$(VERSION)
DISTCHECK ?= check

dist:
	$(call say,DIST,$(BUILD)/$(DIST).tar.gz)
	$(Q)mkdir -p $(BUILD)
	$(Q)git archive --format=tar --prefix=$(DIST)/ HEAD | gzip -9n >$(BUILD)/$(DIST).tar.gz

distcheck: dist
	$(Q)rm -rf $(BUILD)/distcheck && mkdir -p $(BUILD)/distcheck
	$(Q)gzip -dc $(BUILD)/$(DIST).tar.gz | tar -xf - -C $(BUILD)/distcheck
	$(Q)$(MAKE) --no-print-directory -C $(BUILD)/distcheck/$(DIST) BUILD=build all $(DISTCHECK)
	$(Q)$(MAKE) --no-print-directory -C $(BUILD)/distcheck/$(DIST) BUILD=build DESTDIR=$(abspath $(BUILD)/distcheck/to) install uninstall
	$(Q)left=$$(find $(BUILD)/distcheck/to ! -type d) && [ -z "$$left" ] || { echo "uninstall leaves $$left" >&2; exit 1; }
	$(Q)rm -rf $(BUILD)/distcheck
	$(call say,GOOD,$(BUILD)/$(DIST).tar.gz)

.PHONY: install uninstall dist distcheck

include $(wildcard tests/tests.mk)

-include $(shell find $(BUILD) -path $(BUILD)/suites -prune -o -path $(BUILD)/kernels -prune -o -name '*.d' -print 2>/dev/null)

.PHONY: all clean
