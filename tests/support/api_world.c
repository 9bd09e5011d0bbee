/* api_world.c - loops without gRPC: calls, asks between loops, turns. */
#include "tests/support/api_world.h"

#include "compensations/answer.h"
#include "sidecar/journal/sealed/sealed_store.h"
#include "sidecar/base/account.h"
#include "sidecar/base/check.h"
#include "sidecar/core/bulk.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/journal/codec.h"
#include "sidecar/shard/place.h"
#include "tests/support/shapes.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one loop asks of another, and the letters between them. */
struct world_asked {
    struct api_world *world;
    struct api_loop *from, *to;
    const struct rpc_asker *asker;
    void *tag;
    struct world_call *call; /* at `to`; NULL before it has heard, and once it has ended it */
    enum { ASK, CANCEL, TOOK, MESSAGE, END } kind;
    unsigned letters;       /* of the first: those about it that have not been read */
    bool over;              /* of the first: its end has been told */
    struct world_asked *of; /* of a letter: what it is about; NULL: of the first, itself */
    const struct rpc_method *method;
    struct rpc_peer peer;
    struct bytes body;
    int status;
    char *message;
    struct bytes details;
    struct world_asked *next;
};

static struct bytes copy_of(struct bytes from)
{
    void *at = malloc(from.size + 1);
    CHECK(at != NULL);
    if (from.size > 0)
        memcpy(at, from.at, from.size);
    return bytes_of(at, from.size);
}

static void drop(struct bytes *owned)
{
    free((void *)(uintptr_t)owned->at);
    *owned = bytes_of(NULL, 0);
}

static struct world_call *call_of(const struct rpc_call *call)
{
    return (struct world_call *)(uintptr_t)call;
}

static void post(struct world_asked *letter)
{
    *letter->world->last_asked = letter;
    letter->world->last_asked = &letter->next;
}

static struct world_asked *letter_about(struct world_asked *asked, int kind)
{
    struct world_asked *letter = calloc(1, sizeof *letter);
    CHECK(letter != NULL);
    letter->world = asked->world;
    letter->kind = kind;
    letter->of = asked;
    asked->letters++;
    return letter;
}

/* ---- in place of rpc ---- */

static void ended(struct world_call *call)
{
    ck_assert_msg(!call->ended, "%s was ended twice", call->method->path);
    call->ended = true;
    call->loop->world->open_calls--;
}

static void read_status(struct world_call *call, struct bytes details)
{
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, details.size, details.at);
    for (size_t i = 0; status != NULL && i < status->n_details; i++) {
        const Google__Protobuf__Any *any = status->details[i];
        if (strstr(any->type_url, "ErrorInfo") != NULL) {
            Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
            strncpy(call->reason, info->reason, sizeof call->reason - 1);
            google__rpc__error_info__free_unpacked(info, NULL);
        } else if (strstr(any->type_url, "BadRequest") != NULL) {
            Google__Rpc__BadRequest *bad = google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
            strncpy(call->field, bad->field_violations[0]->field, sizeof call->field - 1);
            google__rpc__bad_request__free_unpacked(bad, NULL);
        }
    }
    if (status != NULL)
        google__rpc__status__free_unpacked(status, NULL);
}

static void end(struct world_call *call, int status, const char *message, struct bytes details, struct bytes body)
{
    ended(call);
    if (call->asked == NULL) {
        call->status = status;
        snprintf(call->message, sizeof call->message, "%s", message == NULL ? "" : message);
        call->body = copy_of(body);
        read_status(call, details);
        return;
    }
    struct world_asked *letter = letter_about(call->asked, END);
    letter->status = status;
    letter->message = message == NULL ? NULL : strdup(message);
    letter->details = copy_of(details);
    letter->body = copy_of(body);
    call->asked->call = NULL;
    free(call);
    post(letter);
}

void __wrap_rpc_reply(struct rpc_call *call, struct bytes message)
{
    ck_assert_int_eq(call_of(call)->method->kind, RPC_UNARY);
    end(call_of(call), 0, NULL, bytes_of(NULL, 0), message);
}

void __wrap_rpc_end(struct rpc_call *call, int status, const char *message, struct bytes details)
{
    end(call_of(call), status, message, details, bytes_of(NULL, 0));
}

