/* A request to every journal of the fleet, of which each has its place here, when memory is refused: it ends, and says what it left out. */
#include "sidecar/relay/relay_inside.h"

#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 3
#define BIG    100000

static struct api_world w;
/* So many big allocations are refused from when the first journal is asked; and from now on, save so many before; how often the time was asked. */
static int to_refuse, armed, spared, nows;

/* ---- in place of the allocator: linked with --wrap ---- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    if (armed > 0 && size >= BIG && spared-- <= 0) {
        armed--;
        return NULL;
    }
    return __real_malloc(size);
}

/* ---- a fleet whose journals are the loops' ---- */

static int journals(void *self, const struct relay_journal **out, unsigned *count, struct error_detail *detail)
{
    static const struct relay_journal all[PLACES] = {
        {.id = 1, .name = "a", .carrier = "a", .address = "", .held = true, .place = 0},
        {.id = 2, .name = "b", .carrier = "a", .address = "", .held = true, .place = 1},
        {.id = 3, .name = "c", .carrier = "a", .address = "", .held = true, .place = 2},
    };
    (void)self;
    (void)detail;
    *out = all;
    *count = PLACES;
    return 0;
}

static const struct transport_credentials *credentials(void *self)
{
    (void)self;
    return NULL;
}

static struct instant now(void *self)
{
    (void)self;
    if (nows++ == 1) /* the first is for the request's own time */
        armed = to_refuse;
    return w.now;
}

static void setup(void)
{
    api_world_init(&w, PLACES);
    api_world_start(&w);
    to_refuse = armed = 0;
    struct relay_options *options = &w.loop[0].relay->options;
    options->journals = journals;
    options->credentials = credentials;
    options->now = now;
}

static void teardown(void)
{
    api_world_close(&w);
}

/* The message with a field behind it that nobody knows. */
static struct bytes padded(uint8_t *packed, const ProtobufCMessage *m)
{
    static const uint8_t unknown[] = {0xc2, 0x3e, BIG % 128 | 128, BIG / 128 % 128 | 128, BIG / 128 / 128};
    size_t size = protobuf_c_message_pack(m, packed);
    memcpy(packed + size, unknown, sizeof unknown);
    return bytes_of(packed, size + sizeof unknown + BIG);
}

/* A job in the whole fleet, asked for in more words than are understood. */
static Saga__V1__StartBulkResponse *start_bulk(void)
{
    static uint8_t packed[2 * BIG];
    Saga__V1__StartBulkRequest m = SAGA__V1__START_BULK_REQUEST__INIT;
    m.id = (char *)(uintptr_t) "job";
    m.act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
    m.where = (char *)(uintptr_t) "true";
    m.actor = (char *)(uintptr_t) "me";
    m.fleet = true;
    nows = 0;
    struct world_call *call = api_world_ask_bytes(&w, 0, METHOD_START_BULK, padded(packed, &m.base));
    api_world_settle(&w);
    armed = to_refuse = 0;
    ck_assert(call->ended);
    ck_assert_int_eq(call->status, 0);
    Saga__V1__StartBulkResponse *r = saga__v1__start_bulk_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_ptr_nonnull(r);
    api_world_free(call);
    return r;
}

static void begins(unsigned journals_expected, size_t absent, bool already)
{
    Saga__V1__StartBulkResponse *r = start_bulk();
    ck_assert_uint_eq(r->journals, journals_expected);
    ck_assert_uint_eq(r->n_absent, absent);
    for (size_t i = 0; i < absent; i++)
        ck_assert_str_eq(r->absent[i]->why, "no memory is left to ask for it");
    ck_assert_int_eq(r->already_started, already);
    saga__v1__start_bulk_response__free_unpacked(r, NULL);
}

/* The first decides for all; it is not waited for when it could not be asked. */
START_TEST(fleetwide__no_memory_to_ask_the_first)
{
    for (int i = 0; i < 10; i++) {
        to_refuse = 1;
        begins(PLACES - 1, 1, i > 0);
    }
    begins(PLACES, 0, false);
    begins(PLACES, 0, true);
}
END_TEST

START_TEST(fleetwide__what_nobody_was_asked_is_not_there_already)
{
    to_refuse = PLACES;
    begins(0, PLACES, false);
    begins(PLACES, 0, false);
}
END_TEST

/* Over whichever connection, and whichever loop has it. */
START_TEST(fleetwide__one_of_those_here_is_asked_by_its_name)
{
    static const char *const names[PLACES] = {"a", "b", "c"};
    char ids[PLACES][SAGA_ID_TEXT_SIZE];
    for (unsigned k = 0; k < PLACES; k++)
        api_world_begin(&w, k, "x", "", ids[k]);
    for (unsigned by = 0; by < PLACES; by++)
        for (unsigned k = 0; k < PLACES; k++) {
            Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
            m.journal = (char *)(uintptr_t)names[k];
            Saga__V1__ListResponse *r = api_world_get(&w, by, METHOD_LIST, &m.base);
            ck_assert_uint_eq(r->n_sagas, 1);
            ck_assert_str_eq(r->sagas[0]->id, ids[k]);
            saga__v1__list_response__free_unpacked(r, NULL);
        }
}
END_TEST

/* What is here alone, or in one loop, is no answer for all. */
static void refused_when_unread(bool fleet, int readings)
{
    static uint8_t packed[2 * BIG];
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    m.fleet = fleet;
    struct bytes question = padded(packed, &m.base);
    spared = readings;
    armed = 1;
    struct world_call *call = api_world_ask_bytes(&w, 0, METHOD_LIST, question);
    ck_assert_int_eq(armed, 0);
    api_world_settle(&w);
    ck_assert(call->ended);
    ck_assert_str_eq(call->reason, "INVALID_ARGUMENT");
    api_world_free(call);
}

START_TEST(fleetwide__no_memory_to_see_whom_it_is_for)
{
    refused_when_unread(true, 0);
    refused_when_unread(false, 0);
    refused_when_unread(false, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleetwide");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fleetwide__no_memory_to_ask_the_first);
    tcase_add_test(t, fleetwide__what_nobody_was_asked_is_not_there_already);
    tcase_add_test(t, fleetwide__one_of_those_here_is_asked_by_its_name);
    tcase_add_test(t, fleetwide__no_memory_to_see_whom_it_is_for);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
