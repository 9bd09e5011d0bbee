/* fuzz_proto.c - any bytes as a message that the sidecar receives. The first byte chooses the message, the rest is its
 * wire form. What can be unpacked can be packed and unpacked again; a Pipe's commands are decoded and carried out by an
 * engine. */
#include "sidecar/base/check.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/engine.h"
#include "sidecar/api/decode.h"
#include "sidecar/core/heap.h"

#include "google/rpc/status.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

/* Pipe comes first. The corpus knows the numbers: add at the end. */
static const ProtobufCMessageDescriptor *const types[] = {
    &saga__v1__pipe_request__descriptor,
    &saga__v1__register_definition_request__descriptor,
    &saga__v1__get_definition_request__descriptor,
    &saga__v1__list_definitions_request__descriptor,
    &saga__v1__start_request__descriptor,
    &saga__v1__begin_request__descriptor,
    &saga__v1__enlist_request__descriptor,
    &saga__v1__settle_request__descriptor,
    &saga__v1__keep_alive_request__descriptor,
    &saga__v1__commit_request__descriptor,
    &saga__v1__abort_request__descriptor,
    &saga__v1__get_request__descriptor,
    &saga__v1__list_request__descriptor,
    &saga__v1__wait_request__descriptor,
    &saga__v1__watch_request__descriptor,
    &saga__v1__cancel_request__descriptor,
    &saga__v1__pause_request__descriptor,
    &saga__v1__resume_request__descriptor,
    &saga__v1__list_dead_letters_request__descriptor,
    &saga__v1__retry_request__descriptor,
    &saga__v1__skip_request__descriptor,
    &saga__v1__resolve_request__descriptor,
    &grpc__health__v1__health_check_request__descriptor,
    &grpc__reflection__v1__server_reflection_request__descriptor,
    &grpc__reflection__v1alpha__server_reflection_request__descriptor,
    &google__rpc__status__descriptor,
    &saga__v1__register_schema_request__descriptor,
    &saga__v1__get_schema_request__descriptor,
    &saga__v1__list_schemas_request__descriptor,
    &saga__v1__reflect_request__descriptor,
    &saga__v1__find_request__descriptor,
    &saga__v1__reject_request__descriptor,
    &saga__v1__reload_request__descriptor,
    &saga__v1__set_breaker_request__descriptor,
    &saga__v1__start_bulk_request__descriptor,
    &saga__v1__change_bulk_request__descriptor,
    &saga__v1__list_bulks_request__descriptor,
    &saga__v1__list_objectives_request__descriptor,
    &saga__v1__status_request__descriptor,
    &saga__v1__list_audit_request__descriptor,
    &saga__v1__verify_request__descriptor,
    &saga__v1__explain_request__descriptor,
    &saga__v1__hold_definition_request__descriptor,
    &saga__v1__list_rules_request__descriptor,
    &saga__v1__change_rule_request__descriptor,
    &saga__v1__list_journals_request__descriptor,
    &saga__v1__give_journal_request__descriptor,
    &saga__v1__forget_answer_request__descriptor,
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

/* The engine of every input begins with this tag, so that a command can name the saga of the command before it:
 * "9f03c1d2a4b7-1". */
#define TAG UINT64_C(0x9f03c1d2a4b7)

static const char definition_text[] =
    "name: checkout\nversion: 1.0.0\ndeadline: 30s\nsteps:\n"
    "  - {name: reserve, target: t, action: /s.v1.S/Reserve, compensation: /s.v1.S/Release}\n"
    "  - {name: charge, after: [reserve], pivot: true, target: t, action: /s.v1.S/Charge}\n";

static struct arena arena;
static struct catalog *catalog;
static unsigned replies;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    arena_init(&arena);
    CHECK(catalog_create(4, &catalog) == 0);
    return 0;
}

static void take_record(void *self, const struct record *record)
{
    (void)self;
    CHECK(record->saga.tag == TAG);
}

static void take_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    (void)self;
    if (effect->type != EFFECT_REPLY)
        return;
    replies++;
    CHECK(effect->as.reply.code == 0 || (detail != NULL && error_row(effect->as.reply.code) != NULL));
}

