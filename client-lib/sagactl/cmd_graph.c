/* cmd_graph.c - the steps of a definition or of a saga as a graph: for a terminal, and as Mermaid, DOT and SVG. */
#include "client-lib/sagactl/contracts.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/words.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/definition/reader.h"
#include "sidecar/definition/yaml_value.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_SIZE (STEP_NAME_BYTES_MAX + 1)

struct vertex {
    char name[NAME_SIZE];
    char target[256];
    char undo[64];      /* the method's own name, or "" */
    char when[64];      /* the condition, cut; "" when there is none */
    char state[64];     /* of a saga; "" otherwise */
    unsigned max_items; /* of a loop, whose instances are not known; 0: it is none */
    enum paint paint;
    bool pivot, optional;
    unsigned level; /* from 0 */
    struct step_set after;
};

struct graph {
    char title[256];
    unsigned count;
    struct vertex vertices[STEPS_LIMIT];
};

/* Names as every form takes them; whatever sent them may not be a sidecar. */
static void put_safe(char *to, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text != '\0' && used + 1 < size; text++) {
        char c = *text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_. |[]", c);
        to[used++] = plain ? c : '_';
    }
    to[used] = '\0';
}

static void set_levels(struct graph *g)
{
    for (unsigned round = 0; round < g->count; round++)
        for (unsigned i = 0; i < g->count; i++)
            for (unsigned k = 0; k < g->count; k++)
                if (step_set_has(&g->vertices[i].after, k) && g->vertices[i].level <= g->vertices[k].level)
                    g->vertices[i].level = g->vertices[k].level + 1;
}

