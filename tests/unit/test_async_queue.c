/* The queue of the asynchronous half by itself: what is due next whatever has been completed, what is put back in front of what waits, and what
 * a completion tells and gives back. */
#include "client-lib/src/client_inside.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>

#include "client-lib/src/wire_inside.h"

static struct wire never_forked;
static saga_client client;
static struct async *const a = &client.async;
static unsigned woken; /* how often the wire's thread was */

/* ---- tests.mk wraps these ---- */

void __wrap_wire_wake(struct wire *wire);
void __wrap_wire_wake(struct wire *wire)
{
    ck_assert_ptr_eq(wire, &never_forked);
    woken++;
}

/* ---- a world ---- */

static void open_with(struct saga_client_options options)
{
    struct saga_error error;
    client = (saga_client){.wire = &never_forked, .options = options};
    ck_assert_int_eq(async_init(&client, &error), SAGA_OK);
}

static void setup(void)
{
    open_with((struct saga_client_options){.queue_commands_max = 1000, .queue_bytes_max = 1000000});
}

static void teardown(void)
{
    async_finish(&client);
}

static struct command *push(int64_t deadline)
{
    struct saga_error error;
    struct command *command = calloc(1, sizeof *command);
    ck_assert_ptr_nonnull(command);
    command->deadline = deadline;
    command->size = 1;
    ck_assert_int_eq(async_push(&client, command, &error), SAGA_OK);
    return command;
}

static void complete(struct command *command)
{
    async_complete(&client, command, &(struct completion){.code = SAGA_OK});
}

/* One that is completed in the middle of the heap has its place taken by the last, which may belong further up. */
START_TEST(async_queue__what_is_due_next_is_known_whatever_was_completed)
{
    static const int64_t deadlines[] = {1, 50, 2, 60, 61, 3, 4, 70, 71, 72, 73, 5, 6, 7};
    enum { COUNT = sizeof deadlines / sizeof deadlines[0] };
    struct command *commands[COUNT], *late[COUNT];
    int64_t next;
    for (int i = 0; i < COUNT; i++)
        commands[i] = push(deadlines[i]);
    for (int i = 0; i < COUNT; i++)
        ck_assert_uint_eq(commands[i]->heap_index, i);
    complete(commands[7]);
    for (int i = 0; i < COUNT; i++)
        late[i] = push(100);
    async_take_all(a);
    for (int64_t due = 1; due <= 7; due++)
        for (int i = 0; i < COUNT; i++)
            if (deadlines[i] == due) {
                ck_assert_ptr_null(async_take_expired(a, 0, &next));
                ck_assert_int_eq(next, due);
                complete(commands[i]);
            }
    ck_assert_ptr_null(async_take_expired(a, 0, &next));
    ck_assert_int_eq(next, 50);
    for (int i = 0; i < COUNT; i++) {
        complete(late[i]);
        if (deadlines[i] >= 50 && i != 7)
            complete(commands[i]);
    }
}
END_TEST

START_TEST(async_queue__what_is_put_back_is_before_what_waits)
{
    struct command *commands[4];
    int64_t next;
    for (int i = 0; i < 3; i++)
        commands[i] = push(100);
    struct command_list taken = async_take_all(a);
    commands[3] = push(1);
    async_put_back(a, taken);
    /* The one behind them is late, and leaves them where they are. */
    ck_assert_ptr_eq(async_take_expired(a, 1, &next), commands[3]);
    complete(commands[3]);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_eq(async_take(a, 1), commands[i]);
        complete(commands[i]);
    }
    ck_assert(!async_is_waiting(a));
    /* Nothing put back is nothing. */
    async_put_back(a, (struct command_list){0});
    ck_assert(!async_is_waiting(a));
}
END_TEST

/* One that is late is taken from wherever it waits, and the others stay in their order. */
START_TEST(async_queue__what_is_late_leaves_the_others_in_their_order)
{
    for (int late = 0; late < 3; late++) {
        struct command *commands[4];
        int64_t next;
        for (int i = 0; i < 3; i++)
            commands[i] = push(i == late ? 1 : 100);
        ck_assert_ptr_null(async_take_expired(a, 0, &next));
        ck_assert_int_eq(next, 1);
        ck_assert_ptr_eq(async_take_expired(a, 1, &next), commands[late]);
        complete(commands[late]);
        ck_assert_ptr_null(async_take_expired(a, 1, &next));
        ck_assert_int_eq(next, 100);
        commands[3] = push(200);
        for (int i = 0; i < 4; i++)
            if (i != late) {
                ck_assert_ptr_eq(async_take(a, 1), commands[i]);
                complete(commands[i]);
            }
        ck_assert(!async_is_waiting(a));
        ck_assert_ptr_null(async_take_expired(a, INT64_MAX - 1, &next));
        ck_assert_int_eq(next, WIRE_FOREVER);
    }
}
END_TEST

