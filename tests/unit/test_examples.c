/* The definitions in client-lib/examples/definitions: judged by every rule, rehearsed, and rehearsed without each of their undos in turn, which must
 * be noticed. Runs at the top of the tree. */
#include "sidecar/base/pool.h"
#include "sidecar/core/heap.h"
#include "sidecar/message/json.h"
#include "sidecar/rehearse/rehearse.h"
#include "tests/support/trades.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER      "client-lib/examples/definitions"
#define COUNT       20
#define TEXT_SIZE   16384
#define INPUT_SIGN  "# input: "
#define UNDO_SIGN   "    compensation:\n"
#define INDENTATION "      "

static struct dirent **entries;
static char text[TEXT_SIZE];
static struct lint_report judged;
static struct rehearse_report report;
static struct error_detail detail;

static int is_definition(const struct dirent *entry)
{
    return strstr(entry->d_name, ".yaml") != NULL;
}

static void read_example(int index)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", FOLDER, entries[index]->d_name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is not there; tests run at the top of the tree", path);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    ck_assert_uint_lt(size, sizeof text - 1);
    text[size] = '\0';
}

static struct definition *definition_of(const char *source)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    limits.schemas = trades_schemas();
    int code = definition_read(bytes_of_text(source), &limits, &d, &detail);
    if (code != 0)
        ck_abort_msg("%d:%d: %s: %s\n%s", detail.line, detail.column, detail.field, detail.text, source);
    return d;
}

/* With the input that the file's second line tells. */
static void rehearse_text(const char *source)
{
    struct rehearse_options options = {.deviations_max = 2, .runs_max = 20000, .seed = 1, .memory = &heap};
    struct definition *d = definition_of(source);
    const char *input = strstr(source, INPUT_SIGN);
    struct pool pool;
    ck_assert_ptr_nonnull(input);
    input += strlen(INPUT_SIGN);
    pool_init(&pool, &heap, 1u << 20);
    int code =
        json_read(d->schema, d->input, bytes_of(input, strcspn(input, "\n")), &pool, 65536, &options.input, &detail);
    ck_assert_msg(code == 0, "%s: %s", detail.field, detail.text);
    code = rehearse(d, &options, NULL, NULL, &report, &detail);
    ck_assert_msg(code == 0, "%s", detail.text);
    pool_finish(&pool);
    definition_destroy(d);
}

START_TEST(examples__nothing_is_found_in_them)
{
    read_example(_i);
    struct participants unknown = {.at = NULL};
    struct definition *d = definition_of(text);
    judged.count = judged.more = 0;
    ck_assert_int_eq(lint_definition(d, &unknown, &judged), 0);
    for (unsigned i = 0; i < judged.count; i++)
        ck_abort_msg("%s:%d: %s [%s]", entries[_i]->d_name, judged.findings[i].line, judged.findings[i].text,
                     lint_rows[judged.findings[i].rule].id);
    definition_destroy(d);
    rehearse_text(text);
    ck_assert(!report.drawn);
    for (unsigned i = 0; i < report.count; i++)
        ck_assert_msg(report.findings[i].severity == LINT_NOTE, "%s: %s [%s]\n%s", entries[_i]->d_name,
                      report.findings[i].text, report.findings[i].rule, report.findings[i].trace);
}
END_TEST

/* The text without its undo of this number; false when it has not so many. */
static bool without_undo(unsigned number, char *to)
{
    const char *at = text;
    for (unsigned i = 0; at != NULL && i <= number; i++)
        at = strstr(i == 0 ? at : at + 1, UNDO_SIGN);
    if (at == NULL)
        return false;
    const char *rest = at + strlen(UNDO_SIGN);
    while (strncmp(rest, INDENTATION, strlen(INDENTATION)) == 0)
        rest += strcspn(rest, "\n") + 1;
    memcpy(to, text, (size_t)(at - text));
    strcpy(to + (at - text), rest);
    return true;
}

START_TEST(examples__an_undo_that_is_missing_is_noticed)
{
    static char less[TEXT_SIZE];
    read_example(_i);
    struct definition *whole = definition_of(text);
    unsigned undos = 0;
    for (; without_undo(undos, less); undos++) {
        struct definition *d = definition_of(less);
        int step = -1;
        for (unsigned i = 0; i < d->step_count; i++)
            if (whole->steps[i].has_compensation && !d->steps[i].has_compensation)
                step = (int)i;
        ck_assert_int_ge(step, 0);
        definition_destroy(d);
        rehearse_text(less);
        bool noticed = false;
        for (unsigned i = 0; i < report.count; i++)
            noticed =
                noticed || (strcmp(report.findings[i].rule, "left-behind") == 0 && report.findings[i].step == step);
        ck_assert_msg(noticed, "%s: nobody misses the undo of %s", entries[_i]->d_name, whole->steps[step].name);
    }
    unsigned there = 0;
    for (unsigned i = 0; i < whole->step_count; i++)
        there += whole->steps[i].has_compensation;
    ck_assert_uint_eq(undos, there);
    ck_assert(whole->forward_only || undos > 0);
    definition_destroy(whole);
}
END_TEST

int main(void)
{
    int count = scandir(FOLDER, &entries, is_definition, alphasort);
    if (count != COUNT) {
        fprintf(stderr, "%s holds %d definitions, not %d\n", FOLDER, count, COUNT);
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("examples");
    TCase *definitions = tcase_create("definitions");
    tcase_set_timeout(definitions, 60);
    tcase_add_loop_test(definitions, examples__nothing_is_found_in_them, 0, COUNT);
    tcase_add_loop_test(definitions, examples__an_undo_that_is_missing_is_noticed, 0, COUNT);
    suite_add_tcase(suite, definitions);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