static int decode(const Saga__V1__Command *command, struct event *event, struct error_detail *detail)
{
    struct definition_limits limits = definition_limits_default();
    struct decoder d = {.arena = &arena, .catalog = catalog, .compensation_retry = limits.retry.compensation};
    switch (command->command_case) {
    case SAGA__V1__COMMAND__COMMAND_START:
        return decode_start(&d, command->start, event, detail);
    case SAGA__V1__COMMAND__COMMAND_BEGIN:
        return decode_begin(&d, command->begin, event, detail);
    case SAGA__V1__COMMAND__COMMAND_ENLIST:
        return decode_enlist(&d, command->enlist, event, detail);
    case SAGA__V1__COMMAND__COMMAND_SETTLE:
        return decode_settle(&d, command->settle, event, detail);
    case SAGA__V1__COMMAND__COMMAND_COMMIT:
        return decode_commit(&d, command->commit, event, detail);
    case SAGA__V1__COMMAND__COMMAND_ABORT:
        return decode_abort(&d, command->abort, event, detail);
    default:
        return E_ARGUMENT;
    }
}

static struct engine *make_engine(void)
{
    struct definition_limits limits = definition_limits_default();
    struct engine_options options = {.live_sagas_max = 8,
                                     .steps_max = 8,
                                     .payload_bytes_max = 4096,
                                     .targets_max = 1,
                                     .enlisted_deadline_default = SPAN_S(60),
                                     .enlisted_lease_default = SPAN_S(10),
                                     .pushback_max = SPAN_S(300),
                                     .deadline_max = SPAN_S(3600),
                                     .compensation_retry = limits.retry.compensation,
                                     .seed = 1,
                                     .tag = TAG};
    struct target_options target = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 2};
    struct engine *e = NULL;
    CHECK(engine_create(&options, &heap, &e) == 0 && engine_set_target(e, &target) == 0);
    return e;
}

/* The catalog's definition, made at the first input: its targets are those of every engine here. */
static void register_definition(struct engine *e)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    if (catalog_count(catalog) > 0)
        return;
    CHECK(definition_read(bytes_of_text(definition_text), &limits, &d, &detail) == 0);
    CHECK(engine_resolve(e, d, &detail) == 0);
    CHECK(catalog_add(catalog, d, (struct instant){1}, &detail) == 0);
}

/* Every command that can be decoded is answered, exactly once, whatever it says. */
static void carry_out(const Saga__V1__PipeRequest *pipe)
{
    const struct engine_out out = {.add_record = take_record, .add_effect = take_effect};
    struct engine *e = make_engine();
    register_definition(e);
    struct instant now = {.us = INT64_C(1700000000000000)};
    for (size_t i = 0; i < pipe->n_commands; i++) {
        struct event event = {.now = now, .token = i + 1};
        struct error_detail detail;
        if (decode(pipe->commands[i], &event, &detail) != 0)
            continue;
        replies = 0;
        CHECK(engine_step(e, &event, &out) == 0 && replies == 1);
        now.us += 1000;
    }
    struct event tick = {.type = EVENT_TICK, .now = instant_after(now, SPAN_S(7200))};
    CHECK(engine_step(e, &tick, &out) == 0);
    engine_destroy(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = types[at[0] % TYPE_COUNT];
    arena_reset(&arena);
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, size - 1, at + 1);
    const ProtobufCMessage *within = protobuf_c_message_unpack(type, &arena.allocator, size - 1, at + 1);
    CHECK((message == NULL) == (within == NULL));
    if (message == NULL)
        return 0;
    if (type == types[0])
        carry_out((const Saga__V1__PipeRequest *)(const void *)within);
    size_t packed_size = protobuf_c_message_get_packed_size(message);
    /* It need not be unpacked again: protobuf-c lets an unknown field of number 0 in when its tag is written at length.
     */
    uint8_t *packed = malloc(packed_size + 1);
    CHECK(packed != NULL && protobuf_c_message_pack(message, packed) == packed_size);
    protobuf_c_message_free_unpacked(message, NULL);
    free(packed);
    return 0;
}
