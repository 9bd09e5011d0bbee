/* core_owner.c - the owner of a core in a test. */
#include "tests/support/core_owner.h"

#include "compensations/barrier.h"
#include "sidecar/engine/target.h"
#include "sidecar/base/check.h"
#include "sidecar/definition/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *counted(struct owner *o, void *at, size_t size)
{
    o->taken += at == NULL ? 0 : size;
    return at;
}

static void *take(void *self, size_t size)
{
    struct owner *o = self;
    return ++o->allocations == o->fail_at ? NULL : counted(o, malloc(size), size);
}

static void *take_zeroed(void *self, size_t size)
{
    struct owner *o = self;
    return ++o->allocations == o->fail_at ? NULL : counted(o, calloc(1, size), size);
}

static void give_back(void *self, void *at, size_t size)
{
    struct owner *o = self;
    CHECK(at == NULL || size <= o->taken);
    o->taken -= at == NULL ? 0 : size;
    free(at);
}

/* ---- what comes out ---- */

static void tell(struct owner *o, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
static void tell(struct owner *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(o->told + o->told_size, sizeof o->told - o->told_size, format, args);
    va_end(args);
    CHECK(size >= 0 && (size_t)size < sizeof o->told - o->told_size);
    o->told_size += (size_t)size;
}

static void durable(void *self, uint64_t frame, struct bytes records)
{
    CHECK(records.size > 0);
    tell(self, "durable %llu\n", (unsigned long long)frame);
}

static void reply(void *self, const struct reply_effect *r, const struct error_detail *detail)
{
    struct owner *o = self;
    CHECK(r->code != 0 || detail == NULL);
    if (r->token == 0)
        return;
    o->saga = r->saga;
    o->retry_ms = detail == NULL ? 0 : detail->retry_ms;
    if (r->code != 0)
        tell(o, "reply %llu %s\n", (unsigned long long)r->token, error_row(r->code)->reason);
    else
        tell(o, "reply %llu ok saga=%llu%s\n", (unsigned long long)r->token, (unsigned long long)r->saga.serial,
             r->repeated ? " repeated" : "");
}

static void call_out(void *self, const struct call_effect *call)
{
    struct owner *o = self;
    CHECK(o->call_count < OWNER_CALLS_MAX);
    o->calls[o->call_count++] = *call;
    tell(o, "call %llu %.*s %s #%u\n", (unsigned long long)call->saga.serial, (int)call->step_name.size,
         (const char *)call->step_name.at, call->phase == SAGA_PHASE_ACTION ? "action" : "undo", call->attempt);
}

static void breaker_changed(void *self, const struct breaker_effect *b)
{
    tell(self, "breaker %s %s\n", engine_target(core_engine(((struct owner *)self)->core), b->target)->name,
         b->mark.open ? "open" : "closed");
}

const char *owner_told(struct owner *o)
{
    o->told[o->told_size] = '\0';
    o->told_size = 0;
    return o->told;
}

/* ---- its life ---- */

void owner_init(struct owner *o)
{
    memset(o, 0, sizeof *o);
    o->disk = memory_disk_create();
    o->now = (struct instant){.us = INT64_C(1000000000)};
    o->targets[0] = "t";
    o->targets[1] = "u";
    o->live_sagas_max = 1000;
    o->retention = SPAN_S(3600);
    o->commit_bytes_max = 65536;
    o->answers_max = 100;
    o->memory = (struct memory){.take = take, .take_zeroed = take_zeroed, .give_back = give_back, .self = o};
}

static int take_definition(void *self, const struct definition_row *row)
{
    struct owner *o = self;
    struct definition_limits limits = definition_limits_default();
    struct definition *d;
    CHECK(definition_read(row->source, &limits, &d, &o->detail) == 0);
    d->number = row->number;
    CHECK(catalog_add(o->catalog, d, row->registered_at, &o->detail) == 0);
    return 0;
}

int owner_start(struct owner *o)
{
    struct store_state state;
    struct target_options targets[4];
    size_t count = 0;
    for (; count < 4 && o->targets[count] != NULL; count++)
        targets[count] =
            (struct target_options){.name = o->targets[count], .timeout = SPAN_S(2), .max_concurrent_calls = 16};
    struct core_options options = {
        .engine =
            {
                .live_sagas_max = o->live_sagas_max,
                .steps_max = 16,
                .payload_bytes_max = 65536,
                .targets_max = 4,
                .enlisted_deadline_default = SPAN_S(900),
                .enlisted_lease_default = SPAN_S(30),
                .pushback_max = SPAN_S(300),
                .target_wait = SPAN_S(300),
                .deadline_max = SPAN_S(100000),
                .compensation_retry = definition_limits_default().retry.compensation,
                .recall = {.answers_max = o->answers_max, .bytes_max = 1 << 20, .age_max = SPAN_S(3600)},
                .seed = 1,
                .tag = 0xabc,
            },
        .targets = targets,
        .target_count = count,
        .limits = &o->limit,
        .limit_count = o->limit.definition != NULL,
        .commit_bytes_max = o->commit_bytes_max,
        .retention = o->retention,
        .audit_retention = o->audit_retention,
        .move_after = o->move_after,
    };
    struct core_world world = {
        .durable = durable, .reply = reply, .call = call_out, .breaker = breaker_changed, .self = o};
    o->told_size = o->call_count = 0;
    CHECK(memory_store_open(o->disk, &o->store, &state, &o->detail) == 0);
    CHECK(catalog_create(16, &o->catalog) == 0);
    CHECK(o->store->scan_definitions(o->store, take_definition, o, &o->detail) == 0);
    return core_open(&options, &o->memory, o->store, &state, o->catalog, &world, o->now, &o->core, &o->detail);
}

void owner_crash(struct owner *o)
{
    core_close(o->core);
    catalog_destroy(o->catalog);
    if (o->store != NULL)
        o->store->close(o->store);
    CHECK(o->taken == 0);
    o->core = NULL;
    o->catalog = NULL;
    o->store = NULL;
    o->call_count = 0;
}

void owner_restart(struct owner *o)
{
    owner_crash(o);
    CHECK(owner_start(o) == 0);
}

void owner_close(struct owner *o)
{
    owner_crash(o);
    memory_disk_destroy(o->disk);
}

/* ---- what happens to it ---- */

int owner_register(struct owner *o, const char *yaml)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d;
    CHECK(definition_read(bytes_of_text(yaml), &limits, &d, &o->detail) == 0);
    int code = core_register(o->core, d, o->now, 0, &o->detail);
    if (code != 0)
        definition_destroy(d);
    return code;
}

