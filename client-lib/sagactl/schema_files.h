/* schema_files.h - sets of descriptors from files, each a schema by the file's name, for what is done without a sidecar. */
#ifndef SAGACTL_SCHEMA_FILES_H
#define SAGACTL_SCHEMA_FILES_H

#include "client-lib/sagactl/run.h"
#include "sidecar/definition/reader.h"
#include "sidecar/message/schema.h"

#define SCHEMA_FILES_MAX 64

/* Zeroed at first. */
struct schema_files {
    unsigned count;
    struct {
        char name[NAME_BYTES_MAX + 1];
        struct schema *schema;
    } sets[SCHEMA_FILES_MAX];
};

/* What the file is called without its folder and its end, or what --name says. Returns EXIT_DONE, or EXIT_USAGE after having said why. */
int schema_files_name(struct run *r, const char *path, char name[NAME_BYTES_MAX + 1]);

/* Adds the file, or every *.binpb of the folder, of that name. Returns EXIT_DONE, or another status after having said why. */
int schema_files_load(struct run *r, struct schema_files *s, const char *path);

/* A set of descriptors that came from elsewhere, as this schema. */
int schema_files_add(struct run *r, struct schema_files *s, const char *name, struct bytes set);

/* What definitions are read against: all of them; none is looked for when there is none. */
struct definition_schemas schema_files_find(struct schema_files *s);

void schema_files_finish(struct schema_files *s);

#endif
