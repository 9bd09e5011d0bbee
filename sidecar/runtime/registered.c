/* registered.c - what a loop has registered: read from its journal, from directories at the start, and from another loop. */
#include "sidecar/runtime/loop_inside.h"

#include "sidecar/definition/reader.h"
#include "sidecar/runtime/definitions_dir.h"
#include "sidecar/runtime/policing.h"
#include "sidecar/runtime/reload.h"
#include "sidecar/runtime/schemas_dir.h"
#include "sidecar/runtime/sidecar_inside.h"

/* Definitions that are in a journal were accepted once: what sagad.yaml says today about new ones does not touch them. */
static struct definition_limits lenient(const struct loop *s)
{
    struct definition_limits limits = s->limits;
    limits.source_bytes_max = UINT32_MAX;
    limits.steps_max = STEPS_LIMIT;
    limits.payload_bytes_max = UINT32_MAX;
    limits.deadline_max = limits.last_good_age_max = (struct span){.us = INT64_MAX};
    return limits;
}

int registered_recover(void *self, const struct definition_row *row)
{
    struct loop *s = self;
    struct error_detail *detail = &s->failure.detail;
    struct definition_limits limits = lenient(s);
    struct definition *definition;
    const struct retry_defaults *retry = retries_find(s->retries, row->number);
    limits.schemas = schemas_pinned(s->schemas, row->number);
    if (retry != NULL)
        limits.retry = *retry;
    else
        limits.retry.action = s->config->earlier_retry;
    int code = definition_read(row->source, &limits, &definition, detail);
    if (code != 0)
        return code;
    definition->number = row->number;
    code = catalog_add(s->catalog, definition, row->registered_at, detail);
    if (code != 0)
        definition_destroy(definition);
    return code;
}

int registered_admit(void *self, const struct definition *definition, struct error_detail *detail)
{
    struct loop *s = self;
    /* Loop 0 decides, and it alone may look at the configuration that is in force; the others take what it took. */
    const struct config *config = s->index == 0 ? reload_config(s) : s->config;
    struct policy *policy = s->index == 0 ? s->policy : NULL;
    int code = policing_admit(config, policy, definition, clock_now(&s->clock), detail);
    return code != 0 || s->index != 0 ? code : definitions_dir_check_one(config, definition, detail);
}

int registered_warn(void *self, const struct definition *definition,
                    void (*found)(void *list, const struct warning *warning), void *list)
{
    struct loop *s = self;
    if (s->index != 0)
        return 0;
    return policing_warn(reload_config(s), s->policy, definition, clock_now(&s->clock), found, list);
}

/* Takes a definition that was read without types. One that is there already is fine, whatever its schema's name stands for by now; a new one that is
 * typed is read again, with limits that know its descriptors; with judge it is refused where one over the API would be. */
static int take_new(struct loop *s, struct definition *definition, const struct definition_limits *limits, bool judge,
                    struct error_detail *detail)
{
    struct definition *typed = definition;
    const struct catalog_entry *there =
        catalog_find(s->catalog, bytes_of_text(definition->name), bytes_of_text(definition->version));
    if (there != NULL && !bytes_equal(there->definition->source, definition->source))
        return error_set(detail, E_DEFINITION_EXISTS, "",
                         "this name and version are registered with another text: raise the version");
    int code = 0;
    if (there == NULL && definition->schema_name != NULL)
        code = definition_read(definition->source, limits, &typed, detail);
    if (code == 0 && there == NULL) {
        code = judge ? registered_admit(s, typed, detail) : 0;
        if (code == 0)
            code = core_register(s->core, typed, clock_now(&s->clock), 0, detail);
        if (code == 0 && judge)
            api_audit_file(s->api, false, typed->name, typed->version);
        if (code != 0 && typed != definition)
            definition_destroy(typed);
    }
    if (code == 0 && (there != NULL || typed != definition))
        definition_destroy(definition);
    return code;
}

static int take_file(void *self, struct definition *definition, struct error_detail *detail)
{
    struct loop *s = self;
    return take_new(s, definition, &s->limits, true, detail);
}

static int take_set(struct loop *s, const char *name, struct bytes set, bool from_file, struct error_detail *detail)
{
    const struct schema_entry *entry;
    bool repeated;
    int code =
        schemas_add(s->schemas, s->core, bytes_of_text(name), set, clock_now(&s->clock), &entry, &repeated, detail);
    if (code == 0 && !repeated && from_file)
        api_audit_file(s->api, true, entry->name, entry->set->hash);
    return code;
}

static int take_schema_file(void *self, const char *name, struct bytes set, struct error_detail *detail)
{
    return take_set(self, name, set, true, detail);
}

int registered_take_files(struct loop *s, struct error_detail *detail)
{
    int code = schemas_dir_read(s->config, take_schema_file, s, detail);
    if (code == 0)
        code = definitions_dir_read(s->config, take_file, s, detail);
    return code;
}

int registered_take_definition(struct loop *s, const struct definition *other, struct error_detail *detail)
{
    struct definition_limits limits = lenient(s);
    struct definition *definition;
    limits.schemas.find = NULL;
    limits.retry = other->retry;
    int code = definition_read(other->source, &limits, &definition, detail);
    limits.schemas = schemas_fixed(s->schemas, other->schema_hash);
    if (code == 0 && (code = take_new(s, definition, &limits, false, detail)) != 0)
        definition_destroy(definition);
    return code;
}

int registered_take_schema(struct loop *s, const struct schema_entry *other, struct error_detail *detail)
{
    return take_set(s, other->name, other->set->bytes, false, detail);
}
