/* A request to every journal of the fleet, most of them elsewhere: who is asked what and when, and what is made of what they say. The test answers in
 * place of the others. */
#include "sidecar/relay/relay_inside.h"

#include "sidecar/base/account.h"
#include "sidecar/journal/store.h"
#include "sidecar/rpc/status_details.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOURNALS_MAX = 64, AT_ONCE = 32 /* as in fleetwide.c */ };

/* What another sidecar was asked. */
struct far {
    char address[32];
    uint8_t question[2048];
    size_t size;
    enum method_id method;
    struct span timeout;
    const struct rpc_asker *asker;
    void *tag;
    bool over, cancelled;
    unsigned took; /* messages that have left here */
};

static struct api_world w;
static struct relay_journal all[JOURNALS_MAX];
static const struct relay_journal *instead; /* of those; NULL: they are */
static unsigned count;
static struct far fars[4 * JOURNALS_MAX];
static unsigned far_count;
static bool is_forwarded;
static int known; /* with which code the list of journals is told */
static char wished[32];

/* ---- tests.mk wraps these ---- */

struct rpc_forward *__wrap_rpc_forward(struct rpc *r, const struct rpc_forward_to *to, const struct rpc_method *method,
                                       struct bytes message, const struct rpc_asker *asker, void *tag);
void __wrap_rpc_forward_cancel(struct rpc_forward *f);
bool __wrap_rpc_call_is_forwarded(const struct rpc_call *call);

struct rpc_forward *__wrap_rpc_forward(struct rpc *r, const struct rpc_forward_to *to, const struct rpc_method *method,
                                       struct bytes message, const struct rpc_asker *asker, void *tag)
{
    (void)r;
    struct far *f = &fars[far_count];
    ck_assert_ptr_eq(to->credentials, &transport_plaintext);
    ck_assert_uint_eq(to->peer->role, 7);
    if (strcmp(to->address, "nonsense") == 0)
        return NULL;
    ck_assert_uint_le(message.size, sizeof f->question);
    *f = (struct far){
        .size = message.size, .method = (enum method_id)method->id, .timeout = to->timeout, .asker = asker, .tag = tag};
    snprintf(f->address, sizeof f->address, "%s", to->address);
    memcpy(f->question, message.at, message.size);
    far_count++;
    return (struct rpc_forward *)(void *)f;
}

void __wrap_rpc_forward_cancel(struct rpc_forward *f)
{
    ((struct far *)(void *)f)->cancelled = true;
}

void __wrap_rpc_forward_took(struct rpc_forward *f);
void __wrap_rpc_forward_took(struct rpc_forward *f)
{
    ((struct far *)(void *)f)->took++;
}

bool __wrap_rpc_call_is_forwarded(const struct rpc_call *call)
{
    (void)call;
    return is_forwarded;
}

/* ---- a fleet ---- */

static int journals(void *self, const struct relay_journal **out, unsigned *n, struct error_detail *detail)
{
    (void)self;
    *out = instead != NULL ? instead : all;
    *n = count;
    return known == 0 || known == STORE_PENDING ? known : error_set(detail, known, "", "");
}

static const struct transport_credentials *credentials(void *self)
{
    (void)self;
    return &transport_plaintext;
}

static struct instant now(void *self)
{
    (void)self;
    return w.now;
}

static void wish(void *self, const char *journal)
{
    (void)self;
    snprintf(wished, sizeof wished, "%s", journal);
}

/* One more journal: j0, j1, ... with the ids 10, 11, ..., at a sidecar of the same number. */
static struct relay_journal *add_far(void)
{
    static char names[JOURNALS_MAX][8], addresses[JOURNALS_MAX][8];
    struct relay_journal *j = &all[count];
    snprintf(names[count], sizeof names[0], "j%u", count);
    snprintf(addresses[count], sizeof addresses[0], "at%u", count);
    *j = (struct relay_journal){.id = 10 + count,
                                .name = names[count],
                                .carrier = names[count],
                                .address = addresses[count],
                                .live = count,
                                .held = true,
                                .place = -1};
    count++;
    return j;
}

static void setup(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    struct relay_options *options = &w.loop[0].relay->options;
    options->journals = journals;
    options->credentials = credentials;
    options->now = now;
    options->wish = wish;
    w.peer.role = 7;
}

static void teardown(void)
{
    api_world_close(&w);
    ck_assert_uint_eq(atomic_load(&account.lives), 0);
}

static struct world_call *list(const char *token, int32_t size)
{
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    m.fleet = true;
    m.page_token = (char *)(uintptr_t)token;
    m.page_size = size;
    return api_world_ask(&w, 0, METHOD_LIST, &m.base);
}

static struct world_call *start_bulk(double per_second)
{
    Saga__V1__StartBulkRequest m = SAGA__V1__START_BULK_REQUEST__INIT;
    m.id = (char *)(uintptr_t) "job";
    m.act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
    m.where = (char *)(uintptr_t) "true";
    m.actor = (char *)(uintptr_t) "me";
    m.per_second = per_second;
    m.fleet = true;
    return api_world_ask(&w, 0, METHOD_START_BULK, &m.base);
}

