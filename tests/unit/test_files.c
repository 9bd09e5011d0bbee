/* Small files, read whole; and the directory of definitions that is read file by file. */
#include "sidecar/runtime/files.h"

#include "sidecar/definition/reader.h"
#include "sidecar/runtime/definitions_dir.h"
#include "sidecar/runtime/schemas_dir.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[512];
static struct error_detail detail;
static struct config *config;

static const char *in_folder(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void write_definition(const char *file, const char *name, const char *target)
{
    char text[256];
    snprintf(text, sizeof text,
             "name: %s\nversion: 1.0.0\nsteps:\n  - {name: a, target: %s, action: /p.S/A, compensation: /p.S/UndoA}\n",
             name, target);
    write_file(file, text);
}

static void setup(void)
{
    char text[256];
    strcpy(folder, "/tmp/files-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(text, sizeof text, "definitions_dir: %s\ndefinition_bytes_max: 1KiB\ntargets: {t: '127.0.0.1:1'}\n",
             folder);
    ck_assert_int_eq(config_read_text(bytes_of_text(text), &config, &detail), 0);
}

static void teardown(void)
{
    char command[128];
    config_destroy(config);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- files ---- */

static void give_back(struct bytes text)
{
    free((void *)(uintptr_t)text.at);
}

START_TEST(files__a_file_is_read_whole)
{
    struct bytes text;
    write_file("f", "twelve bytes");
    ck_assert_int_eq(file_read(in_folder("f"), 12, &text, &detail), 0);
    ck_assert(bytes_equal(text, bytes_of_text("twelve bytes")));
    give_back(text);
    write_file("f", "");
    ck_assert_int_eq(file_read(in_folder("f"), 12, &text, &detail), 0);
    ck_assert_uint_eq(text.size, 0);
    give_back(text);
}
END_TEST

START_TEST(files__one_byte_more_than_allowed_is_refused)
{
    struct bytes text;
    write_file("f", "twelve bytes");
    ck_assert_int_eq(file_read(in_folder("f"), 11, &text, &detail), E_ARGUMENT);
    ck_assert_str_ne(detail.text, "");
}
END_TEST

START_TEST(files__what_cannot_be_read_is_told_in_the_systems_words)
{
    struct bytes text;
    ck_assert_int_eq(file_read(in_folder("gone"), 10, &text, &detail), E_SYSTEM);
    ck_assert_ptr_nonnull(strstr(detail.text, "cannot open /tmp/files-"));
    ck_assert_ptr_nonnull(strstr(detail.text, ": No such file or directory"));
    ck_assert_int_eq(file_read(folder, 10, &text, &detail), E_SYSTEM);
    ck_assert_ptr_nonnull(strstr(detail.text, "cannot read /tmp/files-"));
    ck_assert_ptr_nonnull(strstr(detail.text, ": Is a directory"));
}
END_TEST

/* The words come behind the path, so a long path must not push them out. */
/* Its other end may never be opened. */
START_TEST(files__a_pipe_is_refused_rather_than_waited_for)
{
    struct bytes text;
    ck_assert_int_eq(mkfifo(in_folder("pipe.yaml"), 0600), 0);
    ck_assert_int_eq(file_read(path, 10, &text, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "not a regular file");
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(files__a_long_path_leaves_room_for_the_words)
{
    struct bytes text;
    char long_path[4000];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    ck_assert_int_eq(file_read(long_path, 10, &text, &detail), E_SYSTEM);
    ck_assert_ptr_nonnull(strstr(detail.text, "File name too long"));
}
END_TEST

/* ---- definitions_dir ---- */

static char taken[256];
static int refuse_with;

static int take(void *self, struct definition *definition, struct error_detail *why)
{
    ck_assert_ptr_eq(self, taken);
    strcat(strcat(taken, definition->name), " ");
    if (refuse_with != 0)
        return error_set(why, refuse_with, "", "not today");
    definition_destroy(definition);
    return 0;
}

static int read_all(void)
{
    taken[0] = '\0';
    return definitions_dir_read(config, take, taken, &detail);
}

START_TEST(definitions_dir__files_are_read_by_name)
{
    write_definition("b.yaml", "second", "t");
    write_definition("a.yml", "first", "t");
    write_definition("c.yaml", "third", "t");
    /* None of these is one: a ConfigMap's own, an editor's, another kind. */
    write_file("..data.yaml", "]");
    write_file(".hidden.yaml", "]");
    write_file("c.yaml~", "]");
    write_file("readme.txt", "]");
    write_file("yaml", "]");
    ck_assert_int_eq(read_all(), 0);
    ck_assert_str_eq(taken, "first second third ");
}
END_TEST

START_TEST(definitions_dir__an_empty_directory_is_none)
{
    ck_assert_int_eq(read_all(), 0);
    ck_assert_str_eq(taken, "");
    ck_assert_int_eq(definitions_dir_check(config, &detail), 0);
}
END_TEST

START_TEST(definitions_dir__the_first_error_names_its_file_and_ends_the_reading)
{
    write_definition("a.yaml", "first", "t");
    write_file("b.yaml", "name: x\nversion: 1.0.0\nstepz: []\n");
    write_definition("c.yaml", "third", "t");
    ck_assert_int_ne(read_all(), 0);
    ck_assert_str_eq(taken, "first ");
    ck_assert_msg(strncmp(detail.text, in_folder("b.yaml"), strlen(in_folder("b.yaml"))) == 0, "%s", detail.text);
    ck_assert_ptr_nonnull(strstr(detail.text, ":3:1: stepz"));
}
END_TEST

START_TEST(definitions_dir__what_is_not_taken_is_destroyed)
{
    write_definition("a.yaml", "first", "t");
    write_definition("b.yaml", "second", "t");
    refuse_with = E_DEFINITIONS;
    int code = read_all();
    refuse_with = 0;
    ck_assert_int_eq(code, E_DEFINITIONS);
    ck_assert_str_eq(taken, "first ");
    ck_assert_ptr_nonnull(strstr(detail.text, "a.yaml: not today"));
}
END_TEST

START_TEST(definitions_dir__a_file_that_is_too_large_is_refused)
{
    char large[2000];
    memset(large, '#', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    write_file("a.yaml", large);
    ck_assert_int_eq(read_all(), E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(detail.text, "a.yaml: "));
}
END_TEST

START_TEST(definitions_dir__what_cannot_be_opened_is_told)
{
    ck_assert_int_eq(symlink("/nowhere", in_folder("a.yaml")), 0);
    ck_assert_int_eq(read_all(), E_SYSTEM);
    ck_assert_ptr_nonnull(strstr(detail.text, "a.yaml"));
    ck_assert_int_eq(unlink(in_folder("a.yaml")), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(read_all(), E_SYSTEM);
    ck_assert_str_eq(detail.field, "definitions_dir");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
}
END_TEST

START_TEST(definitions_dir__the_check_knows_the_targets)
{
    write_definition("a.yaml", "first", "t");
    ck_assert_int_eq(definitions_dir_check(config, &detail), 0);
    write_definition("b.yaml", "second", "u");
    ck_assert_int_eq(definitions_dir_check(config, &detail), E_TARGET_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(detail.text, "b.yaml"));
    ck_assert_ptr_nonnull(strstr(detail.text, "b.yaml:"));
    ck_assert_ptr_nonnull(strstr(detail.text, "names no target \"u\""));
}
END_TEST

/* ---- schemas_dir ---- */

static int take_set(void *self, const char *name, struct bytes set, struct error_detail *why)
{
    ck_assert_ptr_eq(self, taken);
    ck_assert_uint_eq(set.size, 3);
    strcat(strcat(taken, name), " ");
    return refuse_with == 0 ? 0 : error_set(why, refuse_with, "", "not today");
}

static int read_sets(void)
{
    struct config of_sets = *config;
    of_sets.schemas_dir = folder;
    taken[0] = '\0';
    return schemas_dir_read(&of_sets, take_set, taken, &detail);
}

START_TEST(schemas_dir__sets_are_read_by_name)
{
    static const char *const names[] = {"b.binpb",   "a.binpb",     "shop.v2.binpb", ".binpb",
                                        "..c.binpb", "c.binpb.old", "binpb",         "d.pb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_file(names[i], "set");
    ck_assert_int_eq(read_sets(), 0);
    ck_assert_str_eq(taken, "a b shop.v2 ");
    write_file("a b.binpb", "set");
    ck_assert_int_eq(read_sets(), E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(detail.text, "a b.binpb: the file's name must be letters"));
    ck_assert_str_eq(taken, "");
    ck_assert_int_eq(unlink(in_folder("a b.binpb")), 0);
    refuse_with = E_DEFINITIONS;
    ck_assert_int_eq(read_sets(), E_DEFINITIONS);
    ck_assert_str_eq(taken, "a "); /* the first that is not taken ends it */
    ck_assert_ptr_nonnull(strstr(detail.text, "a.binpb: not today"));
    refuse_with = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    TCase *t = tcase_create("files");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, files__a_file_is_read_whole);
    tcase_add_test(t, files__one_byte_more_than_allowed_is_refused);
    tcase_add_test(t, files__what_cannot_be_read_is_told_in_the_systems_words);
    tcase_add_test(t, files__a_pipe_is_refused_rather_than_waited_for);
    tcase_add_test(t, files__a_long_path_leaves_room_for_the_words);
    tcase_add_test(t, definitions_dir__files_are_read_by_name);
    tcase_add_test(t, definitions_dir__an_empty_directory_is_none);
    tcase_add_test(t, definitions_dir__the_first_error_names_its_file_and_ends_the_reading);
    tcase_add_test(t, definitions_dir__what_is_not_taken_is_destroyed);
    tcase_add_test(t, definitions_dir__a_file_that_is_too_large_is_refused);
    tcase_add_test(t, definitions_dir__what_cannot_be_opened_is_told);
    tcase_add_test(t, definitions_dir__the_check_knows_the_targets);
    tcase_add_test(t, schemas_dir__sets_are_read_by_name);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
