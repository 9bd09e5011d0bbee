/* cmd_drill.c - runs a drill: a file of faults, starts, waits and what must hold of the sagas in the end; and shows the faults that there are. */
#include "client-lib/sagactl/command.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/times.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/config/config_faults.h"
#include "sidecar/definition/quantity.h"
#include "sidecar/definition/yaml_tree.h"
#include "sidecar/definition/yaml_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULTS_MAX    32
#define SAGAS_MAX     10000
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define PREFIX_SIZE   64
#define QUESTION_SIZE 2048

static const char *const drill_keys[] = {"name", "reason", "steps"};
static const char *const step_keys[] = {"faults", "start", "wait", "kill", "pause", "expect"};
static const char *const start_keys[] = {"definition", "version", "count", "input", "json"};
static const char *const kinds[] = {"delay", "abort", "drop-request", "drop-answer", "duplicate", "reorder"};
static const char *const calls[] = {"all calls", "calls of actions", "calls of compensations"};

struct drill_run {
    struct run *r;
    const char *name, *reason;
    char prefix[PREFIX_SIZE]; /* of the request_ids of its sagas */
    unsigned started;
    bool injected; /* faults of its own, or nobody knows */
    struct error_detail detail;
};

/* What one fault says, with room for what it points to. */
struct fault_room {
    Saga__V1__Fault fault, *pointer;
    Google__Protobuf__Duration delay, lasts;
};

static void set_span(Google__Protobuf__Duration *d, struct span span)
{
    google__protobuf__duration__init(d);
    d->seconds = span.us / 1000000;
    d->nanos = (int32_t)(span.us % 1000000) * 1000;
}

/* ---- reading ---- */

static char *text_of(const struct yaml_node *n)
{
    return (char *)(uintptr_t)n->text.at;
}

/* A text of one line or many; "" where the key is not there. */
static int read_text(const struct yaml_node *mapping, const char *key, char **out, struct error_detail *detail)
{
    const struct yaml_node *n = yaml_node_child(mapping, key);
    *out = (char *)(uintptr_t) "";
    if (n == NULL)
        return 0;
    if (n->kind != YAML_SCALAR)
        return yaml_refuse(n, E_ARGUMENT, detail, "must be a text, not a %s",
                           n->kind == YAML_SEQUENCE ? "list" : "mapping");
    *out = text_of(n);
    return 0;
}

static int read_fault(const struct yaml_node *n, struct fault_room *room, struct error_detail *detail)
{
    struct config_fault f;
    Saga__V1__Fault *m = room->pointer = &room->fault;
    saga__v1__fault__init(m);
    int code = config_read_fault(n, &f, detail);
    if (code != 0)
        return code;
    m->kind = (Saga__V1__FaultKind)f.kind;
    m->target = (char *)(uintptr_t)f.target;
    m->definition = (char *)(uintptr_t)f.definition;
    m->tag = (char *)(uintptr_t)f.tag;
    m->tag_value = (char *)(uintptr_t)f.tag_value;
    m->calls = (Saga__V1__FaultCalls)f.calls;
    m->status = f.status;
    m->percent = f.permille / 10.0;
    set_span(&room->delay, f.delay);
    set_span(&room->lasts, f.lasts);
    m->delay = f.delay.us > 0 ? &room->delay : NULL;
    m->lasts = &room->lasts;
    return 0;
}

/* ---- doing; each returns the exit status, after having said what is wrong ---- */

static int bad(struct drill_run *d)
{
    char place[32] = "";
    if (d->detail.line > 0)
        snprintf(place, sizeof place, ":%d:%d", d->detail.line, d->detail.column);
    return run_say(d->r, EXIT_USAGE, "%s%s: %s%s%s", d->r->o.words[0], place, d->detail.field,
                   d->detail.field[0] == '\0' ? "" : ": ", d->detail.text);
}

