/* The keeper of leases by itself, on a clock that the test sets: when each KeepAlive leaves, how long it may take, and when the next one follows. */
#include "client-lib/src/client_inside.h"
#include "client-lib/src/wire_inside.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MS            INT64_C(1000000)
#define BEGAN         (INT64_C(7000) * MS)
#define HUNDRED_YEARS INT64_C(3155760000000)
#define CALLS_MAX     8

static struct wire the_wire;
static saga_client client;

/* ---- tests.mk wraps these ---- */

static int64_t now;
static unsigned woken, destroyed;
static int refusal; /* what the wire says to a call that it does not take */

static struct {
    char method[64], saga_id[SAGA_ID_SIZE];
    int64_t deadline;
    bool wait_for_ready;
    wire_done *done;
    void *self;
} calls[CALLS_MAX];
static unsigned call_count;

int64_t __wrap_wire_now(void);
int64_t __wrap_wire_deadline(int64_t timeout_ms);
void __wrap_wire_wake(struct wire *wire);
void __wrap_client_tx_destroy(struct saga_tx *tx);
int __wrap_wire_call_background(struct wire *w, const struct wire_call *call, wire_done *done, void *self,
                                struct saga_error *error);

int64_t __wrap_wire_now(void)
{
    return now;
}

int64_t __wrap_wire_deadline(int64_t timeout_ms)
{
    return now + timeout_ms * MS;
}

void __wrap_wire_wake(struct wire *wire)
{
    (void)wire;
    woken++;
}

void __wrap_client_tx_destroy(struct saga_tx *tx)
{
    destroyed++;
    free(tx);
}

int __wrap_wire_call_background(struct wire *w, const struct wire_call *call, wire_done *done, void *self,
                                struct saga_error *error)
{
    (void)w, (void)error;
    if (refusal != SAGA_OK)
        return refusal;
    ck_assert_uint_lt(call_count, CALLS_MAX);
    const Saga__V1__KeepAliveRequest *request = (const void *)call->request;
    strcpy(calls[call_count].method, call->method);
    strcpy(calls[call_count].saga_id, request->saga_id);
    calls[call_count].deadline = call->deadline;
    calls[call_count].wait_for_ready = call->wait_for_ready;
    calls[call_count].done = done;
    calls[call_count++].self = self;
    return SAGA_OK;
}

/* ---- a world ---- */

static void setup(void)
{
    client = (saga_client){.renew_at = WIRE_FOREVER, .wire = &the_wire};
    pthread_mutex_init(&client.mutex, NULL);
    now = BEGAN;
    woken = destroyed = call_count = 0;
    refusal = SAGA_OK;
}

static void teardown(void)
{
    while (client.sagas != NULL)
        lease_remove(client.sagas);
    pthread_mutex_destroy(&client.mutex);
}

/* One that the keeper keeps, begun now. */
static struct saga_tx *add(const char *saga_id, int64_t lease_ms)
{
    struct saga_tx *tx = calloc(1, sizeof *tx);
    ck_assert_ptr_nonnull(tx);
    tx->client = &client;
    tx->kept = true;
    tx->lease_ms = lease_ms;
    tx->heard_of = now;
    strcpy(tx->saga_id, saga_id);
    lease_add(tx);
    return tx;
}

/* Nothing leaves before then, and then the keeper wants to run again; what it looks at in between may be an older plan. */
static void quiet_until(int64_t ms)
{
    unsigned before = call_count;
    int64_t end = now + ms * MS, next;
    while ((next = lease_turn(&client)) < end) {
        ck_assert_int_gt(next, now);
        now = next;
    }
    ck_assert_int_eq(next, end);
    now = end - 1;
    ck_assert_int_eq(lease_turn(&client), end);
    ck_assert_uint_eq(call_count, before);
    now = end;
}

