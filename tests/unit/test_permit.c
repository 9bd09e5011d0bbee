/* Every method by every role, over unary calls, pipes and other loops; and rules about definitions and payloads. What is not allowed is refused
 * before anything is written. */
#include "sidecar/authz/verdict.h"

#include "sidecar/observe/log.h"
#include "tests/support/api_world.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_FOUND   5
#define DENIED      7
#define UNAVAILABLE 14

static struct api_world w;
static struct who everybody[] = {{.kind = WHO_ANYONE}};
static struct authz_rule rule;

static void begin_world(unsigned loops, unsigned rights, uint64_t allowed)
{
    api_world_init(&w, loops);
    rule = (struct authz_rule){.who = everybody, .who_count = 1, .rights = rights, .methods = allowed};
    w.authz = (struct authz){.rules = &rule, .count = 1};
    api_world_start(&w);
}

/* Whose method each is, written down a second time. */
static const char *const viewers[] = {
    "GetDefinition", "ListDefinitions", "GetSchema",       "ListSchemas", "Get",         "List",
    "Wait",          "Watch",           "ListDeadLetters", "Find",        "Status",      "ListBulks",
    "ListFaults",    "ListObjectives",  "ListRules",       "Explain",     "ListJournals"};
static const char *const operators[] = {"Pause",       "Resume",         "Retry",      "Skip",       "Reject",
                                        "Resolve",     "Reload",         "SetBreaker", "ListAudit",  "Verify",
                                        "StartBulk",   "HoldDefinition", "ChangeRule", "ChangeBulk", "InjectFaults",
                                        "GiveJournal", "ForgetAnswer"};

static bool is_among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool expected(const char *name, unsigned rights)
{
    if (is_among(viewers, sizeof viewers / sizeof viewers[0], name))
        return (rights & (RIGHT_VIEWER | RIGHT_SERVICE | RIGHT_OPERATOR)) != 0;
    if (is_among(operators, sizeof operators / sizeof operators[0], name))
        return (rights & RIGHT_OPERATOR) != 0;
    return (rights & (RIGHT_SERVICE | RIGHT_OPERATOR)) != 0;
}

static void assert_untouched(void)
{
    for (unsigned k = 0; k < w.loops; k++)
        ck_assert_uint_eq(w.loop[k].durable_frame, 0);
}

/* An empty request: whoever may ask is told what is wrong with it, or is answered. Returns the status; OK for a stream that goes on. */
static int ask(unsigned loop, enum method_id method, struct bytes bytes)
{
    struct world_call *call = api_world_ask_bytes(&w, loop, method, bytes);
    api_world_settle(&w);
    if (!call->ended && methods_served[method].kind == RPC_BIDI)
        api_world_half_close(call);
    else if (!call->ended)
        api_world_cancel(call);
    api_world_settle(&w);
    while (call->sending) {
        api_world_took(call);
        api_world_settle(&w);
    }
    ck_assert(call->ended);
    int status = call->status;
    if (status == DENIED)
        ck_assert_str_eq(call->reason, "PERMISSION_DENIED");
    api_world_free(call);
    return status;
}

START_TEST(permit__every_method_by_every_role)
{
    static const unsigned roles[] = {0, RIGHT_PAYLOADS, RIGHT_VIEWER, RIGHT_SERVICE, RIGHT_OPERATOR};
    unsigned loops = (unsigned)_i;
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        begin_world(loops, roles[r], 0);
        for (unsigned loop = 0; loop < loops; loop++)
            for (unsigned id = 0; id < METHOD_COUNT; id++) {
                /* A service watches single sagas, those that it has begun. */
                bool allowed =
                    expected(authz_method_name(id), roles[r]) && !(id == METHOD_WATCH && roles[r] == RIGHT_SERVICE);
                int status = ask(loop, (enum method_id)id, bytes_of(NULL, 0));
                ck_assert_msg((status != DENIED) == allowed, "%s with rights %u: status %d", authz_method_name(id),
                              roles[r], status);
            }
        if (roles[r] == 0)
            assert_untouched();
        api_world_close(&w);
    }
}
END_TEST

/* What the sidecar's own loops ask of one another needs no rule. */
START_TEST(permit__the_sidecar_itself_is_asked_nothing)
{
    begin_world(1, 0, 0);
    w.peer = (struct rpc_peer){.transport = RPC_TRANSPORT_NONE};
    ck_assert_int_ne(ask(0, METHOD_RETRY, bytes_of(NULL, 0)), DENIED);
    api_world_close(&w);
}
END_TEST

/* Whoever is refused is told as whom the sidecar knows him. */
START_TEST(permit__a_refusal_says_who_is_refused)
{
    static const struct {
        struct rpc_peer peer;
        const char *who;
    } callers[] = {
        {{.transport = RPC_TRANSPORT_TLS, .identity = "spiffe://shop/ann"}, "spiffe://shop/ann"},
        {{.transport = RPC_TRANSPORT_TLS}, "one without a name in its certificate"},
        {{.transport = RPC_TRANSPORT_TCP}, "one who comes in plaintext over TCP"},
        {{.transport = RPC_TRANSPORT_UNIX, .has_user = true, .uid = 7}, "uid 7"},
        {{.transport = RPC_TRANSPORT_UNIX}, "an unknown user of a unix socket"},
    };
    begin_world(1, 0, 0);
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++) {
        char words[200];
        w.peer = callers[i].peer;
        struct world_call *call = api_world_ask_bytes(&w, 0, METHOD_RETRY, bytes_of(NULL, 0));
        ck_assert(call->ended);
        snprintf(words, sizeof words, "Retry is not allowed to %s: no rule of authorization says so", callers[i].who);
        ck_assert_msg(strstr(call->message, words) != NULL, "%s", call->message);
        api_world_free(call);
    }
    api_world_close(&w);
}
END_TEST