static int inject(struct drill_run *d, const struct yaml_node *list)
{
    static struct fault_room rooms[FAULTS_MAX];
    Saga__V1__Fault *pointers[FAULTS_MAX];
    Saga__V1__InjectFaultsRequest request = SAGA__V1__INJECT_FAULTS_REQUEST__INIT;
    ProtobufCMessage *answer;
    int code = yaml_check_sequence(list, &d->detail);
    if (code == 0 && list->count > FAULTS_MAX)
        code = yaml_refuse(list, E_ARGUMENT, &d->detail, "holds more than 32 faults");
    for (const struct yaml_node *n = code == 0 ? list->first : NULL; n != NULL && code == 0; n = n->next) {
        code = read_fault(n, &rooms[n->index], &d->detail);
        pointers[n->index] = &rooms[n->index].fault;
    }
    if (code != 0)
        return bad(d);
    request.n_faults = list->count;
    request.faults = pointers;
    request.actor = d->r->o.actor;
    request.reason = (char *)(uintptr_t)d->reason;
    int status = run_call(d->r, "/saga.v1.Operator/InjectFaults", &request.base,
                          &saga__v1__inject_faults_response__descriptor, &answer);
    d->injected = d->injected || status != EXIT_REFUSED;
    if (status != EXIT_DONE)
        return status;
    protobuf_c_message_free_unpacked(answer, NULL);
    fprintf(d->r->screen.out, list->count == 0 ? "no more faults\n" : "%u fault%s injected\n", list->count,
            list->count == 1 ? "" : "s");
    return EXIT_DONE;
}

static int start(struct drill_run *d, const struct yaml_node *n)
{
    const struct yaml_node *definition, *count = yaml_node_child(n, "count"), *input = yaml_node_child(n, "input");
    uint64_t number = 1;
    char *input_text;
    Saga__V1__StartRequest request = SAGA__V1__START_REQUEST__INIT;
    char request_id[PREFIX_SIZE + 16];
    int code = yaml_check_mapping(n, start_keys, COUNT(start_keys), &d->detail);
    if (code == 0)
        code = yaml_need(n, "definition", &definition, &d->detail);
    if (code == 0 && count != NULL)
        code = yaml_read_count(count, 1, SAGAS_MAX, &number, &d->detail);
    if (code == 0)
        code = read_text(n, "definition", &request.definition, &d->detail);
    if (code == 0)
        code = read_text(n, "version", &request.version, &d->detail);
    if (code == 0)
        code = read_text(n, "json", &request.input_json, &d->detail);
    if (code == 0)
        code = read_text(n, "input", &input_text, &d->detail);
    if (code != 0)
        return bad(d);
    request.request_id = request_id;
    if (input != NULL)
        request.input = (ProtobufCBinaryData){.len = input->text.size, .data = (uint8_t *)input_text};
    for (uint64_t i = 0; i < number; i++) {
        ProtobufCMessage *answer;
        snprintf(request_id, sizeof request_id, "%s%u", d->prefix, d->started);
        int status =
            run_call(d->r, "/saga.v1.Coordinator/Start", &request.base, &saga__v1__start_response__descriptor, &answer);
        if (status != EXIT_DONE)
            return status;
        protobuf_c_message_free_unpacked(answer, NULL);
        d->started++;
    }
    fprintf(d->r->screen.out, "%llu saga%s of %s started\n", (unsigned long long)number, number == 1 ? "" : "s",
            request.definition);
    return EXIT_DONE;
}

/* How many of its sagas a question is true of; *first is one of them. Negative: that was said, and is the exit status. */
static int ask(struct drill_run *d, const char *question, unsigned *count, char first[64])
{
    Saga__V1__ListRequest request = SAGA__V1__LIST_REQUEST__INIT;
    char where[QUESTION_SIZE], token[TOKEN_SIZE] = "";
    if ((size_t)snprintf(where, sizeof where, "request_id.startsWith('%s') && (%s\n)", d->prefix, question) >=
        sizeof where)
        return run_say(d->r, EXIT_USAGE, "the expectation is too long");
    *count = 0;
    first[0] = '\0';
    request.where = where;
    request.page_size = 1000;
    request.page_token = token;
    do {
        Saga__V1__ListResponse *answer;
        int status =
            run_call(d->r, "/saga.v1.Coordinator/List", &request.base, &saga__v1__list_response__descriptor, &answer);
        if (status != EXIT_DONE)
            return status;
        if (answer->n_sagas > 0 && first[0] == '\0')
            snprintf(first, 64, "%s", answer->sagas[0]->id);
        *count += (unsigned)answer->n_sagas;
        int next = run_next_page(d->r, token, answer->next_page_token);
        protobuf_c_message_free_unpacked(&answer->base, NULL);
        if (next != EXIT_DONE)
            return next;
    } while (token[0] != '\0');
    return EXIT_DONE;
}

