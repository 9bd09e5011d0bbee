/* contracts.c - {"contract": 1, "target": "inventory", "definitions": [{"name", "version", "schema", "source"}], "schemas": {hash: descriptors in
 * base64}} */
#include "client-lib/sagactl/contracts.h"

#include "client-lib/sagactl/heap.h"
#include "sidecar/message/base64.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct run *r)
{
    return run_say(r, EXIT_REFUSED, "there is no memory for the contract");
}

/* ---- reading a definition as the sidecar has it ---- */

struct definition_limits contracts_limits(struct definition_schemas schemas)
{
    struct definition_limits limits = definition_limits_default();
    limits.source_bytes_max = RUN_FILE_BYTES_MAX;
    limits.payload_bytes_max = RUN_FILE_BYTES_MAX;
    limits.steps_max = STEPS_LIMIT;
    limits.deadline_max = limits.last_good_age_max = SPAN_S(INT64_C(10) * 365 * 24 * 3600);
    limits.schemas = schemas;
    return limits;
}

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)name;
    *hash = "";
    return self;
}

static int read_schema(struct run *r, const json_t *document, const char *hash, struct schema **schema)
{
    struct error_detail detail;
    const char *text = json_string_value(json_object_get(json_object_get(document, "schemas"), hash));
    size_t size = 0;
    *schema = NULL;
    uint8_t *set = text == NULL ? NULL : malloc(BASE64_BYTES_MAX(strlen(text)) + 1);
    if (text != NULL && set == NULL)
        return no_memory(r);
    int status = EXIT_DONE;
    if (text == NULL || !base64_read(bytes_of_text(text), set, &size))
        status = run_say(r, EXIT_REFUSED, "the contract has no descriptors %.70s", hash);
    else if (schema_read(bytes_of(set, size), &heap_memory, schema, &detail) != 0)
        status = run_say(r, EXIT_REFUSED, "the contract's descriptors %.12s cannot be read: %s%s%s", hash, detail.field,
                         detail.field[0] != '\0' ? ": " : "", detail.text);
    free(set);
    return status;
}

static int use_one(struct run *r, const json_t *document, const json_t *entry,
                   int (*use)(void *self, const struct definition *d), void *self)
{
    const char *source = json_string_value(json_object_get(entry, "source"));
    const char *hash = json_string_value(json_object_get(entry, "schema"));
    struct schema *schema = NULL;
    struct definition *d = NULL;
    struct error_detail detail;
    if (source == NULL)
        return run_say(r, EXIT_REFUSED, "a definition of the contract has no source");
    int status = hash == NULL ? EXIT_DONE : read_schema(r, document, hash, &schema);
    struct definition_limits limits =
        contracts_limits((struct definition_schemas){.find = schema == NULL ? NULL : find, .self = schema});
    if (status == EXIT_DONE && definition_read(bytes_of_text(source), &limits, &d, &detail) != 0)
        status = run_say(r, EXIT_REFUSED, "a definition of the contract cannot be read: %d:%d: %s%s%s", detail.line,
                         detail.column, detail.field, detail.field[0] != '\0' ? ": " : "", detail.text);
    if (status == EXIT_DONE)
        status = use(self, d);
    definition_destroy(d);
    schema_destroy(schema);
    return status;
}

int contracts_each(struct run *r, const json_t *document, int (*use)(void *self, const struct definition *d),
                   void *self)
{
    const json_t *list = json_object_get(document, "definitions");
    int status = EXIT_DONE;
    for (size_t i = 0; i < json_array_size(list) && status == EXIT_DONE; i++)
        status = use_one(r, document, json_array_get(list, i), use, self);
    return status;
}

/* ---- from a file ---- */

int contracts_load(struct run *r, const char *path, json_t **document)
{
    json_error_t error;
    char *text;
    size_t size;
    int status = run_read_file(r, path, &text, &size);
    if (status != EXIT_DONE)
        return status;
    *document = json_loadb(text, size, 0, &error);
    free(text);
    if (*document != NULL && json_integer_value(json_object_get(*document, "contract")) == 1)
        return EXIT_DONE;
    bool known = json_is_integer(json_object_get(*document, "contract"));
    json_decref(*document);
    *document = NULL;
    return run_say(r, EXIT_USAGE,
                   known ? "%.400s: is a contract of a later sagactl"
                         : "%.400s: is no contract: make one with sagactl contract export",
                   path);
}