/* The n-th that was asked elsewhere ends so. */
static void ends(unsigned n, int status, struct bytes body)
{
    ck_assert(n < far_count && !fars[n].over);
    fars[n].over = true;
    fars[n].asker->on_end(NULL, fars[n].tag,
                          &(struct rpc_told){.status = status, .message = "as it says", .body = body});
}

static void answers(unsigned n, const ProtobufCMessage *m)
{
    static uint8_t packed[1 << 16];
    ck_assert_uint_le(protobuf_c_message_get_packed_size(m), sizeof packed);
    ends(n, 0, bytes_of(packed, protobuf_c_message_pack(m, packed)));
}

static void answers_nothing(unsigned n)
{
    ends(n, 0, bytes_of(NULL, 0));
}

static void *question(unsigned n, const ProtobufCMessageDescriptor *type)
{
    ck_assert_uint_lt(n, far_count);
    void *m = protobuf_c_message_unpack(type, NULL, fars[n].size, fars[n].question);
    ck_assert_ptr_nonnull(m);
    return m;
}

static Saga__V1__ListResponse *listed(struct world_call *call)
{
    ck_assert_msg(call->ended && call->status == 0, "%d %s", call->status, call->reason);
    Saga__V1__ListResponse *r = saga__v1__list_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_ptr_nonnull(r);
    api_world_free(call);
    return r;
}

static void ck_absent(const Saga__V1__Absent *a, const char *journal, int status, const char *why)
{
    ck_assert_str_eq(a->journal, journal);
    ck_assert_int_eq(a->status, status);
    ck_assert_msg(strstr(a->why, why) != NULL, "%s", a->why);
}

/* ---- who is asked ---- */

START_TEST(fleetwide_far__each_is_asked_by_its_name_where_it_is)
{
    add_far();
    add_far();
    struct world_call *call = list("10=1f,11=", 500);
    ck_assert_uint_eq(far_count, 2);
    for (unsigned n = 0; n < 2; n++) {
        Saga__V1__ListRequest *m = question(n, &saga__v1__list_request__descriptor);
        ck_assert(!m->fleet);
        ck_assert_str_eq(m->journal, all[n].name);
        ck_assert_str_eq(fars[n].address, all[n].address);
        ck_assert_str_eq(m->page_token, n == 0 ? "1f" : "");
        ck_assert_int_eq(m->page_size, 2 * 500 / 3 + 1); /* of two journals twice their part */
        ck_assert_int_eq(fars[n].timeout.us, SPAN_S(10).us);
        saga__v1__list_request__free_unpacked(m, NULL);
    }
    answers_nothing(1);
    ck_assert(!call->ended);
    answers_nothing(0);
    Saga__V1__ListResponse *r = listed(call);
    ck_assert_uint_eq(r->n_absent, 0);
    ck_assert_str_eq(r->next_page_token, "");
    saga__v1__list_response__free_unpacked(r, NULL);
    /* One that is not in the token has no more. */
    static const char *const tokens[] = {"10=2a", "11=2a"};
    for (unsigned n = 0; n < 2; n++) {
        call = list(tokens[n], 3);
        ck_assert_uint_eq(far_count, 3 + n);
        Saga__V1__ListRequest *m = question(2 + n, &saga__v1__list_request__descriptor);
        ck_assert_str_eq(m->journal, all[n].name);
        ck_assert_str_eq(m->page_token, "2a");
        ck_assert_int_eq(m->page_size, 3); /* of a small page all may be in one */
        saga__v1__list_request__free_unpacked(m, NULL);
        answers_nothing(2 + n);
        saga__v1__list_response__free_unpacked(listed(call), NULL);
    }
}
END_TEST

/* However much was asked for: when nobody has more there is no next page. */
START_TEST(fleetwide_far__the_last_page_has_no_token)
{
    char where[1024];
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    add_far();
    memset(where, 'x', sizeof where - 1);
    where[sizeof where - 1] = '\0';
    m.fleet = true;
    m.page_size = 1;
    m.where = where;
    for (unsigned n = 0; n < 2; n++) {
        struct world_call *call = api_world_ask(&w, 0, METHOD_LIST, &m.base);
        answers_nothing(n);
        Saga__V1__ListResponse *r = listed(call);
        ck_assert_str_eq(r->next_page_token, "");
        saga__v1__list_response__free_unpacked(r, NULL);
    }
}
END_TEST

