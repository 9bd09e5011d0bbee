/* cmd_rehearse.c - rehearse: a definition in the real engine and a made-up world, nothing called. */
#include "client-lib/sagactl/config_file.h"
#include "client-lib/sagactl/findings.h"
#include "client-lib/sagactl/heap.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/schema_files.h"
#include "sidecar/definition/quantity.h"
#include "sidecar/engine/record.h"
#include "sidecar/message/json.h"
#include "sidecar/rehearse/rehearse.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_JSON_MAX 65536
#define DEVIATIONS_MAX   3
#define RUNS_MAX         20000

struct rehearsing {
    struct run *run;
    struct config_file config;
    struct definition *d;
    struct pool pool;
    json_t *plan; /* with -o json */
};

/* The input: what --json or --input says, else an example of the type. */
static int make_input(struct rehearsing *r, struct bytes *input)
{
    const struct options *o = &r->run->o;
    struct error_detail detail;
    char *text = NULL;
    size_t size = 0;
    *input = bytes_of("", 0);
    if (o->input == NULL && o->input_json == NULL)
        return r->d->input == NULL || rehearse_example(r->d->input, &r->pool, input) == 0
                   ? EXIT_DONE
                   : run_say(r->run, EXIT_REFUSED, "there is no memory for the input");
    if (o->input_json != NULL && r->d->input == NULL)
        return run_say(
            r->run, EXIT_REFUSED,
            "the type of the input is not known: the definition names schema and input, and --schema the file");
    const char *path = o->input_json != NULL ? o->input_json : o->input;
    bool is_text = o->input_json != NULL && run_is_json(path);
    int status = is_text ? EXIT_DONE : run_read_file(r->run, path, &text, &size);
    if (status != EXIT_DONE)
        return status;
    struct bytes given = is_text ? bytes_of_text(path) : bytes_of(text, size);
    if (o->input_json == NULL)
        *input = pool_copy(&r->pool, given);
    else if (json_read(r->d->schema, r->d->input, given, &r->pool, 1048576, input, &detail) != 0)
        status = run_say(r->run, EXIT_REFUSED, "the input: %d:%d: %s%s%s", detail.line, detail.column, detail.field,
                         detail.field[0] != '\0' ? ": " : "", detail.text);
    free(text);
    return status;
}

static const char *request_text(struct rehearsing *r, const struct rehearse_call *call, char *text, size_t size)
{
    const struct step_spec *s = &r->d->steps[call->step];
    const struct call_spec *spec = call->compensation ? &s->compensation : &s->action;
    struct bytes json;
    struct error_detail detail;
    if (spec->called != NULL && json_write(r->d->schema, spec->called->input, call->request, false, &r->pool,
                                           REQUEST_JSON_MAX, &json, &detail) == 0)
        snprintf(text, size, "%s", (const char *)json.at);
    else
        snprintf(text, size, "%zu bytes", call->request.size);
    return text;
}

static void plan(void *self, const struct rehearse_call *call)
{
    struct rehearsing *r = self;
    const struct step_spec *s = &r->d->steps[call->step];
    const struct call_spec *spec = call->compensation ? &s->compensation : &s->action;
    char text[4096], clean[5000];
    request_text(r, call, text, sizeof text);
    if (r->run->o.json)
        json_array_append_new(r->plan, json_pack("{sssssssbso}", "step", call->name, "target", call->target, "method",
                                                 spec->method, "compensation", (int)call->compensation, "request",
                                                 json_of_text(text)));
    else if (r->run->o.form == FORM_TEXT)
        fprintf(r->run->screen.out, "  %s  %s  %s  %s\n", call->name, call->target, spec->method,
                screen_clean(&r->run->screen, text, clean, sizeof clean));
}

/* ---- what came of it ---- */

static void put_ends(struct rehearsing *r, const struct rehearse_report *report)
{
    FILE *out = r->run->screen.out;
    fprintf(out, "%u runs, %s: the ends\n", report->runs,
            r->run->o.seeds > 0 ? "drawn by chance"
            : report->drawn     ? "those of small scope and some by chance"
                                : "every outcome of every call in small scope");
    for (unsigned i = 0; i < report->end_count; i++) {
        const struct rehearse_end *end = &report->ends[i];
        char longest[QUANTITY_TEXT_SIZE];
        quantity_write_span((struct span){.us = end->longest.us / 1000000 * 1000000}, longest);
        fprintf(out, "  %-11s  %s%s%s  %u run%s, the longest %s\n", record_state_name(end->state),
                record_reason_name(end->reason), end->step >= 0 ? " at " : "",
                end->step >= 0 ? r->d->steps[end->step].name : "", end->runs, end->runs == 1 ? "" : "s", longest);
    }
}