void __wrap_rpc_send(struct rpc_call *call, struct bytes message)
{
    struct world_call *c = call_of(call);
    ck_assert(!c->ended && !c->sending && c->method->kind != RPC_UNARY);
    c->sending = true;
    if (c->asked != NULL) {
        struct world_asked *letter = letter_about(c->asked, MESSAGE);
        letter->body = copy_of(message);
        post(letter);
        return;
    }
    ck_assert_uint_lt(c->sent_count, WORLD_SENT_MAX);
    c->sent[c->sent_count++] = copy_of(message);
}

void __wrap_rpc_next(struct rpc_call *call)
{
    ck_assert_int_eq(call_of(call)->method->kind, RPC_BIDI);
    call_of(call)->wanted++;
}

const struct rpc_method *__wrap_rpc_call_method(const struct rpc_call *call)
{
    return call_of(call)->method;
}

void *__wrap_rpc_call_owner(const struct rpc_call *call)
{
    return call_of(call)->owner;
}

void __wrap_rpc_call_set_owner(struct rpc_call *call, void *owner)
{
    call_of(call)->owner = owner;
}

const struct rpc_peer *__wrap_rpc_call_peer(struct rpc_call *call)
{
    return &call_of(call)->peer;
}

/* None came with it. */
struct bytes __wrap_rpc_call_metadata(const struct rpc_call *call, const char *key)
{
    const struct api_world *w = ((const struct world_call *)(const void *)call)->loop->world;
    return bytes_of_text(strcmp(key, "traceparent") == 0 ? w->traceparent : NULL);
}

struct rpc *__wrap_rpc_call_asker(const struct rpc_call *call)
{
    const struct world_asked *asked = call_of(call)->asked;
    return asked == NULL ? NULL : (struct rpc *)asked->from;
}

struct span __wrap_rpc_call_asked_ago(const struct rpc_call *call)
{
    return call_of(call)->loop->world->asked_ago;
}

/* Weak, as test_synthetics asks nobody and has one of its own. */
__attribute__((weak)) struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method,
                                                     struct bytes message, const struct rpc_peer *peer,
                                                     const struct rpc_asker *asker, void *tag)
{
    struct world_asked *asked = calloc(1, sizeof *asked);
    CHECK(asked != NULL);
    asked->from = (struct api_loop *)from;
    asked->to = (struct api_loop *)to;
    asked->world = asked->from->world;
    asked->kind = ASK;
    asked->method = method;
    asked->peer = *peer;
    asked->asker = asker;
    asked->tag = tag;
    asked->body = copy_of(message);
    post(asked);
    return (struct rpc_ask *)asked;
}

void __wrap_rpc_ask_cancel(struct rpc_ask *ask)
{
    post(letter_about((struct world_asked *)ask, CANCEL));
}

void __wrap_rpc_ask_took(struct rpc_ask *ask)
{
    post(letter_about((struct world_asked *)ask, TOOK));
}

static struct world_call *serve(struct api_loop *loop, const struct rpc_method *method)
{
    struct world_call *call = calloc(1, sizeof *call);
    CHECK(call != NULL);
    call->loop = loop;
    call->method = method;
    loop->world->open_calls++;
    return call;
}

/* Reads one letter. */
static void deliver(struct world_asked *letter)
{
    struct world_asked *asked = letter->of == NULL ? letter : letter->of;
    switch (letter->kind) {
    case ASK:
        asked->call = serve(asked->to, asked->method);
        asked->call->asked = asked;
        asked->call->peer = asked->peer;
        relay_message(asked->to->relay, (struct rpc_call *)asked->call, asked->body);
        drop(&asked->body);
        return; /* it stays until its end */
    case CANCEL:
        if (asked->call != NULL)
            relay_cancelled(asked->to->relay, (struct rpc_call *)asked->call);
        break;
    case TOOK:
        if (asked->call != NULL) {
            asked->call->sending = false;
            relay_sent(asked->to->relay, (struct rpc_call *)asked->call);
        }
        break;
    case MESSAGE:
        asked->asker->on_message(NULL, asked->tag, letter->body);
        break;
    case END: {
        const struct rpc_told told = {
            .status = letter->status, .message = letter->message, .details = letter->details, .body = letter->body};
        asked->asker->on_end(NULL, asked->tag, &told);
        asked->over = true;
        break;
    }
    }
    if (--asked->letters == 0 && asked->over)
        free(asked);
    drop(&letter->body);
    drop(&letter->details);
    free(letter->message);
    free(letter);
}

