/* Targets that are changed and taken away while a loop runs: what becomes of their connections, and what is told of one that is not there. */
#include "sidecar/runtime/targets.h"

#include "sidecar/engine/target.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MADE = 16 };

static struct sidecar sidecar;
static struct loop s, second;
static struct instant now;
static unsigned made, retired[MADE], let_go, away, back;
static int places[MADE];
static char addresses[MADE][32];
static int rpc_fails;
static enum spread_policy policies[MADE];
static char expected[MADE][32]; /* who must be there; "": whoever */
static const char *whose;       /* the last of them, as the connection keeps it */
static uint32_t burst;
static uint32_t may_be_out; /* as the engine was told last */
static unsigned number, let_go_last;
static char counted[64], said[256]; /* the last of metrics, and of the log */
static bool opened;
static int64_t down_ms; /* as the log says of one that is back */
static const char *at;  /* of the one that was made last */
static char engine_name[] = "t";
static struct target engines[1] = {{.name = engine_name}};

/* ---- tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
int __wrap_rpc_target_create(struct rpc *r, const struct rpc_peer_address *to, struct rpc_target **out,
                             struct error_detail *detail);
void __wrap_rpc_target_retire(struct rpc_target *t);
int __wrap_core_set_target(struct core *c, const struct target_options *options);
void __wrap_counters_target(struct loop *loop, const char *name, uint32_t max);
void __wrap_counters_target_changes(struct loop *loop, const struct config_target *before);
void __wrap_counters_breaker(struct loop *loop, const char *name, bool open);
const struct engine *__wrap_core_engine(const struct core *c);
const struct target *__wrap_engine_target(const struct engine *e, uint16_t index);
void __wrap_api_submit(struct api *api, struct event *event);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

int __wrap_rpc_target_create(struct rpc *r, const struct rpc_peer_address *to, struct rpc_target **out,
                             struct error_detail *detail)
{
    (void)r;
    if (rpc_fails != 0)
        return error_set(detail, rpc_fails, "", "");
    ck_assert_uint_lt(made, MADE);
    snprintf(addresses[made], sizeof addresses[made], "%s", to->address);
    policies[made] = to->policy;
    number = to->number;
    at = to->address;
    const char *who = whose = to->credentials->expected;
    snprintf(expected[made], sizeof expected[made], "%s", who == NULL ? "" : who);
    *out = (struct rpc_target *)(void *)&places[made++];
    return 0;
}

void __wrap_rpc_target_retire(struct rpc_target *t)
{
    retired[(int *)(void *)t - places]++;
}

int __wrap_core_set_target(struct core *c, const struct target_options *options)
{
    (void)c;
    may_be_out = options->max_concurrent_calls;
    burst = options->rate.burst;
    return strcmp(options->name, "a") == 0 ? 0 : 1;
}

void __wrap_counters_target(struct loop *loop, const char *name, uint32_t max)
{
    (void)loop;
    snprintf(counted + strlen(counted), sizeof counted - strlen(counted), "%s=%u ", name, (unsigned)max);
}

void __wrap_counters_target_changes(struct loop *loop, const struct config_target *before)
{
    (void)loop;
    snprintf(counted + strlen(counted), sizeof counted - strlen(counted), "%s changes ", before->name);
}

void __wrap_counters_breaker(struct loop *loop, const char *name, bool open)
{
    (void)loop;
    ck_assert_str_eq(name, "t");
    opened = open;
}

const struct engine *__wrap_core_engine(const struct core *c)
{
    (void)c;
    return NULL;
}

const struct target *__wrap_engine_target(const struct engine *e, uint16_t index)
{
    (void)e;
    return &engines[index - 7];
}

void __wrap_api_submit(struct api *api, struct event *event)
{
    (void)api;
    ck_assert_int_eq(event->type, EVENT_TARGET);
    ck_assert_int_eq(event->now.us, now.us);
    let_go++;
    let_go_last = event->target;
}

/* ---- a world ---- */

