# sagad: make [KIND=release|debug|asan|tsan] [CC=gcc|clang] [target]
#
#   make              everything that is installed, in build/<kind>/
#   make check        the checks of the tree and the unit tests
#   make install      DESTDIR, PREFIX
#   make help         every target
#
# A room is a folder of .c files and becomes one archive; a new file or folder needs no line here. What tests is in tests/tests.mk.

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
FLAGS_asan := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan := -O1 -g1 -fsanitize=thread -fno-omit-frame-pointer
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(origin FLAGS_$(KIND)),undefined)
$(error KIND=$(KIND) is not one of release, debug, asan, tsan, fuzz)
endif

# CPPFLAGS, CFLAGS and LDFLAGS are whoever builds'; they come last.
PQ_CFLAGS := $(shell pkg-config --cflags libpq 2>/dev/null)
SEARCH := -I. -I$(G) -D_GNU_SOURCE $(if $(SIM_DEFECTS),-DSAGA_DEFECTS)
SEARCH_sidecar := $(PQ_CFLAGS)
SEARCH_client-lib := -Iclient-lib/include -I$(G)/examples $(PQ_CFLAGS)
SEARCH_tests := -Iclient-lib/include $(PQ_CFLAGS)
CODE := -std=c11 $(FLAGS_$(KIND)) -fPIC -fvisibility=hidden
COMPILE := $(CC) $(CODE) -fstack-protector-strong $(WARN) -MMD -MP
# There are many, and each runs once: these are better compiled quickly than well.
QUICK := tests/unit/% tests/scenario/%
QUICKLY := -O0 -U_FORTIFY_SOURCE

# Of these a program gets what it uses. Tests have more (tests/tests.mk).
LIBRARIES_USED := -lgrpc -lcares -lgpr -lcrypto -lprotobuf-c -lsqlite3 -lyaml -lz -lmicrohttpd -lpq -ljansson -lpthread -lm
LINK := $(CC) $(FLAGS_$(KIND)) -Wl,-z,relro,-z,now -Wl,--as-needed

# make V=1 shows the commands.
Q := $(if $(V),,@)

.PHONY: all FORCE
.SECONDARY:
all: binaries

# $(call remember,FILE,TEXT): FILE holds TEXT and is new only when TEXT is; what was made with a flag depends on the file that remembers it.
define remember
$(1): $(if $(subst x$(strip $(file <$(1)))x,,x$(strip $(2))x),FORCE)
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' > $$@
endef
COMPILED_WITH := $(B)/flags/compile
LINKED_WITH := $(B)/flags/link
$(eval $(call remember,$(COMPILED_WITH),$(COMPILE) $(QUICK) $(QUICKLY) $(SEARCH) $(SEARCH_sidecar) $(SEARCH_client-lib) $(SEARCH_tests) $(CPPFLAGS) $(CFLAGS)))
$(eval $(call remember,$(LINKED_WITH),$(LINK) $(LIBRARIES_USED) $(LDFLAGS)))

# A program is a line of prerequisites (objects and archives) and a place in PROGRAMS; the recipe of all of them is at the end.
PROGRAMS :=

# ---- generated code -------------------------------------------------------------------------------------------------

PROTOS := $(sort $(shell cd proto && find . -name '*.proto' | sed 's,^\./,,'))
WELL_KNOWN := google/protobuf/any.proto google/protobuf/duration.proto google/protobuf/timestamp.proto \
	google/protobuf/wrappers.proto google/protobuf/descriptor.proto
PROTO_INCLUDE := /usr/include
PB_C := $(patsubst %.proto,$(G)/%.pb-c.c,$(PROTOS) $(WELL_KNOWN))
PB_O := $(patsubst $(G)/%.c,$(B)/gen/%.o,$(PB_C))
GENERATED := $(PB_C) $(PB_C:.c=.h) $(G)/descriptors.c $(G)/descriptors.h

$(eval $(call remember,$(G)/protos.list,$(PROTOS)))
$(GENERATED) $(G)/descriptors.bin &: $(addprefix proto/,$(PROTOS)) $(G)/protos.list
	$(Q)protoc-c -Iproto -I$(PROTO_INCLUDE) --c_out=$(G) $(PROTOS) $(WELL_KNOWN)
	$(Q)protoc -Iproto -I$(PROTO_INCLUDE) --include_imports --descriptor_set_out=$(G)/descriptors.bin $(PROTOS)
	$(Q){ echo '#include "descriptors.h"'; echo 'const unsigned char descriptors[] = {'; \
	  od -An -v -tu1 $(G)/descriptors.bin | sed 's/  */,/g; s/^,//; s/$$/,/'; echo '};'; \
	  echo 'const unsigned long descriptors_size = sizeof descriptors;'; } > $(G)/descriptors.c
	$(Q){ echo '/* The serialized FileDescriptorSet of proto/. */'; \
	  echo 'extern const unsigned char descriptors[];'; echo 'extern const unsigned long descriptors_size;'; } > $(G)/descriptors.h
	@touch $(GENERATED)