/* ---- completions ---- */

static struct told {
    unsigned times;
    int code;
    char reason[64], field[96], saga_id[SAGA_ID_SIZE];
    bool already_started;
} told;

static void tell(void *user, const struct saga_result *result)
{
    struct told *t = user;
    t->times++;
    t->code = result->code;
    t->already_started = result->already_started;
    client_copy_text(t->saga_id, sizeof t->saga_id, result->saga_id);
    client_copy_text(t->reason, sizeof t->reason, result->error ? result->error->reason : "");
    client_copy_text(t->field, sizeof t->field, result->error ? result->error->field : "");
}

static int try_push(size_t size, struct command **out)
{
    struct saga_error error;
    struct command *command = calloc(1, sizeof *command);
    ck_assert_ptr_nonnull(command);
    *command = (struct command){.deadline = 100, .size = size, .done = tell, .user = &told};
    unsigned before = woken;
    int code = async_push(&client, command, &error);
    ck_assert_uint_eq(woken, before + (code == SAGA_OK)); /* what is queued is looked at */
    *out = code == SAGA_OK ? command : NULL;
    if (code != SAGA_OK) {
        ck_assert_int_eq(code, SAGA_E_RESOURCE_EXHAUSTED);
        ck_assert_str_eq(error.reason, SAGA_REASON_QUEUE);
        free(command);
    }
    return code;
}

static void end(struct command *command, const struct completion *completion)
{
    ck_assert_ptr_eq(async_take(a, SIZE_MAX), command);
    async_complete(&client, command, completion);
}

/* Whether saga_async_fd says that a completion waits. */
static bool readable(void)
{
    return poll(&(struct pollfd){.fd = saga_async_fd(&client), .events = POLLIN}, 1, 0) == 1;
}

static const struct saga_error refused = {
    .code = SAGA_E_NOT_FOUND, .reason = "DEFINITION_NOT_FOUND", .field = "definition", .retry_delay_ms = -1};
static const struct {
    struct completion completion;
    const char *saga_id;
} endings[] = {
    {{.code = SAGA_OK, .saga_id = "s-1"}, "s-1"},
    {{.code = SAGA_OK, .saga_id = "s-2", .already_started = true}, "s-2"},
    {{.code = SAGA_OK}, ""},
    {{.code = SAGA_E_NOT_FOUND, .error = &refused}, ""},
};
#define ENDINGS (sizeof endings / sizeof endings[0])

/* Whether its callback runs at once or is polled for (_i), it is told the same. */
START_TEST(async_queue__a_callback_is_told_how_its_command_ended)
{
    async_finish(&client);
    open_with((struct saga_client_options){.async_poll = _i, .queue_commands_max = 1, .queue_bytes_max = 1});
    for (size_t i = 0; i < ENDINGS; i++) {
        struct command *command;
        told = (struct told){0};
        ck_assert_int_eq(try_push(1, &command), SAGA_OK);
        end(command, &endings[i].completion);
        ck_assert_uint_eq(told.times, _i ? 0 : 1);
        ck_assert_uint_eq(saga_async_poll(&client, 10), _i ? 1 : 0);
        ck_assert_uint_eq(told.times, 1);
        bool failed = endings[i].completion.code != SAGA_OK;
        ck_assert_int_eq(told.code, endings[i].completion.code);
        ck_assert_str_eq(told.saga_id, endings[i].saga_id);
        ck_assert_int_eq(told.already_started, endings[i].completion.already_started);
        ck_assert_str_eq(told.reason, failed ? refused.reason : "");
        ck_assert_str_eq(told.field, failed ? refused.field : "");
        ck_assert_uint_eq(saga_async_outstanding(&client), 0);
    }
}
END_TEST

