/* How sagactl draws a definition and a saga, in each form: every step with where it goes and how it is, and a text that is whole. */
#include "tests/support/told_files.h"

static const char fan[] = "name: fan\nversion: 1.0.0\nsteps:\n"
                          "  - {name: a, target: bank, action: /p.S/A, compensation: /p.S/UndoA}\n"
                          "  - {name: longest, target: mail, after: [a], action: /p.S/B, compensation: none}\n";

static void tell_fan(void)
{
    static Saga__V1__Definition d;
    saga__v1__definition__init(&d);
    d.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)fan, .len = sizeof fan - 1};
    tell("GetDefinition", &d.base);
}

static bool ends_with(const char *end)
{
    size_t size = strlen(said), rest = strlen(end);
    return size >= rest && strcmp(said + size - rest, end) == 0;
}

START_TEST(graph__of_a_definition_has_its_form)
{
    tell_fan();
    SHOWS("graph fan", "fan 1.0.0\n  ▶ a        on bank  undone by UndoA\n     └▶ longest  after a  on mail\n");
    anew();
    tell_fan();
    SHOWS("-o mermaid graph fan", "flowchart LR\n    s0[\"a\"]\n    s1[\"longest\"]\n    s0 --> s1\n"
                                  "    s0 -. UndoA .-> u0((undo))\n");
    anew();
    tell_fan();
    ck_assert_int_eq(sagactl("-o dot graph fan"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "label=\"a\\nbank\""));
    ck_assert(ends_with("    s0 -> s1;\n}\n"));
    anew();
    tell_fan();
    ck_assert_int_eq(sagactl("-o svg graph fan"), EXIT_DONE);
    ck_assert_int_eq(strncmp(said, "<svg ", 5), 0);
    ck_assert_ptr_nonnull(strstr(said, ">mail</text>\n"));
    ck_assert(ends_with("</svg>\n"));
}
END_TEST

/* A condition is shown as it is written, types or not; what can be none is not. */
START_TEST(graph__shows_the_condition_of_a_step)
{
    static const char *const cases[][2] = {
        {"input.total > 5", "  when input.total > 5"}, {"[x, y]", ""}, {"{x: y}", ""}};
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char source[256], shown[128];
        snprintf(source, sizeof source,
                 "name: fan\nversion: 1.0.0\nschema: shop\ninput: shop.Order\nsteps:\n"
                 "  - {name: a, target: bank, when: %s, action: /p.S/A, compensation: none}\n",
                 cases[i][0]);
        snprintf(shown, sizeof shown, "fan 1.0.0\n  ▶ a   %s  on bank\n", cases[i][1]);
        d.source = (ProtobufCBinaryData){.data = (uint8_t *)source, .len = strlen(source)};
        anew();
        tell("GetDefinition", &d.base);
        SHOWS("graph fan", shown);
    }
}
END_TEST

/* Whatever sent it may not be a sidecar: nothing of it steers a terminal. */
START_TEST(graph__lets_nothing_steer_a_terminal)
{
    static const char source[] = "name: fan\nversion: 1.0.0\nschema: shop\ninput: shop.Order\nsteps:\n"
                                 "  - {name: a, target: bank, when: \"input.total\\e[2J > 5\\n\\u009b\\a\", action: "
                                 "/p.S/A, compensation: none}\n";
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT;
    d.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)source, .len = sizeof source - 1};
    tell("GetDefinition", &d.base);
    SHOWS("graph fan", "fan 1.0.0\n  ▶ a     when input.total\\x1b[2J > 5\\n\\u{9b}\\x07  on bank\n");
}
END_TEST