static void hear(void *self, const struct log_entry *entry)
{
    (void)self;
    snprintf(said, sizeof said, "%.*s", (int)sizeof said - 1, entry->text);
    away += strstr(entry->text, "cannot be reached") != NULL;
    if (strstr(entry->text, "can be reached again") != NULL) {
        ck_assert_str_eq(entry->fields[1].name, "down_ms");
        down_ms = entry->fields[1].number;
        back++;
    }
}

static struct config_target target_of(const char *name, const char *address)
{
    return (struct config_target){.name = name, .address = address, .identity = "", .max_concurrent_calls = 8};
}

static struct config config_of(const struct config_target *targets, size_t count)
{
    return (struct config){.targets = (struct config_target *)(uintptr_t)targets, .target_count = count, .loops = 1};
}

static const struct rpc_answer unreached = {.status = 14, .unreached = "connection refused"};
static struct config_target a, b;
static struct config with_a;

static void setup(void)
{
    struct error_detail detail;
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY)});
    log_listen(hear, NULL);
    pthread_mutex_init(&sidecar.targets_mutex, NULL);
    sidecar.count = 1;
    now = (struct instant){.us = 1000000};
    a = target_of("a", "unix:/a");
    b = target_of("b", "unix:/b");
    with_a = config_of(&a, 1);
    s = (struct loop){.sidecar = &sidecar, .config = &with_a};
    second = (struct loop){.sidecar = &sidecar, .config = &with_a, .index = 1};
    ck_assert_int_eq(targets_open(&s, &detail), 0);
    ck_assert_uint_eq(made, 1);
}

static void teardown(void)
{
    log_listen(NULL, NULL);
    targets_close(&s);
    for (struct shared_target *t = sidecar.targets, *next; t != NULL; t = next) {
        next = t->next;
        free(t);
    }
}

START_TEST(targets__one_that_is_gone_keeps_no_connection)
{
    const struct config none = config_of(NULL, 0);
    targets_take(&s, &with_a, &none);
    ck_assert_uint_eq(retired[0], 1);
    ck_assert_ptr_null(s.targets[0].rpc);
    ck_assert_uint_eq(may_be_out, 0);
    ck_assert_uint_eq(let_go, 1);
    targets_take(&s, &none, &with_a); /* and back */
    ck_assert_uint_eq(made, 2);
    ck_assert_uint_eq(retired[0], 1);
    ck_assert_uint_eq(may_be_out, 8);
    ck_assert_ptr_eq(s.targets[0].rpc, &places[1]);
    ck_assert(targets_gave_up(&s, 0, (struct rpc_target *)(void *)&places[0]));
    ck_assert(!targets_gave_up(&s, 0, (struct rpc_target *)(void *)&places[1]));
}
END_TEST

START_TEST(targets__another_address_is_another_connection_and_another_bound_is_not)
{
    struct config_target changed = target_of("a", "unix:/a2");
    const struct config elsewhere = config_of(&changed, 1);
    targets_take(&s, &with_a, &with_a); /* nothing is done about nothing */
    ck_assert_uint_eq(let_go, 0);
    targets_take(&s, &with_a, &elsewhere);
    ck_assert_uint_eq(made, 2);
    ck_assert_str_eq(addresses[1], "unix:/a2");
    ck_assert_uint_eq(retired[0], 1);
    ck_assert_uint_eq(let_go, 1);
    struct config_target wider = changed;
    wider.max_concurrent_calls = 9;
    const struct config more = config_of(&wider, 1);
    targets_take(&s, &elsewhere, &more);
    ck_assert_uint_eq(made, 2);
    ck_assert_uint_eq(retired[1], 0);
    ck_assert_uint_eq(may_be_out, 9);
    ck_assert_uint_eq(let_go, 2); /* what waited for a place may have one */
    wider.identity = "spiffe://x/y";
    targets_take(&s, &elsewhere, &more);
    ck_assert_uint_eq(made, 3);
    ck_assert_uint_eq(retired[1], 1);
    ck_assert(targets_gave_up(&s, 0, (struct rpc_target *)(void *)&places[1]));
}
END_TEST