/* The words of a refusal. */
static const char *said(enum method_id method, const ProtobufCMessage *m)
{
    static char words[200];
    struct world_call *call = api_world_ask(&w, 0, method, m);
    api_world_settle(&w);
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, DENIED);
    snprintf(words, sizeof words, "%s", call->message);
    api_world_free(call);
    return words;
}

/* And what the rules are short of. */
START_TEST(permit__a_refusal_says_what_to_ask_for)
{
    static const char *const orders[] = {"order*"};
    Saga__V1__ListRequest list = SAGA__V1__LIST_REQUEST__INIT;
    Saga__V1__WatchRequest watch = SAGA__V1__WATCH_REQUEST__INIT;
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    begin_world(1, RIGHT_SERVICE, 0);
    rule.all_sagas = true;
    rule.definitions = orders;
    rule.definition_count = 1;
    begin.name = (char *)(uintptr_t) "refund";
    ck_assert_ptr_nonnull(strstr(said(METHOD_LIST, &list.base), "limit it to some definitions; name one of them"));
    ck_assert_ptr_nonnull(strstr(said(METHOD_WATCH, &watch.base), "limit it to some sagas; name one of them"));
    ck_assert_ptr_nonnull(
        strstr(said(METHOD_BEGIN, &begin.base), "no rule of authorization says so of this definition"));
    api_world_close(&w);
}
END_TEST

static unsigned told;

static void hear(void *self, const struct log_entry *entry)
{
    (void)self;
    if (strcmp(entry->text, "a call was refused: no rule allows it") != 0)
        return;
    told++;
    ck_assert_str_eq(entry->fields[0].name, "method");
    ck_assert(bytes_equal(entry->fields[0].text, bytes_of_text("Start")));
    ck_assert_str_eq(entry->fields[1].name, "reason");
    ck_assert(bytes_equal(entry->fields[1].text, bytes_of_text("tags")));
}

/* Which tags a saga has its start tells: of one that is refused for them the log tells, and of no other command of a pipe. */
START_TEST(permit__a_start_that_is_refused_for_its_tags_is_told)
{
    uint8_t room[32];
    begin_world(1, RIGHT_OPERATOR, 0);
    api_world_add_schema(&w);
    api_world_register(&w,
                       "name: order\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\ntags: {tenant: =input.sku}\n"
                       "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n");
    rule.tags = bytes_of("tenant\0acme\0", 12);
    authz_prepare(&w.authz, &rule);
    log_listen(hear, NULL);
    for (int own = 1; own >= 0; own--) {
        Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
        Saga__V1__Command command = SAGA__V1__COMMAND__INIT, *commands[] = {&command};
        Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
        struct bytes input = shapes_line(bytes_of_text(own ? "acme" : "zeta"), room);
        start.definition = (char *)(uintptr_t) "order";
        start.input = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)input.at, .len = input.size};
        command.command_case = SAGA__V1__COMMAND__COMMAND_START;
        command.start = &start;
        m.n_commands = 1;
        m.commands = commands;
        struct world_call *pipe = api_world_ask(&w, 0, METHOD_PIPE, &m.base);
        api_world_settle(&w);
        ck_assert_uint_eq(pipe->sent_count, 1);
        Saga__V1__PipeResponse *r = saga__v1__pipe_response__unpack(NULL, pipe->sent[0].size, pipe->sent[0].at);
        bool failed = r->results[0]->result_case == SAGA__V1__RESULT__RESULT_ERROR;
        ck_assert_int_eq(failed ? r->results[0]->error->code : 0, own ? 0 : DENIED);
        saga__v1__pipe_response__free_unpacked(r, NULL);
        ck_assert_uint_eq(told, own ? 0 : 1);
        api_world_took(pipe);
        api_world_half_close(pipe);
        api_world_settle(&w);
        api_world_free(pipe);
    }
    log_listen(NULL, NULL);
    api_world_close(&w);
}
END_TEST

static int64_t others;

static void hear_others(void *self, const struct log_entry *entry)
{
    (void)self;
    for (size_t i = 0; i < entry->field_count; i++)
        if (strcmp(entry->fields[i].name, "others") == 0) {
            told++;
            others = entry->fields[i].number;
        }
}

/* However many are refused, the log tells of one a second, and of how many others there were since the one before. */
START_TEST(permit__refusals_are_told_once_a_second)
{
    static const struct {
        unsigned refused;
        int64_t others;
    } seconds[] = {{1, 0}, {4, 0}, {1, 3}, {1, 0}};
    begin_world(1, 0, 0);
    log_listen(hear_others, NULL);
    for (unsigned i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        for (unsigned k = 0; k < seconds[i].refused; k++)
            ck_assert_int_eq(ask(0, METHOD_LIST, bytes_of(NULL, 0)), DENIED);
        ck_assert_uint_eq(told, i + 1);
        ck_assert_int_eq(others, seconds[i].others);
        w.now = instant_after(w.now, SPAN_S(1));
    }
    log_listen(NULL, NULL);
    api_world_close(&w);
}
END_TEST

/* Of a caller on a unix socket both of its numbers count. */
START_TEST(permit__a_rule_for_a_group_is_for_its_members)
{
    static struct who group[] = {{.kind = WHO_GID, .number = 7}};
    begin_world(1, RIGHT_OPERATOR, 0);
    rule.who = group;
    for (unsigned gid = 6; gid <= 8; gid++) {
        w.peer = (struct rpc_peer){.transport = RPC_TRANSPORT_UNIX, .has_user = true, .uid = 7, .gid = gid};
        ck_assert_int_eq(ask(0, METHOD_LIST, bytes_of(NULL, 0)) != DENIED, gid == 7);
    }
    api_world_close(&w);
}
END_TEST