/* ---- from the sidecar ---- */

struct fetching {
    struct run *run;
    json_t *document;
};

/* Adds the descriptors of this hash, once. */
static int add_schema(struct fetching *f, const char *hash)
{
    Saga__V1__GetSchemaRequest request = SAGA__V1__GET_SCHEMA_REQUEST__INIT;
    Saga__V1__Schema *answer;
    json_t *schemas = json_object_get(f->document, "schemas");
    if (hash[0] == '\0' || json_object_get(schemas, hash) != NULL)
        return EXIT_DONE;
    request.hash = (char *)(uintptr_t)hash;
    int status =
        run_call(f->run, "/saga.v1.Coordinator/GetSchema", &request.base, &saga__v1__schema__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    size_t size = BASE64_TEXT_SIZE(answer->descriptors.len);
    char *text = malloc(size + 1);
    if (text != NULL)
        base64_write(bytes_of(answer->descriptors.data, answer->descriptors.len), (uint8_t *)text);
    if (text == NULL || json_object_set_new(schemas, hash, json_stringn(text, size)) != 0)
        status = no_memory(f->run);
    free(text);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

static int find_target(void *self, const struct definition *d)
{
    const char *target = ((struct run *)self)->o.target;
    bool calls = target == NULL;
    for (unsigned i = 0; i < d->step_count && !calls; i++)
        calls = step_spec_calls(&d->steps[i], target);
    return calls ? EXIT_DONE : EXIT_NOT_FOUND;
}

static int add_definition(struct fetching *f, const char *name, const char *version)
{
    Saga__V1__GetDefinitionRequest request = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
    Saga__V1__Definition *answer;
    request.name = (char *)(uintptr_t)name;
    request.version = (char *)(uintptr_t)version;
    int status = run_call(f->run, "/saga.v1.Coordinator/GetDefinition", &request.base,
                          &saga__v1__definition__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    json_t *entry = json_pack("{sssssoso*}", "name", answer->name, "version", answer->version, "source",
                              json_stringn((char *)answer->source.data, answer->source.len), "schema",
                              answer->schema_hash[0] == '\0' ? NULL : json_string(answer->schema_hash));
    if (entry == NULL)
        status = run_say(f->run, EXIT_REFUSED, "%s %s: its text is not UTF-8", name, version);
    /* Its steps are of interest, not yet its types. */
    json_t *alone = entry == NULL ? NULL : json_deep_copy(entry);
    json_object_del(alone, "schema");
    if (status == EXIT_DONE)
        status = use_one(f->run, f->document, alone, find_target, f->run);
    json_decref(alone);
    if (status == EXIT_DONE)
        status = add_schema(f, answer->schema_hash);
    if (status == EXIT_DONE && json_array_append(json_object_get(f->document, "definitions"), entry) != 0)
        status = no_memory(f->run);
    json_decref(entry);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status == EXIT_NOT_FOUND ? EXIT_DONE : status;
}

int contracts_fetch(struct run *r, json_t **document)
{
    struct fetching f = {.run = r};
    Saga__V1__ListDefinitionsResponse all;
    int status = run_definitions(r, &all);
    f.document = json_pack("{sis[]s{}}", "contract", 1, "definitions", "schemas");
    if (status == EXIT_DONE && f.document == NULL)
        status = no_memory(r);
    if (status == EXIT_DONE && r->o.target != NULL)
        json_object_set_new(f.document, "target", json_string(r->o.target));
    for (size_t i = 0; i < all.n_definitions && status == EXIT_DONE; i++)
        if (r->o.definition == NULL || strcmp(r->o.definition, all.definitions[i]->name) == 0)
            status = add_definition(&f, all.definitions[i]->name, all.definitions[i]->version);
    run_definitions_free(&all);
    *document = f.document;
    if (status == EXIT_DONE)
        return EXIT_DONE;
    json_decref(f.document);
    *document = NULL;
    return status;
}
