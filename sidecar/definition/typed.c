/* typed.c - a definition's messages against its schema. */
#include "sidecar/definition/typed.h"

#include "sidecar/base/nearest.h"
#include "sidecar/definition/yaml_value.h"
#include "sidecar/message/inspect.h"

#define TYPE_NAME_BYTES_MAX 512
/* Names among which the nearest is looked for. */
#define CANDIDATES_MAX 512

static int read_schema(const struct yaml_node *n, const struct definition_limits *limits, struct definition *d,
                       struct error_detail *detail)
{
    struct bytes name;
    char quoted[YAML_QUOTE_SIZE];
    int code = yaml_read_text(n, 1, NAME_BYTES_MAX, &name, detail);
    if (code != 0)
        return code;
    if (!definition_name_valid(name, NAME_BYTES_MAX))
        return yaml_refuse(n, E_ARGUMENT, detail, "\"%s\" may hold only letters, digits, '-', '_' and '.'",
                           yaml_quote(name, quoted));
    d->schema_name = (const char *)name.at;
    if (limits->schemas.find == NULL)
        return 0;
    d->schema = limits->schemas.find(limits->schemas.self, d->schema_name, &d->schema_hash);
    if (d->schema == NULL)
        return yaml_refuse(n, E_SCHEMA_NOT_FOUND, detail,
                           "no schema named \"%s\" is registered; register one with sagactl schema register",
                           yaml_quote(name, quoted));
    return 0;
}

/* The one of the schema's messages whose name is nearest, or NULL. */
static const char *nearest_type(const struct schema *schema, struct bytes wrong)
{
    const char *names[CANDIDATES_MAX];
    unsigned count = 0;
    const struct message_type *t;
    for (unsigned i = 0; count < CANDIDATES_MAX && (t = schema_message_at(schema, i)) != NULL; i++)
        if (!t->map_entry)
            names[count++] = (const char *)t->name.at;
    return nearest_name(wrong, names, count);
}

static int read_input(const struct yaml_node *n, struct definition *d, struct error_detail *detail)
{
    struct bytes name;
    char quoted[YAML_QUOTE_SIZE];
    int code = yaml_read_text(n, 1, TYPE_NAME_BYTES_MAX, &name, detail);
    if (code != 0)
        return code;
    if (d->schema_name == NULL)
        return yaml_refuse_key(n, E_ARGUMENT, detail, "a type needs a schema; name the one that has it with schema");
    d->input_name = (const char *)name.at;
    if (d->schema == NULL)
        return 0;
    d->input = schema_message(d->schema, name);
    if (d->input != NULL && !d->input->map_entry)
        return 0;
    const char *near = nearest_type(d->schema, name);
    return yaml_refuse(n, E_ARGUMENT, detail, "the schema %s has no message \"%s\"%s%s%s", d->schema_name,
                       yaml_quote(name, quoted), near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
                       near == NULL ? "" : "?");
}

int typed_read(const struct yaml_node *root, const struct definition_limits *limits, struct definition *d,
               struct error_detail *detail)
{
    const struct yaml_node *schema = yaml_node_child(root, "schema"), *input = yaml_node_child(root, "input");
    int code = schema == NULL ? 0 : read_schema(schema, limits, d, detail);
    return code != 0 || input == NULL ? code : read_input(input, d, detail);
}

/* The schema's method whose path is nearest; NULL when none is near, else it is in path. */
static const char *nearest_method(const struct schema *schema, struct bytes wrong, char *path, size_t path_size)
{
    const char *names[CANDIDATES_MAX];
    const struct service_type *s, *near = NULL;
    unsigned count = 0;
    size_t slash = wrong.size;
    while (slash > 1 && wrong.at[slash - 1] != '/')
        slash--;
    struct bytes service = bytes_of(wrong.at + 1, slash > 2 ? slash - 2 : 0);
    for (unsigned i = 0; count < CANDIDATES_MAX && (s = schema_service_at(schema, i)) != NULL; i++)
        names[count++] = (const char *)s->name.at;
    const char *name = nearest_name(service, names, count);
    near = name == NULL ? NULL : schema_service(schema, bytes_of_text(name));
    if (near == NULL)
        return NULL;
    for (count = 0; count < near->method_count && count < CANDIDATES_MAX; count++)
        names[count] = (const char *)near->methods[count].name.at;
    const char *method = nearest_name(bytes_of(wrong.at + slash, wrong.size - slash), names, count);
    size_t size = near->name.size + (method == NULL ? 0 : strlen(method)) + 3;
    if (method == NULL || size > path_size)
        return NULL;
    path[0] = '/';
    memcpy(path + 1, near->name.at, near->name.size);
    path[1 + near->name.size] = '/';
    memcpy(path + 2 + near->name.size, method, strlen(method) + 1);
    return path;
}