/* A pipe that may be opened carries no command that may not be given, wherever its saga lives. */
START_TEST(permit__a_pipe_is_no_way_around)
{
    const ProtobufCMessageDescriptor *type = &saga__v1__command__descriptor;
    unsigned loops = (unsigned)_i;
    begin_world(loops, 0, UINT64_C(1) << METHOD_PIPE | UINT64_C(1) << METHOD_KEEP_ALIVE);
    for (unsigned i = 0; i < type->n_fields; i++)
        for (unsigned k = 0; k < loops; k++) {
            /* A PipeRequest of one Command of one request, whose first field is a text: a saga's id, or a name. */
            enum { HEAD = 6, ID = 14 };
            char packed[HEAD + ID + 1] = {0x0a, ID + 4, (char)(type->fields[i].id << 3 | 2), ID + 2, 0x0a, ID};
            snprintf(packed + HEAD, ID + 1, "000000abc00%u-1", k % 10);
            struct world_call *pipe = api_world_ask_bytes(&w, 0, METHOD_PIPE, bytes_of(packed, HEAD + ID));
            api_world_settle(&w);
            ck_assert_uint_eq(pipe->sent_count, 1);
            /* Whichever loop refuses it, it is counted once. */
            unsigned refusals = 0;
            for (unsigned loop = 0; loop < loops; loop++)
                refusals += w.loop[loop].refusals;
            ck_assert_uint_eq(refusals, i * loops + k + 1);
            Saga__V1__PipeResponse *r = saga__v1__pipe_response__unpack(NULL, pipe->sent[0].size, pipe->sent[0].at);
            ck_assert_uint_eq(r->n_results, 1);
            ck_assert_int_eq(r->results[0]->result_case, SAGA__V1__RESULT__RESULT_ERROR);
            bool denied = r->results[0]->error->code == DENIED;
            ck_assert_msg(denied == (methods_find(type->fields[i].descriptor) != METHOD_KEEP_ALIVE), "%s: %d",
                          type->fields[i].name, r->results[0]->error->code);
            saga__v1__pipe_response__free_unpacked(r, NULL);
            api_world_took(pipe);
            api_world_half_close(pipe);
            api_world_settle(&w);
            api_world_free(pipe);
        }
    assert_untouched();
    api_world_close(&w);
}
END_TEST

static int ask_message(unsigned loop, enum method_id method, const ProtobufCMessage *m)
{
    uint8_t packed[2048];
    ck_assert_uint_lt(protobuf_c_message_get_packed_size(m), sizeof packed);
    return ask(loop, method, bytes_of(packed, protobuf_c_message_pack(m, packed)));
}

static int get(unsigned loop, char *id, bool payloads)
{
    Saga__V1__GetRequest m = SAGA__V1__GET_REQUEST__INIT;
    m.saga_id = id;
    m.include_payloads = payloads;
    return ask_message(loop, METHOD_GET, &m.base);
}

static int list(unsigned loop, enum method_id method, char *name)
{
    Saga__V1__ListRequest all = SAGA__V1__LIST_REQUEST__INIT;
    Saga__V1__ListDeadLettersRequest stuck = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    all.definition = stuck.definition = name;
    return ask_message(loop, method, method == METHOD_LIST ? &all.base : &stuck.base);
}

static int begin_saga(unsigned loop, char *name)
{
    Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
    m.name = name;
    return ask_message(loop, METHOD_BEGIN, &m.base);
}

static int find(unsigned loop, char *request_id)
{
    Saga__V1__FindRequest m = SAGA__V1__FIND_REQUEST__INIT;
    m.request_id = request_id;
    return ask_message(loop, METHOD_FIND, &m.base);
}

static int watch(unsigned loop, char *id)
{
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    m.saga_id = id;
    return ask_message(loop, METHOD_WATCH, &m.base);
}

static int abort_saga(unsigned loop, char *id)
{
    Saga__V1__AbortRequest m = SAGA__V1__ABORT_REQUEST__INIT;
    m.saga_id = id;
    return ask_message(loop, METHOD_ABORT, &m.base);
}

static const char definition_text[] =
    "name: %s\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /s.S/M, compensation: /s.S/U}\n";

static int register_definition(unsigned loop, const char *name)
{
    char text[256];
    Saga__V1__RegisterDefinitionRequest m = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    snprintf(text, sizeof text, definition_text, name);
    m.source.data = (uint8_t *)text;
    m.source.len = strlen(text);
    return ask_message(loop, METHOD_REGISTER_DEFINITION, &m.base);
}

