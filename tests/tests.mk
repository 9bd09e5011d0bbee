# tests.mk - everything that tests and measures; part of the Makefile. A unit test, a scenario and a fuzzer need no line here.
# Every suite ends by itself: $(call limit,SECONDS) before a command ends it, with those that it started, and says so.
comma := ,
limit = tests/limit $(1)

CHECK_LIBS := $(shell pkg-config --libs check 2>/dev/null)
tests_objects = $(patsubst %.c,$(B)/obj/%.o,$(wildcard $(1)))
support_objects = $(patsubst %,$(B)/obj/tests/support/%.o,$(1))

# ---- unit tests and scenarios ---------------------------------------------------------------------------------------

UNIT := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c tests/scenario/test_*.c))
TEST_LIBS := $(B)/gen/runbooks.o $(call tests_objects,tests/support/*.c) $(B)/gen/tests/shapes.o $(B)/gen/tests/trades.o $(SIDECAR_LIBS) $(call archives,$(CLIENT_ROOMS))

# Types of messages that tests use, as sets of descriptors: $(call descriptors,NAME,FOLDER) makes them of FOLDER/NAME.proto.
define descriptors
$(G)/tests/$(1).c: $(2)/$(1).proto
	@mkdir -p $$(@D)
	$(Q)protoc -I$(2) -I$(PROTO_INCLUDE) --include_imports --descriptor_set_out=$$(@:.c=.bin) $(1).proto
	$(Q){ echo 'const unsigned char $(1)[] = {'; od -An -v -tu1 $$(@:.c=.bin) | sed 's/  */,/g; s/^,//; s/$$$$/,/'; \
	  echo '};'; echo 'const unsigned long $(1)_size = sizeof $(1);'; } > $$@
endef
$(eval $(call descriptors,shapes,tests/support))
$(eval $(call descriptors,trades,client-lib/examples/definitions))

PROGRAMS += $(UNIT)
$(UNIT): $(B)/tests/%: $(B)/obj/tests/%.o $(TEST_LIBS)
# There are many, and each is linked whole: a quick linker where there is one.
$(UNIT): LIBRARIES_MORE := $(CHECK_LIBS) $(if $(shell command -v mold),-fuse-ld=mold)

# $(call wraps,TESTS,FUNCTIONS): these tests stand in for these functions.
wraps = $(eval WRAPS += $(1): $(2))$(foreach t,$(1),$(eval WRAPPING += $(B)/tests/unit/test_$(t))$(eval $(B)/tests/unit/test_$(t): LINK_MORE += $(foreach \
	f,$(2),-Wl$(comma)--wrap=$(f))))
WRAPS :=
WRAPPING :=

# Refuses the tree's own allocations one by one.
$(call wraps,alloc,malloc calloc realloc)

# The api without gRPC behind its calls: what stands in tests/support/api_world.c takes the place of these.
CALLS := $(addprefix rpc_,reply end send next call_method call_owner call_set_owner call_peer call_metadata call_asker call_asked_ago ask ask_cancel ask_took)
$(call wraps,api api_log audit change faults get known lists looks objectives operator payload permit pipe pipe_model reads relay request_fields subscribers,$(CALLS))
$(call wraps,audit,arena_pack)
$(call wraps,subscribers,malloc)
$(call wraps,$(addprefix postgres_,away hold looks refusals server store),pg_now)
$(call wraps,postgres_looks,link_ask link_submit)
$(call wraps,postgres_server,PQflush)
$(call wraps,sqlite_store,clock_gettime)
$(call wraps,drift,clock_now log_write rpc_reflect catalog_at catalog_count schema_read schema_destroy contract_check api_reflected)
$(call wraps,exporter,clock_gettime pthread_cond_timedwait tracing_queue rpc_create rpc_target_create rpc_call_out rpc_poll rpc_idle rpc_stop rpc_cancel_all rpc_destroy \
	log_write)
$(call wraps,keys,clock_gettime)
$(call wraps,log,write)
$(call wraps,webhook,pthread_create dlsym)
$(call wraps,async_queue,wire_wake)
$(call wraps,async_pipe async_model,$(addprefix wire_,wake is_shut now backoff duplex_open duplex_send duplex_reached duplex_cancel))
$(call wraps,wire_ends,wire_batch wire_create_call wire_admit wire_dismiss grpc_call_unref grpc_call_cancel)
$(call wraps,client_watch,wire_stream_open)
$(call wraps,participant_options,grpc_server_create grpc_server_add_http2_port certificates_create certificates_destroy transport_server_credentials)
STILL_WIRE := $(addprefix wire_,open close shutdown wake forked is_own_thread address now deadline time_left_ms backoff call) request_id_make
$(call wraps,client_requests client_answers watch_states,$(STILL_WIRE))
$(call wraps,watch_states,$(addprefix wire_stream_,open read reached cancel close))
$(call wraps,client_settings,grpc_channel_create pthread_create)
$(call wraps,$(addprefix sagactl_,acts bulk commands contract definitions drill fleet get graph lint looks pages register rehearse sagas slo start status terminal top \
	trust why),$(addprefix wire_,open call close address))
