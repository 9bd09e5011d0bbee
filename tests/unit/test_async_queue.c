/* The queue of the asynchronous half by itself: what is due next whatever has been completed, and what is put back in front of what waits. */
#include "client-lib/src/client_inside.h"

#include <check.h>
#include <stdlib.h>

static saga_client client;
static struct async *const a = &client.async;

/* ---- tests.mk wraps these ---- */

void __wrap_wire_wake(struct wire *wire);
void __wrap_wire_wake(struct wire *wire)
{
    (void)wire;
}

/* ---- a world ---- */

static void setup(void)
{
    struct saga_error error;
    client = (saga_client){.options = {.queue_commands_max = 1000, .queue_bytes_max = 1000000}};
    ck_assert_int_eq(async_init(&client, &error), SAGA_OK);
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
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("async_queue");
    TCase *tc = tcase_create("async_queue");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, async_queue__what_is_due_next_is_known_whatever_was_completed);
    tcase_add_test(tc, async_queue__what_is_put_back_is_before_what_waits);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