START_TEST(permit__a_rule_about_definitions_is_about_their_sagas)
{
    static const char *const orders[] = {"order*"};
    char ours[SAGA_ID_TEXT_SIZE], theirs[SAGA_ID_TEXT_SIZE], unknown[SAGA_ID_TEXT_SIZE],
        order[] = "order-1", refund[] = "refund", none[] = "";
    begin_world((unsigned)_i, RIGHT_OPERATOR, 0);
    api_world_begin(&w, 0, order, "ours", ours);
    api_world_begin(&w, 0, refund, "theirs", theirs);
    snprintf(unknown, sizeof unknown, "%.12s-fff", ours);
    rule.rights = RIGHT_SERVICE;
    rule.definitions = orders;
    rule.definition_count = 1;
    for (unsigned loop = 0; loop < w.loops; loop++) {
        ck_assert_int_eq(begin_saga(loop, order), 0);
        ck_assert_int_eq(begin_saga(loop, refund), DENIED);
        ck_assert_int_eq(get(loop, ours, false), 0);
        ck_assert_int_eq(get(loop, ours, true), DENIED); /* no right to payloads */
        ck_assert_int_eq(get(loop, theirs, false), DENIED);
        ck_assert_int_eq(get(loop, unknown, false), NOT_FOUND); /* it is about no definition */
        ck_assert_int_eq(list(loop, METHOD_LIST, order), 0);
        ck_assert_int_eq(list(loop, METHOD_LIST, refund), DENIED);
        ck_assert_int_eq(list(loop, METHOD_LIST, none), DENIED);
        ck_assert_int_eq(list(loop, METHOD_LIST_DEAD_LETTERS, none), 0); /* those of orders */
        ck_assert_int_eq(list(loop, METHOD_LIST_DEAD_LETTERS, refund), DENIED);
        ck_assert_int_eq(list(loop, METHOD_LIST_DEAD_LETTERS, order), 0);
        ck_assert_int_ne(watch(loop, ours), DENIED);
        ck_assert_int_eq(watch(loop, theirs), DENIED);
        ck_assert_int_eq(watch(loop, none), DENIED);
        ck_assert_int_eq(abort_saga(loop, theirs), DENIED);
        ck_assert_int_eq(register_definition(loop, "refund"), DENIED);
        ck_assert_int_ne(register_definition(loop, "order-2"), DENIED);
    }
    rule.rights |= RIGHT_PAYLOADS;
    ck_assert_int_eq(get(0, ours, true), 0);
    ck_assert_int_eq(get(0, theirs, true), DENIED);
    /* Beside a rule by which all may be looked at, payloads are still those of orders. */
    const struct authz_rule both[] = {{.who = everybody, .who_count = 1, .rights = RIGHT_VIEWER}, rule};
    w.authz = (struct authz){.rules = both, .count = 2};
    ck_assert_int_eq(get(0, theirs, false), 0);
    ck_assert_int_eq(get(0, theirs, true), DENIED);
    ck_assert_int_eq(get(0, ours, true), 0);
    w.authz = (struct authz){.rules = &rule, .count = 1};
    /* One that has ended has its name still. */
    ck_assert_int_eq(abort_saga(0, ours), 0);
    ck_assert_int_eq(get(0, ours, false), 0);
    rule.definitions = (const char *const[]){"refund"};
    ck_assert_int_eq(get(0, ours, false), DENIED);
    ck_assert_int_eq(abort_saga(0, ours), DENIED);
    /* Whether it may is not known while the journal has not told: it may ask again. */
    memory_disk_set_far(w.loop[0].disk, true);
    ck_assert_int_eq(abort_saga(0, ours), UNAVAILABLE);
    memory_disk_arrive(w.loop[0].disk, STORE_PENDING);
    ck_assert_int_eq(abort_saga(0, ours), DENIED);
    memory_disk_set_far(w.loop[0].disk, false);
    /* Nor is it shown what could not be looked up for it, though the journal tells the next who asks. */
    for (unsigned nth = 1; nth < 8; nth++) {
        memory_disk_fail(w.loop[0].disk, nth, E_SYSTEM, false);
        ck_assert_int_ne(get(0, ours, false), 0);
        memory_disk_fail(w.loop[0].disk, 0, 0, false);
    }
    api_world_close(&w);
}
END_TEST

static int list_tagged(unsigned loop, const char *tenant, bool more)
{
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    Saga__V1__Tag tags[2] = {SAGA__V1__TAG__INIT, SAGA__V1__TAG__INIT}, *all[2] = {&tags[0], &tags[1]};
    tags[0].name = (char *)(uintptr_t) "kind";
    tags[0].value = (char *)(uintptr_t) "new";
    tags[1].name = (char *)(uintptr_t) "tenant";
    tags[1].value = (char *)(uintptr_t)tenant;
    m.tags = more ? all : all + 1;
    m.n_tags = more ? 2 : 1;
    return ask_message(loop, METHOD_LIST, &m.base);
}

/* Whoever may look at the sagas of one tenant looks at no other's, neither at live ones nor at those that have ended, and lists those alone. */
START_TEST(permit__a_rule_about_tags_is_about_their_sagas)
{
    static const char *const tenants[] = {"acme", "zeta"};
    char ids[2][SAGA_ID_TEXT_SIZE], none[] = "";
    uint8_t room[32];
    begin_world((unsigned)_i, RIGHT_OPERATOR, 0);
    api_world_add_schema(&w);
    api_world_register(&w,
                       "name: order\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\ntags: {tenant: =input.sku}\n"
                       "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n");
    for (int i = 0; i < 2; i++) {
        Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
        struct bytes input = shapes_line(bytes_of_text(tenants[i]), room);
        start.definition = (char *)(uintptr_t) "order";
        start.request_id = (char *)(uintptr_t)tenants[i];
        start.input = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)input.at, .len = input.size};
        Saga__V1__StartResponse *r = api_world_get(&w, 0, METHOD_START, &start.base);
        snprintf(ids[i], sizeof ids[i], "%s", r->saga_id);
        saga__v1__start_response__free_unpacked(r, NULL);
    }
    rule.tags = bytes_of("tenant\0acme\0", 12);
    rule.rights |= RIGHT_PAYLOADS;
    authz_prepare(&w.authz, &rule);
    for (int ended = 0; ended < 2; ended++) {
        for (unsigned loop = 0; loop < w.loops; loop++) {
            for (int payloads = 0; payloads < 2; payloads++) {
                ck_assert_int_eq(get(loop, ids[0], payloads), 0);
                ck_assert_int_eq(get(loop, ids[1], payloads), DENIED);
            }
            ck_assert_int_ne(watch(loop, ids[0]), DENIED);
            ck_assert_int_eq(watch(loop, ids[1]), DENIED);
            ck_assert_int_eq(find(loop, (char *)(uintptr_t)tenants[0]), 0);
            ck_assert_int_eq(find(loop, (char *)(uintptr_t)tenants[1]), NOT_FOUND);
            for (int more = 0; more < 2; more++) {
                ck_assert_int_eq(list_tagged(loop, "acme", more), 0);
                ck_assert_int_eq(list_tagged(loop, "zeta", more), DENIED);
                ck_assert_int_eq(list_tagged(loop, "acm", more), DENIED);
            }
            ck_assert_int_eq(list(loop, METHOD_LIST, none), DENIED);
            ck_assert_int_eq(list(loop, METHOD_LIST_DEAD_LETTERS, none), 0);
        }
        for (unsigned loop = 0; loop < w.loops && !ended; loop++)
            while (w.loop[loop].call_count > 0)
                api_world_answer(&w, loop, 0, "", bytes_of(NULL, 0));
    }
    api_world_close(&w);
}
END_TEST