/* Who must be there, and how its addresses are shared out, are of the connection. */
START_TEST(targets__a_connection_is_made_as_its_target_says)
{
    struct config_target changed = target_of("a", "tls://localhost:1");
    char who[] = "spiffe://x/y";
    const struct config after = config_of(&changed, 1);
    ck_assert_int_eq(policies[0], SPREAD_ROUND_ROBIN);
    changed.identity = who;
    changed.load_balancing_policy = CONFIG_PICK_FIRST;
    targets_take(&s, &with_a, &after);
    ck_assert_uint_eq(made, 2);
    ck_assert_str_eq(expected[1], "spiffe://x/y");
    ck_assert_int_eq(policies[1], SPREAD_PICK_FIRST);
    who[0] = '?'; /* the next reload takes the words of the configuration away, and not those of the connection */
    ck_assert_str_eq(whose, "spiffe://x/y");
    struct config_target spread = changed;
    spread.load_balancing_policy = CONFIG_ROUND_ROBIN;
    spread.identity = "";
    const struct config then = config_of(&spread, 1);
    targets_take(&s, &after, &then);
    ck_assert_uint_eq(made, 3);
    ck_assert_str_eq(expected[2], "");
    ck_assert_int_eq(policies[2], SPREAD_ROUND_ROBIN);
    changed.identity = ""; /* another policy alone is another connection, too */
    targets_take(&s, &then, &after);
    ck_assert_uint_eq(made, 4);
    ck_assert_int_eq(policies[3], SPREAD_PICK_FIRST);
}
END_TEST

/* Of what is for the whole sidecar each loop takes its part. */
START_TEST(targets__a_loop_takes_its_share)
{
    struct config_target changed = a;
    sidecar.count = 2;
    changed.max_concurrent_calls = 10;
    changed.rate_limit_per_second = 4;
    changed.rate_limit_burst = 6;
    const struct config after = config_of(&changed, 1);
    targets_take(&s, &with_a, &after);
    ck_assert_uint_eq(may_be_out, 5);
    ck_assert_uint_eq(burst, 3);
}
END_TEST

START_TEST(targets__every_option_reaches_the_engine)
{
    const struct config_target t = {.name = "t",
                                    .timeout = SPAN_S(1),
                                    .max_concurrent_calls = 2,
                                    .max_pending_calls = 3,
                                    .pending_timeout = SPAN_S(4),
                                    .rate_limit_per_second = 5,
                                    .rate_limit_burst = 6,
                                    .retry_budget_percent = 7,
                                    .retry_budget_min_per_second = 8,
                                    .breaker_failure_percent = 9,
                                    .breaker_slow_percent = 10,
                                    .breaker_slow_call = SPAN_S(11),
                                    .breaker_status_codes = 12,
                                    .breaker_window = SPAN_S(13),
                                    .breaker_volume = 14,
                                    .breaker_open = SPAN_S(15),
                                    .breaker_open_max = SPAN_S(16),
                                    .breaker_probes = 17,
                                    .adaptive_concurrency = true};
    struct target_options o = targets_options(&t);
    ck_assert_str_eq(o.name, "t");
    ck_assert_int_eq(o.timeout.us, SPAN_S(1).us);
    ck_assert_uint_eq(o.max_concurrent_calls, 2);
    ck_assert_uint_eq(o.max_pending_calls, 3);
    ck_assert_int_eq(o.pending_timeout.us, SPAN_S(4).us);
    ck_assert_uint_eq(o.rate.per_second, 5);
    ck_assert_uint_eq(o.rate.burst, 6);
    ck_assert_uint_eq(o.budget.percent, 7);
    ck_assert_uint_eq(o.budget.min_per_second, 8);
    ck_assert_uint_eq(o.breaker.failure_percent, 9);
    ck_assert_uint_eq(o.breaker.slow_percent, 10);
    ck_assert_int_eq(o.breaker.slow_call.us, SPAN_S(11).us);
    ck_assert_uint_eq(o.breaker.status_codes, 12);
    ck_assert_int_eq(o.breaker.window.us, SPAN_S(13).us);
    ck_assert_uint_eq(o.breaker.volume, 14);
    ck_assert_int_eq(o.breaker.open.us, SPAN_S(15).us);
    ck_assert_int_eq(o.breaker.open_max.us, SPAN_S(16).us);
    ck_assert_uint_eq(o.breaker.probes, 17);
    ck_assert(o.adaptive_concurrency && !o.barrier);
    o = targets_options(&(struct config_target){.name = "t", .barrier = true});
    ck_assert(o.barrier && !o.adaptive_concurrency);
}
END_TEST