START_TEST(fleetwide_far__tokens_that_no_page_gave_are_refused)
{
    static const char *const bad[] = {"x",
                                      "1",
                                      "=1",
                                      "1=g",
                                      "1=1,",
                                      "1=1,,2=2",
                                      "12345678901234567890=1",
                                      "1=1 ",
                                      "1=1F",
                                      "1=12345678901234567",
                                      ",1=1",
                                      "-1=1",
                                      "1=1 2=2"};
    static const char *const good[] = {"1234567890123456789=1", "1=1234567890abcdef", "1=,2=", "10=2a,10=3"};
    add_far();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct world_call *call = list(bad[i], 0);
        ck_assert_msg(call->ended && strcmp(call->reason, "INVALID_ARGUMENT") == 0, "%s", bad[i]);
        ck_assert_str_eq(call->field, "page_token");
        api_world_free(call);
    }
    ck_assert_uint_eq(far_count, 0);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) { /* as long as one may be; of journals that are gone */
        struct world_call *call = list(good[i], 0);
        bool known_here = strstr(good[i], "10=") != NULL;
        ck_assert_uint_eq(far_count, known_here);
        if (known_here) {
            Saga__V1__ListRequest *m = question(0, &saga__v1__list_request__descriptor);
            ck_assert_str_eq(m->page_token, "2a"); /* of two the first */
            saga__v1__list_request__free_unpacked(m, NULL);
            answers_nothing(0);
        }
        saga__v1__list_response__free_unpacked(listed(call), NULL);
    }
}
END_TEST

/* Which journals there are is asked of the database, and may be long in coming. */
START_TEST(fleetwide_far__who_is_there_is_waited_for)
{
    add_far();
    known = STORE_PENDING;
    struct world_call *call = list("", 10);
    relay_turn(w.loop[0].relay);
    ck_assert(!call->ended);
    known = 0;
    for (int turn = 0; turn < 2; turn++) { /* from then on nobody is asked again */
        relay_turn(w.loop[0].relay);
        ck_assert_uint_eq(far_count, 1);
    }
    answers_nothing(0);
    saga__v1__list_response__free_unpacked(listed(call), NULL);
    known = E_JOURNAL_AWAY;
    call = list("", 10);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "JOURNAL_AWAY");
    api_world_free(call);
    known = 0;
}
END_TEST

/* What cannot be meant is refused before anybody is asked. */
START_TEST(fleetwide_far__what_cannot_be_meant_is_refused)
{
    char name[RELAY_JOURNAL_SIZE + 1];
    add_far();
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    m.fleet = true;
    m.journal = (char *)(uintptr_t) "j0";
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "journal");
    Saga__V1__WatchRequest watch = SAGA__V1__WATCH_REQUEST__INIT;
    watch.journal = (char *)(uintptr_t) "j0";
    watch.saga_id = (char *)(uintptr_t) "000000000abc-7"; /* which tells where it is */
    api_world_refused(&w, 0, METHOD_WATCH, &watch.base, "INVALID_ARGUMENT", "journal");
    m.journal = (char *)(uintptr_t) "";
    m.page_size = -1;
    for (int i = 0; i < 5; i++) /* nor does it keep a place of those that are asked */
        api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "page_size");
    m.page_size = 0;
    m.fleet = false;
    m.journal = name;
    memset(name, 'j', sizeof name);
    for (size_t size = RELAY_JOURNAL_SIZE - 1; size <= RELAY_JOURNAL_SIZE; size++) {
        name[size] = '\0';
        struct world_call *call = api_world_ask(&w, 0, METHOD_LIST, &m.base);
        ck_assert_str_eq(call->field, "journal");
        ck_assert_ptr_nonnull(
            strstr(call->message, size < RELAY_JOURNAL_SIZE ? "no journal of this name" : "at most 128 bytes"));
        api_world_free(call);
        name[size] = 'j';
    }
    ck_assert_uint_eq(far_count, 0);
    w.loop[0].relay->options.journals = NULL; /* there is no fleet */
    m.journal = (char *)(uintptr_t) "j0";
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "NO_FLEET", "");
    m.fleet = true;
    m.journal = (char *)(uintptr_t) "";
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "NO_FLEET", "");
}
END_TEST

START_TEST(fleetwide_far__so_many_are_asked_at_once)
{
    for (unsigned i = 0; i < 40; i++)
        add_far();
    struct world_call *call = list("", 100);
    ck_assert_uint_eq(far_count, AT_ONCE);
    Saga__V1__ListRequest *m = question(0, &saga__v1__list_request__descriptor);
    ck_assert_int_eq(m->page_size, 10); /* of each at least */
    saga__v1__list_request__free_unpacked(m, NULL);
    answers_nothing(7);
    ck_assert_uint_eq(far_count, AT_ONCE + 1);
    for (unsigned n = 0; n < 40; n++)
        if (n != 7)
            answers_nothing(n);
    ck_assert_uint_eq(far_count, 40);
    saga__v1__list_response__free_unpacked(listed(call), NULL);
}
END_TEST