static bool deliver_all(struct api_world *w)
{
    bool any = w->first_asked != NULL;
    struct world_asked *letter = w->first_asked;
    w->first_asked = NULL;
    w->last_asked = &w->first_asked;
    while (letter != NULL) {
        struct world_asked *next = letter->next;
        deliver(letter);
        letter = next;
    }
    return any;
}

/* ---- the world ---- */

static uint32_t reload(void *self)
{
    return ++((struct api_loop *)self)->reloads;
}

static int warn(void *self, const struct definition *definition,
                void (*found)(void *list, const struct warning *warning), void *list)
{
    (void)self;
    (void)definition;
    found(list,
          &(struct warning){.rule = "a-note", .line = 3, .column = 5, .field = "steps[0]", .text = "worth knowing"});
    found(list, &(struct warning){.rule = "a-rule", .is_warning = true, .field = "", .text = "seldom meant"});
    return 0;
}

static int reflect(void *self, const char *target, char *const *services, unsigned count, uint32_t *number,
                   struct error_detail *detail)
{
    (void)target;
    (void)services;
    (void)count;
    (void)detail;
    *number = ++((struct api_loop *)self)->reflects;
    return 0;
}

static bool status(void *self, struct arena *a, Saga__V1__LoopStatus *m)
{
    (void)a;
    m->loop = ((struct api_loop *)self)->index;
    return true;
}

/* No configuration has any. */
static bool rules(void *self, struct arena *a, Saga__V1__ListRulesResponse *m)
{
    (void)self;
    (void)a;
    (void)m;
    return true;
}

static int change_rule(void *self, const char *name, bool arm, struct error_detail *detail)
{
    (void)self;
    (void)name;
    (void)arm;
    return error_set(detail, E_RULE_NOT_FOUND, "name", NULL);
}

static int admit(void *self, const struct definition *definition, struct error_detail *detail)
{
    (void)self;
    (void)definition;
    (void)detail;
    return 0;
}

static void refused(void *self, enum method_id method, int code)
{
    struct api_loop *loop = self;
    CHECK(method < METHOD_COUNT && code < 0);
    loop->refusals++;
    loop->refused_method = method;
    loop->refused_code = code;
}

static struct instant now(void *self)
{
    struct api_world *w = ((struct api_loop *)self)->world;
    w->now = instant_after(w->now, w->tick);
    return w->now;
}

static int no_journals(void *self, const char *after, struct arena *a, Saga__V1__ListJournalsResponse *m,
                       struct error_detail *detail)
{
    (void)self;
    (void)after;
    (void)a;
    (void)m;
    return error_set(detail, E_NO_FLEET, "", NULL);
}

static int no_journal(void *self, const char *journal, struct error_detail *detail)
{
    (void)self;
    (void)journal;
    return error_set(detail, E_NO_FLEET, "", NULL);
}

static void asked_nobody(void *self, unsigned place, int change)
{
    (void)self;
    (void)place;
    (void)change;
}

static uint64_t durable_frame(void *self, unsigned loop)
{
    return ((struct api_loop *)self)->world->loop[loop].durable_frame;
}

static void durable(void *self, uint64_t frame, struct bytes records)
{
    struct api_loop *loop = self;
    loop->durable_frame = frame;
    api_durable(loop->api, frame);
    for (uint64_t serial; records.size > 0;) {
        CHECK(codec_skip(&records, &serial) == 0);
        if (api_cares(loop->api))
            api_touch(loop->api, serial);
    }
}

static void reply(void *self, const struct reply_effect *r, const struct error_detail *detail)
{
    api_reply(((struct api_loop *)self)->api, r, detail);
}

static bool crowded(void *self)
{
    (void)self;
    return !account_takes_work();
}

