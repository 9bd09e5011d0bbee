/* The trail of who did what: every act with who it was, from where, on what and why; nothing that did not happen, and nothing twice; pages that end
 * where they should. And what the log says of an act. */
#include "sidecar/api/api_inside.h"
#include "tests/support/api_world.h"

#include "sidecar/observe/log.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;

/* What the log has said of the last act. */
static struct {
    char method[96], actor[64], outcome[64], transport[16], address[64], identity[64], target[64];
    struct saga_id saga;
    int64_t uid;
} act;

static void hear(void *self, const struct log_entry *entry)
{
    (void)self;
    if (strncmp(entry->text, "an act on a ", 12) != 0)
        return;
    const struct {
        const char *name;
        char *to;
        size_t size;
    } texts[] = {{"method", act.method, sizeof act.method},    {"actor", act.actor, sizeof act.actor},
                 {"outcome", act.outcome, sizeof act.outcome}, {"transport", act.transport, sizeof act.transport},
                 {"address", act.address, sizeof act.address}, {"identity", act.identity, sizeof act.identity},
                 {"target", act.target, sizeof act.target}};
    for (size_t i = 0; i < entry->field_count; i++) {
        const struct log_field *f = &entry->fields[i];
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
            if (strcmp(f->name, texts[k].name) == 0)
                snprintf(texts[k].to, texts[k].size, "%.*s", (int)f->text.size, (const char *)f->text.at);
        if (strcmp(f->name, "uid") == 0)
            act.uid = f->number;
        if (strcmp(f->name, "saga") == 0)
            act.saga = f->saga;
    }
}

static bool without_memory; /* nothing can be packed */

struct bytes __real_arena_pack(struct arena *a, const ProtobufCMessage *message);
struct bytes __wrap_arena_pack(struct arena *a, const ProtobufCMessage *message);
struct bytes __wrap_arena_pack(struct arena *a, const ProtobufCMessage *message)
{
    return without_memory ? bytes_of(NULL, 0) : __real_arena_pack(a, message);
}

static void come_over_tls(void)
{
    w.peer =
        (struct rpc_peer){.transport = RPC_TRANSPORT_TLS, .address = "10.0.0.7:4711", .identity = "spiffe://shop/ann"};
}

static void set_up(void)
{
    log_listen(hear, NULL);
    memset(&act, 0, sizeof act);
    api_world_init(&w, 1);
}

static void tear_down(void)
{
    log_listen(NULL, NULL);
    api_world_close(&w);
}

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Nobody is shown a trail that lacks what cannot be read: he is told which row it is. */
START_TEST(audit__a_row_that_is_damaged_is_told)
{
    Saga__V1__ListAuditRequest m = SAGA__V1__LIST_AUDIT_REQUEST__INIT;
    api_world_start(&w);
    api_audit_own(w.loop[0].api, "Own", "first", "", "");
    api_world_settle(&w);
    core_audit(w.loop[0].core, bytes_of("\x0a\x7f", 2));
    api_world_settle(&w);
    struct world_call *call = api_world_ask(&w, 0, METHOD_LIST_AUDIT, &m.base);
    api_world_settle(&w);
    ck_assert_str_eq(call->reason, "JOURNAL_CORRUPT");
    ck_assert_ptr_nonnull(strstr(call->message, "row 2 of the audit trail cannot be read"));
    api_world_free(call);
}
END_TEST

static Saga__V1__ListAuditResponse *trail(int page_size, const Google__Protobuf__Timestamp *before)
{
    Saga__V1__ListAuditRequest m = SAGA__V1__LIST_AUDIT_REQUEST__INIT;
    m.page_size = page_size;
    m.before = (Google__Protobuf__Timestamp *)(uintptr_t)before;
    return api_world_get(&w, 0, METHOD_LIST_AUDIT, &m.base);
}

static void drop(Saga__V1__ListAuditResponse *list)
{
    saga__v1__list_audit_response__free_unpacked(list, NULL);
}

static void ask(enum method_id method, const ProtobufCMessage *m)
{
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, method, m), NULL);
}

