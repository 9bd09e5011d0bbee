/* Directories of definitions and of schemas: which of their files are read, in which order, and what is told of one that cannot be. */
#include "sidecar/runtime/definitions_dir.h"
#include "sidecar/runtime/schemas_dir.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], taken[512];
static const char *refused; /* the one that is not taken */
static struct config *config;
static struct error_detail detail;

static void setup(void)
{
    char yaml[256];
    strcpy(folder, "/tmp/definitions-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(yaml, sizeof yaml, "definitions_dir: %s\nschemas_dir: %s\ntargets: {t: 'unix:/t'}\n", folder, folder);
    ck_assert_int_eq(config_read_text(bytes_of_text(yaml), &config, &detail), 0);
    taken[0] = '\0';
    refused = "";
}

static void teardown(void)
{
    char command[128];
    config_destroy(config);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *in_folder(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *to = fopen(in_folder(name), "w");
    ck_assert(to != NULL && fputs(text, to) >= 0 && fclose(to) == 0);
}

#define STEPS(target) "version: 1.0.0\nsteps:\n  - {name: a, target: " target ", action: /p.S/A}\n"

static int note(const char *name, struct error_detail *why)
{
    if (strcmp(name, refused) == 0)
        return error_set(why, E_ARGUMENT, "steps", "are not liked");
    snprintf(taken + strlen(taken), sizeof taken - strlen(taken), "%s ", name);
    return 0;
}

static int take(void *self, struct definition *definition, struct error_detail *why)
{
    ck_assert_ptr_eq(self, folder);
    int code = note(definition->name, why);
    if (code == 0)
        definition_destroy(definition);
    return code;
}

static int take_set(void *self, const char *name, struct bytes set, struct error_detail *why)
{
    ck_assert_ptr_eq(self, folder);
    ck_assert(bytes_equal(set, bytes_of_text("a set")));
    return note(name, why);
}

/* By their names, which end so and begin with no dot. */
START_TEST(definitions_dir__files_are_told_by_their_names)
{
    static const char *const files[] = {"b.yaml", "a.yml",   "c.yam",     ".d.yaml", "..e.yml", "yaml",
                                        ".yaml",  "f.yaml~", "g.yml.bak", "h.YAML",  "0.yaml"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char text[256];
        snprintf(text, sizeof text, "name: of-%zu\n%s", i, STEPS("nobody"));
        write_file(files[i], text);
    }
    ck_assert_msg(definitions_dir_read(config, take, folder, &detail) == 0, "%s", detail.text);
    ck_assert_str_eq(taken, "of-10 of-1 of-0 "); /* as their names are sorted */
    taken[0] = '\0';
    refused = "of-1";
    ck_assert_int_eq(definitions_dir_read(config, take, folder, &detail), E_ARGUMENT);
    ck_assert_str_eq(taken, "of-10 "); /* none behind it */
    char expected[160];
    snprintf(expected, sizeof expected, "%s: steps: are not liked", in_folder("a.yml"));
    ck_assert_str_eq(detail.text, expected);
    ck_assert_str_eq(detail.field, "");
}
END_TEST

START_TEST(definitions_dir__schemas_are_told_by_their_names)
{
    static const char *const files[] = {"b.binpb", "a.x-1_y.binpb", ".c.binpb", ".binpb", "d.pb", "e.binpb~", "binpb"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_file(files[i], "a set");
    ck_assert_msg(schemas_dir_read(config, take_set, folder, &detail) == 0, "%s", detail.text);
    ck_assert_str_eq(taken, "a.x-1_y b ");
    taken[0] = '\0';
    refused = "a.x-1_y";
    char expected[200];
    ck_assert_int_eq(schemas_dir_read(config, take_set, folder, &detail), E_ARGUMENT);
    ck_assert_str_eq(taken, "");
    snprintf(expected, sizeof expected, "%s: steps: are not liked", in_folder("a.x-1_y.binpb"));
    ck_assert_str_eq(detail.text, expected);
    refused = "";
    write_file("c d.binpb", "a set");
    ck_assert_int_eq(schemas_dir_read(config, take_set, folder, &detail), E_ARGUMENT);
    snprintf(expected, sizeof expected, "%s: the file's name must be letters, digits, '-', '_' and '.'",
             in_folder("c d.binpb"));
    ck_assert_str_eq(detail.text, expected);
}
END_TEST

/* Once, with the path. */
START_TEST(definitions_dir__what_cannot_be_read_is_told)
{
    char expected[300];
    for (int schemas = 0; schemas < 2; schemas++) {
        const char *name = schemas ? "x.binpb" : "x.yaml";
        ck_assert_int_eq(symlink("/nowhere", in_folder(name)), 0);
        int code = schemas ? schemas_dir_read(config, take_set, folder, &detail)
                           : definitions_dir_read(config, take, folder, &detail);
        ck_assert_int_eq(code, E_SYSTEM);
        snprintf(expected, sizeof expected, "cannot open %s: No such file or directory", in_folder(name));
        ck_assert_str_eq(detail.text, expected);
        ck_assert_int_eq(unlink(in_folder(name)), 0);
        ck_assert_int_eq(mkfifo(in_folder(name), 0600), 0);
        code = schemas ? schemas_dir_read(config, take_set, folder, &detail)
                       : definitions_dir_read(config, take, folder, &detail);
        ck_assert_int_eq(code, E_ARGUMENT);
        snprintf(expected, sizeof expected, "%s: not a regular file", in_folder(name));
        ck_assert_str_eq(detail.text, expected);
        ck_assert_int_eq(unlink(in_folder(name)), 0);
    }
    write_file("wrong.yaml", "name: 7 8\n" STEPS("t"));
    ck_assert_int_eq(definitions_dir_read(config, take, folder, &detail), E_ARGUMENT);
    snprintf(expected, sizeof expected, "%s:1:7: name: ", in_folder("wrong.yaml"));
    ck_assert_msg(strncmp(detail.text, expected, strlen(expected)) == 0, "%s", detail.text);
    config->definitions_dir = config->schemas_dir = "/nowhere";
    ck_assert_int_eq(definitions_dir_read(config, take, folder, &detail), E_SYSTEM);
    ck_assert_str_eq(detail.field, "definitions_dir");
    ck_assert_str_eq(detail.text, "cannot read directory /nowhere: No such file or directory");
    ck_assert_int_eq(schemas_dir_read(config, take_set, folder, &detail), E_SYSTEM);
    ck_assert_str_eq(detail.field, "schemas_dir");
    ck_assert_str_eq(detail.text, "cannot read directory /nowhere: No such file or directory");
    config->definitions_dir = config->schemas_dir = "";
    ck_assert_int_eq(definitions_dir_read(config, take, folder, &detail), 0);
    ck_assert_int_eq(schemas_dir_read(config, take_set, folder, &detail), 0);
    ck_assert_str_eq(taken, "");
}
END_TEST

/* What they call is to be among the targets. */
START_TEST(definitions_dir__a_check_knows_the_targets)
{
    write_file("a.yaml", "name: good\n" STEPS("t"));
    ck_assert_msg(definitions_dir_check(config, &detail) == 0, "%s", detail.text);
    write_file("b.yaml", "name: bad\n" STEPS("tt"));
    ck_assert_int_eq(definitions_dir_check(config, &detail), E_TARGET_NOT_FOUND);
    ck_assert_msg(strstr(detail.text, in_folder("b.yaml")) != NULL, "%s", detail.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("definitions_dir");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, definitions_dir__files_are_told_by_their_names);
    tcase_add_test(t, definitions_dir__schemas_are_told_by_their_names);
    tcase_add_test(t, definitions_dir__what_cannot_be_read_is_told);
    tcase_add_test(t, definitions_dir__a_check_knows_the_targets);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
