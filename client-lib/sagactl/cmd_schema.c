/* cmd_schema.c - schema register, reflect, list and show; input. */
#include "client-lib/sagactl/heap.h"
#include "client-lib/sagactl/reflect.h"
#include "client-lib/sagactl/schema_files.h"
#include "client-lib/sagactl/show.h"
#include "client-lib/sagactl/times.h"
#include "sidecar/definition/reader.h"
#include "sidecar/message/json.h"

#include <stdlib.h>
#include <string.h>

#define SKELETON_BYTES_MAX  1048576
#define SKELETON_MEMORY_MAX 16777216

/* ---- register ---- */

int run_register_schema(struct run *r, const char *name, char *data, size_t size)
{
    Saga__V1__RegisterSchemaRequest request = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    Saga__V1__RegisterSchemaResponse *answer;
    char hash[128];
    request.name = (char *)(uintptr_t)name;
    request.descriptors = (ProtobufCBinaryData){.data = (uint8_t *)data, .len = size};
    request.dry_run = r->o.dry_run;
    int status = run_call(r, "/saga.v1.Coordinator/RegisterSchema", &request.base,
                          &saga__v1__register_schema_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json && r->o.command->run == command_schema)
        status = run_json(r, &answer->base, r->o.word_count > 2);
    else if (!r->o.json)
        fprintf(r->screen.out, "%s %.12s %s\n", name, screen_clean(&r->screen, answer->hash, hash, sizeof hash),
                r->o.dry_run && answer->already_registered ? "is registered already"
                : r->o.dry_run                             ? "would be registered"
                : answer->already_registered               ? "was registered already"
                                                           : "registered");
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

static int register_file(struct run *r, const char *path)
{
    char name[NAME_BYTES_MAX + 1], *data;
    size_t size;
    int status = schema_files_name(r, path, name);
    if (status == EXIT_DONE)
        status = run_read_file(r, path, &data, &size);
    if (status != EXIT_DONE)
        return status;
    status = run_register_schema(r, name, data, size);
    free(data);
    return status;
}

static int register_all(struct run *r)
{
    int status = EXIT_DONE;
    if (r->o.word_count < 2)
        return run_say(r, EXIT_USAGE, "schema register needs FILE...: sets of descriptors, as protoc or buf make them");
    if (r->o.name != NULL && r->o.word_count > 2)
        return run_say(r, EXIT_USAGE, "--name is for one FILE");
    for (unsigned i = 1; status == EXIT_DONE && i < r->o.word_count; i++)
        status = register_file(r, r->o.words[i]);
    return status;
}

/* ---- reflect ---- */

static int reflect(struct run *r)
{
    struct reflected files = {.count = 0};
    char *set;
    size_t size;
    int status = EXIT_DONE;
    if (r->o.word_count < 3)
        return run_say(r, EXIT_USAGE, "schema reflect needs NAME ADDRESS...: the schema, and the servers to ask");
    if (!definition_name_valid(bytes_of_text(r->o.words[1]), NAME_BYTES_MAX))
        return run_say(r, EXIT_USAGE, "\"%.200s\" is not a name: 1 to 128 letters, digits, '-', '_' and '.'",
                       r->o.words[1]);
    for (unsigned i = 2; status == EXIT_DONE && i < r->o.word_count; i++)
        status = reflect_server(r, r->o.words[i], &files);
    if (status == EXIT_DONE && files.count == 0)
        status = run_say(r, EXIT_REFUSED, "the servers tell of no services");
    if (status == EXIT_DONE)
        status = reflect_set(r, &files, &set, &size);
    reflect_finish(&files);
    if (status != EXIT_DONE)
        return status;
    status = run_register_schema(r, r->o.words[1], set, size);
    free(set);
    return status;
}

/* ---- list ---- */

static void put_row(const struct screen *s, const Saga__V1__Schema *schema)
{
    char name[256], hash[128], when[TIMES_TEXT_SIZE], service[600];
    times_write(s, times_of(schema->registered_at), when);
    when[strcspn(when, " ")] = '\0';
    screen_cell(s, PAINT_NONE, screen_clean(s, schema->name, name, sizeof name), 20);
    fprintf(s->out, "  %-12.12s  %-10s  %8d  ", screen_clean(s, schema->hash, hash, sizeof hash), when,
            (int)schema->message_count);
    for (size_t i = 0; i < schema->n_services; i++)
        fprintf(s->out, "%s%s", i > 0 ? ", " : "", screen_clean(s, schema->services[i], service, sizeof service));
    fputc('\n', s->out);
}

static int list(struct run *r)
{
    Saga__V1__ListSchemasRequest request = SAGA__V1__LIST_SCHEMAS_REQUEST__INIT;
    Saga__V1__ListSchemasResponse *page;
    char token[TOKEN_SIZE] = "";
    bool first = true, more = true;
    int status = EXIT_DONE;
    request.page_size = 1000;
    request.page_token = token;
    while (status == EXIT_DONE && more) {
        status = run_call(r, "/saga.v1.Coordinator/ListSchemas", &request.base,
                          &saga__v1__list_schemas_response__descriptor, &page);
        if (status != EXIT_DONE)
            return status;
        if (r->o.json)
            status = run_json(r, &page->base, false);
        else if (page->n_schemas == 0 && first)
            fputs("No schema is registered. Register one with: sagactl schema register FILE\n", r->screen.out);
        else if (first)
            screen_put(&r->screen, PAINT_DIM, "%-20s  %-12s  %-10s  %8s  %s\n", "NAME", "HASH", "REGISTERED",
                       "MESSAGES", "SERVICES");
        for (size_t i = 0; !r->o.json && i < page->n_schemas; i++)
            put_row(&r->screen, page->schemas[i]);
        int next = run_next_page(r, token, page->next_page_token);
        more = token[0] != '\0';
        first = false;
        protobuf_c_message_free_unpacked(&page->base, NULL);
        if (next != EXIT_DONE)
            return next;
    }
    return status;
}

/* ---- show ---- */

/* Fetches a schema and reads it. Gives *answer (freed by the caller, also after a failure when it is not NULL) and *schema. */
static int fetch(struct run *r, const char *name, const char *hash, Saga__V1__Schema **answer, struct schema **schema)
{
    Saga__V1__GetSchemaRequest request = SAGA__V1__GET_SCHEMA_REQUEST__INIT;
    struct error_detail detail;
    request.name = (char *)(uintptr_t)name;
    request.hash = (char *)(uintptr_t)hash;
    *answer = NULL;
    *schema = NULL;
    int status = run_call(r, "/saga.v1.Coordinator/GetSchema", &request.base, &saga__v1__schema__descriptor, answer);
    if (status != EXIT_DONE)
        return status;
    struct bytes set = bytes_of((*answer)->descriptors.data, (*answer)->descriptors.len);
    if (schema_read(set, &heap_memory, schema, &detail) != 0)
        return run_say(r, EXIT_REFUSED, "the sidecar's descriptors cannot be read: %s%s%s", detail.field,
                       detail.field[0] != '\0' ? ": " : "", detail.text);
    return EXIT_DONE;
}

static void release(Saga__V1__Schema *answer, struct schema *schema)
{
    schema_destroy(schema);
    if (answer != NULL)
        protobuf_c_message_free_unpacked(&answer->base, NULL);
}

static const char *type_name(const struct field *f)
{
    return f->message != NULL       ? (const char *)f->message->name.at
           : f->enumeration != NULL ? (const char *)f->enumeration->name.at
                                    : field_kind_name(f->kind);
}

static void put_field(FILE *out, const struct field *f)
{
    fputs("  ", out);
    if (f->oneof >= 0)
        fprintf(out, "oneof %s: ", (const char *)f->owner->oneofs[f->oneof].at);
    if (f->map)
        fprintf(out, "map<%s, %s>", type_name(&f->message->fields[0]), type_name(&f->message->fields[1]));
    else
        fprintf(out, "%s%s", f->repeated ? "repeated " : "", type_name(f));
    fprintf(out, " %s = %u%s\n", (const char *)f->name.at, (unsigned)f->number, f->deprecated ? " (deprecated)" : "");
}

/* What google.protobuf has everybody knows. */
static bool is_own(struct bytes name)
{
    static const char prefix[] = "google.protobuf.";
    return name.size < sizeof prefix - 1 || memcmp(name.at, prefix, sizeof prefix - 1) != 0;
}

static void put_schema(FILE *out, const struct schema *schema)
{
    const struct service_type *s;
    const struct message_type *m;
    const struct enum_type *e;
    for (unsigned i = 0; (s = schema_service_at(schema, i)) != NULL; i++) {
        fprintf(out, "service %s\n", (const char *)s->name.at);
        for (unsigned k = 0; k < s->method_count; k++)
            fprintf(out, "  /%s/%s (%s%s) returns (%s%s)\n", (const char *)s->name.at,
                    (const char *)s->methods[k].name.at, s->methods[k].client_streaming ? "stream " : "",
                    (const char *)s->methods[k].input->name.at, s->methods[k].server_streaming ? "stream " : "",
                    (const char *)s->methods[k].output->name.at);
    }
    for (unsigned i = 0; (m = schema_message_at(schema, i)) != NULL; i++) {
        if (m->map_entry || !is_own(m->name))
            continue;
        fprintf(out, "message %s\n", (const char *)m->name.at);
        for (unsigned k = 0; k < m->field_count; k++)
            put_field(out, &m->fields[k]);
    }
    for (unsigned i = 0; (e = schema_enum_at(schema, i)) != NULL; i++) {
        if (!is_own(e->name))
            continue;
        fprintf(out, "enum %s\n", (const char *)e->name.at);
        for (unsigned k = 0; k < e->value_count; k++)
            fprintf(out, "  %s = %d\n", (const char *)e->values[k].name.at, (int)e->values[k].number);
    }
}

static int show(struct run *r)
{
    Saga__V1__Schema *answer;
    struct schema *schema;
    if (r->o.word_count != 2)
        return run_say(r, EXIT_USAGE, "schema show needs NAME");
    int status = fetch(r, r->o.words[1], "", &answer, &schema);
    if (status == EXIT_DONE && r->o.json)
        status = run_json(r, &answer->base, false);
    else if (status == EXIT_DONE)
        put_schema(r->screen.out, schema);
    release(answer, schema);
    return status;
}

int command_schema(struct run *r)
{
    const char *what = r->o.words[0];
    if (strcmp(what, "register") == 0)
        return register_all(r);
    if (strcmp(what, "reflect") == 0)
        return reflect(r);
    if (strcmp(what, "list") == 0 && r->o.word_count == 1)
        return list(r);
    if (strcmp(what, "show") == 0)
        return show(r);
    return run_say(r, EXIT_USAGE, "schema takes register FILE..., reflect NAME ADDRESS..., list or show NAME");
}

/* ---- input ---- */

static int put_skeleton(struct run *r, const struct schema *schema, const char *name)
{
    const struct message_type *type = schema_message(schema, bytes_of_text(name));
    struct pool pool;
    struct bytes json;
    if (type == NULL)
        return run_say(r, EXIT_REFUSED, "the sidecar's descriptors have no %s", name);
    pool_init(&pool, &heap_memory, SKELETON_MEMORY_MAX);
    int code = json_skeleton(type, &pool, SKELETON_BYTES_MAX, &json);
    if (code == 0)
        fprintf(r->screen.out, "%s\n", (const char *)json.at);
    pool_finish(&pool);
    return code == 0 ? EXIT_DONE : run_say(r, EXIT_REFUSED, "%s is too large to be written out", name);
}

int command_input(struct run *r)
{
    Saga__V1__GetDefinitionRequest request = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
    Saga__V1__Definition *definition;
    Saga__V1__Schema *answer = NULL;
    struct schema *schema = NULL;
    request.name = r->o.words[0];
    request.version = r->o.version != NULL ? (char *)(uintptr_t)r->o.version : request.version;
    int status = run_call(r, "/saga.v1.Coordinator/GetDefinition", &request.base, &saga__v1__definition__descriptor,
                          &definition);
    if (status != EXIT_DONE)
        return status;
    if (definition->input[0] == '\0')
        status = run_say(r, EXIT_REFUSED, "%.200s does not say the type of its input (schema, input)", r->o.words[0]);
    else
        status = fetch(r, "", definition->schema_hash, &answer, &schema);
    if (status == EXIT_DONE)
        status = put_skeleton(r, schema, definition->input);
    release(answer, schema);
    protobuf_c_message_free_unpacked(&definition->base, NULL);
    return status;
}