/* Both bounds count what has not been completed, whose callback has not run: then there is as much room as before, however it ended. */
START_TEST(async_queue__every_end_gives_its_room_back)
{
    async_finish(&client);
    open_with((struct saga_client_options){.async_poll = _i, .queue_commands_max = 3, .queue_bytes_max = 100});
    for (size_t i = 0; i < ENDINGS; i++) {
        struct command *first, *second, *third, *none;
        ck_assert_int_eq(try_push(101, &none), SAGA_E_RESOURCE_EXHAUSTED);
        ck_assert_int_eq(try_push(60, &first), SAGA_OK);
        ck_assert_int_eq(try_push(41, &none), SAGA_E_RESOURCE_EXHAUSTED);
        ck_assert_int_eq(try_push(40, &second), SAGA_OK);
        ck_assert_int_eq(try_push(1, &none), SAGA_E_RESOURCE_EXHAUSTED);
        ck_assert_int_eq(try_push(0, &third), SAGA_OK);
        ck_assert_int_eq(try_push(0, &none), SAGA_E_RESOURCE_EXHAUSTED);
        ck_assert_uint_eq(saga_async_outstanding(&client), 3);
        end(first, &endings[i].completion);
        if (_i) {
            ck_assert_int_eq(try_push(1, &none), SAGA_E_RESOURCE_EXHAUSTED);
            ck_assert_uint_eq(saga_async_outstanding(&client), 3);
            ck_assert_uint_eq(saga_async_poll(&client, 1), 1);
        }
        ck_assert_uint_eq(saga_async_outstanding(&client), 2);
        ck_assert_int_eq(try_push(61, &none), SAGA_E_RESOURCE_EXHAUSTED);
        ck_assert_int_eq(try_push(60, &first), SAGA_OK);
        end(second, &endings[i].completion);
        end(third, &endings[i].completion);
        end(first, &endings[i].completion);
        saga_async_poll(&client, 3);
        ck_assert_uint_eq(saga_async_outstanding(&client), 0);
    }
}
END_TEST

START_TEST(async_queue__is_readable_for_as_long_as_a_completion_waits)
{
    struct command *commands[3];
    async_finish(&client);
    open_with((struct saga_client_options){.async_poll = true, .queue_commands_max = 3, .queue_bytes_max = 3});
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(try_push(1, &commands[i]), SAGA_OK);
        ck_assert(!readable());
        for (int i = 0; i < 3; i++) {
            end(commands[i], &endings[i].completion);
            ck_assert(readable());
        }
        ck_assert_uint_eq(saga_async_poll(&client, 0), 0);
        ck_assert_uint_eq(saga_async_poll(&client, 2), 2);
        ck_assert(readable());
        ck_assert_uint_eq(saga_async_poll(&client, 2), 1);
        ck_assert(!readable());
        ck_assert_uint_eq(saga_async_poll(&client, 2), 0);
    }
}
END_TEST

/* With async_poll on draining runs the callbacks; what is not completed in time is said, and stays. */
START_TEST(async_queue__draining_runs_the_callbacks_that_wait)
{
    struct command *first, *second;
    struct saga_error error;
    async_finish(&client);
    open_with((struct saga_client_options){.async_poll = true, .queue_commands_max = 2, .queue_bytes_max = 2});
    told = (struct told){0};
    ck_assert_int_eq(try_push(1, &first), SAGA_OK);
    ck_assert_int_eq(try_push(1, &second), SAGA_OK);
    end(first, &endings[0].completion);
    ck_assert_int_eq(saga_async_drain(&client, 0, &error), SAGA_E_DEADLINE_EXCEEDED);
    ck_assert_str_eq(error.reason, SAGA_REASON_DEADLINE);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_uint_eq(saga_async_outstanding(&client), 1);
    end(second, &endings[3].completion);
    ck_assert_int_eq(saga_async_drain(&client, -1, &error), SAGA_OK);
    ck_assert_uint_eq(told.times, 2);
    ck_assert_uint_eq(saga_async_outstanding(&client), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("async_queue");
    TCase *tc = tcase_create("async_queue");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, async_queue__what_is_due_next_is_known_whatever_was_completed);
    tcase_add_test(tc, async_queue__what_is_put_back_is_before_what_waits);
    tcase_add_test(tc, async_queue__what_is_late_leaves_the_others_in_their_order);
    tcase_add_loop_test(tc, async_queue__a_callback_is_told_how_its_command_ended, 0, 2);
    tcase_add_loop_test(tc, async_queue__every_end_gives_its_room_back, 0, 2);
    tcase_add_test(tc, async_queue__is_readable_for_as_long_as_a_completion_waits);
    tcase_add_test(tc, async_queue__draining_runs_the_callbacks_that_wait);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
