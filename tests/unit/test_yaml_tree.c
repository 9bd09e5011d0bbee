/* The tree of a YAML text: what it holds, where it stood, and what is refused. */
#include "sidecar/definition/yaml_tree.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct yaml_tree *tree;
static struct error_detail detail;

static void clear(void)
{
    yaml_tree_destroy(tree);
    tree = NULL;
}

static const struct yaml_node *read_tree(const char *text)
{
    clear();
    int code = yaml_tree_read(bytes_of_text(text), &tree, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s", detail.line, detail.column, detail.text);
    return yaml_tree_root(tree);
}

static void assert_refused(struct bytes text, int line, int column, const char *words)
{
    struct yaml_tree *none = NULL;
    int code = yaml_tree_read(text, &none, &detail);
    ck_assert_msg(code == E_SYNTAX, "%.*s: code %d", (int)text.size, (const char *)text.at, code);
    ck_assert_ptr_null(none);
    ck_assert_msg(strstr(detail.text, words) != NULL, "%.*s: %s", (int)text.size, (const char *)text.at, detail.text);
    ck_assert_msg(detail.line == line && detail.column == column, "%.*s: %s at %d:%d, not %d:%d", (int)text.size,
                  (const char *)text.at, detail.text, detail.line, detail.column, line, column);
}

static void assert_text(const struct yaml_node *n, const char *text)
{
    ck_assert_ptr_nonnull(n);
    ck_assert_int_eq(n->kind, YAML_SCALAR);
    ck_assert_str_eq((const char *)n->text.at, text);
    ck_assert_uint_eq(n->text.size, strlen(text));
}

START_TEST(yaml_tree__keeps_values_and_where_they_stood)
{
    const struct yaml_node *root =
        read_tree("# a comment\nname: checkout\nsteps:\n  - a: 'x'\n    b: [1, 2]\n  - {}\n");
    ck_assert_int_eq(root->kind, YAML_MAPPING);
    ck_assert_uint_eq(root->count, 2);
    assert_text(yaml_node_child(root, "name"), "checkout");
    ck_assert(yaml_node_child(root, "name")->plain);
    ck_assert_ptr_null(yaml_node_child(root, "nam"));
    const struct yaml_node *steps = yaml_node_child(root, "steps");
    ck_assert_int_eq(steps->kind, YAML_SEQUENCE);
    ck_assert_int_eq(steps->key_line, 3);
    ck_assert_int_eq(steps->key_column, 1);
    ck_assert_uint_eq(steps->count, 2);
    const struct yaml_node *b = yaml_node_child(steps->first, "b");
    ck_assert_int_eq(b->line, 5);
    ck_assert_int_eq(b->column, 8);
    assert_text(b->last, "2");
    ck_assert_uint_eq(b->last->index, 1);
    ck_assert_ptr_eq(b->last->parent, b);
    ck_assert(!yaml_node_child(steps->first, "a")->plain);
    ck_assert(b->braced && steps->last->braced);
    ck_assert(!root->braced && !steps->braced && !steps->first->braced && !b->first->braced);
    ck_assert_uint_eq(steps->last->count, 0);
    clear();
}
END_TEST

START_TEST(yaml_tree__nothing_is_no_error)
{
    ck_assert_ptr_null(read_tree(""));
    ck_assert_ptr_null(read_tree("# only this\n"));
    ck_assert(yaml_node_is_null(read_tree("---\n")));
    ck_assert(yaml_node_is_null(read_tree("~")));
    ck_assert(yaml_node_is_null(read_tree("null")));
    ck_assert(!yaml_node_is_null(read_tree("\"\"")));
    ck_assert(!yaml_node_is_null(read_tree("0")));
    clear();
}
END_TEST

START_TEST(yaml_tree__reads_utf8_and_escapes)
{
    const struct yaml_node *root = read_tree("\xef\xbb\xbfk: \"\\0\\u20ac\"\n");
    const struct yaml_node *k = yaml_node_child(root, "k");
    ck_assert(bytes_equal(k->text, bytes_of("\0\xe2\x82\xac", 4)));
    clear();
    /* A byte-order mark is no column of the first line: the second key stands beside the first. */
    root = read_tree("\xef\xbb\xbf"
                     "a: 1\nb: 2\n");
    ck_assert_uint_eq(root->count, 2);
    ck_assert_int_eq(root->first->column, 4);
    clear();
}
END_TEST

START_TEST(yaml_tree__refuses_what_could_grow)
{
    assert_refused(bytes_of_text("a: &x [1]\nb: 2\n"), 1, 4, "anchors (&) and aliases (*) are not allowed");
    assert_refused(bytes_of_text("a: 1\nb: *x\n"), 2, 4, "anchors (&) and aliases (*) are not allowed");
    assert_refused(bytes_of_text("&x a: 1\n"), 1, 1, "anchors (&) and aliases (*) are not allowed");
    assert_refused(bytes_of_text("&m {a: 1}\n"), 1, 1, "anchors (&) and aliases (*) are not allowed");
    assert_refused(bytes_of_text("a: !!str 1\n"), 1, 4, "tags (!) are not allowed");
    assert_refused(bytes_of_text("a: ! 1\n"), 1, 4, "tags (!) are not allowed");
    assert_refused(bytes_of_text("a: !x [1]\n"), 1, 4, "tags (!) are not allowed");
    assert_refused(bytes_of_text("a: !x {b: 1}\n"), 1, 4, "tags (!) are not allowed");
    assert_refused(bytes_of_text("%TAG ! tag:example.org,2000:\n---\na: 1\n"), 1, 1, "tag directives are not allowed");
}
END_TEST

START_TEST(yaml_tree__refuses_two_of_what_there_is_one)
{
    assert_refused(bytes_of_text("a: 1\nb: 2\n\"a\": 3\n"), 3, 1, "the key stands here for the second time");
    assert_refused(bytes_of_text("a: 1\n---\nb: 2\n"), 2, 1, "a second document begins");
}
END_TEST

START_TEST(yaml_tree__refuses_keys_that_are_no_text)
{
    assert_refused(bytes_of_text("? [a]\n: 1\n"), 1, 3, "a key must be plain text");
    assert_refused(bytes_of_text("{{a: 1}: 2}\n"), 1, 2, "a key must be plain text");
}
END_TEST

START_TEST(yaml_tree__refuses_what_is_no_text)
{
    assert_refused(bytes_of("a: 1\nb: \xff\n", 10), 2, 4, "the text is not UTF-8");
    assert_refused(bytes_of("a: \xc0\xaf\n", 6), 1, 4, "the text is not UTF-8");
    assert_refused(bytes_of("a: \xed\xa0\x80\n", 7), 1, 4, "the text is not UTF-8");
    assert_refused(bytes_of("a: 1\0b", 6), 1, 5, "control characters are not allowed");
    assert_refused(bytes_of("\xff\xfe"
                            "a\0:\0 \0b\0",
                            10),
                   1, 1, "the text is not UTF-8");
    assert_refused(bytes_of("a: \xe2\x82", 5), 1, 4, "the text is not UTF-8");
}
END_TEST

START_TEST(yaml_tree__says_where_the_form_is_wrong)
{
    assert_refused(bytes_of_text("a: 1\n b: 2\n"), 2, 3, "mapping values are not allowed");
    assert_refused(bytes_of_text("a: [1, 2\nb: 3\n"), 2, 2, "did not find expected ',' or ']'");
    assert_refused(bytes_of_text("a: \"open\n"), 2, 1, "found unexpected end of stream");
    assert_refused(bytes_of_text("a:\n\t- b\n"), 2, 1, "found character that cannot start any token");
}
END_TEST

START_TEST(yaml_tree__is_bounded_in_depth)
{
    char text[64] = "";
    for (int i = 0; i < YAML_DEPTH_MAX; i++)
        strcat(text, "[");
    for (int i = 0; i < YAML_DEPTH_MAX; i++)
        strcat(text, "]");
    read_tree(text);
    clear();
    assert_refused(bytes_of_text("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"), 1, 17, "nested deeper than 16 levels");
}
END_TEST

START_TEST(yaml_tree__is_bounded_in_values)
{
    size_t size = (size_t)YAML_NODES_MAX * 2 + 3;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    text[0] = '[';
    for (size_t i = 0; i < YAML_NODES_MAX - 1; i++)
        memcpy(text + 1 + i * 2, "1,", 2);
    text[1 + (YAML_NODES_MAX - 1) * 2] = ']';
    struct bytes fits = bytes_of(text, 2 + (size_t)(YAML_NODES_MAX - 1) * 2);
    clear();
    ck_assert_int_eq(yaml_tree_read(fits, &tree, &detail), 0);
    ck_assert_uint_eq(yaml_tree_root(tree)->count, YAML_NODES_MAX - 1);
    clear();
    memcpy(text + 1 + (YAML_NODES_MAX - 1) * 2, "1]", 2);
    assert_refused(bytes_of(text, fits.size + 1), 1, (int)fits.size, "the text has more than 65536 values");
    free(text);
}
END_TEST

START_TEST(yaml_tree__is_bounded_in_keys)
{
    char *text = malloc(YAML_KEYS_MAX * 12 + 32);
    ck_assert_ptr_nonnull(text);
    size_t size = 0;
    for (int i = 0; i < YAML_KEYS_MAX; i++)
        size += (size_t)sprintf(text + size, "k%d: 1\n", i);
    read_tree(text);
    ck_assert_uint_eq(yaml_tree_root(tree)->count, YAML_KEYS_MAX);
    sprintf(text + size, "more: 1\n");
    assert_refused(bytes_of_text(text), YAML_KEYS_MAX + 1, 1, "the mapping has more than 2048 keys");
    clear();
    free(text);
}
END_TEST

START_TEST(yaml_tree__gives_room_of_any_size)
{
    read_tree("a: 1");
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        unsigned char *room = yaml_tree_take(tree, size);
        ck_assert_ptr_nonnull(room);
        ck_assert_uint_eq((uintptr_t)room % _Alignof(max_align_t), 0);
        memset(room, 0xa5, size);
    }
    assert_text(yaml_node_child(yaml_tree_root(tree), "a"), "1");
    clear();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("yaml_tree");
    TCase *reading = tcase_create("reading");
    tcase_add_test(reading, yaml_tree__keeps_values_and_where_they_stood);
    tcase_add_test(reading, yaml_tree__nothing_is_no_error);
    tcase_add_test(reading, yaml_tree__reads_utf8_and_escapes);
    tcase_add_test(reading, yaml_tree__refuses_what_could_grow);
    tcase_add_test(reading, yaml_tree__refuses_two_of_what_there_is_one);
    tcase_add_test(reading, yaml_tree__refuses_keys_that_are_no_text);
    tcase_add_test(reading, yaml_tree__refuses_what_is_no_text);
    tcase_add_test(reading, yaml_tree__says_where_the_form_is_wrong);
    tcase_add_test(reading, yaml_tree__is_bounded_in_depth);
    tcase_add_test(reading, yaml_tree__is_bounded_in_values);
    tcase_add_test(reading, yaml_tree__is_bounded_in_keys);
    tcase_add_test(reading, yaml_tree__gives_room_of_any_size);
    suite_add_tcase(suite, reading);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