$(call wraps,$(addprefix sagactl_,fleet sagas start terminal top),nanosleep)
$(call wraps,$(addprefix sagactl_screens_,sagas lists sidecar files acts),$(addprefix wire_,open call close address stream_open stream_read stream_close deadline) clock_gettime nanosleep \
	gethostname)
$(call wraps,sagactl_screens_files,usleep sleep system getpid)
$(call wraps,sagactl_terminal,isatty)
$(call wraps,$(addprefix sagactl_,reflect watch),$(addprefix wire_,open call close address stream_open stream_read stream_close))
$(call wraps,client_lease,wire_now wire_wake wire_deadline wire_call_background client_tx_destroy)
$(call wraps,finder_memory,clock_now $(addprefix postgres_fleet_,create destroy of_tag of_request claim list want))
$(call wraps,fleet fleet_told,clock_now pthread_cond_timedwait pthread_join $(addprefix postgres_fleet_,create destroy orphans of_name guests abandoned remove sweep \
	lasted is_anew) $(addprefix finder_,open close tag request all list want) $(addprefix sidecar_,open_guest run stop close reload) config_read config_destroy \
	journal_name engine_counts core_engine rpc_wake rpc_poll)
$(call wraps,gauges,clock_now clock_difference certificates_not_after certificates_lifetime tracing_counts core_read_frame codec_decode core_engine core_holds \
	core_stalled holds_at catalog_count fleet_count remedies_pages vitals_are_wanted vitals_tell $(addprefix engine_,target counts counts_real family after answers))
$(call wraps,rpc_settings,grpc_server_create grpc_channel_create grpc_resource_quota_resize transport_server_credentials transport_channel_credentials \
	certificates_version)
$(call wraps,reflecting,rpc_call_out_for)
$(call wraps,rpc_tables,rpc_send rpc_end)
$(call wraps,stall,grpc_call_cancel_with_status)
$(call wraps,served_calls,$(addprefix grpc_server_,start request_registered_call request_call) $(addprefix grpc_call_,start_batch cancel_with_status unref))
$(call wraps,out_calls,gpr_now grpc_channel_create_call $(addprefix grpc_call_,start_batch cancel_with_status unref) rpc_targets_turn \
	$(addprefix rpc_target_,line holds hold given took await))
$(call wraps,target_ways,transport_channel_credentials certificates_version $(addprefix grpc_channel_,credentials_release create destroy check_connectivity_state \
	watch_connectivity_state) $(addprefix names_,create ask destroy) $(addprefix rpc_out_,go give_up size expire))
$(call wraps,sidecar,core_is_tight rpc_set_serving)
$(call wraps,journal,postgres_store_open postgres_store_promise sqlite_store_open)
$(call wraps,journal_check,keys_apply keys_verify sqlite_store_inspect postgres_store_look)
$(call wraps,sidecar_open,sqlite_store_open)
$(call wraps,loop_open,api_create relay_create core_open rpc_create sqlite_store_open)
$(call wraps,loop,clock_now core_maintain sqlite_store_open postgres_store_open postgres_store_promise postgres_store_tell_live trust_look certificates_version \
	certificates_not_after rpc_targets_renew rpc_call_out rpc_poll sealed_store_old_keys sealed_store_heads)
$(call wraps,reload,policy_read policy_destroy config_read config_destroy)
$(call wraps,surroundings,log_write fopen sched_getaffinity)
$(call wraps,registered,retries_find core_register api_audit_file)
$(call wraps,rpc_room precheck,getaddrinfo)
$(call wraps,rpc_abuse door,accept4 clock_gettime)
$(call wraps,names,clock_gettime)
$(call wraps,guard,clock_gettime rpc_wake)
$(call wraps,forward,transport_channel_credentials certificates_version)
$(call wraps,targets,clock_now rpc_target_create rpc_target_retire core_set_target counters_target counters_target_changes counters_breaker core_engine engine_target \
	api_submit)
