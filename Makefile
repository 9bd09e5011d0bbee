# sagad: make [KIND=release|debug|asan|tsan] [CC=gcc|clang] [target]
#
#   make              everything that is installed, in build/<kind>/
#   make check        the checks of the tree and the unit tests
#   make install      DESTDIR, PREFIX
#   make help         every target
#
# A room is a folder of .c files and becomes one archive; a new file needs no line here.

KIND ?= release
PREFIX ?= /usr/local
VERSION := 0.1.0
SOVERSION := 0
ifneq ($(filter $(origin CC),default undefined),)
CC := gcc
endif
CXX ?= g++
PYTHON ?= python3

G := build/gen
B := build/$(KIND)
ifneq ($(notdir $(CC)),gcc)
B := build/$(KIND)-$(notdir $(CC))
endif

WARN := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Wnull-dereference
FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
FLAGS_debug := -O0 -g
FLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(origin FLAGS_$(KIND)),undefined)
$(error KIND=$(KIND) is not one of release, debug, asan, tsan, fuzz)
endif

CPPFLAGS := -I. -I$(G) -D_GNU_SOURCE -DSAGAD_VERSION='"$(VERSION)"'
CFLAGS := -std=c11 $(FLAGS_$(KIND)) $(WARN) -fPIC -fvisibility=hidden -fstack-protector-strong -MMD -MP
LDFLAGS := $(FLAGS_$(KIND)) -Wl,-z,relro,-z,now
GRPC_LIBS := -lgrpc -lgpr
PROTO_LIBS := -lprotobuf-c
SQLITE_LIBS := -lsqlite3
YAML_LIBS := -lyaml
PQ_CFLAGS := $(shell pkg-config --cflags libpq 2>/dev/null)
PQ_LIBS := -lpq
JSON_LIBS := -ljansson
CHECK_LIBS := $(shell pkg-config --libs check 2>/dev/null)

# make V=1 shows the commands.
Q := $(if $(V),,@)

.PHONY: all
all: binaries

# ---- generated code -------------------------------------------------------------------------------------------------

PROTOS := $(sort $(shell cd proto && find . -name '*.proto' | sed 's,^\./,,'))
WELL_KNOWN := google/protobuf/any.proto google/protobuf/duration.proto google/protobuf/timestamp.proto \
	google/protobuf/wrappers.proto google/protobuf/descriptor.proto
PROTO_INCLUDE := /usr/include
PB_C := $(patsubst %.proto,$(G)/%.pb-c.c,$(PROTOS) $(WELL_KNOWN))
PB_H := $(PB_C:.c=.h)
PB_O := $(patsubst $(G)/%.c,$(B)/gen/%.o,$(PB_C))

$(G)/stamp: $(addprefix proto/,$(PROTOS))
	@mkdir -p $(G)
	$(Q)protoc-c -Iproto -I$(PROTO_INCLUDE) --c_out=$(G) $(PROTOS) $(WELL_KNOWN)
	$(Q)protoc -Iproto -I$(PROTO_INCLUDE) --include_imports --descriptor_set_out=$(G)/descriptors.bin $(PROTOS)
	$(Q){ echo '#include "descriptors.h"'; echo 'const unsigned char descriptors[] = {'; \
	  od -An -v -tu1 $(G)/descriptors.bin | sed 's/  */,/g; s/^,//; s/$$/,/'; echo '};'; \
	  echo 'const unsigned long descriptors_size = sizeof descriptors;'; } > $(G)/descriptors.c
	$(Q){ echo '/* The serialized FileDescriptorSet of proto/. */'; \
	  echo 'extern const unsigned char descriptors[];'; echo 'extern const unsigned long descriptors_size;'; } > $(G)/descriptors.h
	@touch $@
$(PB_C) $(PB_H) $(G)/descriptors.c $(G)/descriptors.h: $(G)/stamp ;

$(B)/gen/%.o: $(G)/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=c11 $(FLAGS_$(KIND)) -fPIC -fvisibility=hidden -w -c -o $@ $<