static json_t *json_of_ends(struct rehearsing *r, const struct rehearse_report *report)
{
    json_t *ends = json_array();
    for (unsigned i = 0; i < report->end_count; i++) {
        const struct rehearse_end *end = &report->ends[i];
        json_array_append_new(
            ends, json_pack("{sssssssIsI}", "state", record_state_name(end->state), "reason",
                            record_reason_name(end->reason), "step", end->step >= 0 ? r->d->steps[end->step].name : "",
                            "runs", (json_int_t)end->runs, "longest_ms", (json_int_t)(end->longest.us / 1000)));
    }
    return ends;
}

static void put_findings(struct rehearsing *r, struct findings *f, const struct rehearse_report *report)
{
    for (unsigned i = 0; i < report->count; i++) {
        const struct rehearse_finding *found = &report->findings[i];
        char field[STEP_PATH_SIZE] = "";
        if (found->step >= 0)
            definition_step_path(r->d, (unsigned)found->step, field);
        findings_put(f, &(struct finding){.rule = found->rule,
                                          .severity = found->severity,
                                          .line = found->step >= 0 ? findings_line(r->d, found->step) : 1,
                                          .column = 1,
                                          .field = field,
                                          .text = found->text,
                                          .trace = found->trace[0] != '\0' ? found->trace : NULL});
    }
}

static int rehearse_definition(struct rehearsing *r, struct findings *f)
{
    struct rehearse_report *report = calloc(1, sizeof *report);
    struct rehearse_options options = {.deviations_max = DEVIATIONS_MAX,
                                       .runs_max = RUNS_MAX,
                                       .seed = 1,
                                       .drawn_runs = r->run->o.seeds,
                                       .targets = r->config.participants,
                                       .memory = &heap_memory};
    struct error_detail detail;
    int status = report == NULL ? run_say(r->run, EXIT_REFUSED, "there is no memory to rehearse") : EXIT_DONE;
    if (status == EXIT_DONE)
        status = make_input(r, &options.input);
    if (status == EXIT_DONE && r->run->o.form == FORM_TEXT)
        fputs("The calls when all goes well\n", r->run->screen.out);
    int code = status != EXIT_DONE ? 0 : rehearse(r->d, &options, plan, r, report, &detail);
    if (code != 0) {
        status = run_say(r->run, EXIT_REFUSED, "the saga would not start with this input: %s (give one with --json)",
                         detail.text);
    } else if (status == EXIT_DONE) {
        if (r->run->o.form == FORM_TEXT)
            put_ends(r, report);
        put_findings(r, f, report);
        if (r->run->o.json) {
            f->more = json_pack("{sosososb}", "plan", r->plan, "ends", json_of_ends(r, report), "runs",
                                json_integer(report->runs), "drawn", (int)report->drawn);
        }
        status = findings_end(f, r->d);
    }
    free(report);
    return status;
}

static int rehearse_file(struct run *run, struct schema_files *schemas)
{
    struct rehearsing r = {.run = run};
    struct findings f = {.run = run};
    struct error_detail detail;
    char *text;
    size_t size;
    int status = config_file_load(run, &r.config);
    if (status != EXIT_DONE)
        return status;
    status = run_read_file(run, run->o.words[0], &text, &size);
    if (status != EXIT_DONE) {
        config_file_finish(&r.config);
        return status;
    }
    struct definition_limits limits = r.config.limits;
    limits.schemas = schema_files_find(schemas);
    findings_begin(&f, run->o.words[0]);
    int code = definition_read(bytes_of(text, size), &limits, &r.d, &detail);
    if (code == 0 && r.d->schema_name != NULL && r.d->schema == NULL) {
        status = run_say(run, EXIT_USAGE, "%s is written in the schema %s: give its file with --schema", r.d->name,
                         r.d->schema_name);
    } else if (code == 0) {
        pool_init(&r.pool, &heap_memory, 64u << 20);
        r.plan = run->o.json ? json_array() : NULL;
        status = rehearse_definition(&r, &f);
        pool_finish(&r.pool);
    } else {
        static struct lint_report report;
        report.count = report.more = 0;
        lint_refused(&report, code, &detail);
        findings_put_lint(&f, &report);
        status = findings_end(&f, NULL);
    }
    bool sarif = run->o.form == FORM_SARIF && status != EXIT_USAGE;
    if (sarif && findings_sarif(&f) != EXIT_DONE)
        status = EXIT_REFUSED;
    if (!sarif) {
        json_decref(f.results);
        json_decref(f.rules);
    }
    definition_destroy(r.d);
    free(text);
    config_file_finish(&r.config);
    return status;
}

int command_rehearse(struct run *r)
{
    struct schema_files schemas = {.count = 0};
    int status = r->o.schema == NULL ? EXIT_DONE : schema_files_load(r, &schemas, r->o.schema);
    if (status == EXIT_DONE)
        status = rehearse_file(r, &schemas);
    schema_files_finish(&schemas);
    return status;
}