/* What the rules are said to come to is what is done: what is denied is refused, what is allowed is not, and what is about the whole sidecar is
 * nothing that one who is limited may do in part. */
START_TEST(permit__what_is_said_of_a_limited_rule_is_so)
{
    static const char *const orders[] = {"order*"}, *const whole[] = {
                                                        "Status",       "RegisterSchema", "Reflect",
                                                        "Reload",       "SetBreaker",     "ChangeBulk",
                                                        "ListBulks",    "ListFaults",     "ListAudit",
                                                        "Verify",       "ListJournals",   "ListObjectives",
                                                        "ListRules",    "ChangeRule",     "GiveJournal",
                                                        "InjectFaults", "ForgetAnswer"};
    static const char *const common[] = {"GetSchema", "ListSchemas", "Explain", "Pipe"};
    begin_world(1, RIGHT_OPERATOR, 0);
    for (unsigned by_tags = 0; by_tags < 2; by_tags++) {
        rule.definitions = orders;
        rule.definition_count = !by_tags;
        rule.tags = by_tags ? bytes_of("tenant\0acme\0", 12) : bytes_of(NULL, 0);
        authz_prepare(&w.authz, &rule);
        for (unsigned id = 0; id < METHOD_COUNT; id++) {
            struct verdict_question q = {.method = id, .caller = {.way = CALLER_UNIX, .identity = ""}};
            enum verdict v = verdict_of(&w.authz, &q);
            const char *name = authz_method_name(id);
            int status = ask(0, (enum method_id)id, bytes_of(NULL, 0));
            if (is_among(whole, sizeof whole / sizeof whole[0], name))
                ck_assert_msg(v == VERDICT_DENIED, "%s is said to be %s", name, verdict_words(v));
            else if (is_among(common, sizeof common / sizeof common[0], name))
                ck_assert_msg(v == VERDICT_ALLOWED, "%s is said to be %s", name, verdict_words(v));
            else if (!by_tags)
                ck_assert_msg(v == VERDICT_SOME, "%s is said to be %s", name, verdict_words(v));
            else if (strstr(name, "Definition") != NULL || id == METHOD_START_BULK || id == METHOD_BEGIN)
                ck_assert_msg((v == VERDICT_DENIED) == (status == DENIED), "%s is said to be %s", name,
                              verdict_words(v));
            else
                ck_assert_msg(v == VERDICT_TAGS, "%s is said to be %s", name, verdict_words(v));
            ck_assert_msg(v != VERDICT_DENIED || status == DENIED, "%s is denied, and was not refused", name);
            ck_assert_msg(v != VERDICT_ALLOWED || status != DENIED, "%s is allowed, and was refused", name);
        }
    }
    api_world_close(&w);
}
END_TEST

/* Whoever asks what he may do is told of each method how far, and by which rules. */
START_TEST(permit__explain_tells_how_far_a_rule_goes)
{
    static const char *const orders[] = {"order*"};
    static const struct bytes acme = {(const uint8_t *)"tenant\0acme\0", 12};
    struct authz_rule rules[] = {
        {.who = everybody, .who_count = 1, .rights = RIGHT_VIEWER},
        {.who = everybody, .who_count = 1, .rights = RIGHT_SERVICE},
        {.who = everybody, .who_count = 1, .rights = RIGHT_OPERATOR, .tags = acme},
        {.who = everybody, .who_count = 1, .rights = RIGHT_OPERATOR, .definitions = orders, .definition_count = 1},
        {.who = everybody, .who_count = 1, .rights = RIGHT_OPERATOR},
    };
    static const struct {
        const char *method;
        size_t first, count;
        Saga__V1__Extent extent;
        size_t by; /* so many of the rules, the last of which is the last */
    } asked[] = {
        {"Retry", 0, 1, SAGA__V1__EXTENT__EXTENT_DENIED, 0},  {"Cancel", 1, 1, SAGA__V1__EXTENT__EXTENT_OWN, 1},
        {"Retry", 2, 1, SAGA__V1__EXTENT__EXTENT_TAGS, 1},    {"Retry", 3, 1, SAGA__V1__EXTENT__EXTENT_SOME, 1},
        {"Retry", 4, 1, SAGA__V1__EXTENT__EXTENT_ALLOWED, 1}, {"Retry", 0, 5, SAGA__V1__EXTENT__EXTENT_ALLOWED, 3},
        {"Retry", 0, 2, SAGA__V1__EXTENT__EXTENT_DENIED, 0},
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        Saga__V1__ExplainRequest m = SAGA__V1__EXPLAIN_REQUEST__INIT;
        api_world_init(&w, 1);
        w.authz = (struct authz){.rules = rules + asked[i].first, .count = asked[i].count, .given = true};
        authz_prepare(&w.authz, rules + asked[i].first);
        api_world_start(&w);
        m.method = (char *)(uintptr_t)asked[i].method;
        for (int of_one = 0; of_one < 2; of_one++) {
            /* Of one of the definitions that a rule names it goes as far as it goes, by the same rules. */
            Saga__V1__Extent extent = asked[i].extent;
            if (of_one && extent == SAGA__V1__EXTENT__EXTENT_SOME)
                extent = SAGA__V1__EXTENT__EXTENT_ALLOWED;
            m.definition = (char *)(uintptr_t)(of_one ? "order-1" : "");
            Saga__V1__ExplainResponse *r = api_world_get(&w, 0, METHOD_EXPLAIN, &m.base);
            ck_assert(r->has_rules);
            ck_assert_uint_eq(r->n_verdicts, 1);
            ck_assert_msg(r->verdicts[0]->extent == extent, "%zu: %d", i, (int)r->verdicts[0]->extent);
            ck_assert_msg(r->verdicts[0]->n_rules == asked[i].by, "%zu: %zu rules", i, r->verdicts[0]->n_rules);
            for (size_t k = 0; k < asked[i].by; k++)
                ck_assert_uint_eq(r->verdicts[0]->rules[k], asked[i].count - asked[i].by + k);
            saga__v1__explain_response__free_unpacked(r, NULL);
        }
        api_world_close(&w);
    }
}
END_TEST