/* One leaves now, and may take so long. */
static void leaves(const char *saga_id, int64_t timeout_ms)
{
    unsigned before = call_count;
    ck_assert_int_eq(lease_turn(&client), WIRE_FOREVER); /* nothing else is due */
    ck_assert_uint_eq(call_count, before + 1);
    ck_assert_str_eq(calls[before].method, "/saga.v1.Coordinator/KeepAlive");
    ck_assert_str_eq(calls[before].saga_id, saga_id);
    ck_assert_int_eq(calls[before].deadline, now + timeout_ms * MS);
    ck_assert(calls[before].wait_for_ready);
}

/* The last that left is answered so after a while. lease_ms of 0: it does not say how long. */
static void answered(int64_t after_ms, int code, int64_t lease_ms)
{
    Saga__V1__KeepAliveResponse response = SAGA__V1__KEEP_ALIVE_RESPONSE__INIT;
    Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT;
    const struct saga_error error = {.code = code};
    lease.seconds = lease_ms / 1000;
    lease.nanos = (int32_t)(lease_ms % 1000 * 1000000);
    response.lease = lease_ms == 0 ? NULL : &lease;
    now += after_ms * MS;
    calls[call_count - 1].done(calls[call_count - 1].self, code, code == SAGA_OK ? &response.base : NULL, &error);
}

START_TEST(client_lease__is_renewed_at_a_third_counted_from_the_call)
{
    add("s", 9000);
    ck_assert_uint_eq(woken, 1);
    quiet_until(3000);
    leaves("s", 3000);
    answered(700, SAGA_OK, 9000);
    quiet_until(2300);
    leaves("s", 3000);
    answered(0, SAGA_OK, 6000); /* from now on it is shorter */
    quiet_until(2000);
    leaves("s", 2000);
    answered(0, SAGA_OK, 0); /* which says nothing new */
    quiet_until(2000);
}
END_TEST

/* A tenth of the lease after the failure, and half a second at most; by what a failure says of the connection, not of the saga. */
START_TEST(client_lease__that_failed_is_tried_again_soon)
{
    static const struct {
        int64_t lease_ms, again_ms;
        int code;
    } cases[] = {
        {60000, 500, SAGA_E_UNAVAILABLE}, {5010, 500, SAGA_E_DEADLINE_EXCEEDED}, {4980, 499, SAGA_E_RESOURCE_EXHAUSTED},
        {3000, 301, SAGA_E_INTERNAL},     {300, 31, SAGA_E_CANCELLED},           {90, 10, SAGA_E_UNKNOWN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t third = cases[i].lease_ms / 3, timeout = third < 100 ? 100 : third;
        struct saga_tx *tx = add("s", cases[i].lease_ms);
        quiet_until(third);
        leaves("s", timeout);
        answered(7, cases[i].code, 0);
        quiet_until(cases[i].again_ms);
        leaves("s", timeout);
        answered(0, SAGA_OK, 0);
        quiet_until(third);
        lease_remove(tx);
        call_count = 0;
    }
}
END_TEST

/* What is left of it is counted from the call, downwards to whole milliseconds, and is nothing once it has passed. */
START_TEST(client_lease__of_which_nothing_is_left)
{
    static const struct {
        int64_t after_us, left_ms;
    } cases[] = {{0, 3000}, {1, 2999}, {1000, 2999}, {2999000, 1}, {3000000, 0}, {3000001, 0}, {9000000, 0}};
    struct saga_tx *tx = add("s", 3000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        now = BEGAN + cases[i].after_us * 1000;
        ck_assert_int_eq(saga_tx_lease_left_ms(tx), cases[i].left_ms);
    }
    tx->lease_ms = 0; /* nobody knows */
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), -1);
    lease_end(tx);
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), 0);
}
END_TEST

/* As if it had failed. */
START_TEST(client_lease__whose_renewal_the_wire_does_not_take_is_tried_again)
{
    add("s", 60000);
    quiet_until(20000);
    refusal = SAGA_E_RESOURCE_EXHAUSTED;
    lease_turn(&client);
    refusal = SAGA_OK;
    quiet_until(500);
    leaves("s", 20000);
}
END_TEST