/* All of them together have ten seconds; those whose turn does not come then, or later, are named. */
START_TEST(fleetwide_far__those_for_whom_no_time_is_left_are_named)
{
    for (unsigned i = 0; i < AT_ONCE + 2; i++)
        add_far();
    struct world_call *call = list("", 10);
    w.now = instant_after(w.now, SPAN_S(4));
    answers_nothing(0);
    ck_assert_uint_eq(far_count, AT_ONCE + 1);
    ck_assert_int_eq(fars[AT_ONCE].timeout.us, SPAN_S(6).us);
    w.now = instant_after(w.now, SPAN_MS(6000 + _i));
    answers_nothing(1);
    ck_assert_uint_eq(far_count, AT_ONCE + 1);
    for (unsigned n = 2; n <= AT_ONCE; n++)
        answers_nothing(n);
    Saga__V1__ListResponse *r = listed(call);
    ck_assert_uint_eq(r->n_absent, 1);
    ck_absent(r->absent[0], "j33", 4, "the others took all the time");
    saga__v1__list_response__free_unpacked(r, NULL);
}
END_TEST

/* One that is here is asked however late it is: nobody has to be called for it. */
START_TEST(fleetwide_far__one_that_is_here_is_asked_without_time)
{
    for (unsigned i = 0; i < AT_ONCE + 2; i++)
        add_far();
    all[AT_ONCE].place = all[AT_ONCE + 1].place = 0; /* the second of which comes first, and the first last */
    struct world_call *call = list("", 10);
    ck_assert_uint_eq(far_count, AT_ONCE - 1);
    api_world_settle(&w);
    ck_assert_uint_eq(far_count, AT_ONCE);
    w.now = instant_after(w.now, SPAN_S(10));
    for (unsigned n = 0; n < AT_ONCE; n++)
        answers_nothing(n);
    api_world_settle(&w);
    Saga__V1__ListResponse *r = listed(call);
    ck_assert_uint_eq(r->n_absent, 0);
    saga__v1__list_response__free_unpacked(r, NULL);
}
END_TEST

START_TEST(fleetwide_far__those_that_nobody_has_are_named)
{
    add_far()->address = "";
    struct relay_journal *lone = add_far();
    lone->carrier = "";
    lone->held = false;
    struct relay_journal *adopted = add_far();
    adopted->address = "nonsense";
    adopted->carrier = "j3";
    add_far();
    struct world_call *call = list("", 10);
    ck_assert_uint_eq(far_count, 1);
    answers_nothing(0);
    Saga__V1__ListResponse *r = listed(call);
    ck_assert_uint_eq(r->n_absent, 3);
    ck_absent(r->absent[0], "j0", 14, "is gone, or tells no fleet_address");
    ck_absent(r->absent[1], "j1", 14, "no sidecar has it");
    ck_absent(r->absent[2], "j2", 14, "cannot be called");
    ck_assert_str_eq(r->absent[0]->carrier, "j0");
    ck_assert_str_eq(r->absent[1]->carrier, "");
    ck_assert_str_eq(r->absent[2]->carrier, "j3");
    ck_assert_uint_eq(r->absent[2]->live, 2);
    saga__v1__list_response__free_unpacked(r, NULL);
}
END_TEST

/* Of what nothing lives in any more nobody is told where there could be nothing: it has neither dead letters nor jobs, but sagas that have ended. */
START_TEST(fleetwide_far__one_that_is_empty_and_given_up_is_passed_over)
{
    struct relay_journal *empty = add_far();
    Saga__V1__ListDeadLettersRequest m = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    m.fleet = true;
    empty->held = false;
    empty->given_up = true;
    add_far();
    Saga__V1__ListResponse *r;
    struct world_call *call = list("", 10);
    answers_nothing(0);
    r = listed(call);
    ck_assert_uint_eq(r->n_absent, 1);
    saga__v1__list_response__free_unpacked(r, NULL);
    for (unsigned lives = 0; lives < 2; lives++) {
        empty->live = lives;
        call = api_world_ask(&w, 0, METHOD_LIST_DEAD_LETTERS, &m.base);
        answers_nothing(1 + lives);
        ck_assert(call->ended && call->status == 0);
        Saga__V1__ListDeadLettersResponse *dead =
            saga__v1__list_dead_letters_response__unpack(NULL, call->body.size, call->body.at);
        ck_assert_uint_eq(dead->n_absent, lives);
        saga__v1__list_dead_letters_response__free_unpacked(dead, NULL);
        api_world_free(call);
    }
}
END_TEST

START_TEST(fleetwide_far__requests_at_once_are_bounded)
{
    struct world_call *calls[4];
    add_far();
    for (int round = 0; round < 2; round++) {
        far_count = 0;
        for (int i = 0; i < 4; i++)
            calls[i] = list("", 10);
        ck_assert_uint_eq(far_count, 4);
        struct world_call *late = list("", 10);
        ck_assert(late->ended);
        ck_assert_str_eq(late->reason, "QUEUE_FULL");
        api_world_free(late);
        for (unsigned i = 0; i < 4; i++) {
            answers_nothing(i);
            saga__v1__list_response__free_unpacked(listed(calls[i]), NULL);
        }
    }
}
END_TEST