/* Until all of them have ended, or need a person. */
static int wait_for_all(struct drill_run *d, const struct yaml_node *n)
{
    struct span most;
    unsigned open;
    char id[64];
    if (yaml_read_span(n, SPAN_MS(1), SPAN_S(24 * 3600), &most, &d->detail) != 0)
        return bad(d);
    int64_t until = wire_deadline(most.us / 1000);
    do {
        int status = ask(d, "state == RUNNING || state == COMPENSATING", &open, id);
        if (status != EXIT_DONE)
            return status;
        if (open == 0) {
            fprintf(d->r->screen.out, "all of the %u sagas have ended, or need a person\n", d->started);
            return EXIT_DONE;
        }
        usleep(100000);
    } while (wire_time_left_ms(until) > 0);
    return run_say(d->r, EXIT_TIMEOUT, "%u of the %u sagas have not ended, as %s", open, d->started, id);
}

/* By the command that was given, which ends the sidecar and starts it again. */
static int kill_it(struct drill_run *d)
{
    if (system(d->r->o.kill) != 0)
        return run_say(d->r, EXIT_REFUSED, "the command of --kill failed: %s", d->r->o.kill);
    fprintf(d->r->screen.out, "killed by: %s\n", d->r->o.kill);
    return EXIT_DONE;
}

static int hold_on(struct drill_run *d, const struct yaml_node *n)
{
    struct span span;
    if (yaml_read_span(n, SPAN_MS(1), SPAN_S(3600), &span, &d->detail) != 0)
        return bad(d);
    usleep((useconds_t)(span.us % 1000000));
    sleep((unsigned)(span.us / 1000000));
    return EXIT_DONE;
}

static int expect(struct drill_run *d, const struct yaml_node *n)
{
    char question[QUESTION_SIZE], id[64];
    unsigned all, others;
    if (n->kind != YAML_SCALAR || n->text.size == 0)
        return yaml_refuse(n, E_ARGUMENT, &d->detail, "must be an expression about a saga"), bad(d);
    int status = ask(d, "true", &all, id);
    if (status == EXIT_DONE && all != d->started)
        return run_say(d->r, EXIT_REFUSED, "of %u sagas that were started %u are there", d->started, all);
    snprintf(question, sizeof question, "!(%s\n)", text_of(n)); /* it may end in a comment */
    if (status == EXIT_DONE)
        status = ask(d, question, &others, id);
    if (status != EXIT_DONE)
        return status;
    if (others > 0)
        return run_say(d->r, EXIT_REFUSED, "line %d: of %u of the %u sagas this does not hold: %s (see sagactl get %s)",
                       n->line, others, all, text_of(n), id);
    fprintf(d->r->screen.out, "holds of all %u sagas: %s\n", all, text_of(n));
    return EXIT_DONE;
}

static int do_step(struct drill_run *d, const struct yaml_node *step)
{
    const struct yaml_node *what = step->kind == YAML_MAPPING ? step->first : NULL;
    int code = yaml_check_mapping(step, step_keys, COUNT(step_keys), &d->detail);
    if (code == 0 && step->count != 1)
        code =
            yaml_refuse(step, E_ARGUMENT, &d->detail, "must say one thing: faults, start, wait, pause, kill or expect");
    if (code != 0)
        return bad(d);
    static const struct {
        const char *key;
        int (*act)(struct drill_run *d, const struct yaml_node *n);
    } acts[] = {{"faults", inject}, {"start", start}, {"wait", wait_for_all}, {"pause", hold_on}, {"expect", expect}};
    for (size_t i = 0; i < COUNT(acts); i++)
        if (bytes_equal(what->key, bytes_of_text(acts[i].key)))
            return acts[i].act(d, what);
    return kill_it(d);
}

/* Whatever comes of it, its faults do not stay; those of others do when it had none. */
static int run_steps(struct drill_run *d, const struct yaml_node *steps)
{
    static const struct yaml_node none = {.kind = YAML_SEQUENCE};
    int status = EXIT_DONE;
    for (const struct yaml_node *n = steps->first; status == EXIT_DONE && n != NULL; n = n->next)
        status = do_step(d, n);
    int ended = d->injected ? inject(d, &none) : EXIT_DONE;
    return status == EXIT_DONE ? ended : status;
}