START_TEST(client_lease__is_not_renewed_when_the_saga_does_not_run)
{
    static const int codes[] = {SAGA_E_NOT_FOUND, SAGA_E_FAILED_PRECONDITION, SAGA_E_INVALID_ARGUMENT};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct saga_tx *tx = add("s", 3000);
        quiet_until(1000);
        leaves("s", 1000);
        answered(1, codes[i], 0);
        ck_assert(tx->ended);
        now += 10000 * MS;
        ck_assert_int_eq(lease_turn(&client), WIRE_FOREVER);
        lease_remove(tx);
        call_count = 0;
    }
    struct saga_tx *tx = add("s", 3000);
    lease_end(tx);
    now += 10000 * MS;
    ck_assert_int_eq(lease_turn(&client), WIRE_FOREVER);
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

/* One that is kept by its owner alone. */
START_TEST(client_lease__is_left_alone_without_a_keeper)
{
    struct saga_tx *tx = add("s", 3000);
    lease_remove(tx);
    tx = calloc(1, sizeof *tx);
    ck_assert_ptr_nonnull(tx);
    woken = 0;
    tx->client = &client;
    tx->lease_ms = 3000;
    lease_add(tx);
    ck_assert_uint_eq(woken, 0);
    client.renew_at = now;
    now += 10000 * MS;
    ck_assert_int_eq(lease_turn(&client), WIRE_FOREVER);
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

/* Most sagas have ended before it is asked for. Of one that was begun before nobody knows what is left. */
START_TEST(client_lease__that_is_not_known_is_asked_for)
{
    struct saga_tx *tx = add("s", 0);
    quiet_until(200);
    leaves("s", 5000);
    answered(10, SAGA_E_UNAVAILABLE, 0);
    quiet_until(500);
    leaves("s", 5000);
    answered(0, SAGA_OK, 0); /* a sidecar that never says is not asked without pause */
    quiet_until(500);
    leaves("s", 5000);
    answered(0, SAGA_OK, 6000);
    quiet_until(2000);
    lease_remove(tx);

    tx = calloc(1, sizeof *tx);
    ck_assert_ptr_nonnull(tx);
    *tx = (struct saga_tx){.client = &client, .kept = true, .saga_id = "old"};
    lease_add(tx);
    leaves("old", 5000);
}
END_TEST

/* Whatever is answered proves that the saga runs, from when it was sent; what was sent before takes nothing back. */
START_TEST(client_lease__counts_from_the_latest_call_that_was_answered)
{
    struct saga_tx *tx = add("s", 9000);
    now += 2000 * MS;
    lease_heard(tx, now - 500 * MS, 0);
    lease_heard(tx, BEGAN + 100 * MS, 0);
    quiet_until(2500);
    leaves("s", 3000);
    lease_heard(tx, now + 50 * MS, 6000); /* overtakes it, and knows better how long */
    answered(100, SAGA_OK, 0);
    quiet_until(1950);
}
END_TEST

START_TEST(client_lease__each_is_renewed_in_its_own_time)
{
    struct saga_tx *tx[4];
    tx[0] = add("a", 9000);
    tx[1] = add("b", 3000);
    tx[2] = add("c", 3000);
    tx[3] = add("d", 6000);
    ck_assert_int_eq(lease_turn(&client), BEGAN + 1000 * MS);
    now = BEGAN + 1000 * MS;
    ck_assert_int_eq(lease_turn(&client), BEGAN + 2000 * MS);
    ck_assert_uint_eq(call_count, 2);
    ck_assert(calls[0].saga_id[0] + calls[1].saga_id[0] == 'b' + 'c');
    /* Under way, a renewal is not begun again. */
    now = BEGAN + 2000 * MS;
    ck_assert_int_eq(lease_turn(&client), BEGAN + 3000 * MS);
    ck_assert_uint_eq(call_count, 3);
    ck_assert_str_eq(calls[2].saga_id, "d");
    now = BEGAN + 3000 * MS;
    ck_assert_int_eq(lease_turn(&client), WIRE_FOREVER);
    ck_assert_uint_eq(call_count, 4);
    ck_assert_str_eq(calls[3].saga_id, "a");
    /* One that is let go while its renewal is under way is freed with that; the others stay. */
    lease_remove(tx[2]);
    lease_remove(tx[0]);
    ck_assert_uint_eq(destroyed, 0);
    for (unsigned i = 0; i < 4; i++)
        calls[i].done(calls[i].self, SAGA_E_UNAVAILABLE, NULL, NULL);
    ck_assert_uint_eq(destroyed, 2);
    ck_assert_ptr_eq(client.sagas, tx[3]);
    ck_assert_ptr_eq(tx[3]->next, tx[1]);
    ck_assert_ptr_null(tx[1]->next);
    call_count = 0;
    now += 301 * MS;
    ck_assert_int_eq(lease_turn(&client), now + 199 * MS);
    ck_assert_uint_eq(call_count, 1);
    ck_assert_str_eq(calls[0].saga_id, "b");
    calls[0].done(calls[0].self, SAGA_E_NOT_FOUND, NULL, NULL);
}
END_TEST

START_TEST(client_lease__ends_with_the_client)
{
    add("s", 3000);
    client.shut = true;
    now += 1000 * MS;
    ck_assert_int_eq(lease_turn(&client), WIRE_FOREVER);
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

/* However long somebody wants it, and whatever a sidecar answers, the time that it ends is one that can be told. */
START_TEST(client_lease__lasts_a_hundred_years_at_most)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        int64_t lease_ms;
    } cases[] = {{1, 500000000, 1500},
                 {0, 999999, 0},
                 {0, 1000000, 1},
                 {-1, 0, 0},
                 {5, -1, 0},
                 {HUNDRED_YEARS / 1000 - 1, 0, HUNDRED_YEARS - 1000},
                 {INT64_MAX, 0, HUNDRED_YEARS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Saga__V1__KeepAliveResponse response = SAGA__V1__KEEP_ALIVE_RESPONSE__INIT;
        Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT;
        lease.seconds = cases[i].seconds;
        lease.nanos = cases[i].nanos;
        response.lease = &lease;
        ck_assert_int_eq(lease_of_response(&response.base), cases[i].lease_ms);
        response.lease = NULL;
        ck_assert_int_eq(lease_of_response(&response.base), 0);
    }
    struct saga_tx *tx = add("s", INT64_MAX);
    ck_assert_int_eq(tx->lease_ms, HUNDRED_YEARS);
    ck_assert_int_eq(lease_turn(&client), BEGAN + HUNDRED_YEARS * MS / 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_lease");
    TCase *tc = tcase_create("client_lease");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, client_lease__is_renewed_at_a_third_counted_from_the_call);
    tcase_add_test(tc, client_lease__that_failed_is_tried_again_soon);
    tcase_add_test(tc, client_lease__of_which_nothing_is_left);
    tcase_add_test(tc, client_lease__whose_renewal_the_wire_does_not_take_is_tried_again);
    tcase_add_test(tc, client_lease__is_not_renewed_when_the_saga_does_not_run);
    tcase_add_test(tc, client_lease__is_left_alone_without_a_keeper);
    tcase_add_test(tc, client_lease__that_is_not_known_is_asked_for);
    tcase_add_test(tc, client_lease__counts_from_the_latest_call_that_was_answered);
    tcase_add_test(tc, client_lease__each_is_renewed_in_its_own_time);
    tcase_add_test(tc, client_lease__ends_with_the_client);
    tcase_add_test(tc, client_lease__lasts_a_hundred_years_at_most);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
