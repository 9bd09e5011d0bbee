/* sagactl rehearse: the calls when all goes well, the ends that there are, and what is said of a definition that cannot be rehearsed. */
#include "tests/support/told_files.h"
#include "tests/support/trades.h"

static const char order[] = "name: order\n"
                            "version: 1.0.0\n"
                            "schema: trades\n"
                            "input: trades.v1.Order\n"
                            "deadline: 5m\n"
                            "steps:\n"
                            "  - name: reserve\n"
                            "    target: stock\n"
                            "    action:\n"
                            "      method: /trades.v1.Inventory/Reserve\n"
                            "      request: {order_id: =input.order_id, channel: web}\n"
                            "    compensation:\n"
                            "      method: /trades.v1.Inventory/Release\n"
                            "      request: {order_id: =input.order_id}\n"
                            "  - name: charge\n"
                            "    target: bank\n"
                            "    after: [reserve]\n"
                            "    action:\n"
                            "      method: /trades.v1.Payment/Authorize\n"
                            "      request: {order_id: =input.order_id, amount_cents: =6 / input.amount_cents}\n"
                            "    compensation: none\n";

static const char plain[] = "name: plain\nversion: 1.0.0\nsteps:\n"
                            "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/B}\n"
                            "  - {name: b, target: t, after: [a], action: /p.S/B, compensation: none}\n";

static void rehearse_setup(void)
{
    files_setup();
    put_bytes("trades.binpb", trades, trades_size);
    put_text("order.yaml", order);
    put_text("plain.yaml", plain);
}

#define ORDER "rehearse order.yaml --schema trades.binpb"

/* Each call with its target, its method and its request; the input is the one that was given, or an example. */
START_TEST(rehearse__shows_the_calls)
{
    static const struct {
        const char *words, *shown;
    } cases[] = {
        {ORDER, "The calls when all goes well\n"
                "  reserve  stock  /trades.v1.Inventory/Reserve  {\"orderId\":\"order_id\",\"channel\":\"web\"}\n"
                "  charge  bank  /trades.v1.Payment/Authorize  {\"orderId\":\"order_id\",\"amountCents\":\"6\"}\n"},
        {ORDER " --json {\"orderId\":\"A\",\"amountCents\":2}",
         "The calls when all goes well\n"
         "  reserve  stock  /trades.v1.Inventory/Reserve  {\"orderId\":\"A\",\"channel\":\"web\"}\n"
         "  charge  bank  /trades.v1.Payment/Authorize  {\"orderId\":\"A\",\"amountCents\":\"3\"}\n"},
        {ORDER " --json \n{\"orderId\":\"A\",\n\"amountCents\":2}",
         "The calls when all goes well\n"
         "  reserve  stock  /trades.v1.Inventory/Reserve  {\"orderId\":\"A\",\"channel\":\"web\"}\n"
         "  charge  bank  /trades.v1.Payment/Authorize  {\"orderId\":\"A\",\"amountCents\":\"3\"}\n"},
        {ORDER " --json input.json",
         "The calls when all goes well\n"
         "  reserve  stock  /trades.v1.Inventory/Reserve  {\"orderId\":\"B\",\"channel\":\"web\"}\n"
         "  charge  bank  /trades.v1.Payment/Authorize  {\"orderId\":\"B\",\"amountCents\":\"1\"}\n"},
        {"rehearse plain.yaml", "The calls when all goes well\n  a  t  /p.S/A  0 bytes\n  b  t  /p.S/B  0 bytes\n"},
        {"rehearse plain.yaml --input input.json",
         "The calls when all goes well\n  a  t  /p.S/A  31 bytes\n  b  t  /p.S/B  31 bytes\n"},
    };
    put_text("input.json", "{\"orderId\":\"B\",\"amountCents\":6}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(sagactl(cases[i].words) == EXIT_DONE, "%s", complained);
        ck_assert_msg(strncmp(said, cases[i].shown, strlen(cases[i].shown)) == 0, "%s", said);
    }
}
END_TEST

