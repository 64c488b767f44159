# What `make check`, `bench`, `asan`, `coverage`, `fuzz` and `lint` do. Included by the Makefile; run from the top directory.
# Each suite is one script or a set of programs; tests/run.sh runs them and adds up what they say.

T := $(BUILD)/tests
TEST_CFLAGS := $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Isrc -Itests
TEST_LIBS := -lcmocka -lcjson -lyaml -pthread
# Every suite's programs run in it (tests/run.sh).
OWN_NETWORK := $(T)/own_network

# Unit tests link everything but main(), from an archive: a test may define what it wants to replace.
UNIT := $(patsubst tests/%.c,$(T)/%,$(wildcard $(foreach d,core cli keeper notify edit place sync finding check inventory known free init fix health,tests/$d/test_*.c)))
LIBRARY_SOURCES := $(filter-out src/cli/main.c,$(CORE) $(CLI) $(KEEPER))

# Contract and active programs and the benchmark are ordinary programs: they link nothing of portshim.
CONTRACT := $(patsubst tests/%.c,$(T)/%,$(wildcard tests/shim/test_contract_*.c))
ACTIVE := $(patsubst tests/%.c,$(T)/%,$(filter-out $(wildcard tests/shim/test_contract_*.c) tests/shim/contract.c tests/shim/contract_calls.c,\
	$(wildcard tests/shim/*.c)))
FAULT := $(patsubst tests/%.c,$(T)/%,$(wildcard tests/fault/*.c))
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
	$(Q)$(CC) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $< $(T)/libunit.a $(PROGRAM_EXTRA) $(TEST_LIBS)

# The hooks are part of these, and the command line's part of libunit.a; they are not preloaded.
LAWS := $(patsubst tests/%.c,$(T)/%,$(wildcard tests/laws/test_*.c))

$(LAWS): $(T)/%: tests/%.c tests/laws/laws.c tests/laws/laws.h $(call objects,pic,$(SHIM)) $(T)/libunit.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.h,$^) $(PROGRAM_EXTRA) $(TEST_LIBS) -ldl -pthread

CONTRACT_COMMON := tests/shim/contract.c tests/shim/contract_calls.c

$(CONTRACT): $(T)/%: tests/%.c $(CONTRACT_COMMON) tests/shim/contract.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $< $(CONTRACT_COMMON) -lcmocka -ldl -pthread

$(OWN_NETWORK) $(ACTIVE) $(PLATFORM) $(FAULT) $(filter-out %.so,$(BENCH)): $(T)/%: tests/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $< -ldl -pthread

# Two programs of several files; they read the registry with the core, and what they look at runs in processes of its own.
RACE := $(addprefix $(T)/race/,act busy stepper barrier reuse soak)
RACE_ALONE := $(addprefix $(T)/race/,act busy) # link nothing of portshim

$(RACE_ALONE): $(T)/%: tests/%.c tests/race/report.h tests/race/board.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $<

$(T)/race/stepper: tests/race/trace.c
$(T)/race/soak: tests/race/truth.c
$(filter-out $(RACE_ALONE),$(RACE)): $(T)/race/%: tests/race/%.c tests/race/world.c $(wildcard tests/race/*.h) $(T)/libunit.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) -MF $@.d $(LDFLAGS) -o $@ $(filter %.c,$^) $(T)/libunit.a $(TEST_LIBS)

$(T)/bench/libempty.so: tests/bench/empty.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) -fPIC -shared -nostdlib $(LDFLAGS) -o $@ $<

# Programs and libraries to be started in company. `-fexceptions`: the clean-up of a cancelled thread then unwinds.
COMPANY := $(patsubst tests/%.c,$(T)/%,$(filter-out $(wildcard tests/company/lib*.c),$(wildcard tests/company/*.c))) \
	$(patsubst tests/company/%.c,$(T)/company/%.so,$(wildcard tests/company/lib*.c))

$(filter-out %.so,$(COMPANY)): $(T)/%: tests/%.c tests/company/job.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) -fexceptions $(LDFLAGS) -o $@ $< -ldl -pthread

$(filter %.so,$(COMPANY)): $(T)/company/%.so: tests/company/%.c tests/company/job.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) -fPIC -shared $(LDFLAGS) -o $@ $< -ldl

SUITES := suites race static unit laws contract active abi platform model cli keeper notify company counts fault fuzz real reach
PRODUCTS := $(BUILD)/portshim $(BUILD)/libportshim.so
unit_NEEDS := $(UNIT)
laws_NEEDS := $(LAWS)
contract_NEEDS := $(CONTRACT) $(T)/shim/with_ports $(T)/shim/marked $(PRODUCTS)
active_NEEDS := $(ACTIVE) $(T)/bench/libempty.so $(PRODUCTS)
abi_NEEDS := $(PRODUCTS)
platform_NEEDS := $(PLATFORM)
cli_NEEDS := $(T)/shim/steps $(PRODUCTS)
keeper_NEEDS := $(PRODUCTS)
notify_NEEDS := $(PRODUCTS)
company_NEEDS := $(COMPANY) $(T)/shim/with_ports $(T)/shim/marked $(PRODUCTS)
counts_NEEDS := $(T)/bench/calls $(T)/shim/with_ports $(PRODUCTS)
# Another version of portshim, as far as the registry's format goes. Not optimized: it is built for one test.
OTHER := $(T)/fault/other
$(OTHER)/portshim: $(PRODUCTS)
	$(Q)$(MAKE) --no-print-directory BUILD=$(OTHER) CPPFLAGS='$(CPPFLAGS) -DPS_ABI=8u' CFLAGS=-O0 $(OTHER)/portshim \
		$(OTHER)/libportshim.so

fault_NEEDS := $(FAULT) $(OTHER)/portshim $(T)/shim/steps $(T)/shim/with_ports $(PRODUCTS)
race_NEEDS := $(RACE) $(PRODUCTS)
real_NEEDS := $(PRODUCTS)
reach_NEEDS := $(PRODUCTS)
suites_NEEDS := $(PRODUCTS)
static_NEEDS := $(T)/shim/with_ports $(PRODUCTS)

# The programs alone; `make -j check-programs` is what `make check` needs built.
check-programs: $(OWN_NETWORK) $(sort $(foreach s,$(SUITES),$($(s)_NEEDS)))

check: check-programs
	$(Q)tests/run.sh $(BUILD) $(SUITES)

define suite_target
check-$(1): $$(OWN_NETWORK) $$($(1)_NEEDS)
	$$(Q)tests/run.sh $$(BUILD) $(1)
.PHONY: check-$(1)
endef
$(foreach s,$(SUITES),$(eval $(call suite_target,$(s))))

# The part of the suite race that kills at random, for an hour: SOAK_SECONDS, and SOAK_SEED to try a round again.
soak: $(race_NEEDS)
	$(Q)PORTSHIM_TEST_BUILD=$(abspath $(BUILD)) $(T)/race/soak $${SOAK_SECONDS:-3600} $${SOAK_SEED:-}

# The second path on other kernels, in qemu: KERNELS="bookworm/amd64 trixie/amd64 bookworm/arm64" (tests/kernels/run.sh).
kernels:
	$(Q)BUILD=$(BUILD) tests/kernels/run.sh $(KERNELS)

bench: $(BENCH) $(T)/shim/with_ports $(PRODUCTS)
	$(Q)/usr/bin/python3 tests/bench/run.py --build $(BUILD) $(BENCH_ARGS)

# Instructions and system calls of each call, held against tests/bench/counts.txt; and that file written anew.
counts: $(OWN_NETWORK) $(counts_NEEDS)
	$(Q)/usr/bin/python3 tests/bench/counts.py --build $(BUILD) --table

counts-record: $(OWN_NETWORK) $(counts_NEEDS)
	$(Q)/usr/bin/python3 tests/bench/counts.py --build $(BUILD) --record

# Unit tests, laws, commands, keeper and worker with the sanitizers in them; there the preloaded library is as it always is. Then
# ordinary programs with a library that has a libc and the sanitizers in it: contract and active. Leaks are looked for in
# the first part: it takes more descriptors than one test of the keeper leaves. What is found in a process whose stderr
# nobody reads is in the log.
ASAN := $(BUILD)/asan
SANITIZE := -fsanitize=address,undefined
ASAN_CFLAGS := -O1 -g -fno-omit-frame-pointer
# Children of vfork leave their frames as they are, on their parent's stack; nobody tells a runtime that is not the first
# library about it.
ASAN_VFORK := $(foreach f,execve posix_spawn preload,INSTRUMENT_$(f)='--param asan-stack=0 --param asan-instrument-allocas=0')
ASAN_LOG := $(abspath $(ASAN))/found
ASAN_SAY := abort_on_error=1:verify_asan_link_order=0:log_path=$(ASAN_LOG)

asan: $(BUILD)/libportshim.so
	$(Q)$(MAKE) --no-print-directory BUILD=$(ASAN) LDFLAGS='$(SANITIZE)' CFLAGS='$(ASAN_CFLAGS) $(SANITIZE)' \
		unit-programs $(ASAN)/portshim $(ASAN)/tests/shim/with_ports
	$(Q)cp $(BUILD)/libportshim.so $(ASAN)/libportshim.so
	$(Q)$(MAKE) --no-print-directory BUILD=$(ASAN)/shim CFLAGS='-O2 -g -fno-omit-frame-pointer' INSTRUMENT='$(SANITIZE)' COLD= \
		PROGRAM_EXTRA='$(SANITIZE)' SHIM_LDFLAGS='-shared -Wl,-soname,libportshim.so \
		-Wl,--version-script=src/shim/exports.map $(SANITIZE)' $(ASAN_VFORK) shim-programs
	$(Q)rm -f $(ASAN_LOG).*
	$(Q)export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$(ASAN_LOG); status=0; \
	ASAN_OPTIONS=detect_leaks=1:$(ASAN_SAY) tests/run.sh $(ASAN) unit laws cli || status=1; \
	export ASAN_OPTIONS=detect_leaks=0:$(ASAN_SAY); \
	tests/run.sh $(ASAN) keeper notify static || status=1; \
	tests/run.sh $(ASAN)/shim contract active || status=1; \
	for log in $(ASAN_LOG).*; do [ ! -e "$$log" ] || { cat "$$log"; status=1; }; done; exit $$status

shim-programs: $(OWN_NETWORK) $(contract_NEEDS) $(active_NEEDS)

unit-programs: $(OWN_NETWORK) $(UNIT) $(LAWS)

# ---- ThreadSanitizer: threads that stand for processes, in the registry (tests/tsan/threads.c); then threads of
# one program whose library has a libc and TSan in it (calls.c). TSan does not see what code does that the compiler has put
# in the place of a call: so none (-fno-builtin).
TSAN := $(BUILD)/tsan
TSAN_CC ?= $(CC)
TSAN_ROUNDS ?= 2000
TSAN_FLAGS := -O1 -g -fno-builtin -fno-omit-frame-pointer -fsanitize=thread
TSAN_SAY := halt_on_error=0:history_size=7:suppressions=$(abspath tests/tsan/suppressions)

tsan:
	$(Q)mkdir -p $(TSAN)
	$(Q)echo 'int main(void) { return 0; }' >$(TSAN)/try.c
	$(Q){ $(TSAN_CC) -fsanitize=thread -o $(TSAN)/try $(TSAN)/try.c && $(TSAN)/try; } >$(TSAN)/try.said 2>&1 || \
		{ echo "skip: tsan: $(TSAN_CC) has no ThreadSanitizer that works here: $$(head -n 1 $(TSAN)/try.said)"; exit 0; }; \
	$(MAKE) --no-print-directory -s CC='$(TSAN_CC)' $(TSAN)/threads $(TSAN)/calls && \
	$(MAKE) --no-print-directory CC='$(TSAN_CC)' BUILD=$(TSAN)/shim CFLAGS='$(filter-out -fsanitize=%,$(TSAN_FLAGS))' \
		INSTRUMENT=-fsanitize=thread COLD= PROGRAM_EXTRA=-fsanitize=thread SHIM_LDFLAGS='-shared \
		-Wl,-soname,libportshim.so -Wl,--version-script=src/shim/exports.map -fsanitize=thread' all && \
	export TSAN_OPTIONS=$(TSAN_SAY) && timeout -k 10 300 $(TSAN)/threads $(TSAN_ROUNDS) && tests/tsan/calls.sh $(TSAN)

$(TSAN)/calls: tests/tsan/calls.c
	$(call say,CC,$<)
	$(Q)$(CC) $(TEST_CFLAGS) $(TSAN_FLAGS) -o $@ $< -pthread

$(TSAN)/threads: tests/tsan/threads.c $(CORE) $(wildcard include/portshim/*.h src/core/*.h)
	$(call say,CC,$<)
	$(Q)$(CC) $(TEST_CFLAGS) $(TSAN_FLAGS) -Wl,--wrap=lock_enter,--wrap=lock_leave -o $@ $(filter %.c,$^) -pthread

# ---- coverage by gcov. The shim gets a libc for it, so it is not the one that is shipped: how the tests end here says
# nothing, only what they have reached. tests/coverage/count.c sees to the processes that end without exit(); those that
# are killed do not count. `make coverage COVERAGE_SHOW=-v` lists what was not reached.
COVERAGE := $(BUILD)/coverage
COVERAGE_SUITES := unit laws contract active cli keeper notify static company fault
COUNTING := --coverage -fno-builtin -include tests/coverage/count.h

coverage:
	$(Q)command -v gcov >/dev/null || { echo "skip: coverage: gcov is not installed"; exit 0; }; \
	mkdir -p $(COVERAGE) && sed 's/^global:/& _exit; _Exit;/' src/shim/exports.map >$(COVERAGE)/exports.map && \
	$(CC) -D_GNU_SOURCE -std=gnu11 -O0 -Iinclude -fPIC -DCOUNT_SHIM -c -o $(COVERAGE)/count.pic.o tests/coverage/count.c && \
	$(CC) -D_GNU_SOURCE -std=gnu11 -O0 -c -o $(COVERAGE)/count.o tests/coverage/count.c && \
	$(MAKE) --no-print-directory BUILD=$(COVERAGE) CFLAGS='-O0 -g' LDFLAGS=--coverage INSTRUMENT='$(COUNTING)' COLD= \
		SHIM_LDFLAGS='-shared -Wl,-soname,libportshim.so -Wl,--version-script=$(COVERAGE)/exports.map' \
		SHIM_EXTRA=$(COVERAGE)/count.pic.o PROGRAM_EXTRA='$(COVERAGE)/count.o -Wl,--wrap=execvp,--wrap=_exit' \
		check-programs && \
	find $(COVERAGE) -name '*.gcda' -delete && chmod -R a+rwX $(COVERAGE) && \
	{ FAULT_ERRORS="ENOMEM EINTR ENOSYS" tests/run.sh $(COVERAGE) $(COVERAGE_SUITES) || :; } && \
	/usr/bin/python3 tests/coverage/report.py $(COVERAGE) $(COVERAGE_SHOW)

# ---- fuzzing: each tests/fuzz/fuzz_NAME.c for FUZZ_SECONDS, from tests/fuzz/corpus/NAME and the
# manifests of tests/cli. What is found new stays in the build directory; so does an input that fails, as
# fuzz/NAME-crash-*: `BUILD/fuzz/NAME FILE` shows it again.
FUZZ := $(BUILD)/fuzz
FUZZ_CC ?= clang
FUZZ_SECONDS ?= 60
FUZZ_END ?= -max_total_time=$(FUZZ_SECONDS) -timeout=10
FUZZ_FLAGS := $(CPPFLAGS_ALL) -std=gnu11 $(WARN) -MMD -MP -fno-strict-aliasing -O1 -g -fno-omit-frame-pointer \
	$(SANITIZE) -fno-sanitize-recover=all -Werror=int-conversion -Werror=incompatible-pointer-types
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SEEDS_manifest := $(wildcard tests/cli/manifests/*) manifest/examples
FUZZ_SEEDS_fix := $(FUZZ)/seeds/fix
FUZZ_LENGTH_registry := 256
FUZZ_LENGTH_space := 1024
FUZZ_LENGTH_hooks := 1024
FUZZ_LENGTH_notify := 1024
FUZZ_LENGTH_environment := 1024
FUZZ_LENGTH_command := 1024
FUZZ_OBJECTS := $(patsubst src/%.c,$(FUZZ)/obj/%.o,$(LIBRARY_SOURCES))

fuzz:
	$(Q)mkdir -p $(FUZZ)
	$(Q)echo 'int LLVMFuzzerTestOneInput(void *d, unsigned long n) { return !d && n; }' >$(FUZZ)/try.c
	$(Q)$(FUZZ_CC) $(SANITIZE),fuzzer -o $(FUZZ)/try $(FUZZ)/try.c >$(FUZZ)/try.said 2>&1 || \
		{ echo "skip: fuzz: $(FUZZ_CC) cannot link with libFuzzer: $$(head -n 1 $(FUZZ)/try.said)"; exit 0; }; \
	$(MAKE) --no-print-directory -k $(FUZZ_NAMES:%=fuzz-%)

FUZZ_SHIM := $(patsubst src/%.c,$(FUZZ)/obj/%.o,$(SHIM))
# These define the hooks, that is libc's names: not for the others. As objects, because the sanitizer has weak ones.
$(FUZZ)/hooks: $(FUZZ_SHIM)
$(FUZZ)/environment: $(filter-out %/init.o %/complain.o,$(FUZZ_SHIM))

$(FUZZ_OBJECTS) $(FUZZ_SHIM): $(FUZZ)/obj/%.o: src/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(FUZZ)/libfuzz.a: $(FUZZ_OBJECTS)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(FUZZ_NAMES:%=$(FUZZ)/%): $(FUZZ)/%: tests/fuzz/fuzz_%.c $(FUZZ)/libfuzz.a
	$(call say,CC,$<)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(filter %.o,$^) $(FUZZ)/libfuzz.a -lcjson -lyaml

# The first byte chooses the language (fuzz_fix.c).
FUZZ_FIX_KINDS := js:000 js:200 ts:001 ts:201 py:002 py:202 rb:003 rb:203 php:004 php:204 go:005 go:205 java:006 exs:007 \
	exs:207 ex:010 sh:011
$(FUZZ_SEEDS_fix): $(shell find tests/fix/shop -type f)
	$(Q)rm -rf $@ && mkdir -p $@
	$(Q)for kind in $(FUZZ_FIX_KINDS); do \
		find tests/fix/shop -name "*.$${kind%:*}" | while read -r file; do \
			{ printf "\\$${kind#*:}"; cat "$$file"; } >"$@/$${kind#*:}-$$(basename "$$file")"; \
		done; \
	done
fuzz-fix: $(FUZZ_SEEDS_fix)

# Absolute paths: some targets go to another directory.
$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(FUZZ)/%
	$(Q)mkdir -p $(FUZZ)/corpus/$*
	$(Q)$(FUZZ)/$* $(FUZZ_END) -print_final_stats=1 \
		-max_len=$(or $(FUZZ_LENGTH_$*),4096) $(patsubst %,-dict=%,$(abspath $(wildcard tests/fuzz/dict/$*.dict))) \
		-artifact_prefix=$(abspath $(FUZZ))/$*- \
		$(abspath $(FUZZ)/corpus/$* $(wildcard tests/fuzz/corpus/$*) $(FUZZ_SEEDS_$*)) \
		>$(FUZZ)/$*.said 2>&1 || \
		{ tail -n 60 $(FUZZ)/$*.said; exit 1; }
	$(Q)printf '%-12s %s inputs, nothing found\n' $* "$$(sed -n 's/^stat::number_of_executed_units: *//p' $(FUZZ)/$*.said)"

# ---- lint: a tool that is missing is named and skipped; what is off has its reason in .clang-tidy and tests/lint. -----
JOBS ?= $(shell nproc)
LINT_C := $(CORE) $(SHIM) $(CLI) $(KEEPER)
LINT_TESTS := $(wildcard tests/*/*.c tests/*/*/*.c)
LINT_SH := check try $(wildcard tests/*.sh tests/*/*.sh scripts/*.sh wrappers/*.sh wrappers/*/*.bash .ci/run)
LINT_MAN := $(wildcard docs/man/*.[1-8])
TIDY := $(LINT_C:%.c=$(BUILD)/lint/%.tidy)
# How far the analyser follows one function. Its own default is three times as much, takes three times as long, and is
# for `make lint TIDY_NODES=225000` now and then.
TIDY_NODES ?= 75000

# The beginning of a recipe line: nothing else of the line is done where the tool is missing.
tool = command -v $(1) >/dev/null 2>&1 || { echo "skip: $@: $(1) is not installed"; exit 0; };

lint: lint-cppcheck lint-tidy lint-shell lint-man

lint-cppcheck:
	$(call say,LINT,cppcheck)
	$(Q)$(call tool,cppcheck) cppcheck --quiet --std=c11 --language=c --enable=warning,portability,performance \
		--inline-suppr --suppressions-list=tests/lint/cppcheck.suppress --error-exitcode=1 -D_GNU_SOURCE \
		-D__x86_64__ -DPORTSHIM_VERSION='"$(VERSION)"' -Iinclude -Isrc -j $(JOBS) $(LINT_C) $(LINT_TESTS)

# Only the files that have changed, or whose headers have, since they were last found clean. (-j once: a make that runs
# in parallel already shares its jobs.)
lint-tidy:
	$(call say,LINT,clang-tidy)
	$(Q)$(call tool,clang-tidy) $(MAKE) --no-print-directory -k -O \
		$(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS)) lint-tidy-files

lint-tidy-files: $(TIDY)

# One process for each file: clang-tidy 14 carries va_lists over from one file to the next.
$(TIDY): $(BUILD)/lint/%.tidy: %.c .clang-tidy
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=gnu11 -MM -MP -MT $@ -MF $(@:.tidy=.d) $<
	$(Q)clang-tidy --quiet $< -- $(CPPFLAGS_ALL) -std=gnu11 -Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES) \
		2>$@.said || { grep -v 'warnings\? generated' $@.said; exit 1; }
	$(Q)rm -f $@.said && touch $@

lint-shell:
	$(call say,LINT,shellcheck)
	$(Q)$(call tool,shellcheck) shellcheck $(LINT_SH)

lint-man:
	$(call say,LINT,mandoc)
	$(Q)$(call tool,mandoc) $(if $(LINT_MAN),mandoc -T lint -W warning $(LINT_MAN),:)

.PHONY: check soak kernels check-programs unit-programs shim-programs bench counts counts-record asan tsan coverage fuzz $(FUZZ_NAMES:%=fuzz-%) lint \
	lint-cppcheck lint-tidy lint-tidy-files lint-shell lint-man