/* Of oneself all that is known of a caller counts, whatever a rule names him by. */
START_TEST(permit__explain_knows_who_asks)
{
    static const struct rpc_peer here = {.transport = RPC_TRANSPORT_UNIX,
                                         .role = 1,
                                         .has_user = true,
                                         .uid = 7,
                                         .gid = 8},
                                 plain = {.transport = RPC_TRANSPORT_TCP, .role = 2, .identity = ""},
                                 tls = {.transport = RPC_TRANSPORT_TLS, .role = 3, .identity = "spiffe://a/b"};
    static const struct {
        struct who who;
        const struct rpc_peer *yes, *no;
    } rows[] = {
        {{.kind = WHO_UID, .number = 7}, &here, &tls},
        {{.kind = WHO_GID, .number = 8}, &here, &plain},
        {{.kind = WHO_SPIFFE, .text = "spiffe://a/b"}, &tls, &plain},
        {{.kind = WHO_WAY, .number = CALLER_UNIX}, &here, &plain},
        {{.kind = WHO_WAY, .number = CALLER_PLAINTEXT}, &plain, &tls},
        {{.kind = WHO_WAY, .number = CALLER_TLS}, &tls, &here},
        {{.kind = WHO_LISTENER, .number = 1}, &here, &plain},
        {{.kind = WHO_LISTENER, .number = 2}, &plain, &here},
        {{.kind = WHO_LISTENER, .number = 3}, &tls, &plain},
    };
    Saga__V1__ExplainRequest m = SAGA__V1__EXPLAIN_REQUEST__INIT;
    m.method = (char *)(uintptr_t) "Retry";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct authz_rule rules[] = {{.who = &rows[i].who, .who_count = 1, .rights = RIGHT_OPERATOR},
                                     {.who = everybody, .who_count = 1, .rights = RIGHT_VIEWER}};
        api_world_init(&w, 1);
        w.authz = (struct authz){.rules = rules, .count = 2, .given = true};
        authz_prepare(&w.authz, rules);
        api_world_start(&w);
        for (int no = 0; no < 2; no++) {
            w.peer = no ? *rows[i].no : *rows[i].yes;
            Saga__V1__ExplainResponse *r = api_world_get(&w, 0, METHOD_EXPLAIN, &m.base);
            Saga__V1__Extent extent = no ? SAGA__V1__EXTENT__EXTENT_DENIED : SAGA__V1__EXTENT__EXTENT_ALLOWED;
            ck_assert_msg(r->verdicts[0]->extent == extent, "%zu, %d: %d", i, no, (int)r->verdicts[0]->extent);
            ck_assert_uint_eq(r->verdicts[0]->n_rules, no ? 0 : 1);
            saga__v1__explain_response__free_unpacked(r, NULL);
        }
        api_world_close(&w);
    }
}
END_TEST

/* About oneself everybody may ask; about others, by the rules, who may read the audit trail. */
START_TEST(permit__explain_tells_of_others_to_few)
{
    Saga__V1__ExplainRequest m = SAGA__V1__EXPLAIN_REQUEST__INIT;
    begin_world(1, RIGHT_VIEWER, 0);
    for (int may = 0; may < 2; may++) {
        if (may)
            rule.methods = UINT64_C(1) << METHOD_LIST_AUDIT;
        m.as = (char *)(uintptr_t) "";
        ck_assert_int_eq(ask_message(0, METHOD_EXPLAIN, &m.base), 0);
        m.as = (char *)(uintptr_t) "uid:7";
        ck_assert_int_eq(ask_message(0, METHOD_EXPLAIN, &m.base), may ? 0 : DENIED);
    }
    api_world_close(&w);
}
END_TEST

/* ---- own sagas ---- */

static struct rpc_peer user(uint32_t uid)
{
    return (struct rpc_peer){.transport = RPC_TRANSPORT_UNIX, .has_user = true, .uid = uid};
}

/* A request that says nothing but which saga it is about. */
static int ask_of(unsigned loop, enum method_id id, const char *saga)
{
    uint8_t packed[2 + SAGA_ID_TEXT_SIZE];
    size_t size = strlen(saga);
    const ProtobufCFieldDescriptor *key =
        protobuf_c_message_descriptor_get_field_by_name(methods[id].request, methods[id].key);
    packed[0] = (uint8_t)(key->id << 3 | 2);
    packed[1] = (uint8_t)size;
    memcpy(packed + 2, saga, size);
    return ask(loop, id, bytes_of(packed, size + 2));
}