static void call_out(void *self, const struct call_effect *call)
{
    struct api_loop *loop = self;
    CHECK(loop->call_count < sizeof loop->calls / sizeof loop->calls[0]);
    loop->calls[loop->call_count++] = *call;
}

void api_world_init(struct api_world *w, unsigned loops)
{
    memset(w, 0, sizeof *w);
    w->loops = loops;
    w->now = (struct instant){.us = INT64_C(1000000000)};
    w->last_asked = &w->first_asked;
    w->waiters_max = w->watchers_max = 100000;
    w->pipe_commands_max = 100000;
    w->steps_max = 16;
    w->authz = authz_default(false);
    w->peer = (struct rpc_peer){.transport = RPC_TRANSPORT_UNIX, .has_user = true, .uid = 1234};
}

void api_world_add_schema(struct api_world *w)
{
    Saga__V1__RegisterSchemaRequest m = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    m.name = (char *)(uintptr_t) "shapes";
    m.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shapes, .len = shapes_size};
    protobuf_c_message_free_unpacked(api_world_get(w, 0, METHOD_REGISTER_SCHEMA, &m.base), NULL);
}

void api_world_answer_comes(struct api_world *w, unsigned loop, int status, const char *message, struct bytes output)
{
    struct api_loop *l = &w->loop[loop];
    struct error_detail detail;
    ck_assert_uint_gt(l->call_count, 0);
    const struct event event = {.type = EVENT_ANSWER,
                                .now = w->now,
                                .saga = l->calls[0].saga,
                                .step_index = l->calls[0].step,
                                .phase = l->calls[0].phase,
                                .attempt = l->calls[0].attempt,
                                .reach = SAGA_REACH_ANSWERED,
                                .status = status,
                                .message = bytes_of_text(message),
                                .output = output};
    memmove(l->calls, l->calls + 1, --l->call_count * sizeof l->calls[0]);
    ck_assert_int_eq(core_submit(l->core, &event, &detail), 0);
}

void api_world_answer(struct api_world *w, unsigned loop, int status, const char *message, struct bytes output)
{
    api_world_answer_comes(w, loop, status, message, output);
    api_world_settle(w);
}

static void start(struct api_world *w, unsigned index)
{
    struct api_loop *loop = &w->loop[index];
    struct store_state state;
    struct error_detail detail;
    struct target_options target = {.name = "t", .timeout = SPAN_S(2), .max_concurrent_calls = 32};
    struct core_options options = {
        .engine =
            {
                .live_sagas_max = 200000,
                .steps_max = w->steps_max,
                .payload_bytes_max = 65536,
                .targets_max = 4,
                .enlisted_deadline_default = SPAN_S(100000),
                .enlisted_lease_default = SPAN_S(100000),
                .deadline_max = SPAN_S(1000000),
                .compensation_retry = definition_limits_default().retry.compensation,
                .recall = {.answers_max = 100, .bytes_max = 1 << 20, .age_max = SPAN_S(3600)},
                .seed = 1,
                .tag = place_tag(0xabc000, index, w->loops),
            },
        .targets = &target,
        .target_count = 1,
        .commit_bytes_max = 1 << 22,
        .frame_bytes_max = 1 << 22,
        .slis = w->slis,
        .retention = SPAN_S(3600),
        .move_after = w->move_after,
    };
    const struct core_world world = {
        .durable = durable, .reply = reply, .call = call_out, .crowded = crowded, .self = loop};
    loop->world = w;
    loop->index = index;
    loop->disk = memory_disk_create();
    const struct sealed_options sealed = {.chain = &w->chain};
    CHECK(memory_store_open(loop->disk, &loop->store, &state, &detail) == 0);
    CHECK(sealed_store_open(&sealed, loop->store, &state, &loop->store, &detail) == 0);
    CHECK(catalog_create(100, &loop->catalog) == 0 && schemas_create(100, &loop->schemas) == 0);
    CHECK(core_open(&options, &heap, loop->store, &state, loop->catalog, &world, w->now, &loop->core, &detail) == 0);
    const struct bulk_options bulks = {.core = loop->core, .memory = &heap, .loops = w->loops};
    CHECK(bulks_create(&bulks, &loop->bulks) == 0);
    static const struct tags no_tags;
    struct definition_limits limits = definition_limits_default();
    limits.schemas = schemas_current(loop->schemas);
    const struct api_options api = {
        .core = loop->core,
        .catalog = loop->catalog,
        .schemas = loop->schemas,
        .bulks = loop->bulks,
        .store = loop->store,
        .slis = w->slis,
        .rpc = w->rooms[index],
        .rooms = w->rooms,
        .loop = index,
        .loops = w->loops,
        .guest = w->guest,
        .tags = &no_tags,
        .definition_limits = limits,
        .compensation_retry = definition_limits_default().retry.compensation,
        .waiters_max = w->waiters_max,
        .watchers_max = w->watchers_max,
        .pipe_commands_max = w->pipe_commands_max,
        .steps_max = w->steps_max,
        .authz = &w->authz,
        .now = now,
        .admit = admit,
        .warn = warn,
        .refused = refused,
        .reload = reload,
        .reflect = reflect,
        .journals = no_journals,
        .give = no_journal,
        .status = status,
        .rules = rules,
        .change_rule = change_rule,
        .self = loop,
        .failure = &loop->failure,
    };
    CHECK(api_create(&api, &loop->api) == 0);
    const struct relay_options relay = {
        .api = loop->api,
        .rpc = w->rooms[index],
        .rooms = w->rooms,
        .loop = index,
        .loops = w->loops,
        .places = &w->loops,
        .asked = asked_nobody,
        .tags = &no_tags,
        .durable_frame = durable_frame,
        .now = now,
        .self = loop,
    };
    CHECK(relay_create(&relay, &loop->relay) == 0);
}

