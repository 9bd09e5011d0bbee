/* definitions_dir.c - a directory of definitions, file by file. */
#include "sidecar/runtime/definitions_dir.h"

#include "sidecar/definition/reader.h"
#include "sidecar/runtime/files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* Kubernetes keeps what it swaps in names that begin with two dots. */
static int is_definition(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    const char *name = entry->d_name;
    return name[0] != '.' &&
           ((size > 5 && strcmp(name + size - 5, ".yaml") == 0) || (size > 4 && strcmp(name + size - 4, ".yml") == 0));
}

static int read_one(const struct config *config, const char *path,
                    int (*take)(void *self, struct definition *definition, struct error_detail *detail), void *self,
                    struct error_detail *detail)
{
    struct definition_limits limits = config_definition_limits(config);
    struct definition *definition = NULL;
    struct bytes text;
    int code = file_read(path, limits.source_bytes_max, &text, detail);
    if (code == E_SYSTEM)
        return code;
    if (code == 0) {
        code = definition_read(text, &limits, &definition, detail);
        free((void *)(uintptr_t)text.at);
    }
    if (code == 0 && (code = take(self, definition, detail)) != 0)
        definition_destroy(definition);
    if (code != 0) {
        struct error_detail inner = *detail;
        char line[sizeof detail->text];
        config_describe_error(path, code, &inner, line, sizeof line);
        error_set(detail, code, "", line);
    }
    return code;
}

int definitions_dir_read(const struct config *config,
                         int (*take)(void *self, struct definition *definition, struct error_detail *detail),
                         void *self, struct error_detail *detail)
{
    const char *directory = config->definitions_dir;
    struct dirent **entries;
    if (directory[0] == '\0')
        return 0;
    int count = scandir(directory, &entries, is_definition, alphasort);
    if (count < 0)
        return file_error("read directory", directory, "definitions_dir", detail);
    int code = 0;
    for (int i = 0; i < count; i++) {
        char path[8192];
        snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        if (code == 0)
            code = read_one(config, path, take, self, detail);
        free(entries[i]);
    }
    free(entries);
    return code;
}

int definitions_dir_check_one(const struct config *config, const struct definition *definition,
                              struct error_detail *detail)
{
    struct definition_limits limits = config_definition_limits(config);
    const char **names = malloc((config->target_count + 1) * sizeof *names);
    struct definition *again;
    if (names == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; i < config->target_count; i++)
        names[i] = config->targets[i].name;
    limits.targets = (struct definition_targets){.names = names, .count = config->target_count};
    int code = definition_read(definition->source, &limits, &again, detail);
    if (code == 0)
        definition_destroy(again);
    free(names);
    return code;
}

static int check(void *self, struct definition *definition, struct error_detail *detail)
{
    int code = definitions_dir_check_one(self, definition, detail);
    if (code == 0)
        definition_destroy(definition);
    return code;
}

int definitions_dir_check(const struct config *config, struct error_detail *detail)
{
    return definitions_dir_read(config, check, (void *)(uintptr_t)config, detail);
}
