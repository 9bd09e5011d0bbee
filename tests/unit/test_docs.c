/* The documents say what the code does: the examples in them are read, and what follows from the table of options is
 * that table's. Runs at the top of the tree. */
#include "compensations/answer.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/definition/reader.h"
#include "sidecar/config/config.h"
#include "sidecar/config/config_docs.h"
#include "sidecar/lint/lint.h"
#include "sidecar/observe/metrics.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_SIZE 262144

static char document[DOCUMENT_SIZE];
static struct error_detail detail;

static void read_document(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is not there; tests run at the top of the tree", path);
    size_t size = fread(document, 1, DOCUMENT_SIZE - 1, file);
    fclose(file);
    ck_assert_uint_lt(size, DOCUMENT_SIZE - 1);
    document[size] = '\0';
}

/* One of the examples in YAML of the document, which has so many. */
static struct bytes example(const char *path, unsigned index, unsigned count)
{
    static const char fence[] = "```yaml\n";
    struct bytes found = {.at = NULL};
    unsigned seen = 0;
    read_document(path);
    for (const char *start = document; (start = strstr(start, fence)) != NULL; seen++) {
        start += strlen(fence);
        const char *end = strstr(start, "```");
        ck_assert_ptr_nonnull(end);
        if (seen == index)
            found = bytes_of(start, (size_t)(end - start));
        start = end + 3;
    }
    ck_assert_msg(seen == count, "%s has %u examples, and %u are checked", path, seen, count);
    return found;
}

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    print(out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(docs__the_manual_page_is_the_table)
{
    char *page = printed(config_docs_man);
    read_document("docs/man/sagad.yaml.5");
    ck_assert_msg(strcmp(document, page) == 0, "docs/man/sagad.yaml.5 is not up to date; run make docs-options");
    free(page);
}
END_TEST

/* What stands between two lines of a document is what the program would write there. */
static void assert_written(const char *path, const char *begin, const char *end, void (*write)(FILE *out),
                           const char *target)
{
    char *tables = printed(write);
    read_document(path);
    char *first = strstr(document, begin), *last = strstr(document, end);
    ck_assert(first != NULL && last != NULL);
    first += strlen(begin);
    *last = '\0';
    ck_assert_msg(strcmp(first, tables) == 0, "%s is not up to date; run make %s", path, target);
    free(tables);
}

START_TEST(docs__the_tables_are_the_table)
{
    assert_written("docs/configuration.md", CONFIG_DOCS_BEGIN, CONFIG_DOCS_END, config_docs_markdown, "docs-options");
    assert_written("docs/observability.md", METRICS_DOCS_BEGIN, METRICS_DOCS_END, metrics_docs, "docs-metrics");
}
END_TEST

START_TEST(docs__the_rules_of_lint_are_the_table)
{
    char *page = printed(lint_docs);
    read_document("docs/lint.md");
    ck_assert_msg(strcmp(document, page) == 0, "docs/lint.md is not up to date; run make docs-lint");
    free(page);
}
END_TEST

START_TEST(docs__the_example_of_a_configuration_is_one)
{
    struct config *c = NULL;
    int code = config_read_text(example("docs/configuration.md", 0, 1), &c, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    ck_assert_str_eq(c->data_dir, "/var/lib/sagad");
    ck_assert_uint_eq(c->target_count, 3);
    ck_assert_uint_eq(c->targets[1].max_concurrent_calls, 64);
    ck_assert_uint_eq(c->default_compensation_retry.max_attempts, 50);
    ck_assert_uint_eq(c->log_format, CONFIG_LOG_JSON);
    config_destroy(c);
}
END_TEST

START_TEST(docs__the_example_of_a_definition_is_one)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    int code = definition_read(example("docs/definitions.md", 0, 3), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    ck_assert_str_eq(d->name, "checkout");
    ck_assert_uint_eq(d->step_count, 4);
    ck_assert_int_eq(d->pivot_step, 2);
    ck_assert_int_eq(d->order, ORDER_DEPENDENCY);
    ck_assert_int_eq(d->steps[0].compensation.source, REQUEST_OWN_OUTPUT);
    ck_assert(bytes_equal(d->steps[1].action.constant, bytes_of("\x08\x01", 2)));
    ck_assert_uint_eq(d->steps[3].action.source_step, 0);
    definition_destroy(d);
}
END_TEST

START_TEST(docs__the_example_of_a_fallback_is_one)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    int code = definition_read(example("docs/definitions.md", 1, 3), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    ck_assert_uint_eq(d->step_count, 5);
    ck_assert(d->steps[1].stand_in == STAND_IN_CALL && d->steps[2].stand_in == STAND_IN_VALUE && d->steps[4].deferred);
    definition_destroy(d);
}
END_TEST

START_TEST(docs__the_example_of_a_typed_definition_is_one)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    int code = definition_read(example("docs/definitions.md", 2, 3), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    ck_assert_str_eq(d->schema_name, "shop");
    ck_assert_str_eq(d->input_name, "shop.v1.Order");
    definition_destroy(d);
}
END_TEST

/* The defaults and bounds of a retry policy stand in documents that people write. */
START_TEST(docs__retry_defaults_are_told_right)
{
    struct definition_limits limits = definition_limits_default();
    const struct retry_policy *a = &limits.retry.action, *b = &limits.retry.compensation;
    char line[160];
    read_document("docs/definitions.md");
    snprintf(line, sizeof line, "| `maxAttempts` | 1 to 1000, the first included | %u | %u |", a->max_attempts,
             b->max_attempts);
    ck_assert_msg(strstr(document, line) != NULL, "not there: %s", line);
    snprintf(line, sizeof line, "| `initialBackoff` | 1ms to 24h | %lldms | %lldms |",
             (long long)a->initial_backoff.us / 1000, (long long)b->initial_backoff.us / 1000);
    ck_assert_msg(strstr(document, line) != NULL, "not there: %s", line);
    snprintf(line, sizeof line, "| `maxBackoff` | 1ms to 24h | %llds | %llds |", (long long)a->max_backoff.us / 1000000,
             (long long)b->max_backoff.us / 1000000);
    ck_assert_msg(strstr(document, line) != NULL, "not there: %s", line);
    snprintf(line, sizeof line, "| `backoffMultiplier` | 1 to 100 | %u | %u |", a->backoff_multiplier_permille / 1000,
             b->backoff_multiplier_permille / 1000);
    ck_assert_msg(strstr(document, line) != NULL, "not there: %s", line);
    snprintf(line, sizeof line, "| `jitter` | 0 to 1 | 0.%u | 0.%u |", a->jitter_permille / 100,
             b->jitter_permille / 100);
    ck_assert_msg(strstr(document, line) != NULL, "not there: %s", line);
}
END_TEST

/* ---- what an answer means: the table of docs/concepts.md, cell by cell ---- */

/* The next cell of a table's row, without the spaces around it. */
static char *cell(char **row)
{
    char *at = *row, *end = strchr(at, '|');
    ck_assert_ptr_nonnull(end);
    *row = end + 1;
    while (*at == ' ')
        at++;
    while (end > at && end[-1] == ' ')
        end--;
    *end = '\0';
    return at;
}

/* Of a list: "OK", "MAYBE or ANSWERED", "NOT_FOUND, ALREADY_EXISTS". */
static bool names(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') && (at[size] == '\0' || at[size] == ',' || at[size] == ' '))
            return true;
    return false;
}

static unsigned assert_row(const char *statuses, const char *reaches, const char *means, const char *again)
{
    static const char *const reach_names[] = {"NONE", "MAYBE", "ANSWERED"};
    unsigned looked_at = 0;
    for (int status = 0; status < CODE_COUNT; status++)
        for (int reach = 0; reach < 3; reach++) {
            /* OK has no cell for its reach: it came from the participant. */
            bool ok = status == CODE_OK;
            if (!names(statuses, grpc_status_name(status)) && (ok || !names(statuses, "any")))
                continue;
            if (ok ? reach != SAGA_REACH_ANSWERED : !names(reaches, reach_names[reach]))
                continue;
            struct saga_answer plain = saga_answer_of_action(status, (enum saga_reach)reach, 0);
            struct saga_answer listed = saga_answer_of_action(status, (enum saga_reach)reach, UINT32_C(1) << status);
            enum saga_meaning wanted = strncmp(means, "DONE", 4) == 0 ? SAGA_MEANS_DONE
                                       : strncmp(means, "REJECTED", 8) == 0 || strcmp(means, "not executed") == 0
                                           ? SAGA_MEANS_REJECTED
                                           : SAGA_MEANS_UNKNOWN;
            ck_assert_msg(plain.meaning == wanted && listed.meaning == wanted, "%s, %s does not mean: %s",
                          grpc_status_name(status), reach_names[reach], means);
            bool retry = strncmp(again, "yes", 3) == 0,
                 when_listed = retry || strncmp(again, "only when listed", 16) == 0;
            ck_assert_msg(plain.retry == retry, "%s, %s: %s", grpc_status_name(status), reach_names[reach], again);
            ck_assert_msg(listed.retry == when_listed, "%s, %s, listed: %s", grpc_status_name(status),
                          reach_names[reach], again);
            looked_at++;
        }
    return looked_at;
}

START_TEST(docs__what_an_answer_means_is_told_right)
{
    static const char head[] = "| status of an action | reach | meaning | tried again |\n|---|---|---|---|\n|";
    char before[512] = "";
    unsigned looked_at = 0;
    read_document("docs/concepts.md");
    char *row = strstr(document, head);
    ck_assert_ptr_nonnull(row);
    for (row += strlen(head); row[-1] == '|'; row = strchr(row, '\n') + 2) {
        char *statuses = cell(&row), *reaches = cell(&row), *means = cell(&row), *again = cell(&row);
        if (strcmp(statuses, "the same") != 0)
            snprintf(before, sizeof before, "%s", statuses);
        looked_at += assert_row(before, reaches, means, again);
    }
    /* Each status with each reach, save an OK that never came. */
    ck_assert_uint_eq(looked_at, CODE_COUNT * 3 - 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("docs");
    TCase *documents = tcase_create("documents");
    tcase_add_test(documents, docs__the_manual_page_is_the_table);
    tcase_add_test(documents, docs__the_tables_are_the_table);
    tcase_add_test(documents, docs__the_rules_of_lint_are_the_table);
    tcase_add_test(documents, docs__the_example_of_a_configuration_is_one);
    tcase_add_test(documents, docs__the_example_of_a_definition_is_one);
    tcase_add_test(documents, docs__the_example_of_a_fallback_is_one);
    tcase_add_test(documents, docs__the_example_of_a_typed_definition_is_one);
    tcase_add_test(documents, docs__retry_defaults_are_told_right);
    tcase_add_test(documents, docs__what_an_answer_means_is_told_right);
    suite_add_tcase(suite, documents);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