int typed_find_method(const struct definition *d, const struct yaml_node *n, const struct method_type **method,
                      struct error_detail *detail)
{
    char path[METHOD_BYTES_MAX];
    if (d->schema == NULL)
        return 0;
    *method = schema_method(d->schema, n->text);
    if (*method == NULL) {
        const char *near = nearest_method(d->schema, n->text, path, sizeof path);
        return yaml_rule(detail, "method-unknown",
                         yaml_refuse(n, E_ARGUMENT, detail, "the schema %s has no such method%s%s%s", d->schema_name,
                                     near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
                                     near == NULL ? "" : "?"));
    }
    if ((*method)->client_streaming || (*method)->server_streaming)
        return yaml_rule(detail, "method-streams",
                         yaml_refuse(n, E_ARGUMENT, detail, "is a method of streams; a step calls unary methods"));
    return 0;
}

/* ---- what each method is sent ---- */

/* Where the request of a call is said, or else the call itself. */
static const struct yaml_node *request_node(const struct yaml_node *step, const char *call)
{
    const struct yaml_node *n = yaml_node_child(step, call);
    const struct yaml_node *request = n->kind == YAML_MAPPING ? yaml_node_child(n, "request") : NULL;
    return request != NULL ? request : n;
}

/* The type of what a call is sent whole; NULL when that is not known, as of a constant. */
static const struct message_type *type_sent(const struct definition *d, const struct step_spec *step,
                                            const struct call_spec *call, const char **what)
{
    switch (call->source) {
    case REQUEST_INPUT:
        *what = "the saga's input";
        return d->input;
    case REQUEST_OUTPUT:
        *what = d->steps[call->source_step].name;
        return d->steps[call->source_step].action.called->output;
    case REQUEST_OWN_OUTPUT:
        *what = "the step's output";
        return step->action.called->output;
    case REQUEST_CONSTANT:
    case REQUEST_MAPPED: /* typed_request.c looks at each field */
        break;
    }
    return NULL;
}

static int check_constant(const struct call_spec *call, const struct message_type *type, const struct yaml_node *n,
                          struct error_detail *detail)
{
    struct inspection seen;
    struct error_detail why;
    if (inspect_message(type, call->constant, &seen, &why) != 0)
        return yaml_refuse(n, E_ARGUMENT, detail, "is no %s: %s%s%s", (const char *)type->name.at, why.field,
                           why.field[0] == '\0' ? "" : ": ", why.text);
    if (seen.unknown > 0)
        return yaml_refuse(n, E_ARGUMENT, detail, "is no %s: %s has no field %u", (const char *)type->name.at,
                           (const char *)seen.unknown_in->name.at, (unsigned)seen.unknown_number);
    return 0;
}

static int check_call(const struct definition *d, const struct step_spec *step, const struct call_spec *call,
                      const struct yaml_node *n, struct error_detail *detail)
{
    const char *what = "";
    bool asks = step_spec_asks(step); /* or it says what stands in for an answer */
    const struct message_type *wanted = asks ? call->called->input : call->called->output;
    if (call->source == REQUEST_CONSTANT)
        return check_constant(call, wanted, n, detail);
    const struct message_type *sent = type_sent(d, step, call, &what);
    if (sent == NULL || sent == wanted)
        return 0;
    return yaml_rule(detail, "type-mismatch",
                     yaml_refuse(n, E_ARGUMENT, detail, "%s %s a %s, and %s is a %s", call->method,
                                 asks ? "takes" : "answers", (const char *)wanted->name.at, what,
                                 (const char *)sent->name.at));
}

/* What stands in for a step answers what the step does. */
static int check_stand_in(const struct step_spec *step, const struct yaml_node *n, struct error_detail *detail)
{
    const struct message_type *own = step->action.called->output, *wanted = step[-1].action.called->output;
    if (own == wanted)
        return 0;
    return yaml_rule(detail, "type-mismatch",
                     yaml_refuse(n, E_ARGUMENT, detail, "%s answers a %s, and stands in for %s, which answers a %s",
                                 step->action.method, (const char *)own->name.at, step[-1].name,
                                 (const char *)wanted->name.at));
}

int typed_check(const struct definition *d, const struct yaml_node *const *nodes, struct error_detail *detail)
{
    int code = 0;
    for (unsigned i = 0; code == 0 && d->schema != NULL && i < d->step_count; i++) {
        const struct step_spec *step = &d->steps[i];
        const struct yaml_node *value = yaml_node_child(nodes[i], "value");
        if (step->stand_in == STAND_IN_LAST_GOOD)
            continue; /* an answer of the step's own method */
        code = check_call(d, step, &step->action,
                          step->stand_in == STAND_IN_VALUE ? value : request_node(nodes[i], "action"), detail);
        if (code == 0 && step->stand_in == STAND_IN_CALL)
            code = check_stand_in(step, nodes[i], detail);
        if (code == 0 && step->has_compensation)
            code = check_call(d, step, &step->compensation, request_node(nodes[i], "compensation"), detail);
    }
    return code;
}