/* A file is drawn without a sidecar. One that is no definition is refused with its place; one that cannot be read is a mistake of the command line. */
START_TEST(graph__of_a_file)
{
    static const struct {
        const char *content;
        int status;
        const char *says, *complains;
    } cases[] = {{fan, EXIT_DONE, "fan 1.0.0\n", NULL},
                 {"name: fan\nversion: 1.0.0\nsteps:\n  - {name: a, color: red}\n", EXIT_REFUSED, "", ":4:"},
                 {"name: fan\n", EXIT_REFUSED, "", ":1:"},
                 {"- [\n", EXIT_REFUSED, "", ":2:"},
                 {NULL, EXIT_USAGE, "", ": No such file or directory\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/saga-graph-XXXXXX", words[64], complaint[64];
        write_file(path, cases[i].content == NULL ? "" : cases[i].content);
        if (cases[i].content == NULL)
            unlink(path);
        snprintf(words, sizeof words, "graph %s", path);
        ck_assert_msg(sagactl(words) == cases[i].status, "%zu: %s", i, complained);
        ck_assert_int_eq(strncmp(said, cases[i].says, strlen(cases[i].says)), 0);
        ck_assert_int_eq(said[0] == '\0', cases[i].status != EXIT_DONE);
        snprintf(complaint, sizeof complaint, "sagactl: %s%s", path, cases[i].complains);
        ck_assert_msg(cases[i].complains == NULL ? complained[0] == '\0'
                                                 : strncmp(complained, complaint, strlen(complaint)) == 0,
                      "%s", complained);
        unlink(path);
    }
    put_text("fan.yaml", fan);
    ck_assert_msg(sagactl("graph fan.yaml") == EXIT_DONE, "%s", complained);
    ck_assert_int_eq(strncmp(said, "fan 1.0.0\n", 10), 0);
    /* What is piped in is one, whatever it is called. */
    char path[] = "/tmp/saga-graph-XXXXXX";
    write_file(path, fan);
    ck_assert_ptr_nonnull(freopen(path, "r", stdin));
    ck_assert_msg(sagactl("graph -") == EXIT_DONE, "%s", complained);
    ck_assert_int_eq(strncmp(said, "fan 1.0.0\n", 10), 0);
    unlink(path);
    /* What a sidecar has may be of another kind of sidecar. */
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT;
    tell("GetDefinition", &d.base);
    ck_assert_int_eq(sagactl("graph fan"), EXIT_REFUSED);
    ck_assert_int_eq(strncmp(complained, "sagactl: fan:", 13), 0);
}
END_TEST

/* A step is an instance of the one whose name it has, and of none whose name its own begins with. */
START_TEST(graph__of_a_saga_knows_whose_instance_a_step_is)
{
    static const char source[] =
        "name: fan\nversion: 1.0.0\nsteps:\n"
        "  - {name: pay, target: bank, action: /p.S/Pay, compensation: none}\n"
        "  - {name: pay-out, target: mail, after: [pay], action: /p.S/Out, compensation: /p.S/UndoOut}\n";
    static const char *const names[] = {"pay[0]", "pay[1]", "pay-out", "payment"};
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT;
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[4], *list[4];
    for (int i = 0; i < 4; i++) {
        saga__v1__step__init(&steps[i]);
        steps[i].name = text(names[i]);
        steps[i].action = SAGA__V1__ACTION_STATE__ACTION_STATE_DONE;
        list[i] = &steps[i];
    }
    d.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)source, .len = sizeof source - 1};
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ORCHESTRATED;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.definition = text("fan");
    saga.steps = list;
    saga.n_steps = 4;
    answer.saga = &saga;
    tell("Get", &answer.base);
    tell("GetDefinition", &d.base);
    SHOWS("graph 9f03c1d2a4b7-2a", "fan 1.0.0, saga 9f03c1d2a4b7-2a: RUNNING\n"
                                   "  ▶ pay[0]   on bank  DONE\n  ▶ pay[1]   on bank  DONE\n"
                                   "     └▶ pay-out  after pay[0], pay[1]  on mail  undone by UndoOut  DONE\n");
}
END_TEST

static const char shop[] =
    "name: shop\nversion: 2.0.0\nschema: shop\ninput: shop.Order\nsteps:\n"
    "  - {name: hold, target: stock, for_each: input.lines, max_items: 3, action: /p.S/Hold, compensation: /p.S/Free}\n"
    "  - {name: tell, target: mail, optional: true, action: /p.S/Tell, compensation: none}\n"
    "  - {name: pay, target: bank, after: [hold, tell], pivot: true, action: /p.S/Pay, compensation: none}\n";

static void tell_shop(void)
{
    static Saga__V1__Definition d;
    saga__v1__definition__init(&d);
    d.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)shop, .len = sizeof shop - 1};
    tell("GetDefinition", &d.base);
}

