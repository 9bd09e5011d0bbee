/* cmd_contract.c - contract check, export: whether a participant's change breaks a definition. */
#include "client-lib/sagactl/contracts.h"
#include "client-lib/sagactl/findings.h"
#include "client-lib/sagactl/heap.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/schema_files.h"
#include "sidecar/contract/contract.h"

#include <string.h>

struct checking {
    struct run *run;
    struct findings findings;
    const struct schema *next;
    const char *target;
    const struct definition *d;
    unsigned calls, definitions;
};

static void put(void *self, const struct contract_finding *found)
{
    struct checking *c = self;
    char field[NAME_BYTES_MAX + VERSION_BYTES_MAX + STEP_NAME_BYTES_MAX + 32];
    snprintf(field, sizeof field, "%s %s, %s of %s", c->d->name, c->d->version,
             found->compensation ? "compensation" : "action", c->d->steps[found->step].name);
    findings_put(&c->findings, &(struct finding){.rule = contract_rows[found->rule].id,
                                                 .severity = found->breaks ? LINT_ERROR : LINT_WARNING,
                                                 .field = field,
                                                 .text = found->text});
}

static int check_definition(void *self, const struct definition *d)
{
    struct checking *c = self;
    unsigned calls;
    c->d = d;
    const struct contract_check check = {
        .d = d, .next = c->next, .target = c->target, .memory = &heap_memory, .found = put, .self = c};
    if (contract_check(&check, &calls) != 0)
        return run_say(c->run, EXIT_REFUSED, "there is no memory to check %s %s", d->name, d->version);
    c->calls += calls;
    c->definitions += calls > 0;
    return EXIT_DONE;
}

static int check_all(struct run *r, const json_t *document, const struct schema *next)
{
    const char *target = json_string_value(json_object_get(document, "target"));
    struct checking c = {.run = r, .findings = {.run = r}, .next = next, .target = target};
    findings_begin(&c.findings, r->o.schema);
    int status = contracts_each(r, document, check_definition, &c);
    if (status == EXIT_DONE && c.calls == 0)
        run_note(r, "no definition%s calls anything of it", target == NULL ? "" : " of the contract");
    if (r->o.json)
        c.findings.more = json_pack("{sisi}", "calls", (int)c.calls, "definitions", (int)c.definitions);
    c.findings.cut = status != EXIT_DONE;
    int ended = findings_end(&c.findings, NULL);
    if (r->o.form == FORM_SARIF && findings_sarif(&c.findings) != EXIT_DONE)
        return EXIT_REFUSED;
    return status == EXIT_DONE ? ended : status;
}

static int check(struct run *r)
{
    struct schema_files next = {.count = 0};
    json_t *document = NULL;
    if (r->o.schema == NULL)
        return run_say(r, EXIT_USAGE,
                       "contract check needs --schema FILE: the participant's descriptors, as they would be");
    int status = schema_files_load(r, &next, r->o.schema);
    if (status == EXIT_DONE && next.count != 1)
        status = run_say(r, EXIT_USAGE, "--schema: one file, of one participant");
    if (status == EXIT_DONE)
        status = r->o.contract != NULL ? contracts_load(r, r->o.contract, &document) : contracts_fetch(r, &document);
    if (status == EXIT_DONE)
        status = check_all(r, document, next.sets[0].schema);
    json_decref(document);
    schema_files_finish(&next);
    return status;
}

static int export(struct run *r)
{
    json_t *document;
    if (r->o.target == NULL)
        return run_say(r, EXIT_USAGE, "contract export needs --target NAME: the participant, as definitions name it");
    int status = contracts_fetch(r, &document);
    if (status != EXIT_DONE)
        return status;
    if (json_array_size(json_object_get(document, "definitions")) == 0) {
        json_decref(document);
        return run_say(r, EXIT_NOT_FOUND, "no registered definition calls %s", r->o.target);
    }
    if (json_put(r->screen.out, document, false) != 0)
        return run_say(r, EXIT_REFUSED, "the contract cannot be written: no memory, or no room where it goes");
    return EXIT_DONE;
}

int command_contract(struct run *r)
{
    if (strcmp(r->o.words[0], "check") == 0)
        return check(r);
    if (strcmp(r->o.words[0], "export") == 0)
        return export(r);
    return run_say(r, EXIT_USAGE, "contract takes check --schema FILE, or export --target NAME");
}