void api_world_start(struct api_world *w)
{
    for (unsigned k = 0; k < w->loops; k++)
        w->rooms[k] = (struct rpc *)&w->loop[k];
    for (unsigned k = 0; k < w->loops; k++)
        start(w, k);
}

void api_world_close(struct api_world *w)
{
    ck_assert_ptr_null(w->first_asked);
    ck_assert_uint_eq(w->open_calls, 0);
    for (unsigned k = 0; k < w->loops; k++) {
        struct api_loop *loop = &w->loop[k];
        relay_destroy(loop->relay);
        api_destroy(loop->api);
        bulks_destroy(loop->bulks);
        core_close(loop->core);
        catalog_destroy(loop->catalog);
        schemas_destroy(loop->schemas);
        loop->store->close(loop->store);
        memory_disk_destroy(loop->disk);
    }
}

void api_world_register(struct api_world *w, const char *yaml)
{
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    m.source.data = (uint8_t *)(uintptr_t)yaml;
    m.source.len = strlen(yaml);
    Saga__V1__RegisterDefinitionResponse *r = api_world_get(w, 0, METHOD_REGISTER_DEFINITION, &m.base);
    protobuf_c_message_free_unpacked(&r->base, NULL);
}

/* Notes how long a piece of work took. */
static void piece(struct api_world *w, struct instant began)
{
    struct span took = instant_since(w->now, began);
    if (took.us > w->longest.us)
        w->longest = took;
}

void api_world_turn(struct api_world *w, unsigned index)
{
    struct api_loop *loop = &w->loop[index];
    struct error_detail detail;
    struct instant began = w->now;
    api_work(loop->api);
    if (loop->reloads != loop->reloaded)
        api_reloaded(loop->api, loop->reloaded = loop->reloads, &(struct api_reload){.code = 0});
    while (loop->reflected < loop->reflects)
        api_reflected(loop->api, ++loop->reflected, 0, &detail, bytes_of_text("set"));
    int code = core_commit(loop->core, w->now, &detail);
    ck_assert_msg(code == 0 || code == E_JOURNAL_FULL, "%d %s", code, detail.text);
    api_turn(loop->api);
    piece(w, began);
}

void api_world_settle(struct api_world *w)
{
    for (unsigned turns = 0;; turns++) {
        ck_assert_msg(turns < 100000, "there is no end to it");
        bool busy = deliver_all(w);
        for (unsigned k = 0; k < w->loops; k++) {
            struct api_loop *loop = &w->loop[k];
            if (!core_pending(loop->core) && !api_busy(loop->api) && loop->reloads == loop->reloaded &&
                loop->reflects == loop->reflected)
                continue;
            api_world_turn(w, k);
            busy = true;
        }
        if (!busy)
            return;
    }
}