/* What a step is, is told in each form: the pivot, what may fail, and a loop as one step of which there may be many. */
START_TEST(graph__tells_what_each_step_is)
{
    tell_shop();
    SHOWS("graph shop", "shop 2.0.0\n  ▶ hold  for each of at most 3  on stock  undone by Free\n"
                        "  ▶ tell  optional  on mail\n     └▶ pay   pivot  after hold, tell  on bank\n");
    anew();
    tell_shop();
    ck_assert_int_eq(sagactl("graph shop -o json"), EXIT_DONE);
    assert_json(said,
                "{'steps':["
                "{'after':[],'max_items':3,'name':'hold','optional':false,'pivot':false,'state':'','target':'stock',"
                "'undo':'Free','when':''},"
                "{'after':[],'max_items':0,'name':'tell','optional':true,'pivot':false,'state':'','target':"
                "'mail','undo':'','when':''},"
                "{'after':['hold','tell'],'max_items':0,'name':'pay','optional':false,'pivot':true,'state':'',"
                "'target':'bank','undo':'','when':''}],'title':'shop 2.0.0'}");
    anew();
    tell_shop();
    SHOWS("graph shop -o mermaid", "flowchart LR\n    s0[\"hold[*]\"]\n    s1[\"tell\"]\n    s2{{\"pay\"}}\n"
                                   "    s0 --> s2\n    s1 --> s2\n    s0 -. Free .-> u0((undo))\n");
    anew();
    tell_shop();
    SHOWS("graph shop -o dot",
          "digraph saga {\n    rankdir=LR;\n    label=\"shop 2.0.0\";\n    node [shape=box, style=rounded];\n"
          "    s0 [label=\"hold[*]\\nstock\"];\n    s1 [label=\"tell\\nmail\"];\n"
          "    s2 [label=\"pay\\nbank\", shape=hexagon];\n    s0 -> s2;\n    s1 -> s2;\n}\n");
    anew();
    tell_shop();
    ck_assert_int_eq(sagactl("graph shop -o svg"), EXIT_DONE);
    static const char *const parts[] = {
        "width=\"428\" height=\"216\"", /* two columns, and two rows in the first */
        "<text x=\"24\" y=\"32\">shop 2.0.0</text>\n",
        "<rect x=\"24\" y=\"56\" width=\"160\" height=\"56\" rx=\"6\" fill=\"#ffffff\" stroke=\"#333\"/>\n",
        "<rect x=\"24\" y=\"136\" width=\"160\" height=\"56\" rx=\"6\" fill=\"#ffffff\" stroke=\"#333\" "
        "stroke-dasharray=\"4 3\"/>\n",
        "<rect x=\"244\" y=\"56\" width=\"160\" height=\"56\" rx=\"6\" fill=\"#ffffff\" stroke=\"#333\" "
        "stroke-width=\"3\"/>\n",
        "<line x1=\"184\" y1=\"84\" x2=\"244\" y2=\"84\" ",
        "<line x1=\"184\" y1=\"164\" x2=\"244\" y2=\"84\" ",
        ">hold[*]</text>\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        ck_assert_msg(strstr(said, parts[i]) != NULL, "%s is not in %s", parts[i], said);
}
END_TEST

/* Of a saga a loop is its instances, each with how it is; one without any is told of as that, and keeps its place. */
START_TEST(graph__of_a_saga_shows_a_loop_as_its_instances)
{
    static const char *const names[] = {"hold[0]", "hold[1]", "tell", "pay"};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[4], *list[4];
    for (int i = 0; i < 4; i++) {
        saga__v1__step__init(&steps[i]);
        steps[i].name = text(names[i]);
        steps[i].action = SAGA__V1__ACTION_STATE__ACTION_STATE_DONE;
        list[i] = &steps[i];
    }
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ORCHESTRATED;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    answer.saga = &saga;
    for (int items = 0; items < 2; items++) {
        saga.steps = items ? list : list + 2;
        saga.n_steps = items ? 4 : 2;
        anew();
        tell("Get", &answer.base);
        tell_shop();
        SHOWS("graph 9f03c1d2a4b7-2a",
              items ? "shop 2.0.0, saga 9f03c1d2a4b7-2a: RUNNING\n"
                      "  ▶ hold[0]  on stock  undone by Free  DONE\n  ▶ hold[1]  on stock  undone by Free  DONE\n"
                      "  ▶ tell     optional  on mail  DONE\n"
                      "     └▶ pay      pivot  after hold[0], hold[1], tell  on bank  DONE\n"
                    : "shop 2.0.0, saga 9f03c1d2a4b7-2a: RUNNING\n  ▶ tell  optional  on mail  DONE\n"
                      "  ▶ hold  for each of at most 3  on stock  undone by Free  no items\n"
                      "     └▶ pay   pivot  after tell, hold  on bank  DONE\n");
    }
    /* And of what is refused nothing is drawn, in whichever form. */
    static const char *const forms[] = {"text", "json", "mermaid", "dot", "svg"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char words[64];
        anew();
        tell("Get", &answer.base);
        tell("GetDefinition", NULL);
        told[1].code = SAGA_E_NOT_FOUND;
        snprintf(words, sizeof words, "graph 9f03c1d2a4b7-2a -o %s", forms[i]);
        ck_assert_msg(sagactl(words) == EXIT_NOT_FOUND, "%s: %s", words, complained);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* A sidecar of wider bounds has taken it: more steps than 64, and longer times. */
START_TEST(graph__of_a_definition_that_is_larger_than_most)
{
    static char source[8000];
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT;
    size_t used = (size_t)snprintf(source, sizeof source, "name: wide\nversion: 1.0.0\ndeadline: 800h\nsteps:\n");
    for (int i = 0; i < 65; i++)
        used += (size_t)snprintf(source + used, sizeof source - used,
                                 "  - {name: s%d, target: t, action: /p.S/A, compensation: none}\n", i);
    d.source = (ProtobufCBinaryData){.data = (uint8_t *)source, .len = used};
    tell("GetDefinition", &d.base);
    ck_assert_msg(sagactl("-o mermaid graph wide") == EXIT_DONE, "%s", complained);
    ck_assert_ptr_nonnull(strstr(said, "    s64[\"s64\"]\n"));
}
END_TEST

/* Its steps are where they are, and no definition's. */
START_TEST(graph__of_a_saga_says_how_it_is)
{
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[2] = {SAGA__V1__STEP__INIT, SAGA__V1__STEP__INIT}, *list[] = {&steps[0], &steps[1]};
    steps[0].name = text("a");
    steps[0].target = text("other");
    steps[0].action = SAGA__V1__ACTION_STATE__ACTION_STATE_DONE;
    steps[1].name = text("longest");
    steps[1].action = SAGA__V1__ACTION_STATE__ACTION_STATE_STARTED;
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ORCHESTRATED;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.definition = text("fan");
    saga.version = text("1.0.0");
    saga.steps = list;
    saga.n_steps = 2;
    answer.saga = &saga;
    tell("Get", &answer.base);
    tell_fan();
    SHOWS("graph 9f03c1d2a4b7-2a",
          "fan 1.0.0, saga 9f03c1d2a4b7-2a: RUNNING\n  ▶ a        on other  undone by UndoA  DONE\n"
          "     └▶ longest  after a  on mail  STARTED\n");
    Saga__V1__GetDefinitionRequest *request = ASKED(saga__v1__get_definition_request, 1);
    ck_assert_str_eq(request->name, "fan");
    ck_assert_str_eq(request->version, "1.0.0");
    saga__v1__get_definition_request__free_unpacked(request, NULL);
}
END_TEST

/* Its steps come one after another, as they were enlisted. */
START_TEST(graph__of_an_enlisted_saga)
{
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[3], *list[] = {&steps[0], &steps[1], &steps[2]};
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        saga__v1__step__init(&steps[i]);
        steps[i].name = text(names[i]);
        steps[i].target = text("bank");
        steps[i].action = SAGA__V1__ACTION_STATE__ACTION_STATE_DONE;
    }
    saga.definition = text("by-hand");
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED;
    saga.steps = list;
    saga.n_steps = 3;
    answer.saga = &saga;
    tell("Get", &answer.base);
    SHOWS("graph 9f03c1d2a4b7-2a", "by-hand, saga 9f03c1d2a4b7-2a: COMMITTED\n  ▶ a     on bank  DONE\n"
                                   "     └▶ b     after a  on bank  DONE\n        └▶ c     after b  on bank  DONE\n");
    anew();
    tell("Get", &answer.base);
    ck_assert_int_eq(sagactl("graph 9f03c1d2a4b7-2a -o mermaid"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "    s0 --> s1\n    s1 --> s2\n"));
}
END_TEST

/* What a step comes after may stand below it. */
START_TEST(graph__names_what_a_step_comes_after)
{
    static const char source[] = "name: fan\nversion: 1.0.0\nsteps:\n"
                                 "  - {name: last, target: t, after: [a, b], action: /p.S/A, compensation: none}\n"
                                 "  - {name: a, target: t, action: /p.S/A, compensation: none}\n"
                                 "  - {name: b, target: t, after: [], action: /p.S/A, compensation: none}\n";
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT;
    d.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)source, .len = sizeof source - 1};
    tell("GetDefinition", &d.base);
    ck_assert_msg(sagactl("graph fan") == EXIT_DONE, "%s", complained);
    ck_assert_msg(strstr(said, "  after a, b  on t\n") != NULL, "%s", said);
    static const char *const forms[][2] = {
        {"json", "[\n        \"a\",\n        \"b\"\n      ]"},
        {"mermaid", "    s1 --> s0\n    s2 --> s0\n"},
        {"dot", "    s1 -> s0;\n    s2 -> s0;\n}\n"},
        {"svg", "<line x1=\"184\" y1=\"84\" x2=\"244\" y2=\"84\" stroke=\"#333\" marker-end=\"url(#tip)\"/>\n"
                "<line x1=\"184\" y1=\"164\" x2=\"244\" y2=\"84\" stroke=\"#333\" marker-end=\"url(#tip)\"/>\n"}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char words[64];
        anew();
        tell("GetDefinition", &d.base);
        snprintf(words, sizeof words, "graph fan -o %s", forms[i][0]);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, forms[i][1]) != NULL, "%s\nis not in\n%s", forms[i][1], said);
    }
}
END_TEST