static int check_file(struct drill_run *d, const struct yaml_node *root, const struct yaml_node **steps)
{
    char *name, *reason;
    struct error_detail *detail = &d->detail;
    if (root == NULL)
        return error_set(detail, E_ARGUMENT, NULL, "the file holds no drill");
    int code = yaml_check_mapping(root, drill_keys, COUNT(drill_keys), detail);
    if (code == 0)
        code = read_text(root, "name", &name, detail);
    if (code == 0)
        code = read_text(root, "reason", &reason, detail);
    if (code != 0)
        return code;
    d->name = name;
    d->reason = yaml_node_child(root, "reason") == NULL ? "a drill" : reason;
    code = yaml_need(root, "steps", steps, detail);
    if (code == 0)
        code = yaml_check_sequence(*steps, detail);
    for (const struct yaml_node *n = code == 0 ? (*steps)->first : NULL; n != NULL && code == 0; n = n->next)
        if (n->kind == YAML_MAPPING && yaml_node_child(n, "kill") != NULL && d->r->o.kill == NULL)
            code = yaml_refuse(n, E_ARGUMENT, detail,
                               "kill needs --kill COMMAND: what ends the sidecar with SIGKILL and starts it again");
    return code;
}

static int run_drill(struct run *r)
{
    struct drill_run d = {.r = r, .detail = {.text = ""}};
    struct yaml_tree *tree = NULL;
    const struct yaml_node *steps;
    char *text;
    size_t size;
    int status = run_read_file(r, r->o.words[0], &text, &size);
    if (status != EXIT_DONE)
        return status;
    snprintf(d.prefix, sizeof d.prefix, "drill-%llx-%x-", (unsigned long long)r->screen.now.us, (unsigned)getpid());
    int code = yaml_tree_read(bytes_of(text, size), &tree, &d.detail);
    if (code == 0)
        code = check_file(&d, yaml_tree_root(tree), &steps);
    status = code != 0 ? bad(&d) : run_steps(&d, steps);
    if (status == EXIT_DONE)
        fprintf(r->screen.out, "%s: everything held\n", d.name[0] == '\0' ? "drill" : d.name);
    yaml_tree_destroy(tree);
    free(text);
    return status;
}

static void put_fault(const struct screen *s, const Saga__V1__Fault *f)
{
    char target[256], definition[256], tag[256], value[600], how[TIMES_TEXT_SIZE + 8] = "", span[TIMES_TEXT_SIZE];
    if (f->delay != NULL)
        snprintf(how, sizeof how, " by %s", times_write_span(times_span_of(f->delay), span));
    if (f->kind == SAGA__V1__FAULT_KIND__FAULT_KIND_ABORT)
        snprintf(how, sizeof how, " with %s", saga_status_name(f->status));
    fprintf(s->out, "%s%s of %g %% of %s to %s of %s",
            f->kind > 0 && (size_t)f->kind <= COUNT(kinds) ? kinds[f->kind - 1] : "?", how, f->percent,
            (size_t)f->calls < COUNT(calls) ? calls[f->calls] : "?",
            f->target[0] == '\0' ? "any target" : screen_clean(s, f->target, target, sizeof target),
            f->definition[0] == '\0' ? "any definition"
                                     : screen_clean(s, f->definition, definition, sizeof definition));
    if (f->tag[0] != '\0')
        fprintf(s->out, " with %s=%s", screen_clean(s, f->tag, tag, sizeof tag),
                screen_clean(s, f->tag_value, value, sizeof value));
    fprintf(s->out, ", for another %s\n", times_write_span(instant_since(times_of(f->until), s->now), span));
}

static int show_faults(struct run *r)
{
    Saga__V1__ListFaultsRequest request = SAGA__V1__LIST_FAULTS_REQUEST__INIT;
    Saga__V1__ListFaultsResponse *answer;
    int status = run_call(r, "/saga.v1.Operator/ListFaults", &request.base, &saga__v1__list_faults_response__descriptor,
                          &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json) {
        status = run_json(r, &answer->base, false);
    } else if (answer->n_faults == 0) {
        fputs("No faults are injected.\n", r->screen.out);
    }
    for (size_t i = 0; !r->o.json && i < answer->n_faults; i++)
        put_fault(&r->screen, answer->faults[i]);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

int command_drill(struct run *r)
{
    return r->o.word_count == 0 ? show_faults(r) : run_drill(r);
}