/* Under its own number and name, for as long as the loop: the configuration that named it may be gone. */
START_TEST(targets__a_second_one_is_another)
{
    struct config_target both[] = {a, b};
    const struct config more = config_of(both, 2), none = config_of(NULL, 0);
    counted[0] = '\0';
    targets_take(&s, &with_a, &more);
    ck_assert_uint_eq(made, 2);
    ck_assert_uint_eq(number, 1);
    ck_assert_uint_eq(s.target_count, 2);
    ck_assert_str_eq(s.targets[0].shared->name, "a");
    ck_assert_str_eq(s.targets[1].shared->name, "b");
    ck_assert_str_eq(s.targets[1].address, "unix:/b");
    ck_assert_ptr_eq(s.targets[1].address, at);
    ck_assert_ptr_ne(at, b.address);
    ck_assert(let_go == 1 && let_go_last == 1);
    ck_assert_str_eq(counted, "b=8 ");
    targets_down(&s, 1, &unreached);
    ck_assert_int_eq(s.targets[0].down_since.us, 0);
    ck_assert_uint_eq(atomic_load(&s.targets[0].shared->down), 0);
    targets_back(&s, 1);
    ck_assert(let_go == 2 && let_go_last == 1);
    targets_down(&s, 1, &unreached);
    s.cutting = true; /* at the end of the grace nobody goes any more */
    targets_back(&s, 1);
    ck_assert(let_go == 2 && back == 2);
    s.cutting = false;
    both[1].max_concurrent_calls = 5;
    counted[0] = '\0';
    targets_take(&s, &more, &(struct config){.targets = both, .target_count = 2, .loops = 1});
    ck_assert_str_eq(counted, "");
    const struct config before = config_of((struct config_target[]){a, b}, 2);
    targets_take(&s, &before, &more);
    ck_assert_str_eq(counted, "b changes b=5 ");
    counted[0] = '\0';
    targets_take(&s, &more, &none);
    ck_assert_str_eq(counted, "a changes a=0 b changes b=0 ");
    ck_assert_uint_eq(s.target_count, 2); /* numbers stay */
}
END_TEST