/* ---- requests ---- */

struct world_call *api_world_open(struct api_world *w, unsigned loop, enum method_id method)
{
    struct world_call *call = serve(&w->loop[loop], &methods_served[method]);
    call->peer = w->peer;
    return call;
}

struct world_call *api_world_ask_bytes(struct api_world *w, unsigned loop, enum method_id method, struct bytes bytes)
{
    struct world_call *call = serve(&w->loop[loop], &methods_served[method]);
    call->peer = w->peer;
    struct instant began = w->now;
    relay_message(w->loop[loop].relay, (struct rpc_call *)call, bytes);
    piece(w, began);
    return call;
}

static struct bytes pack(const ProtobufCMessage *m)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *at = malloc(size + 1);
    CHECK(at != NULL);
    return bytes_of(at, protobuf_c_message_pack(m, at));
}

struct world_call *api_world_ask(struct api_world *w, unsigned loop, enum method_id method, const ProtobufCMessage *m)
{
    struct bytes packed = pack(m);
    struct world_call *call = api_world_ask_bytes(w, loop, method, packed);
    drop(&packed);
    return call;
}

void api_world_more(struct world_call *call, const ProtobufCMessage *m)
{
    struct bytes packed = pack(m);
    ck_assert_uint_gt(call->wanted, 0);
    call->wanted--;
    relay_message(call->loop->relay, (struct rpc_call *)call, packed);
    drop(&packed);
}

void api_world_half_close(struct world_call *call)
{
    api_half_close(call->loop->api, (struct rpc_call *)call);
}

void api_world_cancel(struct world_call *call)
{
    relay_cancelled(call->loop->relay, (struct rpc_call *)call);
}

void api_world_took(struct world_call *call)
{
    ck_assert(call->sending);
    call->sending = false;
    if (!call->ended)
        relay_sent(call->loop->relay, (struct rpc_call *)call);
}

void api_world_free(struct world_call *call)
{
    ck_assert_msg(call->ended, "%s was not ended", call->method->path);
    for (size_t i = 0; i < call->sent_count; i++)
        drop(&call->sent[i]);
    drop(&call->body);
    free(call);
}

void *api_world_get(struct api_world *w, unsigned loop, enum method_id method, const ProtobufCMessage *m)
{
    struct world_call *call = api_world_ask(w, loop, method, m);
    api_world_settle(w);
    ck_assert(call->ended);
    ck_assert_msg(call->status == 0, "%s: %d %s %s", call->method->path, call->status, call->reason, call->field);
    void *answer = protobuf_c_message_unpack(methods[method].response, NULL, call->body.size, call->body.at);
    ck_assert_ptr_nonnull(answer);
    api_world_free(call);
    return answer;
}

void api_world_refused(struct api_world *w, unsigned loop, enum method_id method, const ProtobufCMessage *m,
                       const char *reason, const char *field)
{
    struct world_call *call = api_world_ask(w, loop, method, m);
    api_world_settle(w);
    ck_assert(call->ended);
    ck_assert_int_ne(call->status, 0);
    ck_assert_str_eq(call->reason, reason);
    ck_assert_str_eq(call->field, field);
    api_world_free(call);
}

void api_world_begin(struct api_world *w, unsigned loop, const char *name, const char *request_id,
                     char id[SAGA_ID_TEXT_SIZE])
{
    Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
    m.name = (char *)(uintptr_t)name;
    m.request_id = (char *)(uintptr_t)request_id;
    Saga__V1__BeginResponse *r = api_world_get(w, loop, METHOD_BEGIN, &m.base);
    strcpy(id, r->saga_id);
    protobuf_c_message_free_unpacked(&r->base, NULL);
}

unsigned api_world_loop_of(const char *id)
{
    struct saga_id saga = {0};
    ck_assert(saga_id_parse(id, strlen(id), &saga));
    return saga.tag & (SAGA_LOOPS_MAX - 1);
}
