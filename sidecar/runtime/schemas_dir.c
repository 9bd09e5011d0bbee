/* schemas_dir.c - a directory of sets of descriptors, file by file. */
#include "sidecar/runtime/schemas_dir.h"

#include "sidecar/definition/names.h"
#include "sidecar/message/schema.h"
#include "sidecar/runtime/files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const char end[] = ".binpb";

/* Kubernetes keeps what it swaps in names that begin with two dots. */
static int is_set(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return entry->d_name[0] != '.' && size >= sizeof end && strcmp(entry->d_name + size - (sizeof end - 1), end) == 0;
}

static int read_one(const char *directory, const char *file,
                    int (*take)(void *self, const char *name, struct bytes set, struct error_detail *detail),
                    void *self, struct error_detail *detail)
{
    char path[8192], name[256];
    struct bytes set;
    snprintf(path, sizeof path, "%s/%s", directory, file);
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - (sizeof end - 1)), file);
    int code = file_read(path, SCHEMA_BYTES_MAX, &set, detail);
    if (code == E_SYSTEM)
        return code;
    if (code == 0) {
        code = definition_name_valid(bytes_of_text(name), NAME_BYTES_MAX)
                   ? take(self, name, set, detail)
                   : error_set(detail, E_ARGUMENT, "", "the file's name must be letters, digits, '-', '_' and '.'");
        free((void *)(uintptr_t)set.at);
    }
    if (code != 0) {
        struct error_detail inner = *detail;
        char line[sizeof detail->text];
        config_describe_error(path, code, &inner, line, sizeof line);
        error_set(detail, code, "", line);
    }
    return code;
}

int schemas_dir_read(const struct config *config,
                     int (*take)(void *self, const char *name, struct bytes set, struct error_detail *detail),
                     void *self, struct error_detail *detail)
{
    struct dirent **entries;
    if (config->schemas_dir[0] == '\0')
        return 0;
    int count = scandir(config->schemas_dir, &entries, is_set, alphasort);
    if (count < 0)
        return file_error("read directory", config->schemas_dir, "schemas_dir", detail);
    int code = 0;
    for (int i = 0; i < count; i++) {
        if (code == 0)
            code = read_one(config->schemas_dir, entries[i]->d_name, take, self, detail);
        free(entries[i]);
    }
    free(entries);
    return code;
}
