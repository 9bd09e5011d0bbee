/* call_reader.c - one call: where it goes, how often it is tried, and what it is sent. */
#include "sidecar/definition/call_reader.h"

#include "sidecar/base/nearest.h"
#include "sidecar/definition/typed.h"
#include "sidecar/definition/yaml_retry.h"
#include "sidecar/definition/yaml_value.h"
#include "sidecar/message/schema.h"

static const char *const call_keys[] = {"target", "method", "timeout", "retry", "request", "barrier", "idempotent"};
/* Of a definition without types. */
static const char *const request_keys[] = {"constant", "constant_base64", "output"};
/* Only a compensation has the last one. */
static const char *const plain_requests[] = {"input", "own_output"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int call_read_step(const struct definition *d, const struct yaml_node *n, uint16_t *step, struct error_detail *detail)
{
    struct bytes name;
    char quoted[YAML_QUOTE_SIZE];
    const char *names[STEPS_LIMIT];
    int code = yaml_read_text(n, 1, STEP_NAME_BYTES_MAX, &name, detail);
    if (code != 0)
        return code;
    int found = definition_step_find(d, name);
    if (found >= 0) {
        *step = (uint16_t)found;
        return 0;
    }
    for (unsigned i = 0; i < d->step_count; i++)
        names[i] = d->steps[i].name;
    const char *nearest = nearest_name(name, names, d->step_count);
    return yaml_rule(detail, "step-unknown",
                     yaml_refuse(n, E_ARGUMENT, detail, "no step is named \"%s\"%s%s%s", yaml_quote(name, quoted),
                                 nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                                 nearest == NULL ? "" : "?"));
}

static bool is_there(const struct definition_targets *targets, struct bytes name)
{
    for (size_t i = 0; i < targets->count; i++)
        if (bytes_equal(bytes_of_text(targets->names[i]), name))
            return true;
    return targets->names == NULL;
}

static int read_target(const struct call_reader *r, const struct yaml_node *n, const char **target)
{
    struct bytes text;
    char quoted[YAML_QUOTE_SIZE];
    int code = yaml_read_text(n, 1, STEP_NAME_BYTES_MAX, &text, r->detail);
    if (code != 0)
        return code;
    if (!definition_name_valid(text, STEP_NAME_BYTES_MAX))
        return yaml_refuse(
            n, E_ARGUMENT, r->detail,
            "\"%s\" is not the name of a target: letters, digits, '-', '_' and '.' (addresses stand in sagad.yaml)",
            yaml_quote(text, quoted));
    const struct definition_targets *targets = &r->limits->targets;
    if (!is_there(targets, text)) {
        const char *nearest = nearest_name(text, targets->names, targets->count);
        return yaml_refuse(n, E_TARGET_NOT_FOUND, r->detail, "sagad.yaml names no target \"%s\"%s%s%s",
                           yaml_quote(text, quoted), nearest == NULL ? "" : "; did you mean ",
                           nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
    }
    *target = (const char *)text.at;
    return 0;
}

static int read_method(const struct call_reader *r, const struct yaml_node *n, struct call_spec *call)
{
    struct bytes text;
    char quoted[YAML_QUOTE_SIZE];
    int code = yaml_read_text(n, 1, METHOD_BYTES_MAX, &text, r->detail);
    if (code != 0)
        return code;
    if (!definition_method_valid(text))
        return yaml_refuse(n, E_ARGUMENT, r->detail,
                           "\"%s\" is not a full gRPC method name, as in /package.Service/Method",
                           yaml_quote(text, quoted));
    call->method = (const char *)text.at;
    return typed_find_method(r->definition, n, &call->called, r->detail);
}

/* ---- one of several targets ---- */

static const char *const oneof_keys[] = {"oneof", "by"};

/* `target: {oneof: [...], by: ...}` of a step: `by` is read with what is computed. The calls are as the first of them, for now. */
static int read_oneof(const struct call_reader *r, const struct yaml_node *n, const char **target)
{
    const struct yaml_node *oneof, *by;
    if (r->definition->schema_name == NULL)
        return yaml_refuse(n, E_ARGUMENT, r->detail,
                           "is chosen by an expression, for which the definition must name a schema");
    int code = yaml_check_mapping(n, oneof_keys, COUNT(oneof_keys), r->detail);
    if (code == 0)
        code = yaml_need(n, "oneof", &oneof, r->detail);
    if (code == 0)
        code = yaml_need(n, "by", &by, r->detail);
    if (code == 0)
        code = yaml_check_sequence(oneof, r->detail);
    if (code != 0)
        return code;
    if (oneof->count == 0 || oneof->count > TARGET_CHOICES_MAX)
        return yaml_refuse(oneof, E_ARGUMENT, r->detail, "must name 1 to %d targets", TARGET_CHOICES_MAX);
    for (const struct yaml_node *one = oneof->first; code == 0 && one != NULL; one = one->next) {
        const char *name;
        code = read_target(r, one, &name);
        for (const struct yaml_node *other = oneof->first; code == 0 && other != one; other = other->next)
            if (bytes_equal(other->text, one->text))
                code = yaml_refuse(one, E_ARGUMENT, r->detail, "is named twice");
    }
    *target = (const char *)oneof->first->text.at;
    return code;
}

/* The step's own choice, or NULL. */
static const struct yaml_node *find_oneof(const struct yaml_node *step)
{
    const struct yaml_node *target = yaml_node_child(step, "target");
    return target == NULL || target->kind != YAML_MAPPING ? NULL : yaml_node_child(target, "oneof");
}

int call_read_choices(const struct call_reader *r, const struct yaml_node *step, struct step_spec *spec)
{
    const struct yaml_node *oneof = find_oneof(step);
    if (oneof == NULL)
        return 0;
    const char *first = (const char *)oneof->first->text.at;
    bool action = spec->action.target == first, compensation = spec->compensation.target == first;
    if (!action && !compensation)
        return yaml_refuse_key(yaml_node_child(step, "target"), E_ARGUMENT, r->detail,
                               "is chosen for no call: each names a target of its own");
    spec->choices = yaml_tree_take(r->tree, oneof->count * sizeof *spec->choices);
    if (spec->choices == NULL)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    for (const struct yaml_node *one = oneof->first; one != NULL; one = one->next) {
        struct call_choice *choice = &spec->choices[spec->choice_count++];
        *choice = (struct call_choice){
            .name = (const char *)one->text.at, .action = spec->action, .compensation = spec->compensation};
        if (action)
            choice->action.target = choice->name;
        if (compensation)
            choice->compensation.target = choice->name;
    }
    return 0;
}

/* target, timeout and retry: of the step, or of the call itself. */
static int read_common(const struct call_reader *r, const struct yaml_node *n, bool of_compensation,
                       struct call_spec *call)
{
    const struct yaml_node *target = yaml_node_child(n, "target");
    const struct yaml_node *timeout = yaml_node_child(n, "timeout");
    const struct yaml_node *retry = yaml_node_child(n, "retry");
    bool chosen = target != NULL && target->kind == YAML_MAPPING && n->key.size == 0;
    int code = target == NULL ? 0
               : chosen       ? read_oneof(r, target, &call->target)
                              : read_target(r, target, &call->target);
    if (code == 0 && timeout != NULL)
        code = yaml_read_span(timeout, SPAN_MS(1), r->limits->deadline_max, &call->timeout, r->detail);
    if (code == 0 && retry != NULL)
        code = yaml_read_retry(retry, of_compensation, &call->retry, r->detail);
    return code;
}

static int check_constant(const struct call_reader *r, const struct yaml_node *n, size_t size)
{
    return size <= r->limits->payload_bytes_max
               ? 0
               : yaml_refuse(n, E_PAYLOAD, r->detail, "is %zu bytes long; payload_bytes_max is %u", size,
                             (unsigned)r->limits->payload_bytes_max);
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes base64 with its padding (RFC 4648, section 4), passing over white space, as block scalars bring it. Returns
 * false when text is not that. decoded has room for 3/4 of text. */
static bool base64_decode(struct bytes text, uint8_t *decoded, size_t *size)
{
    uint32_t bits = 0;
    unsigned letters = 0, padding = 0;
    *size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.at[i];
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
            continue;
        int value = c == '=' ? 0 : base64_value(c);
        padding += c == '=';
        if (value < 0 || (padding > 0 && c != '=') || padding > 2)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (++letters % 4 == 0) {
            uint8_t three[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
            /* Bits behind the end would make another text for the same bytes. */
            if ((bits & ((UINT32_C(1) << 8 * padding) - 1)) != 0)
                return false;
            memcpy(decoded + *size, three, 3 - padding);
            *size += 3 - padding;
            bits = 0;
        }
    }
    return letters % 4 == 0;
}

static int read_base64(const struct call_reader *r, const struct yaml_node *n, struct bytes *constant)
{
    size_t size;
    if (n->kind != YAML_SCALAR)
        return yaml_refuse(n, E_ARGUMENT, r->detail, "must be text in base64");
    uint8_t *decoded = yaml_tree_take(r->tree, n->text.size / 4 * 3 + 3);
    if (decoded == NULL)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    if (!base64_decode(n->text, decoded, &size))
        return yaml_refuse(n, E_ARGUMENT, r->detail, "is not base64 with its padding");
    *constant = bytes_of(decoded, size);
    return check_constant(r, n, size);
}

/* The output of an earlier step: earlier by `after`, or it might not be there yet. */
static int read_output(const struct call_reader *r, const struct yaml_node *n, bool of_compensation, uint16_t *source)
{
    const struct step_spec *steps = r->definition->steps;
    uint16_t step;
    int code = call_read_step(r->definition, n, &step, r->detail);
    if (code != 0)
        return code;
    if (step == r->step)
        return yaml_refuse(n, E_ARGUMENT, r->detail,
                           of_compensation ? "is the step itself; write request: own_output" : "is the step itself");
    bool below = step < r->step && steps[r->step].stand_in != STAND_IN_NONE;
    for (unsigned i = step; below && i < r->step; i++)
        below = steps[i].has_fallback;
    if (below)
        return yaml_refuse(n, E_ARGUMENT, r->detail, "has come to nothing when this is asked for: it stands in for it");
    if (!step_set_has(&steps[r->step].ancestors, step))
        return yaml_rule(r->detail, "output-not-before",
                         yaml_refuse(n, E_ARGUMENT, r->detail, "%s does not come before %s; add it to its after",
                                     steps[step].name, steps[r->step].name));
    if (steps[step].optional)
        return yaml_refuse(
            n, E_ARGUMENT, r->detail,
            "%s is optional and may have no output; ask for it in an expression, with has(steps.%s.output)",
            steps[step].name, steps[step].name);
    if (steps[step].loop)
        return yaml_refuse(n, E_ARGUMENT, r->detail,
                           "%s is a loop and has many outputs; use them in an expression: steps.%s.output",
                           steps[step].name, steps[step].name);
    *source = step;
    return 0;
}

/* constant, constant_base64 or output. */
static int read_request_mapping(const struct call_reader *r, const struct yaml_node *n, bool of_compensation,
                                struct call_spec *call)
{
    int code = yaml_check_mapping(n, request_keys, COUNT(request_keys), r->detail);
    if (code != 0)
        return code;
    if (n->count != 1)
        return yaml_refuse(n, E_ARGUMENT, r->detail, "must have exactly one of constant, constant_base64 and output");
    const struct yaml_node *value = n->first;
    if (bytes_equal(value->key, bytes_of_text("output"))) {
        call->source = REQUEST_OUTPUT;
        return read_output(r, value, of_compensation, &call->source_step);
    }
    call->source = REQUEST_CONSTANT;
    if (bytes_equal(value->key, bytes_of_text("constant_base64")))
        return read_base64(r, value, &call->constant);
    if (value->kind != YAML_SCALAR || yaml_node_is_null(value))
        return yaml_refuse(value, E_ARGUMENT, r->detail, "must be text; write \"\" for an empty request");
    call->constant = value->text;
    return check_constant(r, value, value->text.size);
}

/* Whether a request is written as a message or an expression. A mapping of one key that could be both is a message when this has such a field. */
static bool is_mapped(const struct call_reader *r, const struct yaml_node *n, const struct message_type *type)
{
    if (r->definition->schema_name == NULL)
        return false;
    if (n->kind != YAML_MAPPING)
        return n->kind == YAML_SCALAR && n->text.size > 0 && n->text.at[0] == '=';
    bool plain = false;
    for (size_t i = 0; i < COUNT(request_keys) && n->count == 1; i++)
        plain = plain || bytes_equal(n->first->key, bytes_of_text(request_keys[i]));
    return !plain || (type != NULL && message_field_by_any_name(type, n->first->key) != NULL);
}

static int read_request(const struct call_reader *r, const struct yaml_node *n, bool of_compensation,
                        const struct message_type *type, struct call_spec *call)
{
    if (is_mapped(r, n, type)) {
        call->source = REQUEST_MAPPED; /* read when all types are known, in typed_mapping.c */
        return 0;
    }
    if (n->kind == YAML_MAPPING)
        return read_request_mapping(r, n, of_compensation, call);
    uint32_t choice;
    int code = yaml_read_choice(n, plain_requests, COUNT(plain_requests), &choice, r->detail);
    if (code != 0)
        return code;
    if (choice == 1 && !of_compensation)
        return yaml_refuse(n, E_ARGUMENT, r->detail, "an action has no output of its own before it has run");
    call->source = choice == 1 ? REQUEST_OWN_OUTPUT : REQUEST_INPUT;
    return 0;
}

static int read_barrier(const struct call_reader *r, const struct yaml_node *n, bool of_compensation,
                        struct call_spec *call)
{
    bool there;
    if (of_compensation)
        return yaml_refuse_key(n, E_ARGUMENT, r->detail, "does not apply: it says how late actions are met");
    int code = yaml_read_bool(n, &there, r->detail);
    if (code == 0)
        call->barrier = there ? BARRIER_THERE : BARRIER_NONE;
    return code;
}

/* A call written as a mapping. */
static int read_call_mapping(const struct call_reader *r, const struct yaml_node *n, bool is_compensation,
                             struct call_spec *call)
{
    const struct yaml_node *method;
    const struct yaml_node *request = yaml_node_child(n, "request");
    const struct yaml_node *barrier = yaml_node_child(n, "barrier");
    const struct yaml_node *idempotent = yaml_node_child(n, "idempotent");
    bool is_idempotent = true;
    int code = yaml_check_mapping(n, call_keys, COUNT(call_keys), r->detail);
    if (code == 0)
        code = yaml_need(n, "method", &method, r->detail);
    if (code == 0)
        code = read_method(r, method, call);
    if (code == 0)
        code = read_common(r, n, is_compensation, call);
    if (code == 0 && request != NULL)
        code = read_request(r, request, is_compensation, call->called == NULL ? NULL : call->called->input, call);
    if (code == 0 && barrier != NULL)
        code = read_barrier(r, barrier, is_compensation, call);
    if (code == 0 && idempotent != NULL)
        code = yaml_read_bool(idempotent, &is_idempotent, r->detail);
    call->not_idempotent = !is_idempotent;
    return code;
}

int call_read(const struct call_reader *r, const struct yaml_node *step, const struct yaml_node *n,
              bool is_compensation, struct call_spec *call)
{
    /* After the pivot a step can only go forward: it is as stubborn as an undo. */
    bool past_pivot = definition_step_forward_only(r->definition, r->step);
    call->retry = is_compensation || past_pivot ? r->limits->retry.compensation : r->limits->retry.action;
    /* A step's own policy may list status codes, for its action: a compensation just makes no use of them. */
    int code = read_common(r, step, false, call);
    if (is_compensation)
        call->retry.retryable_status_codes = 0;
    if (code != 0)
        return code;
    code = n->kind == YAML_SCALAR ? read_method(r, n, call) : read_call_mapping(r, n, is_compensation, call);
    if (code != 0)
        return code;
    if (call->target == NULL)
        return yaml_rule(r->detail, "target-missing",
                         yaml_refuse(n, E_ARGUMENT, r->detail, "names no target, and neither does its step"));
    return 0;
}

int call_read_value(const struct call_reader *r, const struct yaml_node *n, struct call_spec *call)
{
    call->source = REQUEST_INPUT;
    call->constant = bytes_of(NULL, 0);
    return read_request(r, n, false, call->called == NULL ? NULL : call->called->output, call);
}