# The version stands in a header, so that another version is one file compiled.
HASH := \#
$(eval $(call remember,$(G)/version.h,$(HASH)define SAGAD_VERSION "$(VERSION)"))

$(B)/gen/%.o: $(G)/%.c $(COMPILED_WITH)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CODE) $(SEARCH) $(CPPFLAGS) $(CFLAGS) -w -c -o $@ $<

$(B)/lib/proto.a: $(PB_O) $(B)/gen/descriptors.o
	@mkdir -p $(@D) && rm -f $@
	$(Q)ar rcs $@ $^

# The runbooks are a part of sagactl.
RUNBOOKS := $(sort $(wildcard docs/runbooks/*.md))
$(eval $(call remember,$(G)/runbooks.list,$(RUNBOOKS)))
$(G)/runbooks.c: $(RUNBOOKS) $(G)/runbooks.list
	$(Q){ echo '#include "client-lib/sagactl/runbook.h"'; \
	  for f in $(RUNBOOKS); do printf 'static const char %s[] = {\n' $$(basename $$f .md); \
	    od -An -v -td1 $$f | sed 's/  */,/g; s/^,//; s/$$/,/'; echo '0};'; done; \
	  echo 'const struct runbook runbooks[] = {'; \
	  for f in $(RUNBOOKS); do n=$$(basename $$f .md); echo "{\"$$n\", $$n},"; done; \
	  echo '};'; echo 'const size_t runbook_count = sizeof runbooks / sizeof runbooks[0];'; } > $@

# ---- rooms ----------------------------------------------------------------------------------------------------------

SIDECAR_ROOMS := $(patsubst %/,%,$(wildcard sidecar/*/))
CLIENT_ROOMS := client-lib/src client-lib/sqlite client-lib/pq client-lib/sagactl
# What reads a definition, types and all.
DEFINITION_ROOMS := sidecar/definition sidecar/mapping sidecar/expression sidecar/message sidecar/base
# Rooms that reach for nothing of the system (tests/checks/symbols.sh), and the reader of definitions with them.
PURE := sidecar/where sidecar/remedy sidecar/engine sidecar/resilience $(DEFINITION_ROOMS) compensations
room_sources = $(filter-out %/main.c,$(wildcard $(1)/*.c $(1)/sqlite/*.c $(1)/postgres/*.c $(1)/sealed/*.c))
room_objects = $(patsubst %.c,$(B)/obj/%.o,$(foreach r,$(1),$(call room_sources,$(r))))
room_archive = $(B)/lib/$(subst /,_,$(1)).a
archives = $(foreach r,$(1),$(call room_archive,$(r)))

$(B)/obj/%.o: %.c $(COMPILED_WITH) | $(GENERATED) $(G)/version.h
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(if $(filter $(QUICK),$*),$(QUICKLY)) $(SEARCH) $(SEARCH_$(firstword $(subst /, ,$*))) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# An archive depends on the list of what is in it, too: a file that is gone is gone from it.
define room
$(call remember,$(call room_archive,$(1)).list,$(call room_objects,$(1)))
$(call room_archive,$(1)): $(call room_objects,$(1)) $(call room_archive,$(1)).list
	@rm -f $$@
	$(Q)ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach r,compensations transport $(SIDECAR_ROOMS) $(CLIENT_ROOMS),$(eval $(call room,$(r))))

PROTO_LIB := $(B)/lib/proto.a
SIDECAR_LIBS := $(call archives,$(SIDECAR_ROOMS) transport compensations) $(PROTO_LIB)
CLIENT_LIBS := $(call archives,client-lib/src transport compensations) $(PROTO_LIB)
SAGACTL_LIBS := $(call archives,client-lib/sagactl sidecar/config sidecar/authz sidecar/policy sidecar/contract sidecar/rehearse sidecar/engine sidecar/resilience sidecar/lint $(DEFINITION_ROOMS)) $(B)/gen/runbooks.o $(CLIENT_LIBS)

# ---- programs and libraries -----------------------------------------------------------------------------------------

BINARIES := $(B)/sagad $(B)/sagactl
SAGA_LIBS := libsaga libsaga-sqlite libsaga-pq
LIBRARIES := $(foreach l,$(SAGA_LIBS),$(B)/$(l).a $(B)/$(l).so.$(SOVERSION))
SHOP := client-lib/examples/checkout
SHOP_SERVICES := $(addprefix $(B)/examples/checkout/,inventory payment shipping)
EXAMPLES := $(patsubst client-lib/examples/%.c,$(B)/examples/%,$(wildcard client-lib/examples/*.c))

.PHONY: binaries libraries examples
binaries: $(BINARIES) libraries examples
libraries: $(LIBRARIES)
examples: $(EXAMPLES) $(SHOP_SERVICES)

PROGRAMS += $(BINARIES) $(EXAMPLES) $(SHOP_SERVICES)
$(B)/sagad: $(B)/obj/sidecar/runtime/main.o $(SIDECAR_LIBS)
$(B)/sagactl: $(B)/obj/client-lib/sagactl/main.o $(SAGACTL_LIBS)

# A static library is one object in which only what is public has a name, so that it cannot collide with the program's own functions.
# $(call library,NAME,OBJECTS,OTHER LIBRARIES)
OBJCOPY ?= objcopy
define library
$(B)/$(1).a: $(2) $(B)/lib/$(1).list
	@rm -f $$@
	$(Q)$(LD) -r -o $$(@:.a=.o) $$(filter %.o,$$^) && $(OBJCOPY) --localize-hidden $$(@:.a=.o) && ar rcs $$@ $$(@:.a=.o)
$(B)/$(1).so.$(SOVERSION): $(2) $(3) $(B)/lib/$(1).list $(LINKED_WITH)
	$(Q)$(LINK) $(LDFLAGS) -shared -Wl,-soname,$$(@F) -o $$@ $$(filter %.o %.so.$(SOVERSION),$$^) $(LIBRARIES_USED)
	$(Q)ln -sf $$(@F) $(B)/$(1).so
$(call remember,$(B)/lib/$(1).list,$(2))
endef
$(eval $(call library,libsaga,$(call room_objects,client-lib/src transport compensations) $(PB_O),))
$(eval $(call library,libsaga-sqlite,$(call room_objects,client-lib/sqlite compensations),$(B)/libsaga.so.$(SOVERSION)))
$(eval $(call library,libsaga-pq,$(call room_objects,client-lib/pq compensations),$(B)/libsaga.so.$(SOVERSION)))

EXAMPLE_LIBS := $(call archives,client-lib/sqlite) $(CLIENT_LIBS)
$(EXAMPLES): $(B)/examples/%: $(B)/obj/client-lib/examples/%.o $(EXAMPLE_LIBS)

# The demo shop: three programs that share shop.c, ledger.c and the messages of checkout.proto.
$(G)/examples/checkout.pb-c.c $(G)/examples/checkout.pb-c.h &: $(SHOP)/checkout.proto
	@mkdir -p $(@D)
	$(Q)protoc-c -I$(SHOP) --c_out=$(@D) checkout.proto
$(patsubst %.c,$(B)/obj/%.o,$(wildcard $(SHOP)/*.c)): | $(G)/examples/checkout.pb-c.h
$(SHOP_SERVICES): $(B)/examples/checkout/%: $(B)/obj/$(SHOP)/%.o $(B)/obj/$(SHOP)/shop.o $(B)/obj/$(SHOP)/ledger.o \
	$(B)/gen/examples/checkout.pb-c.o $(EXAMPLE_LIBS)

# ---- installing -----------------------------------------------------------------------------------------------------

BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/sagad
COMPLETION_bash ?= $(PREFIX)/share/bash-completion/completions/sagactl
COMPLETION_zsh ?= $(PREFIX)/share/zsh/site-functions/_sagactl
COMPLETION_fish ?= $(PREFIX)/share/fish/vendor_completions.d/sagactl.fish
COMPLETIONS := $(COMPLETION_bash) $(COMPLETION_zsh) $(COMPLETION_fish)
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
	install -d $(DESTDIR)$(DATADIR)/proto/saga/v1 $(addprefix $(DESTDIR),$(dir $(COMPLETIONS)))
	install -m 644 $(wildcard proto/saga/v1/*.proto) $(DESTDIR)$(DATADIR)/proto/saga/v1
	$(foreach c,bash zsh fish,$(B)/sagactl completion $(c) > $(DESTDIR)$(COMPLETION_$(c)) &&) true
	install -d $(DESTDIR)$(DATADIR)/prometheus $(DESTDIR)$(DATADIR)/grafana
	install -m 644 $(wildcard deploy/prometheus/*.yaml) $(DESTDIR)$(DATADIR)/prometheus
	install -m 644 $(wildcard deploy/grafana/*.json) $(DESTDIR)$(DATADIR)/grafana
	install -m 644 client-lib/sqlite/saga_barrier.sql $(DESTDIR)$(DATADIR)/saga_barrier.sqlite.sql
	install -m 644 sidecar/policy/default.yaml $(DESTDIR)$(DATADIR)/policy.yaml
	install -m 644 client-lib/pq/saga_barrier.sql $(DESTDIR)$(DATADIR)/saga_barrier.postgresql.sql
	$(foreach m,$(MANPAGES),install -m 644 docs/man/$(m) $(DESTDIR)$(call man_file,$(m)) &&) true
	@if [ -n "$(DESTDIR)" ]; then :; elif [ "$$(id -u)" = 0 ]; then ldconfig; \
	else echo "Run ldconfig as root, or programs that use libsaga will not find it."; fi

uninstall:
	rm -f $(foreach b,$(BINARIES),$(DESTDIR)$(BINDIR)/$(notdir $(b)))
	rm -f $(foreach h,$(HEADERS),$(DESTDIR)$(INCLUDEDIR)/saga/$(h)) $(foreach m,$(MANPAGES),$(DESTDIR)$(call man_file,$(m)))
	rm -f $(foreach l,$(SAGA_LIBS),$(addprefix $(DESTDIR)$(LIBDIR)/,$(l).a $(l).so $(l).so.$(SOVERSION) $(l).so.$(VERSION) pkgconfig/$(l).pc))
	rm -f $(DESTDIR)$(DATADIR)/policy.yaml $(DESTDIR)$(DATADIR)/saga_barrier.sqlite.sql $(DESTDIR)$(DATADIR)/saga_barrier.postgresql.sql
	rm -f $(addprefix $(DESTDIR),$(COMPLETIONS)) $(addprefix $(DESTDIR)$(DATADIR)/,$(wildcard proto/saga/v1/*.proto))
	rm -rf $(DESTDIR)$(DATADIR)/prometheus $(DESTDIR)$(DATADIR)/grafana
	rmdir -p $(DESTDIR)$(DATADIR)/proto/saga/v1 2>/dev/null || true
	rmdir $(DESTDIR)$(INCLUDEDIR)/saga $(DESTDIR)$(DATADIR) 2>/dev/null || true

# Installs into a folder of its own, builds and runs the first program with what is there, uninstalls.
install-check: $(BINARIES) $(LIBRARIES)
	MAKE="$(MAKE)" B="$(B)" CC="$(CC)" tests/install_check.sh

# Every public header alone, as C11 and as C++; and what the libraries export.
header-check: $(LIBRARIES)
	CC="$(CC)" CXX="$(CXX)" PQ_CFLAGS="$(PQ_CFLAGS)" tests/header_check.sh $(B)

# ---- packages -------------------------------------------------------------------------------------------------------

# What is committed, as one archive; and of that the Debian packages, in build/deb.
.PHONY: dist deb
dist:
	@mkdir -p build
	git archive --prefix=sagad-$(VERSION)/ --output=build/sagad-$(VERSION).tar.gz HEAD
deb: dist
	rm -rf build/deb && mkdir -p build/deb
	tar -xzf build/sagad-$(VERSION).tar.gz -C build/deb
	cd build/deb/sagad-$(VERSION) && dpkg-buildpackage -b -uc -us -j$(shell nproc)
	lintian --fail-on error,warning build/deb/sagad_$(VERSION)_*.changes
	systemd-analyze security --offline=true --threshold=25 debian/sagad.service >/dev/null

# What deploy/ makes of the packages of `make deb`, and the packages themselves, tried.
.PHONY: pod-check package-check
pod-check:
	scripts/pod-check
package-check:
	scripts/package-check

include tests/tests.mk

# A room alone: make room ROOM=sidecar/journal
.PHONY: room
room: $(call archives,$(ROOM))

define HELP
make                 everything that is installed and the examples, in build/<kind>/
make install         PREFIX ($(PREFIX)), DESTDIR; make uninstall takes it away
make dist            the committed tree as an archive; make deb builds and judges the Debian packages,
                     make pod-check tries what deploy/ makes of them, make package-check installs and upgrades them
make check           what can be said of the tree without running it, and the unit tests
make unit            the unit tests and the engine's exact traces
make e2e             real processes, with clients and participants in Python and C++
make crash           sagad and participants killed 300 times under load; make crash-smoke is the short one
make chaos           a bad network and bad days of the system for SECONDS
make store-crash     the journal's disk crashed, torn, failed and filled at every point
make sim             the simulator: SEED=n replays one world, N=n runs many; sim-smoke, sim-soak, sim-exhaust, sim-defects, sim-gate
make fuzz            every fuzzer for FUZZ_SECONDS each; make fuzz-smoke for a few seconds
make cel-conformance runs CEL's own conformance suite, which it gets from the npm registry
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

$(PROGRAMS): $(LINKED_WITH)
	@mkdir -p $(@D)
	$(Q)$(LINK) $(LINK_MORE) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(LIBRARIES_MORE) $(LIBRARIES_USED)

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