/* The newest entry is this one, and there are so many. */
static void expect(size_t count, const char *method, const char *saga, const char *subject, const char *step,
                   const char *actor, const char *reason)
{
    Saga__V1__ListAuditResponse *list = trail(0, NULL);
    ck_assert_uint_eq(list->n_entries, count);
    const Saga__V1__AuditEntry *e = list->entries[0];
    ck_assert_str_eq(e->method, method);
    ck_assert_str_eq(e->saga_id, saga);
    ck_assert_str_eq(e->subject, subject);
    ck_assert_str_eq(e->step, step);
    ck_assert_str_eq(e->actor, actor);
    ck_assert_str_eq(e->reason, reason);
    ck_assert_str_eq(e->identity, w.peer.identity);
    ck_assert_str_eq(e->address, w.peer.address);
    drop(list);
}

/* A request of an operator's act on a saga: the fields that all have, set by their names. */
static void act_on(enum method_id method, ProtobufCMessage *m, const char *saga, const char *actor, const char *reason)
{
    const struct {
        const char *name, *value;
    } fields[] = {{"saga_id", saga}, {"actor", actor}, {"reason", reason}};
    for (size_t i = 0; i < 3; i++) {
        const ProtobufCFieldDescriptor *f =
            protobuf_c_message_descriptor_get_field_by_name(m->descriptor, fields[i].name);
        if (f != NULL && fields[i].value != NULL)
            *(char **)(void *)((char *)m + f->offset) = text_of(fields[i].value);
    }
    ask(method, m);
}

START_TEST(audit__an_act_has_all_that_is_known_of_it)
{
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    come_over_tls();
    api_world_begin(&w, 0, "x", "", id);
    Saga__V1__PauseRequest pause = SAGA__V1__PAUSE_REQUEST__INIT;
    Saga__V1__ResumeRequest resume = SAGA__V1__RESUME_REQUEST__INIT;
    Saga__V1__CancelRequest cancel = SAGA__V1__CANCEL_REQUEST__INIT;
    act_on(METHOD_PAUSE, &pause.base, id, "anna", "lunch");
    expect(1, "Pause", id, "", "", "anna", "lunch");
    act_on(METHOD_RESUME, &resume.base, id, "bert", NULL);
    expect(2, "Resume", id, "", "", "bert", "");
    act_on(METHOD_CANCEL, &cancel.base, id, "carl", "closed");
    ck_assert_str_eq(act.target, "");
    ck_assert_uint_ne(act.saga.serial, 0);
    memset(&act, 0, sizeof act);
    expect(3, "Cancel", id, "", "", "carl", "closed");

    Saga__V1__SetBreakerRequest breaker = SAGA__V1__SET_BREAKER_REQUEST__INIT;
    breaker.target = text_of("t");
    breaker.act = SAGA__V1__BREAKER_ACT__BREAKER_ACT_HOLD;
    act_on(METHOD_SET_BREAKER, &breaker.base, NULL, "anna", "it burns");
    expect(4, "SetBreaker", "", "t", "", "anna", "it burns");
    ck_assert_str_eq(act.target, "t");
    ck_assert_uint_eq(act.saga.serial, 0);
    Saga__V1__HoldDefinitionRequest hold = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    hold.definition = text_of("order");
    act_on(METHOD_HOLD_DEFINITION, &hold.base, NULL, "bert", "a bug");
    expect(5, "HoldDefinition", "", "order", "", "bert", "a bug");
    Saga__V1__ForgetAnswerRequest forget = SAGA__V1__FORGET_ANSWER_REQUEST__INIT;
    forget.name = text_of("order/price");
    forget.key = text_of("secret");
    act_on(METHOD_FORGET_ANSWER, &forget.base, NULL, "carl", "asked to");
    expect(6, "ForgetAnswer", "", "order/price", "", "carl", "asked to");
    Saga__V1__ReloadRequest reload = SAGA__V1__RELOAD_REQUEST__INIT;
    act_on(METHOD_RELOAD, &reload.base, NULL, "dora", NULL);
    expect(7, "Reload", "", "", "", "dora", "");
    api_world_register(&w, "name: order\nversion: 1.0.0\nsteps:\n- name: a\n  target: t\n  action: {method: /s.S/A}\n");
    expect(8, "RegisterDefinition", "", "order 1.0.0", "", "", "");
}
END_TEST

