/* definitions.c - definitions registered and shown. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"

#include "sidecar/observe/log.h"

#include <inttypes.h>
#include <stdio.h>

static void audit_definition(struct api *api, struct change *change, const struct definition *d)
{
    char subject[2 * NAME_BYTES_MAX];
    snprintf(subject, sizeof subject, "%s %s", d->name, d->version);
    audit_add(api, change->request.call, METHOD_REGISTER_DEFINITION, subject, "", "");
}

/* Sends the answer through the core: what was registered must be durable first. */
int definitions_register(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__RegisterDefinitionRequest *m = message;
    struct bytes source = bytes_of(m->source.data, m->source.len);
    struct definition *definition;
    struct definition_limits limits = api->options.definition_limits;
    /* What is there already is so whatever its schema's name stands for by now: so its text is looked at first, and its types only when it is new. */
    limits.schemas.find = NULL;
    int code = definition_read(source, &limits, &definition, detail);
    if (code != 0)
        return code;
    code = permit_definition(api, change->request.call, METHOD_REGISTER_DEFINITION, bytes_of_text(definition->name),
                             detail);
    if (code != 0) {
        definition_destroy(definition);
        return code;
    }
    change->registered.by = &api->options;
    const struct catalog_entry *there =
        catalog_find(api->catalog, bytes_of_text(definition->name), bytes_of_text(definition->version));
    if (there != NULL) {
        bool same = bytes_equal(there->definition->source, definition->source);
        definition_destroy(definition);
        change->registered.definition = there->definition;
        if (!same)
            return error_set(detail, E_DEFINITION_EXISTS, "source",
                             "this name and version are registered with another text: raise the version");
        return core_reply(api->core, &(struct reply_effect){.token = (uintptr_t)change, .repeated = true}, NULL);
    }
    if (definition->schema_name != NULL) {
        definition_destroy(definition);
        code = definition_read(source, &api->options.definition_limits, &definition, detail);
        if (code != 0)
            return code;
    }
    code = api->options.admit(api->options.self, definition, detail);
    if (code != 0) {
        definition_destroy(definition);
        return code;
    }
    if (m->dry_run) {
        code = core_may_register(api->core, definition, detail);
        if (code == 0) {
            const struct reply_effect reply = {.code = 0};
            change->registered.definition = definition;
            change_reply(api, change, &reply, NULL);
        }
        definition_destroy(definition);
        return code;
    }
    change->registered.definition = definition;
    code = core_register(api->core, definition, api_now(api), (uintptr_t)change, detail);
    if (code != 0) {
        definition_destroy(definition);
        return code;
    }
    audit_definition(api, change, definition);
    log_event(LOG_LEVEL_INFO, "definition registered", LOG_TEXT("definition", definition->name),
              LOG_TEXT("version", definition->version));
    return 0;
}

int definitions_get(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__GetDefinitionRequest *m = message;
    const struct catalog_entry *entry = catalog_find(api->catalog, bytes_of_text(m->name), bytes_of_text(m->version));
    if (entry == NULL)
        return error_set(detail, E_DEFINITION_NOT_FOUND, "name", NULL);
    Saga__V1__Definition *view = view_definition(&api->arena, entry, true);
    api_answer(api, read->request.call, view == NULL ? NULL : &view->base);
    return 0;
}

/* A page goes on at an index: when a definition is registered meanwhile, another may be shown twice. */
int definitions_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ListDefinitionsRequest *m = message;
    size_t room;
    uint64_t at;
    int code = api_page_size(m->page_size, &room, detail);
    if (code == 0)
        code = reads_page_token(m->page_token, 0, &at, detail);
    if (code != 0)
        return code;
    Saga__V1__ListDefinitionsResponse response = SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT;
    response.definitions = arena_take(&api->arena, room * sizeof(*response.definitions));
    if (response.definitions == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (; at < catalog_count(api->catalog) && response.n_definitions < room; at++) {
        const struct catalog_entry *entry = catalog_at(api->catalog, (uint32_t)at);
        const struct authz_about about = {.definition = bytes_of_text(entry->definition->name), .own = true};
        if (!permit_shows(api, read->request.call, METHOD_LIST_DEFINITIONS, &about))
            continue;
        Saga__V1__Definition *view = view_definition(&api->arena, entry, false);
        if (view == NULL)
            return error_set(detail, E_MEMORY, "", NULL);
        response.definitions[response.n_definitions++] = view;
    }
    if (at < catalog_count(api->catalog) &&
        (response.next_page_token = arena_format(&api->arena, "%" PRIx64, at)) == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}