/* As bad as it is. */
START_TEST(graph__paints_how_each_step_is)
{
    static const struct {
        Saga__V1__ActionState action;
        Saga__V1__CompensationState undo;
        const char *shown;
    } cases[] = {{SAGA__V1__ACTION_STATE__ACTION_STATE_DONE, SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_NONE,
                  "\033[32ma   \033[0m  DONE\n"},
                 {SAGA__V1__ACTION_STATE__ACTION_STATE_REJECTED, SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_NONE,
                  "\033[31ma   \033[0m  REJECTED\n"},
                 {SAGA__V1__ACTION_STATE__ACTION_STATE_UNKNOWN,
                  SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_UNSPECIFIED, "\033[31ma   \033[0m  UNKNOWN\n"},
                 {SAGA__V1__ACTION_STATE__ACTION_STATE_DONE, SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_FAILED,
                  "\033[31ma   \033[0m  DONE, undo FAILED\n"},
                 {SAGA__V1__ACTION_STATE__ACTION_STATE_UNKNOWN, SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_DONE,
                  "\033[33ma   \033[0m  UNKNOWN, undo DONE\n"},
                 {SAGA__V1__ACTION_STATE__ACTION_STATE_PENDING, SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_NONE,
                  "\033[2ma   \033[0m  PENDING\n"}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step step = SAGA__V1__STEP__INIT, *list[] = {&step};
    step.name = text("a");
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED;
    saga.steps = list;
    saga.n_steps = 1;
    answer.saga = &saga;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        step.action = cases[i].action;
        step.compensation = cases[i].undo;
        anew();
        tell("Get", &answer.base);
        ck_assert_msg(sagactl("graph 9f03c1d2a4b7-2a --color always") == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, cases[i].shown) != NULL, "%s is not in %s", cases[i].shown, said);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_graph");
    TCase *tc = tcase_create("graph");
    tcase_add_checked_fixture(tc, files_setup, files_teardown);
    tcase_add_test(tc, graph__of_a_definition_has_its_form);
    tcase_add_test(tc, graph__shows_the_condition_of_a_step);
    tcase_add_test(tc, graph__lets_nothing_steer_a_terminal);
    tcase_add_test(tc, graph__of_a_file);
    tcase_add_test(tc, graph__of_a_saga_knows_whose_instance_a_step_is);
    tcase_add_test(tc, graph__tells_what_each_step_is);
    tcase_add_test(tc, graph__of_a_saga_shows_a_loop_as_its_instances);
    tcase_add_test(tc, graph__of_a_definition_that_is_larger_than_most);
    tcase_add_test(tc, graph__of_a_saga_says_how_it_is);
    tcase_add_test(tc, graph__paints_how_each_step_is);
    tcase_add_test(tc, graph__of_an_enlisted_saga);
    tcase_add_test(tc, graph__names_what_a_step_comes_after);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