START_TEST(targets__a_breaker_that_changes_is_told)
{
    static const struct {
        struct breaker_mark mark;
        bool open;
        const char *text;
    } rows[] = {{{.open = true}, true, "a target's breaker is open: its calls wait"},
                {{.open = true, .held = true}, true, "a target's breaker is held open: its calls wait until"},
                {{.held = true}, true, "a target's breaker is held open: its calls wait until"},
                {{.open = false}, false, "a target's breaker is closed again"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        targets_breaker(&s, &(struct breaker_effect){.target = 7, .mark = rows[i].mark});
        ck_assert_int_eq(opened, rows[i].open);
        ck_assert_msg(strncmp(said, rows[i].text, strlen(rows[i].text)) == 0, "%s", said);
    }
}
END_TEST

/* One for which there is no room is told of, and is as if it were not there. */
START_TEST(targets__one_that_cannot_be_had)
{
    struct config_target both[] = {a, b};
    const struct config more = config_of(both, 2);
    rpc_fails = E_MEMORY;
    targets_take(&s, &with_a, &more);
    ck_assert_uint_eq(made, 1);
    ck_assert_ptr_null(s.targets[1].rpc);
    ck_assert_uint_eq(may_be_out, 0); /* nothing waits for it in vain */
    ck_assert_uint_eq(let_go, 0);
    both[0].address = "127.0.0.9:1"; /* one that is there goes on as it was */
    const struct config elsewhere = config_of(both, 1);
    targets_take(&s, &with_a, &elsewhere);
    ck_assert_uint_eq(may_be_out, both[0].max_concurrent_calls);
    ck_assert_ptr_nonnull(s.targets[0].rpc);
    ck_assert_uint_eq(let_go, 0);
}
END_TEST

/* Of several loops the first tells that it is away, and the last that it is back. */
START_TEST(targets__what_is_away_is_told_once)
{
    struct error_detail detail;
    ck_assert_int_eq(targets_open(&second, &detail), 0);
    targets_down(&s, 0, &unreached);
    targets_down(&s, 0, &unreached);
    targets_down(&second, 0, &unreached);
    ck_assert_uint_eq(away, 1);
    targets_back(&s, 0);
    targets_back(&s, 0);
    ck_assert_uint_eq(back, 0);
    targets_back(&second, 0);
    ck_assert_uint_eq(back, 1);
    ck_assert_uint_eq(let_go, 2);
    targets_close(&second);
}
END_TEST

/* However often it is tried meanwhile. */
START_TEST(targets__it_is_away_since_the_first_time)
{
    struct instant began = now;
    for (int i = 0; i < 3; i++) {
        targets_down(&s, 0, &unreached);
        ck_assert_int_eq(s.targets[0].down_since.us, began.us);
        now = instant_after(now, SPAN_MS(1500));
    }
    targets_back(&s, 0);
    ck_assert_uint_eq(back, 1);
    ck_assert_int_eq(down_ms, 4500);
    targets_down(&s, 0, &unreached); /* and another time */
    now = instant_after(now, SPAN_MS(20));
    targets_back(&s, 0);
    ck_assert_int_eq(down_ms, 20);
}
END_TEST

/* Loops know it by other numbers, when one of them has others besides: they mean the same one all the same. */
START_TEST(targets__of_one_name_there_is_one)
{
    struct error_detail detail;
    struct config_target turned[] = {b, a};
    const struct config other = config_of(turned, 2);
    second.config = &other;
    ck_assert_int_eq(targets_open(&second, &detail), 0);
    ck_assert_ptr_eq(second.targets[1].shared, s.targets[0].shared);
    ck_assert_ptr_ne(second.targets[0].shared, s.targets[0].shared);
    targets_close(&second);
}
END_TEST

/* Where it is said to be now it has not been tried: that it was away counts no more, and that it is away there is told. */
START_TEST(targets__what_is_changed_begins_anew)
{
    struct config_target changed = target_of("a", "unix:/a2");
    const struct config elsewhere = config_of(&changed, 1), none = config_of(NULL, 0);
    targets_down(&s, 0, &unreached);
    ck_assert_uint_eq(away, 1);
    targets_take(&s, &with_a, &elsewhere);
    ck_assert_uint_eq(atomic_load(&s.targets[0].shared->down), 0);
    targets_back(&s, 0); /* of the connection before */
    ck_assert_uint_eq(back, 0);
    targets_down(&s, 0, &unreached);
    ck_assert_uint_eq(away, 2);
    targets_take(&s, &elsewhere, &none);
    ck_assert_uint_eq(atomic_load(&s.targets[0].shared->down), 0);
    targets_take(&s, &none, &with_a);
    targets_down(&s, 0, &unreached);
    ck_assert_uint_eq(away, 3);
    struct config_target wider = a; /* one that stays where it is stays away */
    wider.max_concurrent_calls = 9;
    const struct config more = config_of(&wider, 1);
    targets_take(&s, &with_a, &more);
    targets_down(&s, 0, &unreached);
    ck_assert_uint_eq(away, 3);
    targets_back(&s, 0);
    ck_assert_uint_eq(back, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("targets");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, targets__one_that_is_gone_keeps_no_connection);
    tcase_add_test(t, targets__another_address_is_another_connection_and_another_bound_is_not);
    tcase_add_test(t, targets__a_connection_is_made_as_its_target_says);
    tcase_add_test(t, targets__a_loop_takes_its_share);
    tcase_add_test(t, targets__every_option_reaches_the_engine);
    tcase_add_test(t, targets__a_second_one_is_another);
    tcase_add_test(t, targets__a_breaker_that_changes_is_told);
    tcase_add_test(t, targets__one_that_cannot_be_had);
    tcase_add_test(t, targets__what_is_away_is_told_once);
    tcase_add_test(t, targets__it_is_away_since_the_first_time);
    tcase_add_test(t, targets__of_one_name_there_is_one);
    tcase_add_test(t, targets__what_is_changed_begins_anew);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
