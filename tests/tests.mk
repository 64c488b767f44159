# What `make check`, `make bench`, `make asan` and `make lint` do. Included by the Makefile; run from the top directory.
# Each suite is one script or a set of programs; tests/run.sh runs them and adds up what they say.

T := $(BUILD)/tests
TEST_CFLAGS := $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Isrc -Itests
TEST_LIBS := -lcmocka -lcjson

# Unit tests link everything but main(), from an archive: a test may define what it wants to replace.
UNIT := $(patsubst tests/%.c,$(T)/%,$(wildcard tests/core/test_*.c tests/cli/test_*.c tests/keeper/test_*.c))
LIBRARY_SOURCES := $(filter-out src/cli/main.c,$(CORE) $(CLI) $(KEEPER))

# Contract and active programs and the benchmark are ordinary programs: they link nothing of portshim.
CONTRACT := $(patsubst tests/%.c,$(T)/%,$(wildcard tests/shim/test_contract_*.c))
ACTIVE := $(patsubst tests/%.c,$(T)/%,$(filter-out $(wildcard tests/shim/test_contract_*.c) tests/shim/contract.c,\
	$(wildcard tests/shim/*.c)))
PLATFORM := $(patsubst tests/%.c,$(T)/%,$(wildcard tests/platform/*.c))
BENCH := $(patsubst tests/%.c,$(T)/%,$(filter-out tests/bench/empty.c,$(wildcard tests/bench/*.c))) \
	$(T)/bench/libempty.so

$(T)/libunit.a: $(call objects,obj,$(LIBRARY_SOURCES))
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(UNIT): $(T)/%: tests/%.c $(T)/libunit.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $< $(T)/libunit.a $(TEST_LIBS)

$(CONTRACT): $(T)/%: tests/%.c tests/shim/contract.c tests/shim/contract.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $< tests/shim/contract.c -lcmocka -pthread

$(ACTIVE) $(PLATFORM) $(filter-out %.so,$(BENCH)): $(T)/%: tests/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $< -ldl -pthread

$(T)/bench/libempty.so: tests/bench/empty.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) -fPIC -shared -nostdlib $(LDFLAGS) -o $@ $<

SUITES := unit contract active abi platform cli keeper real
PRODUCTS := $(BUILD)/portshim $(BUILD)/libportshim.so
unit_NEEDS := $(UNIT)
contract_NEEDS := $(CONTRACT) $(T)/shim/with_ports $(PRODUCTS)
active_NEEDS := $(ACTIVE) $(PRODUCTS)
abi_NEEDS := $(PRODUCTS)
platform_NEEDS := $(PLATFORM)
cli_NEEDS := $(PRODUCTS)
keeper_NEEDS := $(PRODUCTS)
real_NEEDS := $(PRODUCTS)

# The programs alone; `make -j check-programs` is what `make check` needs built.
check-programs: $(sort $(foreach s,$(SUITES),$($(s)_NEEDS)))

check: check-programs
	$(Q)tests/run.sh $(BUILD) $(SUITES)

define suite_target
check-$(1): $$($(1)_NEEDS)
	$$(Q)tests/run.sh $$(BUILD) $(1)
.PHONY: check-$(1)
endef
$(foreach s,$(SUITES),$(eval $(call suite_target,$(s))))

bench: $(BENCH) $(T)/shim/with_ports $(PRODUCTS)
	$(Q)/usr/bin/python3 tests/bench/run.py --build $(BUILD) $(BENCH_ARGS)

# The sanitizers' builds have directories of their own; the shim itself cannot be preloaded with them (it has no libc).
asan:
	$(Q)ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	$(MAKE) --no-print-directory BUILD=$(BUILD)/asan LDFLAGS='-fsanitize=address,undefined' \
		CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined' check-unit

JOBS ?= $(shell nproc)
LINT_C := $(CORE) $(SHIM) $(CLI) $(KEEPER)
LINT_TESTS := $(wildcard tests/*/*.c)
LINT_SH := $(wildcard tests/*.sh tests/*/*.sh scripts/*.sh wrappers/*.sh) $(wildcard .ci/run)
LINT_MAN := $(wildcard docs/man/*.[1-8])

lint: lint-cppcheck lint-tidy lint-shell lint-man

lint-cppcheck:
	$(call say,LINT,cppcheck)
	$(Q)cppcheck --quiet --std=c11 --language=c --enable=warning,portability,performance --inline-suppr \
		--suppressions-list=tests/lint/cppcheck.suppress --error-exitcode=1 -D_GNU_SOURCE -D__x86_64__ \
		-DPORTSHIM_VERSION='"$(VERSION)"' -Iinclude -Isrc -j $(JOBS) $(LINT_C) $(LINT_TESTS)

# One process for each file: clang-tidy 14 carries va_lists over from one file to the next.
lint-tidy:
	$(call say,LINT,clang-tidy)
	$(Q)mkdir -p $(BUILD)/lint
	$(Q)printf '%s\n' -D_GNU_SOURCE '-DPORTSHIM_VERSION="$(VERSION)"' -I$(CURDIR)/include -std=gnu11 \
		>$(BUILD)/lint/compile_flags.txt
	$(Q)printf '%s\n' $(LINT_C) | xargs -P $(JOBS) -n 1 clang-tidy --quiet -p $(BUILD)/lint 2>/dev/null

lint-shell:
	$(call say,LINT,shellcheck)
	$(Q)$(if $(LINT_SH),shellcheck $(LINT_SH))

lint-man:
	$(call say,LINT,mandoc)
	$(Q)$(if $(LINT_MAN),mandoc -T lint -W warning $(LINT_MAN))

.PHONY: check check-programs bench asan lint lint-cppcheck lint-tidy lint-shell lint-man