/* ---- what they say ---- */

START_TEST(fleetwide_far__what_is_no_answer_is_not_taken_for_one)
{
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *sagas = &saga;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__ListResponse m = SAGA__V1__LIST_RESPONSE__INIT;
    for (int i = 0; i < 6; i++)
        add_far();
    struct world_call *call = list("", 10);
    ends(0, 0, bytes_of_text("\xff\xff"));
    m.n_sagas = 1;
    m.sagas = &sagas;
    saga.id = (char *)(uintptr_t) "000000000001-1";
    answers(1, &m.base); /* it tells no time */
    saga.started_at = &at;
    saga.id = (char *)(uintptr_t) "what";
    answers(2, &m.base);
    saga.id = (char *)(uintptr_t) "000000000001-1";
    m.next_page_token = (char *)(uintptr_t) "1,2=3";
    answers(3, &m.base);
    m.next_page_token = (char *)(uintptr_t) "12345678901234567";
    answers(4, &m.base);
    m.next_page_token = (char *)(uintptr_t) "fedcba9876543210";
    answers(5, &m.base);
    Saga__V1__ListResponse *r = listed(call);
    ck_assert_uint_eq(r->n_sagas, 1);
    ck_assert_uint_eq(r->n_absent, 5);
    for (unsigned i = 0; i < 5; i++)
        ck_absent(r->absent[i], all[i].name, 13, "what it answers is no answer");
    ck_assert_str_eq(r->next_page_token, "10=,11=,12=,13=,14=,15=fedcba9876543210");
    saga__v1__list_response__free_unpacked(r, NULL);
}
END_TEST

/* Sixteen MiB of answers, and what is kept of them is on the account until the answer is given. */
START_TEST(fleetwide_far__what_is_too_much_is_left_out)
{
    enum { SIZE = 6 << 20 };
    static uint8_t large[SIZE + 8] = {0x7a, 0x80, 0x80, 0x80, 0x03}; /* a field that nobody knows, of 6 MiB */
    for (int i = 0; i < 3; i++)
        add_far();
    struct world_call *call = list("", 10);
    size_t before = atomic_load(&account.lives);
    for (unsigned n = 0; n < 3; n++)
        ends(n, 0, bytes_of(large, SIZE + 5));
    ck_assert_uint_eq(atomic_load(&account.lives), before);
    Saga__V1__ListResponse *r = listed(call);
    ck_assert_uint_eq(r->n_absent, 1);
    ck_absent(r->absent[0], "j2", 8, "does not fit into this answer");
    saga__v1__list_response__free_unpacked(r, NULL);
    call = list("", 10);
    ends(3, 0, bytes_of(large, SIZE + 5));
    ck_assert_uint_eq(atomic_load(&account.lives), before + SIZE + 5);
    answers_nothing(4);
    answers_nothing(5);
    saga__v1__list_response__free_unpacked(listed(call), NULL);
    ck_assert_uint_eq(atomic_load(&account.lives), before);
    /* Nor is more kept than there is memory for. */
    call = list("", 10);
    atomic_store(&account.max, 1);
    for (unsigned n = 6; n < 9; n++)
        ends(n, 0, n == 6 ? bytes_of(large, SIZE + 5) : bytes_of(NULL, 0));
    atomic_store(&account.max, 0);
    r = listed(call);
    ck_assert_uint_eq(r->n_absent, 1);
    ck_absent(r->absent[0], "j0", 8, "no memory is left for what it has");
    saga__v1__list_response__free_unpacked(r, NULL);
}
END_TEST

/* What is wrong with the request is wrong everywhere: it is told at once, and the others are let go. So is its place. */
START_TEST(fleetwide_far__a_bad_request_is_bad_for_all)
{
    for (int i = 0; i < 3; i++)
        add_far();
    for (int round = 0; round < 5; round++) {
        far_count = 0;
        struct world_call *call = list("", 10);
        ends(1, 3, bytes_of(NULL, 0));
        ck_assert(fars[0].cancelled && fars[2].cancelled);
        ck_assert(!call->ended);
        ends(0, 1, bytes_of(NULL, 0));
        ends(2, 1, bytes_of(NULL, 0));
        ck_assert(call->ended);
        ck_assert_int_eq(call->status, 3);
        api_world_free(call);
    }
    /* When nobody has answered, the first error is. */
    static uint8_t at[STATUS_DETAILS_SIZE_MAX];
    struct world_call *call = list("", 10);
    fars[3].over = true;
    fars[3].asker->on_end(NULL, fars[3].tag,
                          &(struct rpc_told){.status = 14,
                                             .message = "its journal is away",
                                             .details = status_details(E_JOURNAL_AWAY, NULL, at)});
    ends(4, 13, bytes_of(NULL, 0));
    ends(5, 13, bytes_of(NULL, 0));
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, 14);
    ck_assert_str_eq(call->message, "its journal is away");
    ck_assert_str_eq(call->reason, "JOURNAL_AWAY");
    api_world_free(call);
}
END_TEST