/* The same as a command of a pipe. */
static int ask_piped(unsigned loop, const ProtobufCFieldDescriptor *command, const char *saga)
{
    uint8_t packed[8 + SAGA_ID_TEXT_SIZE];
    size_t size = strlen(saga);
    const uint8_t head[] = {0x0a, (uint8_t)(size + 4), (uint8_t)(command->id << 3 | 2), (uint8_t)(size + 2),
                            0x0a, (uint8_t)size};
    memcpy(packed, head, sizeof head);
    memcpy(packed + sizeof head, saga, size);
    struct world_call *pipe = api_world_ask_bytes(&w, loop, METHOD_PIPE, bytes_of(packed, sizeof head + size));
    api_world_settle(&w);
    ck_assert_uint_eq(pipe->sent_count, 1);
    Saga__V1__PipeResponse *r = saga__v1__pipe_response__unpack(NULL, pipe->sent[0].size, pipe->sent[0].at);
    bool failed = r->results[0]->result_case == SAGA__V1__RESULT__RESULT_ERROR;
    int code = failed ? r->results[0]->error->code : 0;
    saga__v1__pipe_response__free_unpacked(r, NULL);
    api_world_took(pipe);
    api_world_half_close(pipe);
    api_world_settle(&w);
    api_world_free(pipe);
    return code;
}

static size_t count_listed(unsigned loop)
{
    Saga__V1__ListRequest all = SAGA__V1__LIST_REQUEST__INIT;
    Saga__V1__ListResponse *r = api_world_get(&w, loop, METHOD_LIST, &all.base);
    size_t count = r->n_sagas;
    protobuf_c_message_free_unpacked(&r->base, NULL);
    return count;
}

START_TEST(permit__a_service_sees_its_own_sagas_alone)
{
    char id[SAGA_ID_TEXT_SIZE], request_id[] = "theirs";
    const ProtobufCMessageDescriptor *commands = &saga__v1__command__descriptor;
    begin_world((unsigned)_i, RIGHT_SERVICE, 0);
    w.peer = user(1);
    api_world_begin(&w, 0, "order", request_id, id);
    for (unsigned loop = 0; loop < w.loops; loop++) {
        for (unsigned uid = 1; uid <= 2; uid++) {
            bool own = uid == 1;
            w.peer = user(uid);
            for (unsigned m = 0; m < METHOD_COUNT; m++) {
                bool of_one = methods[m].route == ROUTE_SAGA || methods[m].route == ROUTE_EVENTS;
                if (!of_one || methods[m].role == ROLE_OPERATOR || m == METHOD_ABORT || m == METHOD_CANCEL ||
                    m == METHOD_COMMIT)
                    continue;
                ck_assert_msg((ask_of(loop, (enum method_id)m, id) == DENIED) == !own, "%s as uid %u",
                              authz_method_name(m), uid);
            }
            for (unsigned f = 0; f < commands->n_fields; f++)
                if (methods[methods_find(commands->fields[f].descriptor)].route == ROUTE_SAGA && !own)
                    ck_assert_msg(ask_piped(loop, &commands->fields[f], id) == DENIED, "%s", commands->fields[f].name);
            ck_assert_uint_eq(count_listed(loop), own);
            ck_assert_int_eq(find(loop, request_id), own ? 0 : NOT_FOUND);
        }
        w.peer = user(2);
        ck_assert_int_eq(abort_saga(loop, id), DENIED);
        ck_assert_int_eq(ask_of(loop, METHOD_CANCEL, id), DENIED);
        ck_assert_int_eq(ask_of(loop, METHOD_COMMIT, id), DENIED);
    }
    /* Rules widen it; and who began it is known of one that has ended, too. */
    rule.all_sagas = true;
    ck_assert_int_eq(get(0, id, false), 0);
    ck_assert_uint_eq(count_listed(0), 1);
    rule.all_sagas = false;
    w.peer = user(1);
    ck_assert_int_eq(abort_saga(0, id), 0);
    ck_assert_int_eq(get(0, id, false), 0);
    ck_assert_uint_eq(count_listed(0), 1);
    w.peer = user(2);
    ck_assert_int_eq(get(0, id, false), DENIED);
    ck_assert_uint_eq(count_listed(0), 0);
    ck_assert_int_eq(find(0, request_id), NOT_FOUND);
    rule.rights |= RIGHT_VIEWER;
    ck_assert_int_eq(get(0, id, false), 0);
    api_world_close(&w);
}
END_TEST

static uint64_t begun(unsigned loop, const char *request_id, bool *repeated)
{
    Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
    struct saga_id id = {0};
    m.name = (char *)(uintptr_t) "order";
    m.request_id = (char *)(uintptr_t)request_id;
    Saga__V1__BeginResponse *r = api_world_get(&w, loop, METHOD_BEGIN, &m.base);
    *repeated = r->already_started;
    ck_assert(saga_id_parse(r->saga_id, strlen(r->saga_id), &id));
    saga__v1__begin_response__free_unpacked(r, NULL);
    return id.tag << 8 | id.serial;
}

static uint64_t found(unsigned loop, const char *request_id)
{
    Saga__V1__FindRequest m = SAGA__V1__FIND_REQUEST__INIT;
    struct saga_id id = {0};
    m.request_id = (char *)(uintptr_t)request_id;
    Saga__V1__FindResponse *r = api_world_get(&w, loop, METHOD_FIND, &m.base);
    ck_assert(saga_id_parse(r->saga_id, strlen(r->saga_id), &id));
    saga__v1__find_response__free_unpacked(r, NULL);
    return id.tag << 8 | id.serial;
}

