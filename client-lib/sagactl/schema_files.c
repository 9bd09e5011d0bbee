/* schema_files.c - a file or a folder of sets of descriptors. */
#include "client-lib/sagactl/schema_files.h"

#include "client-lib/sagactl/heap.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char end[] = ".binpb";

int schema_files_name(struct run *r, const char *path, char name[NAME_BYTES_MAX + 1])
{
    const char *file = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
    const char *dot = strrchr(file, '.');
    size_t size = dot == NULL || dot == file ? strlen(file) : (size_t)(dot - file);
    if (r->o.name != NULL) {
        snprintf(name, NAME_BYTES_MAX + 1, "%s", r->o.name);
        return EXIT_DONE;
    }
    if (strcmp(path, "-") == 0 || !definition_name_valid(bytes_of(file, size), NAME_BYTES_MAX))
        return run_say(r, EXIT_USAGE, "%.400s: give the schema a name with --name", path);
    memcpy(name, file, size);
    name[size] = '\0';
    return EXIT_DONE;
}

int schema_files_add(struct run *r, struct schema_files *s, const char *name, struct bytes set)
{
    struct error_detail detail;
    if (s->count == SCHEMA_FILES_MAX)
        return run_say(r, EXIT_REFUSED, "there are more than %d schemas", SCHEMA_FILES_MAX);
    if (schema_read(set, &heap_memory, &s->sets[s->count].schema, &detail) != 0)
        return run_say(r, EXIT_REFUSED, "%.200s: %s%s%s", name, detail.field, detail.field[0] != '\0' ? ": " : "",
                       detail.text);
    snprintf(s->sets[s->count].name, sizeof s->sets[0].name, "%s", name);
    s->count++;
    return EXIT_DONE;
}

static int load_file(struct run *r, struct schema_files *s, const char *path)
{
    char name[NAME_BYTES_MAX + 1], *data;
    size_t size;
    int status = schema_files_name(r, path, name);
    if (status == EXIT_DONE)
        status = run_read_file(r, path, &data, &size);
    if (status != EXIT_DONE)
        return status;
    status = schema_files_add(r, s, name, bytes_of(data, size));
    free(data);
    return status;
}

static int is_set(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return entry->d_name[0] != '.' && size >= sizeof end && strcmp(entry->d_name + size - (sizeof end - 1), end) == 0;
}

int schema_files_load(struct run *r, struct schema_files *s, const char *path)
{
    struct stat about;
    struct dirent **entries;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return load_file(r, s, path);
    int count = scandir(path, &entries, is_set, alphasort), status = EXIT_DONE;
    if (count <= 0)
        return run_say(r, EXIT_USAGE, "%.400s: holds no file of descriptors (*.binpb)", path);
    for (int i = 0; i < count; i++) {
        char file[8192];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (status == EXIT_DONE)
            status = load_file(r, s, file);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static const struct schema *find(void *self, const char *name, const char **hash)
{
    const struct schema_files *s = self;
    *hash = "";
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->sets[i].name, name) == 0)
            return s->sets[i].schema;
    return NULL;
}

struct definition_schemas schema_files_find(struct schema_files *s)
{
    return (struct definition_schemas){.find = s->count > 0 ? find : NULL, .self = s};
}

void schema_files_finish(struct schema_files *s)
{
    for (unsigned i = 0; i < s->count; i++)
        schema_destroy(s->sets[i].schema);
    s->count = 0;
}