START_TEST(fleetwide_far__who_waits_no_more_is_not_waited_for)
{
    for (unsigned i = 0; i < AT_ONCE + 2; i++)
        add_far();
    struct world_call *call = list("", 10);
    answers_nothing(0);
    ck_assert_uint_eq(far_count, AT_ONCE + 1);
    api_world_cancel(call);
    for (unsigned n = 1; n <= AT_ONCE; n++) {
        ck_assert(fars[n].cancelled);
        ends(n, 1, bytes_of(NULL, 0));
    }
    ck_assert_uint_eq(far_count, AT_ONCE + 1);
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, 1); /* what one had said is no answer */
    api_world_free(call);
}
END_TEST

/* ---- jobs ---- */

/* Our own journal, which comes last in the list, is the first: what it refuses is refused everywhere, and before anybody else is asked. */
START_TEST(fleetwide_far__a_job_begins_here_first_and_all_share_its_rate)
{
    static const double asked[] = {10, 0, 0.02, 10000}, each[] = {2.5, 2.5, 0.01, 2500};
    for (int i = 0; i < 5; i++)
        add_far();
    all[3].place = 0;
    all[4].held = false; /* nothing lives in it: it has no part in the job */
    all[4].given_up = true;
    all[4].live = 0;
    for (unsigned i = 0; i < 4; i++) {
        far_count = 0;
        struct world_call *call = start_bulk(asked[i]);
        ck_assert_uint_eq(far_count, 0);
        api_world_settle(&w); /* from the second time on it is there already */
        ck_assert_uint_eq(far_count, 3);
        for (unsigned n = 0; n < 3; n++) {
            Saga__V1__StartBulkRequest *m = question(n, &saga__v1__start_bulk_request__descriptor);
            ck_assert_double_eq(m->per_second, each[i]);
            ck_assert_str_ne(m->journal, all[3].name);
            saga__v1__start_bulk_request__free_unpacked(m, NULL);
            Saga__V1__StartBulkResponse said = SAGA__V1__START_BULK_RESPONSE__INIT;
            said.already_started = n != 2 * i || i > 1; /* all but the first, or the last */
            answers(n, &said.base);
        }
        ck_assert(call->ended && call->status == 0);
        Saga__V1__StartBulkResponse *r = saga__v1__start_bulk_response__unpack(NULL, call->body.size, call->body.at);
        ck_assert_uint_eq(r->journals, 4);
        ck_assert_int_eq(r->already_started, i > 1); /* everywhere, or it is none */
        saga__v1__start_bulk_response__free_unpacked(r, NULL);
        api_world_free(call);
    }
    static const double wrong[] = {0.001, 10001, -1}; /* a rate that there is not is refused as it is */
    for (int i = 0; i < 3; i++) {
        struct world_call *call = start_bulk(wrong[i]);
        api_world_settle(&w);
        ck_assert(call->ended);
        ck_assert_str_eq(call->reason, "INVALID_ARGUMENT");
        ck_assert_str_eq(call->field, "per_second");
        api_world_free(call);
    }
}
END_TEST

/* Whatever the first refuses it with, and be it elsewhere. */
START_TEST(fleetwide_far__a_job_that_the_first_refuses_is_nowhere)
{
    add_far();
    add_far();
    struct world_call *call = start_bulk(10);
    ck_assert_uint_eq(far_count, 1);
    ends(0, 9, bytes_of(NULL, 0));
    ck_assert_uint_eq(far_count, 1);
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, 9);
    ck_assert_str_eq(call->message, "as it says");
    api_world_free(call);
    /* What another refuses is left out of the answer. */
    call = start_bulk(10);
    answers_nothing(1);
    ends(2, 9, bytes_of(NULL, 0));
    ck_assert(call->ended && call->status == 0);
    Saga__V1__StartBulkResponse *r = saga__v1__start_bulk_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_uint_eq(r->journals, 1);
    ck_assert_uint_eq(r->n_absent, 1);
    ck_absent(r->absent[0], "j1", 9, "as it says");
    saga__v1__start_bulk_response__free_unpacked(r, NULL);
    api_world_free(call);
}
END_TEST