/* An undo that is due in any case is a call, too, with the method of its own. */
START_TEST(rehearse__shows_undos_for_what_they_are)
{
    ck_assert_int_eq(sagactl(ORDER " --json {\"orderId\":\"A\"} -o json"), EXIT_REFUSED);
    json_t *all = json_loads(said, 0, NULL);
    assert_value(json_object_get(all, "plan"),
                 "[{'compensation':false,'method':'/trades.v1.Inventory/Reserve','request':'{\\'orderId\\':\\'A\\',"
                 "\\'channel\\':\\'web\\'}','step':'reserve','target':'stock'},"
                 "{'compensation':true,'method':'/trades.v1.Inventory/Release','request':'{\\'orderId\\':\\'A\\'}',"
                 "'step':'reserve','target':'stock'}]");
    /* And what led to a finding is told with it, in one form as in the other. */
    const json_t *found = json_array_get(json_object_get(all, "findings"), 0);
    const char *trace = json_string_value(json_object_get(found, "trace"));
    ck_assert_ptr_nonnull(trace);
    char line[256];
    snprintf(line, sizeof line, "\n    %.*s\n", (int)strcspn(trace, "\n"), trace);
    json_decref(all);
    ck_assert_int_eq(sagactl(ORDER " --json {\"orderId\":\"A\"}"), EXIT_REFUSED);
    ck_assert_msg(strstr(said, line) != NULL, "%s\nis not in\n%s", line, said);
    ck_assert_ptr_nonnull(strstr(said, "\n  reserve  stock  /trades.v1.Inventory/Release  {\"orderId\":\"A\"}\n"));
    ck_assert_ptr_nonnull(strstr(said, "\norder.yaml:1:1: error: no saga of this definition is ever COMMITTED"));
}
END_TEST

/* The ends in text and as JSON are the same, each run has one, and each finding stands at its step. */
START_TEST(rehearse__tells_of_every_end)
{
    static const char *const ends[][4] = {{"COMMITTED", "", ""},
                                          {"COMPENSATED", "ACTION_REJECTED", ""},
                                          {"COMPENSATED", "ACTION_UNKNOWN", ""},
                                          {"STUCK", "COMPENSATION_FAILED", "reserve"},
                                          {"COMPENSATED", "DEADLINE", ""}};
    ck_assert_msg(sagactl(ORDER " -o json") == EXIT_DONE, "%s", complained);
    json_t *all = json_loads(said, 0, NULL), *list = json_object_get(all, "ends");
    json_int_t runs = 0;
    ck_assert_int_eq(sagactl(ORDER), EXIT_DONE);
    ck_assert_uint_eq(json_array_size(list), sizeof ends / sizeof ends[0]);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const json_t *end = json_array_get(list, i);
        json_int_t count = json_integer_value(json_object_get(end, "runs"));
        char line[160];
        ck_assert_str_eq(json_string_value(json_object_get(end, "state")), ends[i][0]);
        ck_assert_str_eq(json_string_value(json_object_get(end, "reason")), ends[i][1]);
        ck_assert_str_eq(json_string_value(json_object_get(end, "step")), ends[i][2]);
        snprintf(line, sizeof line, "\n  %-11s  %s%s%s  %d run%s, the longest %llds\n", ends[i][0], ends[i][1],
                 ends[i][2][0] != '\0' ? " at " : "", ends[i][2], (int)count, count == 1 ? "" : "s",
                 json_integer_value(json_object_get(end, "longest_ms")) / 1000);
        ck_assert_msg(strstr(said, line) != NULL, "%s is not in %s", line, said);
        runs += count;
    }
    ck_assert_int_eq(json_integer_value(json_object_get(all, "runs")), runs);
    ck_assert(json_is_false(json_object_get(all, "drawn")));
    ck_assert_ptr_nonnull(strstr(said, " runs, every outcome of every call in small scope: the ends\n"));
    ck_assert_ptr_nonnull(
        strstr(said, "\norder.yaml:7:1: note: steps[0]: the undo of reserve can become a dead letter"));
    ck_assert_ptr_nonnull(strstr(said, "\n    dead letter: COMPENSATION_FAILED\n"));
    ck_assert_ptr_nonnull(strstr(said, "\norder.yaml: order 1.0.0, 2 steps: 1 note\n"));
    json_decref(all);
}
END_TEST