$(call wraps,outcalls,clock_now rpc_call_out api_submit counters_attempt log_write)
$(call wraps,elsewhere fleetwide_far,$(CALLS) $(addprefix rpc_,forward forward_cancel call_is_forwarded))
$(call wraps,fleetwide_far,rpc_forward_took)
$(call wraps,fleetwide,$(CALLS) malloc)
$(call wraps,counters,clock_now saga_lacks)
$(call wraps,finder lately,clock_now)
$(call wraps,synthetics,clock_now rpc_ask $(addprefix counters_synthetic,_missed _gone) counters_synthetic slis_missed)
$(call wraps,remedies,clock_now rpc_ask core_stalled facts_begin facts_add_status facts_add_objectives facts_end remedies_carry_out remedies_ask remedies_follow_pages \
	$(addprefix ruling_,look mark name said true_since message arm take_back) counters_remedy counters_remedy_armed api_audit_own log_write)
$(call wraps,remedies_take,clock_now $(addprefix ruling_,create destroy go_on leave mark name) rulings_recover $(addprefix webhook_,open ready close take_counts) \
	counters_remedy_gone counters_remedy_armed)
$(call wraps,remedies_act,rpc_ask $(addprefix ruling_,order answered mark name said destroy) counters_remedy webhook_post webhook_fate api_audit_own core_reply)
$(call wraps,status,clock_now core_read_frame codec_time certificates_not_after core_engine core_holds core_stalled holds_at catalog_count $(addprefix engine_,target \
	counts counts_real family after) $(addprefix counters_,oldest_live journal_bytes journal_reusable volume_free))
$(call wraps,observer,api_cares api_durable api_touch counters_want counters_record counters_record_synthetic lately_ended tracing_wants tracing_samples tracing_record \
	counters_frame core_engine log_write)
$(call wraps,reload_options,log_write)
$(call wraps,told_calls,clock_now rpc_call_out api_submit counters_attempt log_write)
$(call wraps,told_remedies,rpc_ask $(addprefix ruling_,order answered mark name said destroy) counters_remedy webhook_post webhook_fate api_audit_own core_reply \
	log_write)
$(call wraps,told_records,clock_now api_cares api_durable api_touch log_write)
$(eval $(call remember,$(B)/flags/wraps,$(WRAPS)))
$(sort $(WRAPPING)): $(B)/flags/wraps

# One test: make build/release/tests/unit/test_codec && build/release/tests/unit/test_codec
.PHONY: unit unit-threads
# Those that take longest begin first, so that what is left at the end is short.
LONG := $(addprefix $(B)/tests/unit/test_,client sqlite_damage postgres_server postgres_away certificates names sqlite_requests rehearse client_tx client_async rpc_abuse \
	participant_tls rpc_out ask participant barrier_pq slis config)
long_first = $(filter $(LONG),$(1)) $(filter-out $(LONG),$(1))
# With the address sanitizer, which looks for leaks whenever a process ends, a program is one process, but for those that ask for one a test.
unit: $(UNIT)
	@$(if $(filter asan,$(KIND)),CK_FORK=no) tests/run "unit $(KIND)" $(call long_first,$(UNIT))
# Those with threads of their own, for KIND=tsan.
THREADED := $(patsubst %,$(B)/tests/unit/test_%,participant participant_stop participant_open log http metrics barrier_sqlite sidecar ask \
	postgres_store postgres_looks postgres_hold postgres_refusals postgres_server postgres_away sidecar_stop) $(filter $(B)/tests/unit/test_client%,$(UNIT))
.PHONY: threads
threads: $(THREADED)
unit-threads: $(THREADED)
	@tests/run "threads $(KIND)" $(call long_first,$(THREADED))

# Every allocation of a whole sidecar and of the client library refused in turn, but for those that sidecar/rpc must have (rpc_allocate in
# support.c: as in gRPC itself, the process ends without them). KIND=asan finds what leaks, too. More: make alloc-test ALLOC=all
PROGRAMS += $(B)/alloc
$(B)/alloc: LINK_MORE := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup
$(B)/alloc_support.o: $(B)/obj/sidecar/rpc/support.o
	$(Q)$(OBJCOPY) --redefine-sym calloc=__real_calloc $< $@
