/* Typed values of a YAML tree: each kind at both of its bounds and behind them, with where it is wrong and in which words. */
#include "sidecar/definition/yaml_value.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct yaml_tree *tree;
static struct error_detail detail;

static void teardown(void)
{
    yaml_tree_destroy(tree);
    tree = NULL;
}

static const struct yaml_node *root_of(const char *text)
{
    teardown();
    ck_assert_int_eq(yaml_tree_read(bytes_of_text(text), &tree, &detail), 0);
    return yaml_tree_root(tree);
}

enum reader { TEXT, BOOL, COUNT, SIZE, PERMILLE, SPAN, CHOICE };

static const char *const choices[] = {"wait", "refuse", "fallback"};

/* Texts of 2 to 4 bytes, counts from 2 to 20, sizes from 1KiB to 1MiB, ratios from 0.5 to 2, times from 1ms to 2s. The value that was read is a number
 * here: of a text its size. */
static int read_as(enum reader reader, const struct yaml_node *n, int64_t *value)
{
    struct bytes text = {.size = 77};
    bool yes = false;
    uint64_t number = 77;
    uint32_t small = 77;
    struct span span = {.us = 77};
    int code = 0;
    switch (reader) {
    case TEXT:
        code = yaml_read_text(n, 2, 4, &text, &detail);
        *value = (int64_t)text.size;
        break;
    case BOOL:
        code = yaml_read_bool(n, &yes, &detail);
        *value = code == 0 ? yes : 77;
        break;
    case COUNT:
        code = yaml_read_count(n, 2, 20, &number, &detail);
        *value = (int64_t)number;
        break;
    case SIZE:
        code = yaml_read_size(n, 1024, 1 << 20, &number, &detail);
        *value = (int64_t)number;
        break;
    case PERMILLE:
        code = yaml_read_permille(n, 500, 2000, &small, &detail);
        *value = small;
        break;
    case SPAN:
        code = yaml_read_span(n, SPAN_MS(1), SPAN_S(2), &span, &detail);
        *value = span.us;
        break;
    case CHOICE:
        code = yaml_read_choice(n, choices, 3, &small, &detail);
        *value = small;
        break;
    }
    return code;
}