const char owner_one_step[] = "name: one\nversion: 1.0.0\nsteps:\n"
                              "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n";
const char owner_two_steps[] = "name: two\nversion: 1.0.0\nsteps:\n"
                               "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
                               "  - {name: b, target: u, after: [a], action: /p.S/B, compensation: /p.S/UndoB}\n";

void owner_open(struct owner *o)
{
    owner_init(o);
    CHECK(owner_start(o) == 0);
    CHECK(owner_register(o, owner_one_step) == 0);
    CHECK(owner_register(o, owner_two_steps) == 0);
    CHECK(owner_commit(o) == 0);
    owner_told(o);
}

void owner_submit(struct owner *o, struct event event)
{
    event.now = o->now;
    CHECK(core_submit(o->core, &event, &o->detail) == 0);
}

void owner_submit_start(struct owner *o, uint64_t token, const char *name, const char *request_id)
{
    const struct catalog_entry *entry = catalog_find(o->catalog, bytes_of_text(name), bytes_of(NULL, 0));
    CHECK(entry != NULL);
    owner_submit(o, (struct event){
                        .type = EVENT_START,
                        .token = token,
                        .definition = entry->definition,
                        .request_id = bytes_of_text(request_id),
                        .input = bytes_of_text("in"),
                    });
}

void owner_answer(struct owner *o, int status, const char *output)
{
    CHECK(o->call_count > 0);
    const struct call_effect call = o->calls[0];
    memmove(o->calls, o->calls + 1, --o->call_count * sizeof o->calls[0]);
    owner_submit(o, (struct event){
                        .type = EVENT_ANSWER,
                        .saga = call.saga,
                        .step_index = call.step,
                        .phase = call.phase,
                        .attempt = call.attempt,
                        .reach = SAGA_REACH_ANSWERED,
                        .status = status,
                        .output = bytes_of_text(output),
                    });
}

int owner_commit(struct owner *o)
{
    return core_commit(o->core, o->now, &o->detail);
}

void owner_finish_all(struct owner *o)
{
    CHECK(owner_commit(o) == 0);
    while (o->call_count > 0) {
        owner_answer(o, 0, "out");
        CHECK(owner_commit(o) == 0);
    }
}