START_TEST(fleetwide_far__a_job_says_whose_it_is)
{
    enum { MANY = 200 };
    Saga__V1__ListBulksRequest m = SAGA__V1__LIST_BULKS_REQUEST__INIT;
    m.fleet = true;
    for (int i = 0; i < 2; i++)
        add_far();
    struct world_call *call = api_world_ask(&w, 0, METHOD_LIST_BULKS, &m.base);
    for (unsigned n = 0; n < 2; n++) {
        Saga__V1__BulkJob job = SAGA__V1__BULK_JOB__INIT, *jobs[2 * MANY];
        Saga__V1__ListBulksResponse said = SAGA__V1__LIST_BULKS_RESPONSE__INIT;
        job.id = (char *)(uintptr_t) "job";
        for (unsigned i = 0; i < 2 * MANY; i++)
            jobs[i] = &job;
        said.jobs = jobs;
        said.n_jobs = MANY + MANY * n;
        answers(n, &said.base);
    }
    ck_assert(call->ended && call->status == 0);
    Saga__V1__ListBulksResponse *r = saga__v1__list_bulks_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_uint_eq(r->n_jobs, 3 * MANY);
    for (unsigned i = 0; i < 3 * MANY; i++) {
        ck_assert_str_eq(r->jobs[i]->id, "job");
        ck_assert_str_eq(r->jobs[i]->journal, i < MANY ? "j0" : "j1");
    }
    saga__v1__list_bulks_response__free_unpacked(r, NULL);
    api_world_free(call);
}
END_TEST

/* That a job is not in a journal, or has ended there, is no reason to name it. */
START_TEST(fleetwide_far__a_job_that_is_elsewhere_alone_is_changed)
{
    Saga__V1__ChangeBulkRequest m = SAGA__V1__CHANGE_BULK_REQUEST__INIT;
    m.id = (char *)(uintptr_t) "job";
    m.state = SAGA__V1__BULK_STATE__BULK_STATE_PAUSED;
    m.actor = (char *)(uintptr_t) "me";
    m.fleet = true;
    for (int i = 0; i < 4; i++)
        add_far();
    struct world_call *call = api_world_ask(&w, 0, METHOD_CHANGE_BULK, &m.base);
    ends(0, 5, bytes_of(NULL, 0));
    ends(1, 9, bytes_of(NULL, 0));
    ends(2, 14, bytes_of(NULL, 0));
    answers_nothing(3);
    ck_assert(call->ended && call->status == 0);
    Saga__V1__ChangeBulkResponse *r = saga__v1__change_bulk_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_uint_eq(r->journals, 1);
    ck_assert_uint_eq(r->n_absent, 1);
    ck_absent(r->absent[0], "j2", 14, "as it says");
    saga__v1__change_bulk_response__free_unpacked(r, NULL);
    api_world_free(call);
    /* One that is nowhere is not changed. */
    call = api_world_ask(&w, 0, METHOD_CHANGE_BULK, &m.base);
    for (unsigned n = 4; n < 8; n++)
        ends(n, 5, bytes_of(NULL, 0));
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, 5);
    api_world_free(call);
}
END_TEST

/* So many and no more are asked together; nobody has these. */
START_TEST(fleetwide_far__journals_have_a_bound)
{
    static struct relay_journal many[RELAY_JOURNALS_MAX + 1];
    static char names[RELAY_JOURNALS_MAX + 1][8];
    for (unsigned i = 0; i <= RELAY_JOURNALS_MAX; i++) {
        snprintf(names[i], sizeof names[0], "j%u", i);
        many[i] = (struct relay_journal){
            .id = 10 + i, .name = names[i], .carrier = "", .address = "", .live = 1, .place = -1};
    }
    instead = many;
    count = RELAY_JOURNALS_MAX + 1;
    struct world_call *call = list("", 10);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "INVALID_ARGUMENT");
    ck_assert_str_eq(call->field, "fleet");
    api_world_free(call);
    count = RELAY_JOURNALS_MAX;
    call = list("", 10);
    Saga__V1__ListResponse *r = listed(call);
    ck_assert_uint_eq(r->n_absent, RELAY_JOURNALS_MAX);
    saga__v1__list_response__free_unpacked(r, NULL);
    ck_assert_uint_eq(far_count, 0);
}
END_TEST

/* ---- one journal ---- */

static struct world_call *list_of(const char *journal)
{
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    m.journal = (char *)(uintptr_t)journal;
    return api_world_ask(&w, 0, METHOD_LIST, &m.base);
}

START_TEST(fleetwide_far__one_is_asked_by_its_name)
{
    add_far();
    add_far();
    struct world_call *call = list_of("j1");
    ck_assert_uint_eq(far_count, 1);
    ck_assert_str_eq(fars[0].address, "at1");
    ck_assert_int_eq(fars[0].timeout.us, SPAN_S(10).us);
    Saga__V1__ListRequest *m = question(0, &saga__v1__list_request__descriptor);
    ck_assert_str_eq(m->journal, "j1");
    saga__v1__list_request__free_unpacked(m, NULL);
    answers_nothing(0);
    saga__v1__list_response__free_unpacked(listed(call), NULL);
    /* Whole: neither the beginning of a name, nor one that goes on. */
    static const char *const unknown[] = {"j2", "j", "j11", "J1"};
    for (unsigned i = 0; i < 4; i++) {
        call = list_of(unknown[i]);
        ck_assert_msg(call->ended, "%s", unknown[i]);
        ck_assert_str_eq(call->reason, "INVALID_ARGUMENT");
        ck_assert_str_eq(call->field, "journal");
        api_world_free(call);
    }
    all[1].place = 0; /* it is here, and needs no address then, nor is it passed on */
    all[1].address = "";
    is_forwarded = true;
    call = list_of("j1");
    api_world_settle(&w);
    ck_assert_uint_eq(far_count, 1);
    saga__v1__list_response__free_unpacked(listed(call), NULL);
}
END_TEST