$(B)/lib/proto.a: $(PB_O) $(B)/gen/descriptors.o
	@mkdir -p $(@D) && rm -f $@
	$(Q)ar rcs $@ $^

# ---- rooms ----------------------------------------------------------------------------------------------------------

ROOMS := compensations sidecar/base sidecar/definition sidecar/resilience sidecar/engine sidecar/journal \
	sidecar/core sidecar/config sidecar/rpc sidecar/observe sidecar/api sidecar/shard sidecar/runtime \
	client-lib/src client-lib/sqlite client-lib/pq client-lib/sagactl
room_sources = $(filter-out %/main.c,$(wildcard $(1)/*.c $(1)/sqlite/*.c))
room_archive = $(B)/lib/$(subst /,_,$(1)).a

$(B)/obj/%.o: %.c | $(G)/stamp
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CPPFLAGS_$(firstword $(subst /, ,$*))) $(CFLAGS) -c -o $@ $<

CPPFLAGS_client-lib := -Iclient-lib/include -I$(G)/examples $(PQ_CFLAGS)
CPPFLAGS_tests := -Iclient-lib/include $(PQ_CFLAGS)

define room
$(call room_archive,$(1)): $(patsubst %.c,$(B)/obj/%.o,$(call room_sources,$(1)))
	@mkdir -p $$(@D) && rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

archives = $(foreach r,$(1),$(call room_archive,$(r)))
PURE := sidecar/engine sidecar/resilience sidecar/definition compensations sidecar/base
SIDECAR_LIBS := $(call archives,sidecar/runtime sidecar/shard sidecar/api sidecar/core sidecar/config sidecar/observe sidecar/rpc sidecar/journal $(PURE)) $(B)/lib/proto.a
CLIENT_LIBS := $(call archives,client-lib/src compensations) $(B)/lib/proto.a

# ---- programs and libraries -----------------------------------------------------------------------------------------

BINARIES := $(B)/sagad $(B)/sagactl
LIBRARIES := $(B)/libsaga.a $(B)/libsaga.so.$(SOVERSION) $(B)/libsaga-sqlite.a $(B)/libsaga-sqlite.so.$(SOVERSION) \
	$(B)/libsaga-pq.a $(B)/libsaga-pq.so.$(SOVERSION)
SHOP := client-lib/examples/checkout
SHOP_SERVICES := $(addprefix $(B)/examples/checkout/,inventory payment shipping)
EXAMPLES := $(patsubst client-lib/examples/%.c,$(B)/examples/%,$(wildcard client-lib/examples/*.c)) $(SHOP_SERVICES)

.PHONY: binaries libraries examples
binaries: $(BINARIES) libraries examples
libraries: $(LIBRARIES)
examples: $(EXAMPLES)

$(B)/sagad: $(B)/obj/sidecar/runtime/main.o $(SIDECAR_LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(SIDECAR_LIBS) -Wl,--end-group \
		$(GRPC_LIBS) $(PROTO_LIBS) $(SQLITE_LIBS) $(YAML_LIBS) -lz -lpthread -lm

$(B)/sagactl: $(B)/obj/client-lib/sagactl/main.o $(call archives,client-lib/sagactl client-lib/src sidecar/definition compensations sidecar/base) $(B)/lib/proto.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(GRPC_LIBS) $(PROTO_LIBS) $(YAML_LIBS) $(JSON_LIBS) -lpthread -lm

# A static library is one object in which only what is public has a name, so that it cannot collide with the program's own functions.
OBJCOPY ?= objcopy
define static_library
	@rm -f $@
	$(Q)$(LD) -r -o $(@:.a=.o) $^ && $(OBJCOPY) --localize-hidden $(@:.a=.o) && ar rcs $@ $(@:.a=.o)
endef
room_objects = $(patsubst %.c,$(B)/obj/%.o,$(foreach r,$(1),$(call room_sources,$(r))))

$(B)/libsaga.a: $(call room_objects,client-lib/src compensations) $(PB_O)
	$(static_library)
$(B)/libsaga.so.$(SOVERSION): $(call room_objects,client-lib/src compensations) $(PB_O)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(@F) -o $@ $^ $(GRPC_LIBS) $(PROTO_LIBS) -lpthread
	$(Q)ln -sf $(@F) $(B)/libsaga.so
$(B)/libsaga-sqlite.a: $(call room_objects,client-lib/sqlite compensations)
	$(static_library)
$(B)/libsaga-sqlite.so.$(SOVERSION): $(call room_objects,client-lib/sqlite compensations) $(B)/libsaga.so.$(SOVERSION)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(@F) -o $@ $^ $(SQLITE_LIBS)
	$(Q)ln -sf $(@F) $(B)/libsaga-sqlite.so
$(B)/libsaga-pq.a: $(call room_objects,client-lib/pq compensations)
	$(static_library)
$(B)/libsaga-pq.so.$(SOVERSION): $(call room_objects,client-lib/pq compensations) $(B)/libsaga.so.$(SOVERSION)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(@F) -o $@ $^ $(PQ_LIBS)
	$(Q)ln -sf $(@F) $(B)/libsaga-pq.so

EXAMPLE_LIBS := $(call archives,client-lib/sqlite client-lib/src compensations) $(B)/lib/proto.a
$(B)/examples/%: $(B)/obj/client-lib/examples/%.o $(EXAMPLE_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(EXAMPLE_LIBS) -Wl,--end-group $(GRPC_LIBS) $(PROTO_LIBS) $(SQLITE_LIBS) -lpthread

# The demo shop: three programs that share shop.c, ledger.c and the messages of checkout.proto.
SHOP_O := $(B)/obj/$(SHOP)/shop.o $(B)/obj/$(SHOP)/ledger.o $(B)/gen/examples/checkout.pb-c.o
$(G)/examples/checkout.pb-c.c: $(SHOP)/checkout.proto
	@mkdir -p $(@D)
	$(Q)protoc-c -I$(SHOP) --c_out=$(@D) checkout.proto
$(patsubst %.c,$(B)/obj/%.o,$(wildcard $(SHOP)/*.c)): | $(G)/examples/checkout.pb-c.c
$(SHOP_SERVICES): $(B)/examples/checkout/%: $(B)/obj/$(SHOP)/%.o $(SHOP_O) $(EXAMPLE_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(SHOP_O) -Wl,--start-group $(EXAMPLE_LIBS) -Wl,--end-group $(GRPC_LIBS) $(PROTO_LIBS) $(SQLITE_LIBS) -lpthread

# ---- installing -----------------------------------------------------------------------------------------------------

BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/sagad
SAGA_LIBS := libsaga libsaga-sqlite libsaga-pq
HEADERS := $(notdir $(wildcard client-lib/include/saga/*.h))
MANPAGES := $(notdir $(wildcard docs/man/*.[1-8]))
under_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
man_file = $(MANDIR)/man$(subst .,,$(suffix $(1)))/$(1)

.PHONY: install uninstall install-check header-check
install: $(BINARIES) $(LIBRARIES)
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR)/saga $(DATADIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8)
	install -m 755 $(BINARIES) $(DESTDIR)$(BINDIR)
	install -m 644 $(addprefix client-lib/include/saga/,$(HEADERS)) $(DESTDIR)$(INCLUDEDIR)/saga
	for l in $(SAGA_LIBS); do \
	  install -m 644 $(B)/$$l.a $(DESTDIR)$(LIBDIR) && \
	  install -m 755 $(B)/$$l.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/$$l.so.$(VERSION) && \
	  ln -sf $$l.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$$l.so.$(SOVERSION) && \
	  ln -sf $$l.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/$$l.so && \
	  sed -e 's,@PREFIX@,$(PREFIX),; s,@LIBDIR@,$(call under_prefix,$(LIBDIR)),; s,@INCLUDEDIR@,$(call under_prefix,$(INCLUDEDIR)),; s,@VERSION@,$(VERSION),' \
	    -e 's,@PQ_CFLAGS@,$(PQ_CFLAGS),' client-lib/$$l.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/$$l.pc || exit 1; done
	install -m 644 client-lib/sqlite/saga_barrier.sql $(DESTDIR)$(DATADIR)/saga_barrier.sqlite.sql
	install -m 644 client-lib/pq/saga_barrier.sql $(DESTDIR)$(DATADIR)/saga_barrier.postgresql.sql
	$(foreach m,$(MANPAGES),install -m 644 docs/man/$(m) $(DESTDIR)$(call man_file,$(m)) &&) true

uninstall:
	rm -f $(foreach b,$(BINARIES),$(DESTDIR)$(BINDIR)/$(notdir $(b)))
	rm -f $(foreach h,$(HEADERS),$(DESTDIR)$(INCLUDEDIR)/saga/$(h)) $(foreach m,$(MANPAGES),$(DESTDIR)$(call man_file,$(m)))
	rm -f $(foreach l,$(SAGA_LIBS),$(addprefix $(DESTDIR)$(LIBDIR)/,$(l).a $(l).so $(l).so.$(SOVERSION) $(l).so.$(VERSION) pkgconfig/$(l).pc))
	rm -f $(DESTDIR)$(DATADIR)/saga_barrier.sqlite.sql $(DESTDIR)$(DATADIR)/saga_barrier.postgresql.sql
	rmdir $(DESTDIR)$(INCLUDEDIR)/saga $(DESTDIR)$(DATADIR) 2>/dev/null || true

# Installs into a folder of its own, builds and runs the first program with what is there, uninstalls.
install-check: $(BINARIES) $(LIBRARIES)
	MAKE="$(MAKE)" B="$(B)" CC="$(CC)" tests/install_check.sh

# Every public header alone, as C11 and as C++; and what the libraries export.
header-check: $(LIBRARIES)
	CC="$(CC)" CXX="$(CXX)" PQ_CFLAGS="$(PQ_CFLAGS)" tests/header_check.sh $(B)

# ---- tests ----------------------------------------------------------------------------------------------------------

UNIT := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c tests/scenario/test_*.c))
SUPPORT_O := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/support/*.c))
TEST_LIBS := $(SUPPORT_O) $(SIDECAR_LIBS) $(call archives,client-lib/sagactl client-lib/sqlite client-lib/pq client-lib/src)
.SECONDARY:

$(B)/tests/%: $(B)/obj/tests/%.o $(TEST_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(TEST_LIBS) -Wl,--end-group $(CHECK_LIBS) \
		$(GRPC_LIBS) $(PROTO_LIBS) $(SQLITE_LIBS) $(YAML_LIBS) $(PQ_LIBS) $(JSON_LIBS) -lz -lpthread -lm

# Refuses the tree's own allocations one by one.
$(B)/tests/unit/test_alloc: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# One test: make build/release/tests/unit/test_codec && build/release/tests/unit/test_codec
.PHONY: unit unit-threads
unit: $(UNIT)
	@tests/run "unit $(KIND)" $(UNIT)
# Those with threads of their own, for KIND=tsan.
THREADED := $(filter %/test_participant %/test_log %/test_barrier_sqlite %/test_sidecar %/test_ask %/test_sidecar_stop,$(UNIT)) $(filter $(B)/tests/unit/test_client%,$(UNIT))
unit-threads: $(THREADED)
	@tests/run "threads $(KIND)" $(THREADED)

# Every allocation of a whole sidecar and of the client library refused in turn, but for those that sidecar/rpc must have (rpc_allocate in
# support.c: as in gRPC itself, the process ends without them). KIND=asan finds what leaks, too. More: make alloc-test ALLOC=all
ALLOC_O := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/alloc/*.c))
ALLOC_LIBS := $(SIDECAR_LIBS) $(call archives,client-lib/src)
$(B)/alloc: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup
$(B)/alloc_support.o: $(B)/obj/sidecar/rpc/support.o
	$(Q)$(OBJCOPY) --redefine-sym calloc=__real_calloc $< $@
$(B)/alloc: $(ALLOC_O) $(B)/alloc_support.o $(ALLOC_LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(ALLOC_O) $(B)/alloc_support.o -Wl,--start-group $(ALLOC_LIBS) -Wl,--end-group \
		$(GRPC_LIBS) $(PROTO_LIBS) $(SQLITE_LIBS) $(YAML_LIBS) -lz -lpthread -lm
.PHONY: alloc-test
alloc-test: $(B)/alloc
	$< $(ALLOC)

# What can be said of the tree without running it.
.PHONY: tree-check check
tree-check: $(call archives,$(PURE))
	@sh tests/checks/symbols.sh $(call archives,sidecar/engine sidecar/resilience compensations sidecar/base) \
		$(B)/obj/sidecar/definition/names.o $(B)/obj/sidecar/definition/model.o
	@$(PYTHON) tests/checks/includes.py
	@$(PYTHON) tests/checks/docs.py
check: tree-check unit

# ---- end to end: the real programs, with clients and participants in other languages -------------------------------------

# Debian's python3-grpcio belongs to Debian's own python. One test or a part of them: make e2e E2E="enlisted pipe"
SYSTEM_PYTHON ?= /usr/bin/python3
E2E_ENV := SAGAD=$(abspath $(B))/sagad SAGACTL=$(abspath $(B))/sagactl SAGA_DESCRIPTORS=$(abspath $(G))/descriptors.bin

# The same in C++, with gRPC's own C++ library and what protoc makes for it. Nothing that is installed is C++.
CPP := $(G)/cpp
CPP_PROTOS := $(filter-out grpc/reflection/%,$(PROTOS))
CPP_LIBS := -lgrpc++ -lgrpc -lgpr -lprotobuf -labsl_synchronization -lpthread
$(CPP)/stamp: $(addprefix proto/,$(CPP_PROTOS)) tests/e2e/cpp/shop.proto
	@mkdir -p $(CPP)
	$(Q)protoc -Iproto -I$(PROTO_INCLUDE) -Itests/e2e/cpp --cpp_out=$(CPP) --grpc_out=$(CPP) \
		--plugin=protoc-gen-grpc=$(shell command -v grpc_cpp_plugin) $(CPP_PROTOS) shop.proto
	@touch $@
$(CPP)/messages.a: $(CPP)/stamp
	$(Q)find $(CPP) -name '*.pb.cc' | xargs -P 2 -I{} $(CXX) -std=c++17 -O0 -w -I$(CPP) -c -o {}.o {}
	@rm -f $@
	$(Q)ar rcs $@ $$(find $(CPP) -name '*.pb.cc.o')
$(CPP)/interop: tests/e2e/cpp/interop.cc $(CPP)/messages.a
	$(Q)$(CXX) -std=c++17 -O0 -g -Wall -Wextra -Werror -isystem $(CPP) -o $@ $^ $(CPP_LIBS)

# libsaga's asynchronous half, for a test that kills its sidecar.
$(B)/libsaga_storm: $(B)/obj/tests/e2e/libsaga_storm.o $(B)/libsaga.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(GRPC_LIBS) $(PROTO_LIBS) -lpthread

.PHONY: e2e
e2e: $(B)/sagad $(B)/sagactl $(addprefix $(B)/examples/,participant first_saga transfer) $(B)/libsaga_storm $(CPP)/interop
	@$(CPP)/interop $(B)/sagad
	@$(E2E_ENV) $(SYSTEM_PYTHON) tests/e2e/run.py $(E2E)
# Every test again with three loops in each sidecar (save those of bounds that loops share).
.PHONY: e2e-loops
e2e-loops: $(B)/sagad $(B)/sagactl $(addprefix $(B)/examples/,participant first_saga transfer) $(B)/libsaga_storm
	@SAGA_TEST_LOOPS=$(or $(LOOPS),3) $(E2E_ENV) $(SYSTEM_PYTHON) tests/e2e/run.py $(E2E)

# kill -9 at random moments: make crash KILLS=1000 SEED=7 LOOPS=3. The smoke is what scripts/test runs.
CRASH = $(E2E_ENV) SAGA_SHOP=$(abspath $(B))/examples/checkout $(SYSTEM_PYTHON) tests/crash/crash.py $(if $(SEED),--seed $(SEED)) $(if $(LOOPS),--loops $(LOOPS))
.PHONY: crash crash-smoke
crash: $(B)/sagad $(SHOP_SERVICES)
	@$(CRASH) --kills $(or $(KILLS),400)
crash-smoke: $(B)/sagad $(SHOP_SERVICES)
	@$(CRASH) --kills $(or $(KILLS),110)

# ---- the store on a disk that crashes, fails and fills up ----------------------------------------------------------------

STORE_CRASH_LIBS := $(patsubst %,$(B)/obj/tests/support/%.o,panic frames crash_vfs memory_store) $(call archives,sidecar/journal sidecar/base)
$(B)/store_crash: $(B)/obj/tests/crash/store_crash.o $(STORE_CRASH_LIBS)
	$(CC) $(LDFLAGS) -o $@ $< $(STORE_CRASH_LIBS) $(SQLITE_LIBS) -lz

.PHONY: store-crash
store-crash: $(B)/store_crash
	$<

# ---- fuzzing: libFuzzer, which comes with clang ---------------------------------------------------------------------

# tests/fuzz/fuzz_NAME.c begins with the inputs in tests/fuzz/corpus/NAME and keeps what it finds in the build folder.
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIBS := $(B)/obj/tests/support/panic.o $(SIDECAR_LIBS)
FUZZ_MAKE = $(MAKE) KIND=fuzz CC=clang B=$(if $(filter command line,$(origin B)),$(B)-fuzz,build/fuzz) fuzz-run

$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(FUZZ_LIBS) -Wl,--end-group \
		$(GRPC_LIBS) $(PROTO_LIBS) $(SQLITE_LIBS) $(YAML_LIBS) -lz -lpthread -lm

.PHONY: fuzz fuzz-smoke fuzz-run
fuzz-smoke:
	+$(FUZZ_MAKE) FUZZ_SECONDS=$(or $(FUZZ_SECONDS),4)
fuzz:
	+$(FUZZ_MAKE) FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600)
fuzz-run: $(FUZZ)
	@for f in $(FUZZ); do n=$${f##*/fuzz_}; found=$(B)/fuzz/corpus/$$n; seeds=tests/fuzz/corpus/$$n; log=$(B)/fuzz/$$n.log; \
		mkdir -p $$found; [ -d $$seeds ] || seeds=; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix=$(B)/fuzz/$$n- $$found $$seeds > $$log 2>&1 || { tail -60 $$log; exit 1; }; \
		echo "fuzz_$$n: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$log) inputs in $(FUZZ_SECONDS) s"; done

# What the documents say of the options follows from sidecar/config/options.def.
OPTIONS_LIBS := $(B)/obj/tests/support/panic.o $(call archives,sidecar/config sidecar/definition sidecar/base)
$(B)/docs_options: $(B)/obj/tests/tools/docs_options.o $(OPTIONS_LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(OPTIONS_LIBS) $(YAML_LIBS)

.PHONY: docs-options
docs-options: $(B)/docs_options
	$< docs/man/sagad.yaml.5 docs/configuration.md

# The commands, options and exit statuses in sagactl(1) are those of client-lib/sagactl/command.c.
CTL_LIBS := $(call archives,client-lib/sagactl client-lib/src sidecar/definition compensations sidecar/base) $(B)/lib/proto.a
$(B)/docs_sagactl: $(B)/obj/tests/tools/docs_sagactl.o $(B)/obj/tests/support/panic.o $(CTL_LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(wordlist 1,2,$^) -Wl,--start-group $(CTL_LIBS) -Wl,--end-group $(GRPC_LIBS) $(PROTO_LIBS) $(YAML_LIBS) $(JSON_LIBS) -lpthread -lm

.PHONY: docs-sagactl
docs-sagactl: $(B)/docs_sagactl
	$< docs/man/sagactl.1

# What tests keep of what was written once: a journal of this schema (when it is new), and the records that fuzzing begins with.
FIXTURE_O := $(patsubst %,$(B)/obj/tests/support/%.o,panic sample_records fixture_journal)
FIXTURE_LIBS := $(call archives,sidecar/journal $(PURE))
$(B)/journal_fixture $(B)/record_corpus: $(B)/%: $(B)/obj/tests/tools/%.o $(FIXTURE_O) $(FIXTURE_LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(FIXTURE_O) -Wl,--start-group $(FIXTURE_LIBS) -Wl,--end-group $(SQLITE_LIBS) $(YAML_LIBS) -lz

.PHONY: journal-fixture record-corpus
journal-fixture: $(B)/journal_fixture
	tests/tools/journal_fixture.sh $< tests/fixtures/journal
record-corpus: $(B)/record_corpus
	$< tests/fuzz/corpus/record

# ---- the simulator (tests/sim, docs/testing.md) ---------------------------------------------------------------------

SIM_O := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/sim/*.c sidecar/core/*.c sidecar/journal/codec*.c))
$(B)/obj/tests/sim/%.o: CPPFLAGS += -DSIM_COMMIT='"$(shell git describe --always --dirty 2>/dev/null)"'
$(B)/sim: $(SIM_O) $(call archives,$(PURE))
	$(CC) $(LDFLAGS) -o $@ $(SIM_O) -Wl,--start-group $(call archives,$(PURE)) -Wl,--end-group $(PROTO_LIBS) $(YAML_LIBS) -lz

# The same with planted defects, one of which is switched on by the environment's SIM_DEFECT.
ifneq ($(SIM_DEFECTS),)
CPPFLAGS += -DSAGA_DEFECTS
endif

.PHONY: sim sim-soak sim-exhaust sim-memory sim-defects sim-gate sim-smoke
sim: $(B)/sim
	$(B)/sim $(if $(SEED),seed $(SEED),many $(or $(N),1000))
sim-soak: $(B)/sim
	$(B)/sim soak $(SEED)
sim-exhaust: $(B)/sim
	$(B)/sim exhaust
sim-memory: $(B)/sim
	$(B)/sim memory $(or $(N),5)
sim-defects:
	@$(MAKE) --no-print-directory -s SIM_DEFECTS=1 B=$(B)/defects $(B)/defects/sim
	tests/sim/defects $(B)/defects/sim tests/sim/defects.txt
# The same seeds twice, and with both compilers: one trace.
OTHER_CC := $(if $(findstring clang,$(CC)),gcc,clang)
sim-gate: $(B)/sim
	@$(MAKE) --no-print-directory -s B=$(B)/$(OTHER_CC) CC=$(OTHER_CC) $(B)/$(OTHER_CC)/sim
	$(B)/sim hash 300 > $(B)/hash.first
	$(B)/sim hash 300 > $(B)/hash.again
	$(B)/$(OTHER_CC)/sim hash 300 > $(B)/hash.$(OTHER_CC)
	cmp $(B)/hash.first $(B)/hash.again
	cmp $(B)/hash.first $(B)/hash.$(OTHER_CC)
# What CI runs. On less than the whole list of seeds (SMOKE_SEEDS) a mark may be missed that must be reached.
SMOKE_SEEDS := 4000
sim-smoke: $(B)/sim
	$(B)/sim smoke $(SMOKE_SEEDS)
	@$(MAKE) --no-print-directory B=$(B) N= sim-gate sim-exhaust sim-memory sim-defects
	@echo "simulator: $(SMOKE_SEEDS) seeds, both compilers, small scope, refused memory and planted defects: nothing found, all found"

# ---- measuring (docs/performance.md) ----------------------------------------------------------------------------------

LOAD_O := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/bench/load*.c))
$(B)/bench/echo_server: $(B)/obj/tests/bench/echo_server.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(GRPC_LIBS)
$(B)/bench/load: $(LOAD_O) $(B)/lib/proto.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(GRPC_LIBS) $(PROTO_LIBS)
$(B)/bench/bench_store: $(B)/obj/tests/bench/bench_store.o $(B)/obj/tests/support/panic.o \
		$(call archives,sidecar/journal sidecar/engine $(PURE))
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group $(SQLITE_LIBS) $(YAML_LIBS) -lz

$(B)/bench/scenarios: $(B)/obj/tests/bench/scenarios.o $(B)/obj/tests/support/memory_store.o $(B)/obj/tests/support/panic.o \
		$(B)/obj/sidecar/api/decode.o $(call archives,sidecar/core sidecar/journal $(PURE)) $(B)/lib/proto.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group $(PROTO_LIBS) $(SQLITE_LIBS) $(YAML_LIBS) -lz

.PHONY: bench bench-check bench-baseline
# Instruction counts of fixed scenarios against tests/bench/baseline.json.
bench-check: $(B)/bench/scenarios
	@$(PYTHON) tests/bench/count.py $< $(CC)
bench-baseline: $(B)/bench/scenarios
	@$(PYTHON) tests/bench/count.py $< $(CC) --write
bench: $(BINARIES) $(B)/bench/echo_server $(B)/bench/load $(B)/bench/bench_store
	$(PYTHON) tests/bench/bench.py --binaries $(B) --out build/bench $(BENCH)
# Restate beside the sidecar, from the npm registry: make bench-peers PEERS="--pairs 3"
.PHONY: bench-peers bench-docs
bench-peers: $(B)/sagad $(B)/bench/load
	$(PYTHON) tests/bench/peers/peers.py --binaries $(B) --out build/bench --install build/peers $(PEERS)
# What was measured last, into docs/performance.md and docs/img/.
bench-docs:
	$(PYTHON) tests/bench/paste.py build/bench docs

# A room alone: make room ROOM=sidecar/journal
.PHONY: room
room: $(call archives,$(ROOM))

define HELP
make                 everything that is installed and the examples, in build/<kind>/
make install         PREFIX ($(PREFIX)), DESTDIR; make uninstall takes it away
make check           what can be said of the tree without running it, and the unit tests
make unit            the unit tests and the engine's exact traces
make e2e             real processes, with clients and participants in Python and C++
make crash           sagad and participants killed 300 times under load; make crash-smoke is the short one
make store-crash     the journal's disk crashed, torn, failed and filled at every point
make sim             the simulator: SEED=n replays one world, N=n runs many; sim-smoke, sim-soak, sim-exhaust, sim-defects, sim-gate
make fuzz            every fuzzer for FUZZ_SECONDS each; make fuzz-smoke for a few seconds
make bench           measures beside the references; bench-check counts instructions; bench-peers runs another engine beside
make journal-fixture keeps a journal of this schema for the tests of those to come; record-corpus what fuzzing of records begins with
make docs-options    writes what the documents say of the options; docs-sagactl likewise for the CLI
make format          formats the tree as .clang-format says
make clean

KIND=release|debug|asan|tsan|fuzz, CC=gcc|clang, B=folder, V=1 to see the commands, ROOM=sidecar/engine with make room for a room alone
scripts/test runs every suite as CI does; scripts/chaos puts a bad network between real processes
endef
.PHONY: help format
help:
	$(info $(HELP))
	@:
format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

.PHONY: clean
clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
