/* findings.c - findings in three forms. */
#include "client-lib/sagactl/findings.h"

#include "client-lib/sagactl/json.h"
#include "sidecar/definition/yaml_tree.h"

#include <saga/version.h>
#include <string.h>

const char *findings_path(const char *path)
{
    return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

void findings_begin(struct findings *f, const char *path)
{
    f->path = findings_path(path);
    memset(f->counts, 0, sizeof f->counts);
    f->cut = false;
    if (f->run->o.json)
        f->list = json_array();
    if (f->run->o.form == FORM_SARIF && f->results == NULL) {
        f->results = json_array();
        f->rules = json_array();
    }
}

/* ---- text ---- */

static void put_text(const struct findings *f, const struct finding *finding)
{
    static const enum paint paints[] = {PAINT_DIM, PAINT_WARN, PAINT_BAD};
    const struct screen *s = &f->run->screen;
    char path[1024], field[512], text[1024];
    fputs(screen_clean(s, f->path, path, sizeof path), s->out);
    if (finding->line > 0)
        fprintf(s->out, ":%d:%d", finding->line, finding->column);
    fputs(": ", s->out);
    screen_put(s, paints[finding->severity], "%s", lint_severity_name(finding->severity));
    screen_clean(s, finding->field, field, sizeof field);
    fprintf(s->out, ": %s%s%s [%s]\n", field, field[0] != '\0' ? ": " : "",
            screen_clean(s, finding->text, text, sizeof text), finding->rule);
    for (const char *line = finding->trace; line != NULL && line[0] != '\0';) {
        size_t size = strcspn(line, "\n");
        snprintf(text, sizeof text, "%.*s", (int)(size < 500 ? size : 500), line);
        fprintf(s->out, "    %s\n", screen_clean(s, text, path, sizeof path));
        line += size + (line[size] == '\n');
    }
}

/* ---- JSON ---- */

static json_t *json_of_finding(const struct finding *finding)
{
    json_t *o = json_pack("{sssssisisoso}", "rule", finding->rule, "severity", lint_severity_name(finding->severity),
                          "line", finding->line, "column", finding->column, "field", json_of_text(finding->field),
                          "message", json_of_text(finding->text));
    if (finding->trace != NULL)
        json_object_set_new(o, "trace", json_of_text(finding->trace));
    return o;
}

/* ---- SARIF ---- */

/* A path as a reference: what is not allowed there in %XX. */
static json_t *uri_of(const char *path)
{
    char uri[2048];
    size_t used = 0;
    for (; *path != '\0' && used + 4 < sizeof uri; path++) {
        unsigned char c = (unsigned char)*path;
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~/", c) != NULL;
        used += (size_t)snprintf(uri + used, sizeof uri - used, plain ? "%c" : "%%%02X", c);
    }
    uri[used] = '\0';
    return json_string(uri);
}

static json_t *rule_of(const char *id, const char *meaning, const char *explanation, enum lint_severity severity)
{
    return json_pack("{sss{ss}s{ss}s{ss}}", "id", id, "shortDescription", "text", meaning, "fullDescription", "text",
                     explanation, "defaultConfiguration", "level", lint_severity_name(severity));
}

/* The number of the finding's rule in the tool's list; one that is not in lint.def is added. */
static int rule_index(struct findings *f, const struct finding *finding)
{
    int rule = lint_rule_find(finding->rule);
    if (rule >= 0)
        return rule;
    size_t count = json_array_size(f->rules);
    for (size_t i = 0; i < count; i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(f->rules, i), "id")), finding->rule) == 0)
            return LINT_RULE_COUNT + (int)i;
    json_array_append_new(f->rules, rule_of(finding->rule, finding->rule, finding->text, finding->severity));
    return LINT_RULE_COUNT + (int)count;
}

static void add_result(struct findings *f, const struct finding *finding)
{
    char text[1200];
    snprintf(text, sizeof text, "%s%s%s%s%s", finding->field, finding->field[0] != '\0' ? ": " : "", finding->text,
             finding->trace != NULL ? "\n" : "", finding->trace != NULL ? finding->trace : "");
    json_t *place = json_pack("{s{s{so}s{sisi}}}", "physicalLocation", "artifactLocation", "uri", uri_of(f->path),
                              "region", "startLine", finding->line > 0 ? finding->line : 1, "startColumn",
                              finding->column > 0 ? finding->column : 1);
    json_array_append_new(f->results, json_pack("{sssisss{so}s[o]}", "ruleId", finding->rule, "ruleIndex",
                                                rule_index(f, finding), "level", lint_severity_name(finding->severity),
                                                "message", "text", json_of_text(text), "locations", place));
}