/* What another began under the same request_id answers nobody else, alive or ended; without rules it is the whole sidecar's. */
START_TEST(permit__a_request_id_is_its_identitys_own)
{
    unsigned loops = (unsigned)_i;
    uint64_t of[3];
    bool repeated;
    char id[SAGA_ID_TEXT_SIZE];
    begin_world(loops, RIGHT_SERVICE, 0);
    w.authz.given = true;
    for (unsigned turn = 0; turn < 2; turn++) {
        for (uint32_t uid = 1; uid <= 2; uid++) {
            w.peer = user(uid);
            uint64_t saga = begun(uid % loops, "r", &repeated);
            ck_assert_int_eq(repeated, turn > 0);
            ck_assert(turn == 0 || saga == of[uid]);
            of[uid] = saga;
            ck_assert(found(0, "r") == saga);
        }
        ck_assert(of[1] != of[2]);
        /* They end, and are found as before. */
        for (uint32_t uid = 1; uid <= 2 && turn == 0; uid++) {
            w.peer = user(uid);
            saga_id_format((struct saga_id){.tag = of[uid] >> 8, .serial = of[uid] & 255}, id);
            ck_assert_int_eq(abort_saga(0, id), 0);
        }
    }
    w.peer = user(3);
    ck_assert_int_eq(find(0, (char *)(uintptr_t) "r"), NOT_FOUND);
    rule.rights |= RIGHT_VIEWER;
    ck_assert(found(0, "r") == of[2]); /* the newest that it may see */
    w.peer = user(1);
    ck_assert(found(0, "r") == of[1]); /* its own before that */
    w.authz.given = false;
    begun(0, "r", &repeated);
    ck_assert(repeated);
    api_world_close(&w);
}
END_TEST

START_TEST(permit__definitions_are_listed_to_whom_they_concern)
{
    static const char *const orders[] = {"order*"};
    Saga__V1__ListDefinitionsRequest all = SAGA__V1__LIST_DEFINITIONS_REQUEST__INIT;
    begin_world(1, RIGHT_OPERATOR, 0);
    ck_assert_int_eq(register_definition(0, "refund"), 0);
    ck_assert_int_eq(register_definition(0, "order"), 0);
    rule.definitions = orders;
    rule.definition_count = 1;
    Saga__V1__ListDefinitionsResponse *r = api_world_get(&w, 0, METHOD_LIST_DEFINITIONS, &all.base);
    ck_assert_uint_eq(r->n_definitions, 1);
    ck_assert_str_eq(r->definitions[0]->name, "order");
    protobuf_c_message_free_unpacked(&r->base, NULL);
    Saga__V1__GetDefinitionRequest one = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
    one.name = (char *)(uintptr_t) "refund";
    ck_assert_int_eq(ask_message(0, METHOD_GET_DEFINITION, &one.base), DENIED);
    one.name = (char *)(uintptr_t) "order";
    ck_assert_int_eq(ask_message(0, METHOD_GET_DEFINITION, &one.base), 0);
    api_world_close(&w);
}
END_TEST

/* What is no event, and asks for its rule before it is done: of the definitions that the rule names, and never of all. */
START_TEST(permit__an_act_on_a_definition_is_for_whom_it_concerns)
{
    static const char *const orders[] = {"order*"}, *const names[] = {"order", "refund", ""};
    begin_world(1, RIGHT_OPERATOR, 0);
    rule.definitions = orders;
    rule.definition_count = 1;
    for (int i = 0; i < 3; i++) {
        Saga__V1__HoldDefinitionRequest hold = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
        Saga__V1__StartBulkRequest bulk = SAGA__V1__START_BULK_REQUEST__INIT;
        hold.definition = bulk.definition = (char *)(uintptr_t)names[i];
        hold.actor = bulk.actor = (char *)(uintptr_t) "anna";
        hold.reason = (char *)(uintptr_t) "a bug";
        bulk.id = (char *)(uintptr_t) "job";
        bulk.act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
        bulk.where = (char *)(uintptr_t) "true";
        ck_assert_int_eq(ask_message(0, METHOD_HOLD_DEFINITION, &hold.base), i == 0 ? 0 : DENIED);
        ck_assert_int_eq(ask_message(0, METHOD_START_BULK, &bulk.base), i == 0 ? 0 : DENIED);
    }
    api_world_close(&w);
}
END_TEST

START_TEST(permit__whoever_may_nothing_sees_no_descriptors)
{
    begin_world(1, RIGHT_PAYLOADS, 0);
    struct world_call call = {.loop = &w.loop[0], .peer = w.peer};
    ck_assert(!api_may_reflect(w.loop[0].api, (struct rpc_call *)&call));
    rule.methods = UINT64_C(1) << METHOD_WAIT;
    ck_assert(api_may_reflect(w.loop[0].api, (struct rpc_call *)&call));
    api_world_close(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("permit");
    TCase *tc = tcase_create("permit");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, permit__every_method_by_every_role, 1, 3);
    tcase_add_test(tc, permit__the_sidecar_itself_is_asked_nothing);
    tcase_add_test(tc, permit__a_refusal_says_who_is_refused);
    tcase_add_test(tc, permit__a_refusal_says_what_to_ask_for);
    tcase_add_test(tc, permit__a_start_that_is_refused_for_its_tags_is_told);
    tcase_add_test(tc, permit__refusals_are_told_once_a_second);
    tcase_add_test(tc, permit__a_rule_for_a_group_is_for_its_members);
    tcase_add_loop_test(tc, permit__a_pipe_is_no_way_around, 1, 3);
    tcase_add_loop_test(tc, permit__a_rule_about_definitions_is_about_their_sagas, 1, 3);
    tcase_add_test(tc, permit__what_is_said_of_a_limited_rule_is_so);
    tcase_add_test(tc, permit__explain_tells_how_far_a_rule_goes);
    tcase_add_test(tc, permit__explain_knows_who_asks);
    tcase_add_test(tc, permit__explain_tells_of_others_to_few);
    tcase_add_loop_test(tc, permit__a_rule_about_tags_is_about_their_sagas, 1, 3);
    tcase_add_loop_test(tc, permit__a_service_sees_its_own_sagas_alone, 1, 3);
    tcase_add_loop_test(tc, permit__a_request_id_is_its_identitys_own, 1, 3);
    tcase_add_test(tc, permit__definitions_are_listed_to_whom_they_concern);
    tcase_add_test(tc, permit__an_act_on_a_definition_is_for_whom_it_concerns);
    tcase_add_test(tc, permit__whoever_may_nothing_sees_no_descriptors);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