/* However long its name and version are. */
START_TEST(audit__a_definition_is_named_whole)
{
    char name[NAME_BYTES_MAX + 1], version[VERSION_BYTES_MAX + 1], yaml[512], subject[256];
    memset(name, 'n', NAME_BYTES_MAX);
    name[NAME_BYTES_MAX] = '\0';
    memset(version, '1', VERSION_BYTES_MAX);
    memcpy(version, "1.0.0-", 6);
    version[VERSION_BYTES_MAX] = '\0';
    snprintf(yaml, sizeof yaml, "name: %s\nversion: %s\nsteps:\n- {name: a, target: t, action: /s.S/A}\n", name,
             version);
    snprintf(subject, sizeof subject, "%s %s", name, version);
    api_world_start(&w);
    come_over_tls();
    api_world_register(&w, yaml);
    expect(1, "RegisterDefinition", "", subject, "", "", "");
}
END_TEST

/* What one commit keeps is one row of the trail: each act in it has its time. */
START_TEST(audit__acts_of_one_moment_are_told_one_by_one)
{
    char ids[3][SAGA_ID_TEXT_SIZE];
    struct world_call *calls[3];
    api_world_start(&w);
    for (int i = 0; i < 3; i++)
        api_world_begin(&w, 0, "x", "", ids[i]);
    for (int i = 0; i < 3; i++) {
        Saga__V1__PauseRequest pause = SAGA__V1__PAUSE_REQUEST__INIT;
        pause.saga_id = ids[i];
        pause.actor = text_of("anna");
        pause.reason = text_of("lunch");
        calls[i] = api_world_ask(&w, 0, METHOD_PAUSE, &pause.base);
    }
    api_world_settle(&w);
    for (int i = 0; i < 3; i++)
        api_world_free(calls[i]);
    ck_assert_uint_eq(core_audit_last(w.loop[0].core), 1);
    Saga__V1__ListAuditResponse *list = trail(0, NULL);
    ck_assert_uint_eq(list->n_entries, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(list->entries[i]->saga_id, ids[2 - i]);
        ck_assert_int_eq(list->entries[i]->time->seconds, w.now.us / 1000000);
    }
    drop(list);
}
END_TEST