/* Its events come for as long as they are wanted. */
START_TEST(fleetwide_far__one_is_watched_without_an_end)
{
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    m.journal = (char *)(uintptr_t) "j0";
    add_far();
    struct world_call *call = api_world_ask(&w, 0, METHOD_WATCH, &m.base);
    ck_assert_uint_eq(far_count, 1);
    ck_assert_int_lt(fars[0].timeout.us, 0);
    for (unsigned n = 0; n < 3; n++) { /* the next is asked for when the last has left */
        char said[] = {(char)('a' + n)};
        fars[0].asker->on_message(NULL, fars[0].tag, bytes_of(said, 1));
        ck_assert_uint_eq(call->sent_count, n + 1);
        ck_assert(bytes_equal(call->sent[n], bytes_of(said, 1)));
        ck_assert_uint_eq(fars[0].took, n);
        api_world_took(call);
        ck_assert_uint_eq(fars[0].took, n + 1);
    }
    ends(0, 1, bytes_of(NULL, 0));
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, 1);
    ck_assert_str_eq(call->message, "as it says");
    api_world_free(call);
}
END_TEST

/* One that nobody has is wished for here; whoever passes a request on has done so already. */
START_TEST(fleetwide_far__one_that_nobody_has_is_wished_for)
{
    struct relay_journal *j = add_far();
    j->held = false;
    is_forwarded = true;
    struct world_call *call = list_of("j0");
    ck_assert_str_eq(call->reason, "SAGA_AWAY");
    ck_assert_str_eq(wished, "");
    api_world_free(call);
    is_forwarded = false;
    call = list_of("j0");
    ck_assert_str_eq(call->reason, "SAGA_AWAY");
    ck_assert_str_eq(wished, "j0");
    api_world_free(call);
    j->held = true;
    is_forwarded = true; /* it was here, when the other was told so */
    call = list_of("j0");
    ck_assert_str_eq(call->reason, "SAGA_AWAY");
    ck_assert_uint_eq(far_count, 0);
    api_world_free(call);
    is_forwarded = false;
    j->address = "nonsense";
    call = list_of("j0");
    ck_assert_str_eq(call->reason, "SAGA_AWAY");
    api_world_free(call);
    wished[0] = '\0';
    j->address = ""; /* whoever has it does not say where */
    call = list_of("j0");
    ck_assert_str_eq(call->reason, "SAGA_AWAY");
    ck_assert_str_eq(wished, "");
    api_world_free(call);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleetwide_far");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fleetwide_far__each_is_asked_by_its_name_where_it_is);
    tcase_add_test(t, fleetwide_far__the_last_page_has_no_token);
    tcase_add_test(t, fleetwide_far__tokens_that_no_page_gave_are_refused);
    tcase_add_test(t, fleetwide_far__who_is_there_is_waited_for);
    tcase_add_test(t, fleetwide_far__what_cannot_be_meant_is_refused);
    tcase_add_test(t, fleetwide_far__so_many_are_asked_at_once);
    tcase_add_loop_test(t, fleetwide_far__those_for_whom_no_time_is_left_are_named, 0, 2);
    tcase_add_test(t, fleetwide_far__one_that_is_here_is_asked_without_time);
    tcase_add_test(t, fleetwide_far__those_that_nobody_has_are_named);
    tcase_add_test(t, fleetwide_far__one_that_is_empty_and_given_up_is_passed_over);
    tcase_add_test(t, fleetwide_far__requests_at_once_are_bounded);
    tcase_add_test(t, fleetwide_far__what_is_no_answer_is_not_taken_for_one);
    tcase_add_test(t, fleetwide_far__what_is_too_much_is_left_out);
    tcase_add_test(t, fleetwide_far__a_bad_request_is_bad_for_all);
    tcase_add_test(t, fleetwide_far__who_waits_no_more_is_not_waited_for);
    tcase_add_test(t, fleetwide_far__a_job_begins_here_first_and_all_share_its_rate);
    tcase_add_test(t, fleetwide_far__a_job_that_the_first_refuses_is_nowhere);
    tcase_add_test(t, fleetwide_far__a_job_says_whose_it_is);
    tcase_add_test(t, fleetwide_far__a_job_that_is_elsewhere_alone_is_changed);
    tcase_add_test(t, fleetwide_far__journals_have_a_bound);
    tcase_add_test(t, fleetwide_far__one_is_asked_by_its_name);
    tcase_add_test(t, fleetwide_far__one_is_watched_without_an_end);
    tcase_add_test(t, fleetwide_far__one_that_nobody_has_is_wished_for);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