int findings_sarif(struct findings *f)
{
    json_t *rules = json_array();
    for (int i = 0; i < LINT_RULE_COUNT; i++)
        json_array_append_new(
            rules, rule_of(lint_rows[i].id, lint_rows[i].meaning, lint_rows[i].explanation, lint_rows[i].severity));
    json_array_extend(rules, f->rules);
    json_decref(f->rules);
    json_t *driver = json_pack("{sssssssoso*}", "name", "sagactl", "version", saga_version(), "semanticVersion",
                               saga_version(), "rules", rules, "properties", (json_t *)NULL);
    json_t *run =
        json_pack("{s{so}sssO}", "tool", "driver", driver, "columnKind", "unicodeCodePoints", "results", f->results);
    json_decref(f->results);
    json_t *document = json_pack("{sssss[o]}", "$schema", "https://json.schemastore.org/sarif-2.1.0.json", "version",
                                 "2.1.0", "runs", run);
    return json_put(f->run->screen.out, document, false) == 0
               ? EXIT_DONE
               : run_say(f->run, EXIT_REFUSED, "the findings cannot be written: no memory, or no room where they go");
}

/* ---- a file ---- */

void findings_put(struct findings *f, const struct finding *finding)
{
    f->counts[finding->severity]++;
    if (f->run->o.json)
        json_array_append_new(f->list, json_of_finding(finding));
    else if (f->run->o.form == FORM_SARIF)
        add_result(f, finding);
    else
        put_text(f, finding);
}

void findings_put_lint(struct findings *f, const struct lint_report *report)
{
    for (unsigned i = 0; i < report->count; i++) {
        const struct lint_finding *found = &report->findings[i];
        const struct lint_row *row = &lint_rows[found->rule];
        findings_put(f, &(struct finding){.rule = row->id,
                                          .severity = row->severity,
                                          .line = found->line,
                                          .column = found->column,
                                          .field = found->field,
                                          .text = found->text});
    }
    if (report->more > 0)
        run_note(f->run, "%s: %u more findings are not shown", f->path, report->more);
}

static void put_count(const struct screen *s, unsigned count, const char *what, bool *first)
{
    if (count > 0)
        fprintf(s->out, "%s%u %s%s", *first ? "" : ", ", count, what, count == 1 ? "" : "s");
    *first = *first && count == 0;
}

static void put_summary(const struct findings *f, const struct definition *d)
{
    const struct screen *s = &f->run->screen;
    char path[1024];
    bool good = true;
    fprintf(s->out, "%s: ", screen_clean(s, f->path, path, sizeof path));
    if (d != NULL)
        fprintf(s->out, "%s %s, %u step%s: ", d->name, d->version, d->step_count, d->step_count == 1 ? "" : "s");
    put_count(s, f->counts[LINT_ERROR], "error", &good);
    put_count(s, f->counts[LINT_WARNING], "warning", &good);
    put_count(s, f->counts[LINT_NOTE], "note", &good);
    fputs(!good ? "\n" : f->cut ? "not checked to its end\n" : "good\n", s->out);
}

int findings_end(struct findings *f, const struct definition *d)
{
    struct run *r = f->run;
    if (r->o.json) {
        json_t *document = json_pack("{soso}", "file", json_of_text(f->path), "findings", f->list);
        if (f->more != NULL)
            json_object_update(document, f->more);
        json_decref(f->more);
        f->more = NULL;
        if (d != NULL) {
            json_object_set_new(document, "name", json_string(d->name));
            json_object_set_new(document, "version", json_string(d->version));
            json_object_set_new(document, "steps", json_integer(d->step_count));
        }
        if (json_put(r->screen.out, document, r->o.word_count > 1) != 0)
            return run_say(r, EXIT_REFUSED, "the findings cannot be written: no memory, or no room where they go");
    } else if (r->o.form != FORM_SARIF) {
        put_summary(f, d);
    }
    return f->counts[LINT_ERROR] > 0 ? EXIT_REFUSED : EXIT_DONE;
}

int findings_line(const struct definition *d, int step)
{
    struct yaml_tree *tree;
    struct error_detail detail;
    unsigned index = 0;
    int line = 0;
    for (int i = 0; i < step; i++)
        index += d->steps[i + 1].stand_in == STAND_IN_NONE; /* a fallback has no name of its own */
    if (yaml_tree_read(d->source, &tree, &detail) != 0)
        return 0; /* no memory: it could be read once */
    for (const struct yaml_node *n = yaml_node_child(yaml_tree_root(tree), "steps")->first; n != NULL; n = n->next)
        if (n->index == index)
            line = yaml_node_child(n, "name")->line;
    yaml_tree_destroy(tree);
    return line;
}