$(B)/alloc: $(call tests_objects,tests/alloc/*.c) $(B)/alloc_support.o $(SIDECAR_LIBS) $(CLIENT_LIBS)
.PHONY: alloc-test
alloc-test: $(B)/alloc
	@$(call limit,600) $< $(ALLOC)

# sidecar/message/ against Python's protobuf (tests/message/): make message-test SETS=3000 SEED=7
PROGRAMS += $(B)/message_peer
$(B)/message_peer: $(B)/obj/tests/message/peer.o $(call support_objects,panic) $(SIDECAR_LIBS)
.PHONY: message-test
message-test: $(B)/message_peer
	@$(call limit,$(or $(LIMIT),600)) $(SYSTEM_PYTHON) tests/message/differential.py $< --sets $(or $(SETS),60) $(if $(SEED),--seed $(SEED))

# What can be said of the tree without running it.
.PHONY: tree-check check make-check
tree-check: $(call archives,$(PURE))
	@sh tests/checks/symbols.sh $(call archives,sidecar/engine sidecar/resilience sidecar/mapping sidecar/expression sidecar/message compensations sidecar/base) \
		$(B)/obj/sidecar/definition/names.o $(B)/obj/sidecar/definition/model.o
	@$(PYTHON) tests/checks/includes.py
	@$(PYTHON) tests/checks/docs.py
	@$(PYTHON) tests/checks/alerts.py
	@$(PYTHON) tests/checks/pods.py
check: tree-check unit
# What another flag or version makes anew, and that nothing is made when nothing has changed.
make-check: binaries
	@MAKE="$(MAKE)" B="$(B)" CC="$(CC)" KIND="$(KIND)" tests/checks/make.sh

# ---- end to end: the real programs, with clients and participants in other languages ----------------------------------

# Debian's python3-grpcio belongs to Debian's own python. One test or a part of them: make e2e E2E="enlisted pipe". With the journals
# in a database: make e2e STORE=postgresql
SYSTEM_PYTHON ?= /usr/bin/python3
E2E_ENV := LSAN_OPTIONS=suppressions=$(abspath tests/checks/leaks.txt):print_suppressions=0 SAGAD=$(abspath $(B))/sagad SAGACTL=$(abspath $(B))/sagactl SAGA_DESCRIPTORS=$(abspath $(G))/descriptors.bin SAGA_SHIM_SO=$(abspath $(B))/shim.so

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

# Clients and participants over mutual TLS with other libraries. Go and Java come from elsewhere than this distribution, so scripts/test leaves it out.
TLS := build/tls
.PHONY: tls-clients
tls-clients: $(BINARIES)
	@mkdir -p $(TLS)/go
	@cp tests/tls/go.mod tests/tls/peer.go $(TLS)/go
	cd $(TLS)/go && GOFLAGS=-mod=mod go build -o ../peer .
	mvn -q -f tests/tls/pom.xml dependency:copy-dependencies -DoutputDirectory=$(abspath $(TLS))
	javac -cp '$(TLS)/*' -d $(TLS) tests/tls/Peer.java
	$(E2E_ENV) $(call limit,900) $(SYSTEM_PYTHON) tests/tls/clients.py $(abspath $(TLS))

# A real OpenTelemetry Collector takes what a sidecar sends. It is built from its modules, so scripts/test leaves it out, too.
.PHONY: otel-collector
otel-collector: $(BINARIES)
	@mkdir -p build/otel
	@cp tests/otel/go.mod tests/otel/collector.go build/otel
	cd build/otel && GOFLAGS=-mod=mod go build -o collector .
	$(E2E_ENV) $(call limit,300) $(SYSTEM_PYTHON) tests/otel/collector.py build/otel/collector

# libsaga's asynchronous half, for a test that kills its sidecar.
PROGRAMS += $(B)/libsaga_storm
$(B)/libsaga_storm: $(B)/obj/tests/e2e/libsaga_storm.o $(B)/libsaga.a

# A bad day of the system, to be loaded before a sidecar.
$(B)/shim.so: tests/shim/shim.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -O1 -g $(WARN) -D_GNU_SOURCE -fPIC -shared -o $@ $<
E2E_PROGRAMS := $(BINARIES) $(B)/shim.so $(addprefix $(B)/examples/,participant first_saga transfer) $(B)/libsaga_storm
E2E_RUN = @$(if $(1),SAGA_TEST_LOOPS=$(1)) $(if $(STORE),SAGA_TEST_STORE=$(STORE)) $(E2E_ENV) $(call limit,900) $(SYSTEM_PYTHON) tests/e2e/run.py $(E2E)
.PHONY: e2e e2e-loops
e2e: $(E2E_PROGRAMS) $(CPP)/interop
	@$(call limit,60) $(CPP)/interop $(B)/sagad
	$(call E2E_RUN,)
# What the suites behind the unit tests run, so that several can be run side by side without building the same.
.PHONY: suites
suites: $(addprefix $(B)/,sim fleet_sim store_crash message_peer) $(E2E_PROGRAMS) $(CPP)/interop $(SHOP_SERVICES)
# What sagactl shows, written anew after a change that means to change it: read the difference.
.PHONY: screens
screens: $(E2E_PROGRAMS)
	@SAGA_SCREENS=write $(E2E_ENV) $(SYSTEM_PYTHON) tests/e2e/run.py test_screens
	@git diff --stat -- tests/e2e/screens
# Every test again with three loops in each sidecar (save those of bounds that loops share).
e2e-loops: $(E2E_PROGRAMS)
	$(call E2E_RUN,$(or $(LOOPS),3))

# kill -9 at random moments: make crash KILLS=1000 SEED=7 LOOPS=3. The smoke is what scripts/test runs.
CRASH = env $(E2E_ENV) SAGA_SHOP=$(abspath $(B))/examples/checkout $(SYSTEM_PYTHON) tests/crash/crash.py $(if $(SEED),--seed $(SEED)) $(if $(LOOPS),--loops $(LOOPS)) $(if $(STORE),--store $(STORE))
# A fleet of sidecars on a database with a standby: make fleet-crash ROUNDS=200 SIDECARS=5 SEED=7. The smoke is what scripts/test runs.
# One thing again and again: make fleet-crash ROUNDS=200 ONLY=fail_over.
FLEET = env $(E2E_ENV) $(SYSTEM_PYTHON) tests/crash/fleet.py $(if $(SEED),--seed $(SEED)) $(if $(SIDECARS),--sidecars $(SIDECARS)) $(if $(ONLY),--only $(ONLY))
# The soak: ten sidecars for an hour, or make fleet-soak SECONDS=600 SIDECARS=5.
.PHONY: fleet-crash fleet-smoke fleet-soak fleet-takeover
fleet-crash: $(B)/sagad $(B)/shim.so
	@$(FLEET) --rounds $(or $(ROUNDS),100)
fleet-smoke: $(B)/sagad $(B)/shim.so
	@$(call limit,300) $(FLEET) --rounds 4
fleet-soak: $(B)/sagad $(B)/shim.so
	@$(FLEET) --seconds $(or $(SECONDS),3600) $(if $(SIDECARS),,--sidecars 10 --lease 6)
# A rolling upgrade, forth and back, between the sagad of an older commit and this one's, under load. The oldest whose tables and form are today's;
# a clone that lacks it has nothing to build: make fleet-upgrade OLD=d18548b ROUNDS=10 SEED=7.
OLD ?= 24f4f6a
OLD_TREE = build/fleet-upgrade/$(OLD)
.PHONY: fleet-upgrade
fleet-upgrade: $(B)/sagad $(B)/shim.so
	@if ! git cat-file -e '$(OLD)^{commit}' 2> /dev/null; then \
	  echo 'fleet-upgrade: skipped: this clone has no commit $(OLD) (git fetch --unshallow)'; exit; fi; \
	mkdir -p $(OLD_TREE) && git archive $(OLD) | tar -x -C $(OLD_TREE) && \
	$(MAKE) --no-print-directory -s -C $(OLD_TREE) KIND=release CC=gcc B=build/release build/release/sagad && \
	$(call limit,900) env $(E2E_ENV) $(SYSTEM_PYTHON) tests/crash/upgrade.py --old $(OLD_TREE)/build/release/sagad \
	  $(if $(SEED),--seed $(SEED)) $(if $(SIDECARS),--sidecars $(SIDECARS)) --rounds $(or $(ROUNDS),3)
# How long it takes until another answers for so many live sagas of a sidecar that was killed.
fleet-takeover: $(B)/sagad
	@$(call limit,900) env $(E2E_ENV) $(SYSTEM_PYTHON) tests/bench/takeover.py $(or $(N),100000)
.PHONY: crash crash-smoke
crash: $(B)/sagad $(SHOP_SERVICES)
	@$(CRASH) --kills $(or $(KILLS),400)
crash-smoke: $(B)/sagad $(SHOP_SERVICES)
	@$(call limit,400) $(CRASH) --kills $(or $(KILLS),110)

# A bad network, bad days of the system, and kills, for a time: make chaos SECONDS=600 SEED=7
.PHONY: chaos
chaos: $(B)/sagad $(B)/shim.so $(SHOP_SERVICES)
	@$(call limit,$$(($(or $(SECONDS),60) + 300))) env $(E2E_ENV) SAGA_SHOP=$(abspath $(B))/examples/checkout $(SYSTEM_PYTHON) \
		tests/chaos/chaos.py --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

# An ordinary client beside each hostile one, and a table of what that cost: make hostile WRITE=1 puts it into docs/operations.md. AHEAD=1 (as
# root): before whatever else the machine has to do.
.PHONY: hostile
hostile: $(B)/sagad
	@$(call limit,600) env $(E2E_ENV) $(SYSTEM_PYTHON) tests/chaos/hostile.py --seconds $(or $(SECONDS),5) $(if $(AHEAD),--ahead) $(if $(WRITE),--write)

# ---- the store on a disk that crashes, fails and fills up -----------------------------------------------------------

PROGRAMS += $(B)/store_crash
$(B)/store_crash: $(B)/obj/tests/crash/store_crash.o $(call support_objects,panic frames crash_vfs memory_store) \
	$(call archives,sidecar/journal sidecar/base)
.PHONY: store-crash
store-crash: $(B)/store_crash
	@$(call limit,300) $<

# ---- fuzzing: libFuzzer, which comes with clang ---------------------------------------------------------------------

# tests/fuzz/fuzz_NAME.c begins with the inputs in tests/fuzz/corpus/NAME and keeps what it finds in the build folder.
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MAKE = $(MAKE) KIND=fuzz CC=clang B=$(if $(filter command line,$(origin B)),$(B)-fuzz,build/fuzz) fuzz-run

PROGRAMS += $(FUZZ)
$(FUZZ): LINK_MORE := -fsanitize=fuzzer
$(B)/fuzz/fuzz_screen: $(B)/obj/client-lib/sagactl/screen.o
$(FUZZ): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(call support_objects,panic shapes) $(B)/gen/tests/shapes.o $(SIDECAR_LIBS)

.PHONY: fuzz fuzz-smoke fuzz-run
# What runs for seconds is better compiled quickly than well.
fuzz-smoke:
	+$(FUZZ_MAKE) CFLAGS="-O0 -g1 $(CFLAGS)" FUZZ_SECONDS=$(or $(FUZZ_SECONDS),2)
fuzz:
	+$(FUZZ_MAKE) FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600)
fuzz-run: $(addsuffix .ran,$(FUZZ))
.PHONY: $(addsuffix .ran,$(FUZZ))
$(addsuffix .ran,$(FUZZ)): %.ran: %
	@f=$<; n=$${f##*/fuzz_}; found=$(B)/fuzz/corpus/$$n; seeds=tests/fuzz/corpus/$$n; log=$(B)/fuzz/$$n.log; \
		mkdir -p $$found; [ -d $$seeds ] || seeds=; \
		$(call limit,$$(($(FUZZ_SECONDS) + 60))) $$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix=$(B)/fuzz/$$n- $$found $$seeds > $$log 2>&1 || { tail -60 $$log; exit 1; }; \
		echo "fuzz_$$n: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$log) inputs in $(FUZZ_SECONDS) s"