/* So many runs as were asked for are drawn, beside the one in which all goes well. */
START_TEST(rehearse__draws_runs)
{
    ck_assert_int_eq(sagactl(ORDER " --seeds 3"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "\n4 runs, drawn by chance: the ends\n"));
    ck_assert_int_eq(sagactl(ORDER " --seeds 3 -o json"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "\"runs\": 4,"));
    ck_assert_ptr_nonnull(strstr(said, "\"drawn\": true"));
}
END_TEST

/* What cannot be rehearsed: of the definition it is a finding, in each form; of anything else it is said. */
START_TEST(rehearse__refuses)
{
    static const struct {
        const char *words;
        int status;
        const char *says, *complains; /* each the beginning */
    } cases[] = {
        {"rehearse order.yaml", EXIT_USAGE, "",
         "sagactl: order is written in the schema trades: give its file with --schema\n"},
        {"rehearse order.yaml -o sarif", EXIT_USAGE, "",
         "sagactl: order is written in the schema trades: give its file with --schema\n"},
        {"rehearse plain.yaml --input nowhere -o sarif", EXIT_USAGE, "",
         "sagactl: nowhere: No such file or directory\n"},
        {"rehearse nowhere.yaml", EXIT_USAGE, "", "sagactl: nowhere.yaml: No such file or directory\n"},
        {"rehearse plain.yaml --schema nowhere.binpb", EXIT_USAGE, "", "sagactl: nowhere.binpb: No such file"},
        {"rehearse plain.yaml --config nowhere.conf", EXIT_USAGE, "", "sagactl: nowhere.conf"},
        {"rehearse plain.yaml --config few.conf", EXIT_REFUSED,
         "plain.yaml:4:3: error: steps: holds 2 steps; steps_max is 1 [bound]\nplain.yaml: 1 error\n", ""},
        {"rehearse plain.yaml --json {}", EXIT_REFUSED, "", "sagactl: the type of the input is not known: "},
        {"rehearse plain.yaml --input nowhere", EXIT_USAGE, "", "sagactl: nowhere: No such file or directory\n"},
        {ORDER " --json nowhere", EXIT_USAGE, "", "sagactl: nowhere: No such file or directory\n"},
        {ORDER " --json {\"orderIds\":1}", EXIT_REFUSED, "",
         "sagactl: the input: 1:2: orderIds: there is no such field"},
        {"rehearse bad.yaml", EXIT_REFUSED, "bad.yaml:3:8: error: steps: must hold at least one step [value]\n", ""},
        {"rehearse bad.yaml -o json", EXIT_REFUSED, "{\n  \"file\": \"bad.yaml\",\n", ""},
        {"rehearse bad.yaml -o sarif", EXIT_REFUSED, "{\n  \"$schema\": ", ""},
    };
    put_text("bad.yaml", "name: a\nversion: 1.0.0\nsteps: []\n");
    put_text("few.conf", "steps_max: 1\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = sagactl(cases[i].words);
        ck_assert_msg(status == cases[i].status, "%s: %d", cases[i].words, status);
        ck_assert_msg(strncmp(said, cases[i].says, strlen(cases[i].says)) == 0, "%s", said);
        ck_assert_msg(cases[i].says[0] != '\0' || said[0] == '\0', "%s: %s", cases[i].words, said);
        ck_assert_msg(strncmp(complained, cases[i].complains, strlen(cases[i].complains)) == 0, "%s", complained);
        ck_assert_msg(cases[i].complains[0] != '\0' || complained[0] == '\0', "%s", complained);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_rehearse");
    TCase *tc = tcase_create("rehearse");
    tcase_add_checked_fixture(tc, rehearse_setup, files_teardown);
    tcase_add_test(tc, rehearse__shows_the_calls);
    tcase_add_test(tc, rehearse__shows_undos_for_what_they_are);
    tcase_add_test(tc, rehearse__tells_of_every_end);
    tcase_add_test(tc, rehearse__draws_runs);
    tcase_add_test(tc, rehearse__refuses);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
