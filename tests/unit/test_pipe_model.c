/* What goes by a Pipe is what is asked alone: a world in which everything happens by chance is run twice, once with its commands in messages of a Pipe, and is
 * the same word by word, of each answer and of each saga. */
#include "tests/support/chance_world.h"

#include <check.h>
#include <stdlib.h>

#define STEPS 200

/* Gives what happened; to be freed. */
static char *run(unsigned loops, uint64_t seed, bool by_pipe)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    chance_open(loops, seed, out);
    if (by_pipe)
        chance_pipe();
    for (unsigned i = 0; i < STEPS; i++) {
        chance_step();
        chance_look_at_each();
    }
    chance_close();
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(pipe__takes_commands_as_they_are_taken_alone)
{
    static const unsigned loops[] = {1, 3, 2};
    char *alone = run(loops[_i], 20 + (uint64_t)_i, false), *piped = run(loops[_i], 20 + (uint64_t)_i, true);
    size_t same = 0;
    while (alone[same] != '\0' && alone[same] == piped[same])
        same++;
    size_t from = same < 200 ? 0 : same - 200;
    ck_assert_msg(alone[same] == piped[same], "alone\n%.400s\nby a pipe\n%.400s", alone + from, piped + from);
    free(alone);
    free(piped);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipe_model");
    TCase *tc = tcase_create("pipe_model");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, pipe__takes_commands_as_they_are_taken_alone, 0, 3);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
