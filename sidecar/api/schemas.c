/* schemas.c - schemas registered and shown. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"

#include "sidecar/observe/log.h"

#include <inttypes.h>
#include <stdio.h>

static int read_name(const char *text, struct bytes *name, struct error_detail *detail)
{
    *name = bytes_of_text(text);
    return definition_name_valid(*name, NAME_BYTES_MAX)
               ? 0
               : error_set(detail, E_ARGUMENT, "name", "1 to 128 bytes of letters, digits, '-', '_' and '.'");
}

/* Says which hash the set would have. */
static int dry_run(struct api *api, struct change *change, struct bytes name, struct bytes bytes,
                   struct error_detail *detail)
{
    char hash[SHA256_TEXT_SIZE];
    bool repeated;
    int code = schemas_try(api->options.schemas, api->core, name, bytes, hash, &repeated, detail);
    if (code != 0)
        return code;
    change->registered.schema_hash = hash;
    const struct reply_effect reply = {.repeated = repeated};
    change_reply(api, change, &reply, NULL);
    return 0;
}

static void audit_schema(struct api *api, struct change *change, const struct schema_entry *entry)
{
    char subject[2 * NAME_BYTES_MAX];
    snprintf(subject, sizeof subject, "%s %s", entry->name, entry->set->hash);
    audit_add(api, change->request.call, METHOD_REGISTER_SCHEMA, subject, "", "");
}

int schemas_register(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__RegisterSchemaRequest *m = message;
    struct bytes name, bytes = bytes_of(m->descriptors.data, m->descriptors.len);
    const struct schema_entry *entry;
    bool repeated;
    int code = read_name(m->name, &name, detail);
    if (code == 0 && core_stalled(api->core) != 0)
        code = error_set(detail, core_stalled(api->core), "", NULL);
    if (code != 0)
        return code;
    if (m->dry_run)
        return dry_run(api, change, name, bytes, detail);
    code = schemas_add(api->options.schemas, api->core, name, bytes, api_now(api), &entry, &repeated, detail);
    if (code != 0)
        return code;
    change->registered.schema_hash = entry->set->hash;
    if (!repeated) {
        audit_schema(api, change, entry);
        log_event(LOG_LEVEL_INFO, "schema registered", LOG_TEXT("schema", entry->name),
                  LOG_TEXT("hash", entry->set->hash));
    }
    return core_reply(api->core, &(struct reply_effect){.token = (uintptr_t)change, .repeated = repeated}, NULL);
}

static Saga__V1__Schema *view_schema(struct arena *a, const struct schema_set *set, const struct schema_entry *entry,
                                     bool with_descriptors)
{
    Saga__V1__Schema *m = arena_take(a, sizeof *m);
    if (m == NULL)
        return NULL;
    saga__v1__schema__init(m);
    unsigned services = 0;
    const struct message_type *type;
    while (schema_service_at(set->schema, services) != NULL)
        services++;
    for (unsigned i = 0; (type = schema_message_at(set->schema, i)) != NULL; i++)
        m->message_count += !type->map_entry;
    m->services = arena_take(a, (services + 1) * sizeof *m->services);
    if (m->services == NULL)
        return NULL;
    for (; m->n_services < services; m->n_services++)
        m->services[m->n_services] =
            (char *)(uintptr_t)schema_service_at(set->schema, (unsigned)m->n_services)->name.at;
    m->hash = (char *)(uintptr_t)set->hash;
    if (with_descriptors)
        m->descriptors = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)set->bytes.at, .len = set->bytes.size};
    if (entry == NULL)
        return m;
    m->name = (char *)(uintptr_t)entry->name;
    m->registered_at = view_time(a, entry->registered_at);
    return m->registered_at == NULL ? NULL : m;
}

int schemas_get(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__GetSchemaRequest *m = message;
    if ((m->name[0] == '\0') == (m->hash[0] == '\0'))
        return error_set(detail, E_ARGUMENT, "name", "say either the name or the hash");
    const struct schema_entry *entry =
        m->name[0] == '\0' ? NULL : schemas_find(api->options.schemas, bytes_of_text(m->name));
    const struct schema_set *set =
        entry != NULL ? entry->set : schemas_find_set(api->options.schemas, bytes_of_text(m->hash));
    if (set == NULL)
        return error_set(detail, E_SCHEMA_NOT_FOUND, m->name[0] == '\0' ? "hash" : "name", NULL);
    Saga__V1__Schema *view = view_schema(&api->arena, set, entry, true);
    api_answer(api, read->request.call, view == NULL ? NULL : &view->base);
    return 0;
}

/* A page goes on at an index: when a schema is registered meanwhile, another may be shown twice. */
int schemas_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ListSchemasRequest *m = message;
    const struct schemas *schemas = api->options.schemas;
    size_t room;
    uint64_t at;
    int code = api_page_size(m->page_size, &room, detail);
    if (code == 0)
        code = reads_page_token(m->page_token, 0, &at, detail);
    if (code != 0)
        return code;
    Saga__V1__ListSchemasResponse response = SAGA__V1__LIST_SCHEMAS_RESPONSE__INIT;
    response.schemas = arena_take(&api->arena, room * sizeof(*response.schemas));
    if (response.schemas == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (; at < schemas_count(schemas) && response.n_schemas < room; at++) {
        const struct schema_entry *entry = schemas_at(schemas, (uint32_t)at);
        Saga__V1__Schema *view = view_schema(&api->arena, entry->set, entry, false);
        if (view == NULL)
            return error_set(detail, E_MEMORY, "", NULL);
        response.schemas[response.n_schemas++] = view;
    }
    if (at < schemas_count(schemas) && (response.next_page_token = arena_format(&api->arena, "%" PRIx64, at)) == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}