# ---- CEL's own conformance suite, from the npm registry; node is needed ------------------------------------------------

# Prints how many cases of each file pass, and fails below what docs/expressions.md promises. Those that do not: make cel-conformance CEL=-v
PROGRAMS += $(B)/cel_conformance
$(B)/cel_conformance: $(B)/obj/tests/conformance/cel_conformance.o $(call support_objects,panic) \
	$(call archives,sidecar/expression sidecar/message sidecar/base) $(PROTO_LIB)
CEL_SUITE := build/cel-suite
$(CEL_SUITE)/cases.txt: $(wildcard tests/conformance/*.mjs tests/conformance/*.json)
	@mkdir -p $(CEL_SUITE)
	@cp $^ $(CEL_SUITE)
	$(Q)cd $(CEL_SUITE) && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 >npm.log 2>&1 || { tail -15 npm.log; exit 1; }
	$(Q)cd $(CEL_SUITE) && node convert.mjs
.PHONY: cel-conformance
cel-conformance: $(B)/cel_conformance $(CEL_SUITE)/cases.txt
	@$(call limit,60) $< $(CEL_SUITE)/types.bin $(CEL_SUITE)/cases.txt $(CEL)

# ---- what is written by programs: documents, fixtures ---------------------------------------------------------------

# What the documents say of the options follows from sidecar/config/options.def.
PROGRAMS += $(B)/docs_options $(B)/docs_metrics $(B)/docs_sagactl $(B)/journal_fixture $(B)/record_corpus
$(B)/docs_options: $(B)/obj/tests/tools/docs_options.o $(call support_objects,panic between) $(call archives,sidecar/config transport $(DEFINITION_ROOMS))
.PHONY: docs-options
docs-options: $(B)/docs_options
	$< docs/man/sagad.yaml.5 docs/configuration.md

# What unit tests keep of what is said (tests/support/kept_text.h), written anew; then read the difference.
KEPT_TEXTS := $(patsubst %.c,$(B)/%,$(shell grep -l kept_text_run tests/unit/*.c))
.PHONY: kept-texts
kept-texts: $(KEPT_TEXTS)
	$(Q)for t in $^; do $$t write || exit 1; done

# docs/lint.md is the table of sidecar/lint/lint.def, and the page says so.
PROGRAMS += $(B)/docs_lint
$(B)/docs_lint: $(B)/obj/tests/tools/docs_lint.o $(call support_objects,panic) $(call archives,sidecar/lint $(DEFINITION_ROOMS))
.PHONY: docs-lint
docs-lint: $(B)/docs_lint
	$< > docs/lint.md

# What docs/observability.md says of the metrics follows from sidecar/observe/metrics.def.
$(B)/docs_metrics: $(B)/obj/tests/tools/docs_metrics.o $(call support_objects,panic between) $(call archives,sidecar/observe transport sidecar/base)
.PHONY: docs-metrics
docs-metrics: $(B)/docs_metrics
	$< docs/observability.md

# The commands, options and exit statuses in sagactl(1) are those of client-lib/sagactl/command.c.
$(B)/docs_sagactl: $(B)/obj/tests/tools/docs_sagactl.o $(call support_objects,panic) $(SAGACTL_LIBS)
.PHONY: docs-sagactl
docs-sagactl: $(B)/docs_sagactl
	$< docs/man/sagactl.1

# What tests keep of what was written once: a journal of this schema (when it is new), and the records that fuzzing begins with.
$(B)/journal_fixture $(B)/record_corpus: $(B)/%: $(B)/obj/tests/tools/%.o $(call support_objects,panic sample_records fixture_journal) \
	$(call archives,sidecar/journal $(PURE))
.PHONY: journal-fixture record-corpus
journal-fixture: $(B)/journal_fixture
	tests/tools/journal_fixture.sh $< tests/fixtures/journal
record-corpus: $(B)/record_corpus
	$< tests/fuzz/corpus/record

# ---- the simulator (tests/sim, docs/testing.md) ---------------------------------------------------------------------

PROGRAMS += $(B)/sim
$(B)/sim: $(call tests_objects,tests/sim/*.c sidecar/core/*.c sidecar/journal/codec*.c sidecar/journal/sealed/*.c) $(call support_objects,shapes) \
	$(B)/gen/tests/shapes.o $(call archives,$(PURE)) $(PROTO_LIB)
# A trace names the commit that made it.
$(eval $(call remember,$(G)/commit.h,$(HASH)define SIM_COMMIT "$(shell git describe --always --dirty 2>/dev/null || echo unknown)"))
$(B)/obj/tests/sim/trace.o: $(G)/commit.h

# A fleet of them: several sidecars with the real core and the real rules of take-over, on one made-up database.
PROGRAMS += $(B)/fleet_sim
$(B)/fleet_sim: $(call tests_objects,tests/fleet/*.c sidecar/core/*.c sidecar/journal/codec*.c $(patsubst %,sidecar/journal/postgres/%.c,hold request_filter) sidecar/shard/*.c) $(call support_objects,memory_store panic) \
	$(B)/obj/sidecar/journal/store.o $(call archives,$(PURE)) $(PROTO_LIB)
.PHONY: fleet-sim
fleet-sim: $(B)/fleet_sim
	@$(call limit,300) $(B)/fleet_sim $(if $(SEED),seed $(SEED),many $(or $(N),200))

.PHONY: sim sim-soak sim-exhaust sim-memory sim-defects sim-defects-build sim-defects-saga sim-defects-fleet sim-gate sim-smoke
sim: $(B)/sim
	$(B)/sim $(if $(SEED),seed $(SEED),many $(or $(N),1000))
sim-soak: $(B)/sim
	$(B)/sim soak $(SEED)
sim-exhaust: $(B)/sim
	@$(call limit,300) $(B)/sim exhaust
sim-memory: $(B)/sim
	@$(call limit,300) $(B)/sim memory $(or $(N),5)
# The same with planted defects, one of which is switched on by the environment's SIM_DEFECT.
sim-defects: sim-defects-saga sim-defects-fleet
sim-defects-build:
	@$(MAKE) --no-print-directory -s SIM_DEFECTS=1 B=$(B)/defects $(B)/defects/sim $(B)/defects/fleet_sim
sim-defects-saga: sim-defects-build
	@$(call limit,300) tests/sim/defects $(B)/defects/sim tests/sim/defects.txt
sim-defects-fleet: sim-defects-build
	@$(call limit,300) tests/sim/defects $(B)/defects/fleet_sim tests/fleet/defects.txt
# The same seeds twice, and with both compilers: one trace.
OTHER_CC := $(if $(findstring clang,$(CC)),gcc,clang)
sim-gate: $(B)/sim
	@$(MAKE) --no-print-directory -s B=$(B)-$(OTHER_CC) CC=$(OTHER_CC) $(B)-$(OTHER_CC)/sim
	@$(call limit,120) $(B)/sim hash 300 > $(B)/hash.first
	@$(call limit,120) $(B)/sim hash 300 > $(B)/hash.again
	@$(call limit,120) $(B)-$(OTHER_CC)/sim hash 300 > $(B)/hash.$(OTHER_CC)
	cmp $(B)/hash.first $(B)/hash.again
	cmp $(B)/hash.first $(B)/hash.$(OTHER_CC)
# What CI runs. On less than the whole list of seeds (SMOKE_SEEDS) a mark may be missed that must be reached.
SMOKE_SEEDS := 4000
sim-smoke: $(B)/sim
	@$(call limit,300) $(B)/sim smoke $(SMOKE_SEEDS)
	@$(MAKE) --no-print-directory B=$(B) N= sim-gate sim-exhaust sim-memory sim-defects
	@echo "simulator: $(SMOKE_SEEDS) seeds, both compilers, small scope, refused memory and planted defects: nothing found, all found"

# ---- measuring (docs/performance.md) --------------------------------------------------------------------------------

PROGRAMS += $(addprefix $(B)/bench/,echo_server load bench_store scenarios cliffs)
$(B)/bench/echo_server: $(call tests_objects,tests/bench/echo_server.c tests/bench/tls.c)
$(B)/bench/load: $(call tests_objects,tests/bench/load*.c tests/bench/tls.c) $(PROTO_LIB)
$(B)/bench/bench_store: $(B)/obj/tests/bench/bench_store.o $(call support_objects,panic) $(call archives,sidecar/journal $(PURE))
$(B)/bench/scenarios: $(B)/obj/tests/bench/scenarios.o $(B)/gen/tests/shapes.o $(call support_objects,memory_store panic) \
	$(B)/obj/sidecar/api/decode.o $(B)/obj/sidecar/api/payload.o $(call archives,sidecar/core sidecar/journal $(PURE)) $(PROTO_LIB)

$(B)/bench/cliffs: $(B)/obj/tests/bench/cliffs.o $(call support_objects,panic) $(call archives,sidecar/core sidecar/journal $(PURE)) $(PROTO_LIB)

.PHONY: bench bench-check bench-baseline
# Instruction counts of fixed scenarios against tests/bench/baseline.json.
bench-check: $(B)/bench/scenarios
	@$(call limit,600) $(PYTHON) tests/bench/count.py $<
bench-baseline: $(B)/bench/scenarios
	@$(PYTHON) tests/bench/count.py $< --write
bench: $(BINARIES) $(addprefix $(B)/bench/,echo_server load bench_store cliffs scenarios)
	$(SYSTEM_PYTHON) tests/bench/bench.py --binaries $(B) --out build/bench $(BENCH)
# The shares that authorization and encryption have of the instructions of a sidecar.
.PHONY: bench-trust
bench-trust: $(B)/sagad $(B)/bench/load
	@$(call limit,300) $(PYTHON) tests/bench/trust_count.py $(B)
# The shares that metrics and traces have of them.
.PHONY: bench-watch
bench-watch: $(B)/sagad $(B)/bench/load
	@$(call limit,300) $(SYSTEM_PYTHON) tests/bench/watched.py $(B)
# Restate beside the sidecar, from the npm registry: make bench-peers PEERS="--pairs 3"
.PHONY: bench-peers bench-docs
bench-peers: $(B)/sagad $(B)/bench/load
	$(PYTHON) tests/bench/peers/peers.py --binaries $(B) --out build/bench --install build/peers $(PEERS)
# What was measured last, into docs/performance.md and docs/img/.
bench-docs:
	$(PYTHON) tests/bench/paste.py build/bench docs