/* "inventory", or "inventory-eu|inventory-us". */
static void put_target(struct vertex *v, const struct step_spec *s)
{
    const char *target;
    char all[sizeof v->target] = "";
    size_t used = 0;
    for (unsigned k = 0; (target = step_spec_target(s, false, k)) != NULL && used < sizeof all; k++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", k > 0 ? "|" : "", target);
    put_safe(v->target, sizeof v->target, all);
}

/* A condition is a part of the text: without its types a definition has no more of it. */
static void put_conditions(struct graph *g, const struct definition *d)
{
    struct yaml_tree *tree;
    struct error_detail detail;
    if (yaml_tree_read(d->source, &tree, &detail) != 0)
        return; /* no memory: the graph is good without them */
    const struct yaml_node *steps = yaml_node_child(yaml_tree_root(tree), "steps");
    for (const struct yaml_node *n = steps->first; n != NULL; n = n->next) {
        const struct yaml_node *when = yaml_node_child(n, "when");
        /* Nobody has read it here: it may be a list as well. */
        int step =
            when == NULL || when->kind != YAML_SCALAR ? -1 : definition_step_find(d, yaml_node_child(n, "name")->text);
        if (step >= 0)
            snprintf(g->vertices[step].when, sizeof g->vertices[0].when, "%s", (const char *)when->text.at);
    }
    yaml_tree_destroy(tree);
}

static void of_definition(struct graph *g, const struct definition *d)
{
    snprintf(g->title, sizeof g->title, "%.128s %.64s", d->name, d->version);
    g->count = d->step_count;
    for (unsigned i = 0; i < d->step_count; i++) {
        const struct step_spec *s = &d->steps[i];
        struct vertex *v = &g->vertices[i];
        put_safe(v->name, sizeof v->name, s->name);
        put_target(v, s);
        if (s->has_compensation)
            put_safe(v->undo, sizeof v->undo, strrchr(s->compensation.method, '/') + 1);
        v->pivot = s->pivot;
        v->optional = s->optional;
        v->max_items = s->max_items;
        v->after = s->after;
    }
    put_conditions(g, d);
    set_levels(g);
}

/* ---- where it comes from ---- */

static int read_definition(struct run *r, const char *path, const char *text, size_t size, struct graph *g)
{
    struct definition_limits limits = contracts_limits((struct definition_schemas){.find = NULL});
    struct definition *d;
    struct error_detail detail;
    if (definition_read(bytes_of(text, size), &limits, &d, &detail) != 0)
        return run_say(r, EXIT_REFUSED, "%.200s:%d:%d: %s%s%s", path, detail.line, detail.column, detail.field,
                       detail.field[0] != '\0' ? ": " : "", detail.text);
    of_definition(g, d);
    definition_destroy(d);
    return EXIT_DONE;
}

static int from_file(struct run *r, const char *path, struct graph *g)
{
    char *text;
    size_t size;
    int status = run_read_file(r, path, &text, &size);
    if (status != EXIT_DONE)
        return status;
    status = read_definition(r, path, text, size, g);
    free(text);
    return status;
}

static int from_registered(struct run *r, const char *name, const char *version, struct graph *g)
{
    Saga__V1__GetDefinitionRequest request = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
    Saga__V1__Definition *answer;
    request.name = (char *)(uintptr_t)name;
    request.version = version == NULL ? request.version : (char *)(uintptr_t)version;
    int status =
        run_call(r, "/saga.v1.Coordinator/GetDefinition", &request.base, &saga__v1__definition__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    status = read_definition(r, name, (const char *)answer->source.data, answer->source.len, g);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

static void add_state(struct vertex *v, const Saga__V1__Step *s)
{
    bool owed = s->compensation > SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_NONE;
    const char *undo = owed ? words_compensation(s->compensation) : "";
    snprintf(v->state, sizeof v->state, "%s%s%s", words_action(s->action), undo[0] != '\0' ? ", undo " : "", undo);
    bool undone = s->compensation == SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_DONE;
    bool failed = s->compensation == SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_FAILED ||
                  s->action == SAGA__V1__ACTION_STATE__ACTION_STATE_REJECTED ||
                  s->action == SAGA__V1__ACTION_STATE__ACTION_STATE_UNKNOWN;
    v->paint = undone                                                   ? PAINT_WARN
               : failed                                                 ? PAINT_BAD
               : s->action == SAGA__V1__ACTION_STATE__ACTION_STATE_DONE ? PAINT_GOOD
                                                                        : PAINT_DIM;
}

/* An enlisted saga has no definition: its steps in the order in which they were enlisted. */
static void of_steps(struct graph *g, const Saga__V1__Saga *saga)
{
    put_safe(g->title, sizeof g->title, saga->definition);
    g->count = saga->n_steps < STEPS_LIMIT ? (unsigned)saga->n_steps : STEPS_LIMIT;
    for (unsigned i = 0; i < g->count; i++) {
        put_safe(g->vertices[i].name, NAME_SIZE, saga->steps[i]->name);
        if (i > 0)
            step_set_add(&g->vertices[i].after, i - 1);
    }
}

/* The vertex of which a saga's step is an instance: "reserve[1]" of "reserve". NULL: of none. */
static const struct vertex *kind_of(const struct graph *g, const char *name)
{
    for (unsigned i = 0; i < g->count; i++) {
        size_t size = strlen(g->vertices[i].name);
        if (strncmp(name, g->vertices[i].name, size) == 0 && (name[size] == '\0' || name[size] == '['))
            return &g->vertices[i];
    }
    return NULL;
}

/* Each of the saga's steps in the place of what it is an instance of; what had no item stays one vertex. */
static int of_instances(struct run *r, struct graph *g, const Saga__V1__Saga *saga)
{
    const struct vertex *kinds[STEPS_LIMIT];
    struct graph *all = calloc(1, sizeof *all);
    if (all == NULL)
        return run_say(r, EXIT_REFUSED, "there is no memory for the graph");
    struct step_set seen = {{0}};
    memcpy(all->title, g->title, sizeof all->title);
    for (size_t i = 0; i < saga->n_steps && all->count < STEPS_LIMIT; i++) {
        const struct vertex *kind = kind_of(g, saga->steps[i]->name);
        if (kind == NULL)
            continue;
        struct vertex *v = &all->vertices[all->count];
        kinds[all->count++] = kind;
        *v = *kind;
        v->max_items = 0;
        put_safe(v->name, NAME_SIZE, saga->steps[i]->name);
        if (saga->steps[i]->target[0] != '\0')
            put_safe(v->target, sizeof v->target, saga->steps[i]->target);
        add_state(v, saga->steps[i]);
        step_set_add(&seen, (unsigned)(kind - g->vertices));
    }
    for (unsigned i = 0; i < g->count && all->count < STEPS_LIMIT; i++)
        if (!step_set_has(&seen, i)) {
            kinds[all->count] = &g->vertices[i];
            all->vertices[all->count] = g->vertices[i];
            snprintf(all->vertices[all->count++].state, sizeof g->vertices[0].state, "no items");
        }
    for (unsigned i = 0; i < all->count; i++) {
        all->vertices[i].after = (struct step_set){{0}};
        all->vertices[i].level = 0;
        for (unsigned k = 0; k < all->count; k++)
            if (step_set_has(&kinds[i]->after, (unsigned)(kinds[k] - g->vertices)))
                step_set_add(&all->vertices[i].after, k);
    }
    *g = *all;
    set_levels(g);
    free(all);
    return EXIT_DONE;
}

static int from_saga(struct run *r, const char *id, struct graph *g)
{
    Saga__V1__GetRequest request = SAGA__V1__GET_REQUEST__INIT;
    Saga__V1__GetResponse *answer;
    request.saga_id = (char *)(uintptr_t)id;
    int status = run_call(r, "/saga.v1.Coordinator/Get", &request.base, &saga__v1__get_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    const Saga__V1__Saga *saga = answer->saga;
    if (saga == NULL)
        status = run_say(r, EXIT_REFUSED, "the sidecar's answer holds no saga");
    else if (saga->mode == SAGA__V1__SAGA_MODE__SAGA_MODE_ORCHESTRATED)
        status = from_registered(r, saga->definition, saga->version, g);
    else
        of_steps(g, saga);
    if (status == EXIT_DONE)
        status = of_instances(r, g, saga);
    if (status == EXIT_DONE) {
        size_t used = strlen(g->title);
        snprintf(g->title + used, sizeof g->title - used, ", saga %s: %s", id, words_saga_state(saga->state));
    }
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

/* ---- text ---- */

/* "reserve, score" */
static void put_after(const struct graph *g, const struct vertex *v, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned k = 0; k < g->count; k++)
        if (step_set_has(&v->after, k) && used + 1 < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", g->vertices[k].name);
}

static void put_part(const struct screen *s, const char *words, const char *what)
{
    char clean[512];
    if (what[0] != '\0')
        fprintf(s->out, "%s%s", words, screen_clean(s, what, clean, sizeof clean));
}

/* Level by level, each step with what it waits for. */
static void put_text(struct run *r, const struct graph *g)
{
    const struct screen *s = &r->screen;
    unsigned width = 4;
    for (unsigned i = 0; i < g->count; i++)
        if (strlen(g->vertices[i].name) > width)
            width = (unsigned)strlen(g->vertices[i].name);
    screen_put(s, PAINT_STRONG, "%s\n", g->title);
    for (unsigned level = 0, shown = 0; shown < g->count; level++)
        for (unsigned i = 0; i < g->count; i++) {
            const struct vertex *v = &g->vertices[i];
            char after[256];
            if (v->level != level)
                continue;
            shown++;
            fprintf(s->out, "%*s", (int)(2 + 3 * (level < 8 ? level : 8)), "");
            fputs(s->utf8 ? (level > 0 ? "└▶ " : "▶ ") : (level > 0 ? "`> " : "> "), s->out);
            screen_put(s, v->paint, "%-*s", (int)width, v->name);
            put_after(g, v, after, sizeof after);
            fprintf(s->out, "%s%s", v->pivot ? "  pivot" : "", v->optional ? "  optional" : "");
            if (v->max_items > 0)
                fprintf(s->out, "  for each of at most %u", v->max_items);
            put_part(s, "  after ", after);
            put_part(s, "  when ", v->when);
            put_part(s, "  on ", v->target);
            put_part(s, "  undone by ", v->undo);
            put_part(s, "  ", v->state);
            fputc('\n', s->out);
        }
}

static void put_json(struct run *r, const struct graph *g)
{
    json_t *steps = json_array();
    for (unsigned i = 0; i < g->count; i++) {
        const struct vertex *v = &g->vertices[i];
        json_t *after = json_array();
        for (unsigned k = 0; k < g->count; k++)
            if (step_set_has(&v->after, k))
                json_array_append_new(after, json_string(g->vertices[k].name));
        json_array_append_new(steps, json_pack("{sssosssssssbsbsiso}", "name", v->name, "after", after, "target",
                                               v->target, "undo", v->undo, "state", v->state, "pivot", (int)v->pivot,
                                               "optional", (int)v->optional, "max_items", (int)v->max_items, "when",
                                               json_of_text(v->when)));
    }
    json_put(r->screen.out, json_pack("{ssso}", "title", g->title, "steps", steps), false);
}

/* ---- Mermaid, DOT ---- */

/* Behind a name: a loop whose instances are not known. */
static const char *many(const struct vertex *v)
{
    return v->max_items > 0 ? "[*]" : "";
}

static void put_mermaid(FILE *out, const struct graph *g)
{
    fprintf(out, "flowchart LR\n");
    for (unsigned i = 0; i < g->count; i++) {
        const struct vertex *v = &g->vertices[i];
        fprintf(out, "    s%u%s\"%s%s%s%s\"%s\n", i, v->pivot ? "{{" : "[", v->name, many(v),
                v->state[0] != '\0' ? "<br/>" : "", v->state, v->pivot ? "}}" : "]");
    }
    for (unsigned i = 0; i < g->count; i++)
        for (unsigned k = 0; k < g->count; k++)
            if (step_set_has(&g->vertices[i].after, k))
                fprintf(out, "    s%u --> s%u\n", k, i);
    for (unsigned i = 0; i < g->count; i++)
        if (g->vertices[i].undo[0] != '\0')
            fprintf(out, "    s%u -. %s .-> u%u((undo))\n", i, g->vertices[i].undo, i);
}

static void put_dot(FILE *out, const struct graph *g)
{
    static const char *const colors[PAINT_COUNT] = {
        [PAINT_GOOD] = "darkgreen", [PAINT_BAD] = "firebrick", [PAINT_WARN] = "darkorange", [PAINT_DIM] = "gray40"};
    fprintf(out, "digraph saga {\n    rankdir=LR;\n    label=\"%s\";\n    node [shape=box, style=rounded];\n",
            g->title);
    for (unsigned i = 0; i < g->count; i++) {
        const struct vertex *v = &g->vertices[i];
        fprintf(out, "    s%u [label=\"%s%s\\n%s%s%s\"%s%s%s];\n", i, v->name, many(v), v->target,
                v->state[0] != '\0' ? "\\n" : "", v->state, v->pivot ? ", shape=hexagon" : "",
                colors[v->paint] != NULL ? ", color=" : "", colors[v->paint] != NULL ? colors[v->paint] : "");
    }
    for (unsigned i = 0; i < g->count; i++)
        for (unsigned k = 0; k < g->count; k++)
            if (step_set_has(&g->vertices[i].after, k))
                fprintf(out, "    s%u -> s%u;\n", k, i);
    fputs("}\n", out);
}

/* ---- SVG ---- */

#define BOX_WIDTH  160
#define BOX_HEIGHT 56
#define GAP_X      60
#define GAP_Y      24
#define MARGIN     24
#define HEAD       32

static unsigned row_of(const struct graph *g, unsigned vertex)
{
    unsigned row = 0;
    for (unsigned i = 0; i < vertex; i++)
        row += g->vertices[i].level == g->vertices[vertex].level;
    return row;
}

static unsigned x_of(const struct graph *g, unsigned i)
{
    return MARGIN + g->vertices[i].level * (BOX_WIDTH + GAP_X);
}

static unsigned y_of(const struct graph *g, unsigned i)
{
    return MARGIN + HEAD + row_of(g, i) * (BOX_HEIGHT + GAP_Y);
}

static void put_box(FILE *out, const struct graph *g, unsigned i)
{
    static const char *const fills[PAINT_COUNT] = {
        [PAINT_GOOD] = "#d9f2d9", [PAINT_BAD] = "#f7d4d4", [PAINT_WARN] = "#fbe6c8", [PAINT_DIM] = "#eeeeee"};
    const struct vertex *v = &g->vertices[i];
    unsigned x = x_of(g, i), y = y_of(g, i);
    fprintf(out, "<rect x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"6\" fill=\"%s\" stroke=\"#333\"%s%s/>\n", x,
            y, BOX_WIDTH, BOX_HEIGHT, fills[v->paint] != NULL ? fills[v->paint] : "#ffffff",
            v->pivot ? " stroke-width=\"3\"" : "", v->optional ? " stroke-dasharray=\"4 3\"" : "");
    fprintf(out, "<text x=\"%u\" y=\"%u\" text-anchor=\"middle\" font-weight=\"bold\">%.20s%s</text>\n",
            x + BOX_WIDTH / 2, y + 22, v->name, many(v));
    fprintf(out, "<text x=\"%u\" y=\"%u\" text-anchor=\"middle\" font-size=\"11\" fill=\"#555\">%.24s</text>\n",
            x + BOX_WIDTH / 2, y + 42, v->state[0] != '\0' ? v->state : v->target);
}

static void put_svg(FILE *out, const struct graph *g)
{
    unsigned columns = 0, rows = 0;
    for (unsigned i = 0; i < g->count; i++) {
        columns = g->vertices[i].level + 1 > columns ? g->vertices[i].level + 1 : columns;
        rows = row_of(g, i) + 1 > rows ? row_of(g, i) + 1 : rows;
    }
    unsigned width = 2 * MARGIN + columns * (BOX_WIDTH + GAP_X) - GAP_X;
    unsigned height = 2 * MARGIN + HEAD + rows * (BOX_HEIGHT + GAP_Y) - GAP_Y;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" font-family=\"sans-serif\" "
            "font-size=\"14\">\n<defs><marker id=\"tip\" markerWidth=\"10\" markerHeight=\"8\" refX=\"9\" refY=\"4\" "
            "orient=\"auto\"><path d=\"M0,0 L10,4 L0,8 z\" fill=\"#333\"/></marker></defs>\n",
            width, height);
    fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", MARGIN, MARGIN + 8, g->title);
    for (unsigned i = 0; i < g->count; i++)
        for (unsigned k = 0; k < g->count; k++)
            if (step_set_has(&g->vertices[i].after, k))
                fprintf(out,
                        "<line x1=\"%u\" y1=\"%u\" x2=\"%u\" y2=\"%u\" stroke=\"#333\" marker-end=\"url(#tip)\"/>\n",
                        x_of(g, k) + BOX_WIDTH, y_of(g, k) + BOX_HEIGHT / 2, x_of(g, i), y_of(g, i) + BOX_HEIGHT / 2);
    for (unsigned i = 0; i < g->count; i++)
        put_box(out, g, i);
    fputs("</svg>\n", out);
}

/* ---- the command ---- */

static bool is_file(const char *what)
{
    struct stat about;
    return strcmp(what, "-") == 0 || strchr(what, '/') != NULL || stat(what, &about) == 0;
}

int command_graph(struct run *r)
{
    const char *what = r->o.words[0];
    struct saga_id id;
    struct graph *g = calloc(1, sizeof *g);
    if (g == NULL)
        return run_say(r, EXIT_REFUSED, "there is no memory for the graph");
    int status = is_file(what)                            ? from_file(r, what, g)
                 : saga_id_parse(what, strlen(what), &id) ? from_saga(r, what, g)
                                                          : from_registered(r, what, r->o.version, g);
    if (status == EXIT_DONE && r->o.json)
        put_json(r, g);
    else if (status == EXIT_DONE && r->o.form == FORM_MERMAID)
        put_mermaid(r->screen.out, g);
    else if (status == EXIT_DONE && r->o.form == FORM_DOT)
        put_dot(r->screen.out, g);
    else if (status == EXIT_DONE && r->o.form == FORM_SVG)
        put_svg(r->screen.out, g);
    else if (status == EXIT_DONE)
        put_text(r, g);
    free(g);
    return status;
}
