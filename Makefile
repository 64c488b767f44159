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
say = $(if $(filter 0,$(V)),@printf '  %-7s %s\n' '$(1)' '$(2)')

VERSION := 0.1.0
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wformat=2
CFLAGS ?= -O2 -g
CPPFLAGS_ALL := -D_GNU_SOURCE -DPORTSHIM_VERSION='"$(VERSION)"' -Iinclude $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 $(WARN) -MMD -MP -fno-strict-aliasing $(CFLAGS)

CORE := $(wildcard src/core/*.c)
SHIM := $(wildcard src/shim/*.c)
CLI := $(wildcard src/cli/*.c)
KEEPER := $(wildcard src/keeper/*.c)

objects = $(patsubst src/%.c,$(BUILD)/$(1)/%.o,$(2))

# The shim lives in other people's processes: position-independent, everything hidden, no stack protector or fortified calls of
# its own (they would add symbols), and no named dependency, so that it asks no libc version of its host (docs/architecture.md).
SHIM_CFLAGS := -fPIC -fvisibility=hidden -fno-stack-protector -U_FORTIFY_SOURCE -fno-plt -fno-asynchronous-unwind-tables
SHIM_LDFLAGS := -shared -nostdlib -Wl,-soname,libportshim.so -Wl,--version-script=src/shim/exports.map -Wl,-z,relro,-z,now \
	-Wl,-z,noexecstack -Wl,--hash-style=gnu -Wl,-O1 -Wl,--build-id

all: $(BUILD)/portshim $(BUILD)/libportshim.so

$(BUILD)/libportshim.so: $(call objects,pic,$(CORE) $(SHIM)) src/shim/exports.map
	$(call say,LINK,$@)
	$(Q)$(CC) $(SHIM_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^)

$(BUILD)/portshim: $(call objects,obj,$(CORE) $(CLI) $(KEEPER))
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcjson -lbsd

$(BUILD)/pic/%.o: src/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(SHIM_CFLAGS) -c -o $@ $<

$(BUILD)/obj/%.o: src/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

clean:
	$(Q)rm -rf $(BUILD)

include $(wildcard tests/tests.mk)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all clean