START_TEST(yaml_value__each_kind_has_its_bounds)
{
    static const struct {
        enum reader reader;
        const char *text;
        int64_t value;
        const char *words; /* NULL: it is read */
    } cases[] = {
        {TEXT, "ab", 2, NULL},
        {TEXT, "abcd", 4, NULL},
        {TEXT, "\"a \"", 2, NULL},
        {TEXT, "a", 0, "must not be empty"},
        {TEXT, "abcde", 0, "is 5 bytes long; at most 4 are allowed"},
        {TEXT, "\"a\\x1f\"", 0, "must not hold control characters"},
        {TEXT, "\"\\x7fa\"", 0, "must not hold control characters"},
        {TEXT, "\"\\u0080\"", 2, NULL},
        {BOOL, "true", 1, NULL},
        {BOOL, "false", 0, NULL},
        {BOOL, "True", 0, "\"True\" is neither true nor false"},
        {BOOL, "tru", 0, "\"tru\" is neither true nor false"},
        {COUNT, "2", 2, NULL},
        {COUNT, "20", 20, NULL},
        {COUNT, "1", 0, "1 is out of range; it must be from 2 to 20: the nearest is 2"},
        {COUNT, "21", 0, "21 is out of range; it must be from 2 to 20: the nearest is 20"},
        {COUNT, "two", 0, "\"two\" is not a number"},
        {COUNT, "2.5", 0, "\"2.5\" is not a whole number"},
        {SIZE, "1KiB", 1024, NULL},
        {SIZE, "1048576", 1 << 20, NULL},
        {SIZE, "1023", 0, "1023 is out of range; it must be from 1KiB to 1MiB: the nearest is 1KiB"},
        {SIZE, "1025KiB", 0, "1025KiB is out of range; it must be from 1KiB to 1MiB: the nearest is 1MiB"},
        {SIZE, "much", 0, "\"much\" is not a size, as in 65536, 64KiB or 4MiB"},
        {PERMILLE, "0.5", 500, NULL},
        {PERMILLE, "2", 2000, NULL},
        {PERMILLE, "0.499", 0, "0.499 is out of range; it must be from 0.5 to 2: the nearest is 0.5"},
        {PERMILLE, "2.001", 0, "2.001 is out of range; it must be from 0.5 to 2: the nearest is 2"},
        {PERMILLE, "half", 0, "\"half\" is not a number"},
        {SPAN, "1ms", 1000, NULL},
        {SPAN, "2s", 2000000, NULL},
        {SPAN, "0.999ms", 0, "0.999ms is out of range; it must be from 1ms to 2s: the nearest is 1ms"},
        {SPAN, "2001ms", 0, "2001ms is out of range; it must be from 1ms to 2s: the nearest is 2s"},
        {SPAN, "2", 0, "\"2\" has no unit; write ms, s, m or h"},
        {CHOICE, "wait", 0, NULL},
        {CHOICE, "fallback", 2, NULL},
        {CHOICE, "refuze", 0, "\"refuze\" is not a value that can stand here; did you mean refuse?"},
        {CHOICE, "sideways", 0,
         "\"sideways\" is not a value that can stand here; the names here are wait, refuse, fallback"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        int64_t value;
        snprintf(text, sizeof text, "a: 1\nb: {c: [x, %s]}\n", cases[i].text);
        const struct yaml_node *n = yaml_node_child(yaml_node_child(root_of(text), "b"), "c")->last;
        int code = read_as(cases[i].reader, n, &value);
        ck_assert_msg((code == 0) == (cases[i].words == NULL), "%s: %d %s", cases[i].text, code, detail.text);
        ck_assert_msg(value == (code == 0 ? cases[i].value : 77), "%s: %lld", cases[i].text, (long long)value);
        if (code == 0)
            continue;
        ck_assert_int_eq(code, E_ARGUMENT);
        ck_assert_str_eq(detail.text, cases[i].words);
        ck_assert_str_eq(detail.field, "b.c[1]");
        ck_assert_msg(detail.line == 2 && detail.column == 12, "%d:%d", detail.line, detail.column);
    }
}
END_TEST

/* What is no scalar, or says nothing, is no value of any kind; of what says nothing the key is shown. */
START_TEST(yaml_value__only_a_scalar_is_a_value)
{
    static const struct {
        const char *value, *words;
        int column;
    } cases[] = {
        {"[1]", "must be a single value, not a list", 7},
        {"{b: 1}", "must be a single value, not a mapping", 7},
        {"", "has no value", 2},
        {"null", "has no value", 2},
        {"~", "has no value", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (enum reader reader = TEXT; reader <= CHOICE; reader++) {
            char text[64];
            int64_t value;
            snprintf(text, sizeof text, "{a23: %s}", cases[i].value);
            ck_assert_int_eq(read_as(reader, root_of(text)->first, &value), E_ARGUMENT);
            ck_assert_str_eq(detail.text, cases[i].words);
            ck_assert_str_eq(detail.field, "a23");
            ck_assert_int_eq(value, 77);
            ck_assert_msg(detail.line == 1 && detail.column == cases[i].column, "%s: %d", text, detail.column);
        }
}
END_TEST

START_TEST(yaml_value__a_mapping_has_known_names_and_those_it_needs)
{
    static const char *const names[] = {"target", "method"};
    const struct yaml_node *n = root_of("x: {target: t}"), *found = NULL;
    ck_assert_int_eq(yaml_check_mapping(n->first, names, 2, &detail), 0);
    ck_assert_int_eq(yaml_check_mapping(root_of("{}"), names, 2, &detail), 0);
    ck_assert_int_eq(yaml_check_mapping(root_of("x: {target: t, methud: m}")->first, names, 2, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "is not a name that can stand here; did you mean method?");
    ck_assert_str_eq(detail.field, "x.methud");
    ck_assert_str_eq(detail.rule, "key-unknown");
    ck_assert_int_eq(detail.column, 16);
    ck_assert_int_eq(yaml_check_mapping(root_of("{colour: t}"), names, 2, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "is not a name that can stand here; the names here are target, method");
    ck_assert_int_eq(yaml_check_mapping(root_of("[a]"), names, 2, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "must be a mapping, name: value");
    ck_assert_ptr_null(detail.rule);
    ck_assert_int_eq(yaml_check_mapping(root_of("a"), names, 2, &detail), E_ARGUMENT);
    ck_assert_int_eq(yaml_check_sequence(root_of("[]"), &detail), 0);
    ck_assert_int_eq(yaml_check_sequence(root_of("{}"), &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "must be a list, as in [a, b]");
    n = root_of("x: {target: t}");
    ck_assert_int_eq(yaml_need(n->first, "method", &found, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "method is missing");
    ck_assert_str_eq(detail.field, "x");
    ck_assert_str_eq(detail.rule, "key-missing");
    ck_assert_ptr_null(found);
    ck_assert_int_eq(yaml_need(n->first, "target", &found, &detail), 0);
    ck_assert_ptr_eq(found, n->first->first);
}
END_TEST

/* As many names as a sentence has room for. */
START_TEST(yaml_value__more_names_than_there_is_room_for_are_left_out)
{
    static const char begin[] = "is not a name that can stand here; the names here are ";
    char names[40][8];
    const char *all[40];
    for (size_t i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "name%02zu", i);
        all[i] = names[i];
    }
    size_t room =
        sizeof detail.text - 1 - (sizeof begin - 1); /* eight bytes for each but the last, and three for ... */
    for (size_t count = 1; count <= 40; count++) {
        char words[512];
        size_t whole = 8 * count + 3 <= room ? count : (room - 3) / 8;
        size_t used = (size_t)snprintf(words, sizeof words, "%s", begin);
        for (size_t i = 0; i < whole; i++)
            used += (size_t)snprintf(words + used, sizeof words - used, "%s%s", names[i], i + 1 < count ? ", " : "");
        snprintf(words + used, sizeof words - used, "%s", whole < count ? "..." : "");
        ck_assert_int_eq(yaml_check_mapping(root_of("{colour: red}"), all, count, &detail), E_ARGUMENT);
        ck_assert_str_eq(detail.text, words);
    }
}
END_TEST

START_TEST(yaml_value__what_is_quoted_is_printable_and_cut)
{
    char quoted[YAML_QUOTE_SIZE];
    ck_assert_str_eq(yaml_quote(bytes_of_text(""), quoted), "");
    ck_assert_str_eq(yaml_quote(bytes_of_text("a b~"), quoted), "a b~");
    ck_assert_str_eq(yaml_quote(bytes_of_text("\x1f\x7f\xc3\xa9\n"), quoted), "?????");
    ck_assert_str_eq(yaml_quote(bytes_of_text("a234567890b234567890c234567890d234567890e234"), quoted),
                     "a234567890b234567890c234567890d234567890e234");
    ck_assert_str_eq(yaml_quote(bytes_of_text("a234567890b234567890c234567890d234567890e2345"), quoted),
                     "a234567890b234567890c234567890d234567890e234...");
}
END_TEST

/* A place is told from the outermost name on, and cut where it is too long. */
START_TEST(yaml_value__a_long_place_is_cut)
{
    bool yes;
    const struct yaml_node *n = root_of("aaaaaaaaaabbbbbbbbbb: {ccccccccccdddddddddd: [[{eeeeeeeeeeffffffffff: "
                                        "{gggggggggghhhhhhhhhh: {iiiiiiiiiijjjjjjjjjj: x}}}]]}");
    while (n->first != NULL)
        n = n->first;
    ck_assert_int_eq(yaml_read_bool(n, &yes, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "aaaaaaaaaabbbbbbbbbb.ccccccccccdddddddddd[0][0].eeeeeeeeeeffffffffff."
                                   "gggggggggghhhhhhhhhh.iiiii");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("yaml_value");
    Suite *s = suite_create("yaml_value");
    tcase_add_checked_fixture(c, NULL, teardown);
    tcase_add_test(c, yaml_value__each_kind_has_its_bounds);
    tcase_add_test(c, yaml_value__only_a_scalar_is_a_value);
    tcase_add_test(c, yaml_value__a_mapping_has_known_names_and_those_it_needs);
    tcase_add_test(c, yaml_value__more_names_than_there_is_room_for_are_left_out);
    tcase_add_test(c, yaml_value__what_is_quoted_is_printable_and_cut);
    tcase_add_test(c, yaml_value__a_long_place_is_cut);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