START_TEST(audit__what_did_not_happen_is_not_in_it_and_nothing_is_twice)
{
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    come_over_tls();
    api_world_begin(&w, 0, "x", "", id);
    Saga__V1__PauseRequest pause = SAGA__V1__PAUSE_REQUEST__INIT;
    act_on(METHOD_PAUSE, &pause.base, id, "anna", "lunch");
    pause.actor = text_of("bert");
    pause.saga_id = text_of("000000abc000-4d2");
    api_world_refused(&w, 0, METHOD_PAUSE, &pause.base, "SAGA_NOT_FOUND", "");
    act_on(METHOD_PAUSE, &pause.base, id, "bert", "again");
    expect(1, "Pause", id, "", "", "anna", "lunch");

    Saga__V1__StartBulkRequest bulk = SAGA__V1__START_BULK_REQUEST__INIT;
    bulk.id = text_of("job");
    bulk.act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
    bulk.where = text_of("true");
    act_on(METHOD_START_BULK, &bulk.base, NULL, "anna", "it is back");
    expect(2, "StartBulk", "", "job", "", "anna", "it is back");
    act_on(METHOD_START_BULK, &bulk.base, NULL, "bert", "it is back");
    expect(2, "StartBulk", "", "job", "", "anna", "it is back");
    Saga__V1__ChangeBulkRequest change = SAGA__V1__CHANGE_BULK_REQUEST__INIT;
    change.id = text_of("job");
    change.state = SAGA__V1__BULK_STATE__BULK_STATE_PAUSED;
    act_on(METHOD_CHANGE_BULK, &change.base, NULL, "bert", NULL);
    expect(3, "ChangeBulk", "", "job", "", "bert", "");
    for (int again = 0; again < 2; again++) {
        api_world_add_schema(&w);
        api_world_register(&w, "name: x\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
        expect(5, "RegisterDefinition", "", "x 1.0.0", "", "", "");
    }
}
END_TEST

/* What a job does it does in the name of who began it. */
START_TEST(audit__an_act_of_a_job_tells_whose_it_is)
{
    static const char *const names[] = {"", "Retry", "Skip", "Resolve"};
    api_world_start(&w);
    Saga__V1__BulkJob job = SAGA__V1__BULK_JOB__INIT;
    job.id = text_of("job");
    job.actor = text_of("anna");
    job.identity = text_of("spiffe://shop/ann");
    for (unsigned which = 1; which <= 3; which++) {
        struct event event = {.saga = {.tag = 0xabc, .serial = 7},
                              .step = bytes_of_text("pay"),
                              .actor = bytes_of_text("anna"),
                              .reason = bytes_of_text("bulk job: it is back")};
        job.act = (Saga__V1__BulkAct)which;
        ck_assert_int_eq(api_audit_bulk(w.loop[0].api, &job, &event), 0);
        Saga__V1__ListAuditResponse *list =
            saga__v1__list_audit_response__unpack(NULL, event.audit.size, event.audit.at);
        ck_assert_uint_eq(list->n_entries, 1);
        ck_assert_str_eq(list->entries[0]->method, names[which]);
        ck_assert_str_eq(list->entries[0]->saga_id, "000000000abc-7");
        ck_assert_str_eq(list->entries[0]->subject, "job");
        ck_assert_str_eq(list->entries[0]->step, "pay");
        ck_assert_str_eq(list->entries[0]->actor, "anna");
        ck_assert_str_eq(list->entries[0]->reason, "bulk job: it is back");
        ck_assert_str_eq(list->entries[0]->identity, "spiffe://shop/ann");
        ck_assert_str_eq(list->entries[0]->address, "");
        drop(list);
    }
}
END_TEST

START_TEST(audit__what_the_sidecar_does_itself_is_nobodys)
{
    api_world_start(&w);
    come_over_tls();
    struct rpc_peer nobody = {.transport = RPC_TRANSPORT_NONE};
    struct rpc_peer who = w.peer;
    static const char *const reasons[] = {"a file of definitions_dir", "a file of schemas_dir"};
    for (int schema = 0; schema < 2; schema++) {
        api_audit_file(w.loop[0].api, schema == 1, "order", "1.2.0");
        api_world_turn(&w, 0);
        Saga__V1__ListAuditResponse *list = trail(0, NULL);
        ck_assert_str_eq(list->entries[0]->method, schema == 1 ? "RegisterSchema" : "RegisterDefinition");
        ck_assert_str_eq(list->entries[0]->subject, "order 1.2.0");
        ck_assert_str_eq(list->entries[0]->reason, reasons[schema]);
        ck_assert_str_eq(list->entries[0]->identity, "");
        drop(list);
    }
    w.peer = nobody;
    api_audit_own(w.loop[0].api, "Remediation", "halts", "rule halts", "too many");
    api_world_turn(&w, 0);
    w.peer = (struct rpc_peer){.transport = RPC_TRANSPORT_UNIX};
    expect(3, "Remediation", "", "halts", "", "rule halts", "too many");
    w.peer = who;
}
END_TEST

/* What cannot be written into it is refused where that can be; where it is done by then, the sidecar ends before anybody is told that it was. */
START_TEST(audit__without_memory_nothing_is_done_unsaid)
{
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__PauseRequest pause = SAGA__V1__PAUSE_REQUEST__INIT;
    Saga__V1__HoldDefinitionRequest hold = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    api_world_start(&w);
    api_world_begin(&w, 0, "x", "", id);
    pause.saga_id = id;
    pause.actor = hold.actor = text_of("anna");
    pause.reason = hold.reason = text_of("why");
    hold.definition = text_of("order");
    without_memory = true;
    api_world_refused(&w, 0, METHOD_PAUSE, &pause.base, "OUT_OF_MEMORY", "");
    ck_assert_int_eq(w.loop[0].failure.code, 0);
    struct world_call *call = api_world_ask(&w, 0, METHOD_HOLD_DEFINITION, &hold.base);
    ck_assert_int_eq(w.loop[0].failure.code, E_MEMORY);
    without_memory = false;
    w.loop[0].failure.code = 0;
    api_world_settle(&w);
    api_world_free(call);
}
END_TEST

/* A store whose every answer comes when it is asked for again, in the same words, and which gives two rows at once. */
static int (*real_scan)(struct store *s, uint64_t from, uint32_t rows_max,
                        int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *why);
static uint64_t asked_from;
static uint32_t asked_rows; /* 0: nothing was asked for */

static int scan_far(struct store *s, uint64_t from, uint32_t rows_max,
                    int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *why)
{
    bool again = from == asked_from && rows_max == asked_rows;
    asked_from = from;
    asked_rows = again ? 0 : rows_max;
    int code = again ? real_scan(s, from, rows_max < 2 ? rows_max : 2, take, self, why) : STORE_PENDING;
    return code == 0 && rows_max > 2 ? STORE_PENDING : code;
}

/* What was done at the very time is not before it; what was done a microsecond ago is. Those up to `gone` are there no more. */
static void pages_end_before(int64_t first, int acts, int gone)
{
    for (int i = 0; i < acts; i++)
        for (int later = 0; later < 2; later++) {
            int64_t at = first + INT64_C(1000000) * i + 500000 + later;
            Google__Protobuf__Timestamp before = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
            before.seconds = at / 1000000;
            before.nanos = (int32_t)(at % 1000000) * 1000;
            Saga__V1__ListAuditResponse *list = trail(3, &before);
            int there = i + later > gone ? i + later - gone : 0, count = there < 3 ? there : 3;
            ck_assert_uint_eq(list->n_entries, count);
            for (int k = 0; k < count; k++)
                ck_assert_int_eq(list->entries[k]->actor[1], '0' + i + later - 1 - k);
            drop(list);
        }
}

/* One act of each second. */
START_TEST(audit__a_page_ends_where_it_should)
{
    enum { ACTS = 7 };
    struct error_detail detail;
    char id[SAGA_ID_TEXT_SIZE], actor[16];
    api_world_start(&w);
    Saga__V1__HoldDefinitionRequest hold = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    api_world_begin(&w, 0, "x", "", id);
    int64_t first = w.now.us + 1000000;
    for (int i = 0; i < ACTS; i++) {
        w.now.us = first + INT64_C(1000000) * i + 500000;
        snprintf(actor, sizeof actor, "a%d", i);
        hold.definition = text_of("order");
        hold.release = i % 2 == 1;
        act_on(METHOD_HOLD_DEFINITION, &hold.base, NULL, actor, "why");
    }
    w.now.us = first + INT64_C(1000000) * ACTS;
    for (int size = 1; size <= ACTS + 1; size++) {
        Saga__V1__ListAuditResponse *list = trail(size, NULL);
        ck_assert_uint_eq(list->n_entries, size < ACTS ? size : ACTS);
        for (size_t i = 0; i < list->n_entries; i++)
            ck_assert_int_eq(list->entries[i]->actor[1], '0' + ACTS - 1 - (int)i);
        drop(list);
    }
    pages_end_before(first, ACTS, 0);
    real_scan = w.loop[0].store->scan_audit;
    w.loop[0].store->scan_audit = scan_far;
    pages_end_before(first, ACTS, 0);
    /* What retention has dropped is not made up for by what came later. */
    bool more;
    ck_assert_int_eq(
        w.loop[0].store->drop_audit(w.loop[0].store, (struct instant){.us = first + 3000000}, 100, &more, &detail), 0);
    pages_end_before(first, ACTS, 3);
}
END_TEST

START_TEST(audit__loops_write_an_act_once)
{
    w.loops = 2;
    api_world_start(&w);
    api_world_register(&w, "name: order\nversion: 1.0.0\nsteps:\n- name: a\n  target: t\n  action: {method: /s.S/A}\n");
    Saga__V1__ListAuditResponse *list = trail(0, NULL);
    ck_assert_uint_eq(list->n_entries, 1);
    drop(list);
}
END_TEST

/* Of frames and of rows: from which on they are chained, how many there are, and where each chain stands. */
START_TEST(audit__what_is_verified_is_told_by_its_numbers)
{
    static const char key[] = "k 5555555555555555555555555555555555555555555555555555555555555555\n";
    struct error_detail detail;
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__HoldDefinitionRequest hold = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    Saga__V1__VerifyRequest m = SAGA__V1__VERIFY_REQUEST__INIT;
    ck_assert_int_eq(seal_read_keys(bytes_of_text(key), "", &w.chain, &detail), 0);
    api_world_start(&w);
    for (int i = 0; i < 3; i++)
        api_world_begin(&w, 0, "x", "", id);
    hold.definition = text_of("order");
    for (int i = 0; i < 2; i++) {
        hold.release = i == 1;
        act_on(METHOD_HOLD_DEFINITION, &hold.base, NULL, "ann", "why");
    }
    Saga__V1__VerifyResponse *r = api_world_get(&w, 0, METHOD_VERIFY, &m.base);
    ck_assert_uint_eq(r->n_journals, 1);
    const Saga__V1__JournalVerified *j = r->journals[0];
    ck_assert_str_eq(j->finding, "");
    ck_assert(j->first_frame == 1 && j->last_frame == 3 && j->frames_chained == 3);
    ck_assert(j->first_row == 1 && j->last_row == 2 && j->rows_chained == 2);
    ck_assert(strncmp(j->head, "3:", 2) == 0 && strncmp(j->audit_head, "2:", 2) == 0);
    saga__v1__verify_response__free_unpacked(r, NULL);
}
END_TEST

/* In pieces, when it takes longer than a request may hold the loop. */
START_TEST(audit__a_long_journal_is_verified_to_its_end)
{
    static const char key[] = "k 5555555555555555555555555555555555555555555555555555555555555555\n";
    enum { FRAMES = 1100 };
    struct error_detail detail;
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__VerifyRequest m = SAGA__V1__VERIFY_REQUEST__INIT;
    ck_assert_int_eq(seal_read_keys(bytes_of_text(key), "", &w.chain, &detail), 0);
    api_world_start(&w);
    for (int i = 0; i < FRAMES; i++)
        api_world_begin(&w, 0, "x", "", id);
    w.tick = (struct span){.us = 300}; /* of half a millisecond */
    Saga__V1__VerifyResponse *r = api_world_get(&w, 0, METHOD_VERIFY, &m.base);
    const Saga__V1__JournalVerified *j = r->journals[0];
    ck_assert_str_eq(j->finding, "");
    ck_assert(j->first_frame == 1 && j->last_frame == FRAMES && j->frames_chained == FRAMES);
    saga__v1__verify_response__free_unpacked(r, NULL);
}
END_TEST

static void verified(unsigned loop, const char *head, size_t count, const char *found_at_0, const char *found_at_1)
{
    static char *heads[65];
    Saga__V1__VerifyRequest m = SAGA__V1__VERIFY_REQUEST__INIT;
    for (size_t i = 0; i < count; i++)
        heads[i] = text_of(head);
    m.heads = heads;
    m.n_heads = count;
    Saga__V1__VerifyResponse *r = api_world_get(&w, loop, METHOD_VERIFY, &m.base);
    ck_assert_uint_eq(r->n_journals, 2);
    for (size_t i = 0; i < 2; i++) {
        const char *found = r->journals[i]->loop == 0 ? found_at_0 : found_at_1;
        const char *said = r->journals[i]->finding;
        ck_assert_msg(found[0] == '\0' ? said[0] == '\0' : strstr(said, found) != NULL, "loop %d: %s",
                      (int)r->journals[i]->loop, said);
    }
    saga__v1__verify_response__free_unpacked(r, NULL);
}

/* A head that was written down is of one loop alone; there may be as many as there may be. */
START_TEST(audit__a_head_is_of_its_loop)
{
    static char *heads[65];
    Saga__V1__VerifyRequest many = SAGA__V1__VERIFY_REQUEST__INIT;
    w.loops = 2;
    api_world_start(&w);
    for (unsigned loop = 0; loop < 2; loop++) {
        verified(loop, "", 0, "", "");
        verified(loop, "0/5:0123456789abcdef0123456789abcdef", 1, "head", "");
        verified(loop, "1/5:0123456789abcdef0123456789abcdef", 64, "", "head");
    }
    for (size_t i = 0; i < 65; i++)
        heads[i] = text_of("0/5:0123456789abcdef0123456789abcdef");
    many.heads = heads;
    many.n_heads = 65;
    api_world_refused(&w, 0, METHOD_VERIFY, &many.base, "INVALID_ARGUMENT", "heads");
    many.n_heads = 1;
    heads[0] = text_of("2/5:0123456789abcdef0123456789abcdef");
    api_world_refused(&w, 0, METHOD_VERIFY, &many.base, "INVALID_ARGUMENT", "heads");
}
END_TEST

START_TEST(audit__the_log_tells_of_an_act_and_what_came_of_it)
{
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    api_world_begin(&w, 0, "x", "", id);
    w.peer.gid = 77;
    Saga__V1__PauseRequest pause = SAGA__V1__PAUSE_REQUEST__INIT;
    act_on(METHOD_PAUSE, &pause.base, id, "anna", "lunch");
    ck_assert_str_eq(act.method, "/saga.v1.Operator/Pause");
    ck_assert_str_eq(act.actor, "anna");
    ck_assert_str_eq(act.outcome, "OK");
    ck_assert_str_eq(act.transport, "unix");
    ck_assert_int_eq(act.uid, 1234);

    come_over_tls();
    pause.saga_id = text_of("000000abc000-4d2");
    pause.actor = text_of("bert");
    api_world_refused(&w, 0, METHOD_PAUSE, &pause.base, "SAGA_NOT_FOUND", "");
    ck_assert_str_eq(act.actor, "bert");
    ck_assert_str_eq(act.outcome, "SAGA_NOT_FOUND");
    ck_assert_str_eq(act.transport, "tls");
    ck_assert_str_eq(act.address, "10.0.0.7:4711");
    ck_assert_str_eq(act.identity, "spiffe://shop/ann");
    ck_assert_int_eq(act.uid, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *tc = tcase_create("audit");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, audit__a_row_that_is_damaged_is_told);
    tcase_add_test(tc, audit__an_act_has_all_that_is_known_of_it);
    tcase_add_test(tc, audit__a_definition_is_named_whole);
    tcase_add_test(tc, audit__acts_of_one_moment_are_told_one_by_one);
    tcase_add_test(tc, audit__what_did_not_happen_is_not_in_it_and_nothing_is_twice);
    tcase_add_test(tc, audit__an_act_of_a_job_tells_whose_it_is);
    tcase_add_test(tc, audit__what_the_sidecar_does_itself_is_nobodys);
    tcase_add_test(tc, audit__without_memory_nothing_is_done_unsaid);
    tcase_add_test(tc, audit__a_page_ends_where_it_should);
    tcase_add_test(tc, audit__loops_write_an_act_once);
    tcase_add_test(tc, audit__what_is_verified_is_told_by_its_numbers);
    tcase_add_test(tc, audit__a_long_journal_is_verified_to_its_end);
    tcase_add_test(tc, audit__a_head_is_of_its_loop);
    tcase_add_test(tc, audit__the_log_tells_of_an_act_and_what_came_of_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
