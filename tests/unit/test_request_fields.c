/* What the sidecar answers to every request: to one in which each field is set, and to the same with one field different, and what the audit trail says
 * of it. It is kept in tests/fixtures/api/requests.txt; `build/release/tests/unit/test_request_fields write` writes that anew, for its difference
 * to be read. */
#include "sidecar/api/api_inside.h"
#include "tests/support/api_world.h"
#include "tests/support/kept_text.h"
#include "tests/support/message_text.h"
#include "tests/support/shapes.h"
#include "tests/support/vary.h"
#include "tests/support/wire_text.h"

#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/api/requests.txt";

/* The sagas that every request finds: one of its owner, that goes on; an ended one; one whose call is out; one that is stuck. */
#define OURS  "1:'000000abc000-1' "
#define ENDED "1:'000000abc000-2' "
#define OUT   "1:'000000abc000-3' "
#define STUCK "1:'000000abc000-4' "

#define WHO    "'anna'"
#define TRACE  "'00-0123456789abcdef0123456789abcdef-0123456789abcdef-01'"
#define WHY    "'a drill'"
#define CALL   "{1:'t' 2:'/p.S/UndoA' 3:'request' 4:{1:3} 5:{1:4 2:{1:1} 3:{1:60} 5:{}}}"
#define ENLIST "{1:'train' 2:" CALL "}"
#define SETTLE "{1:'hotel' 2:1 3:'output' 4:1}"

static const struct {
    enum method_id method;
    const char *wire;
} requests[] = {
    {METHOD_REGISTER_DEFINITION, "1:'name: new\nversion: 1.0.0\nsteps: [{name: a, target: t, action: /p.S/A}]\n' 2:1"},
    {METHOD_GET_DEFINITION, "1:'fan' 2:'1.0.0'"},
    {METHOD_GET_DEFINITION, "1:'letter'"},
    {METHOD_LIST_DEFINITIONS, "1:1"},
    {METHOD_REGISTER_SCHEMA, "1:'more' 2:'x' 3:1"},
    {METHOD_GET_SCHEMA, "1:'shapes'"},
    {METHOD_LIST_SCHEMAS, "1:1"},
    {METHOD_REFLECT, "1:'t' 2:'p.S'"},
    {METHOD_START, "1:'fan' 2:'1.0.0' 3:'r-9' 4:'input' 5:{1:7} 6:" TRACE " 8:3 9:1"},
    {METHOD_START, "1:'letter' 3:'r-9' 7:'{\"sku\": \"acme\"}'"},
    {METHOD_BEGIN, "1:'trip' 2:'r-9' 3:{1:9} 4:{1:1} 5:" TRACE " 6:" ENLIST " 6:{1:'boat'}"},
    {METHOD_ENLIST, OURS "2:" ENLIST " 3:" SETTLE},
    {METHOD_SETTLE, OURS "2:" SETTLE " 2:{1:'car' 2:3 5:{1:1}}"},
    {METHOD_KEEP_ALIVE, OURS},
    {METHOD_COMMIT, OURS "2:" SETTLE " 2:{1:'car' 2:1}"},
    {METHOD_ABORT, OURS "2:" SETTLE " 3:" WHY},
    {METHOD_FIND, "1:'r-3'"},
    {METHOD_GET, OUT "2:1 3:2 5:1"},
    {METHOD_GET, ENDED "2:1"},
    {METHOD_GET, STUCK "2:1 5:1"},
    {METHOD_LIST, "1:5 2:'letter' 3:{1:1} 4:{1:5000} 5:1 7:{1:'tenant' 2:'acme'} 8:'state == \"STUCK\"'"},
    {METHOD_LIST, "5:2"},
    {METHOD_WAIT, STUCK "2:1"},
    {METHOD_WAIT, ENDED "3:1"},
    {METHOD_CANCEL, OUT "2:" WHY " 3:" WHO},
    {METHOD_PAUSE, OUT "2:" WHO " 3:" WHY},
    {METHOD_RESUME, OUT "2:" WHO},
    {METHOD_LIST_DEAD_LETTERS, "1:'letter' 2:1 4:'status == \"NOT_FOUND\"'"},
    {METHOD_RETRY, STUCK "2:'a' 3:" WHO},
    {METHOD_SKIP, STUCK "2:'a' 3:" WHO " 4:" WHY},
    {METHOD_REJECT, STUCK "2:'a' 3:" WHO " 4:" WHY},
    {METHOD_RESOLVE, STUCK "2:" WHO " 3:" WHY},
    {METHOD_RELOAD, "1:" WHO},
    {METHOD_SET_BREAKER, "1:'t' 2:2 3:" WHO " 4:" WHY},
    {METHOD_HOLD_DEFINITION, "1:'fan' 3:" WHO " 4:" WHY},
    {METHOD_FORGET_ANSWER, "1:'fan.a' 2:'k' 3:" WHO " 4:" WHY},
    {METHOD_START_BULK, "1:'b-1' 2:1 3:'state == \"STUCK\"' 4:'letter' 5:" WHO " 6:" WHY},
    {METHOD_CHANGE_BULK, "1:'b-0' 2:2 3:" WHO},
    {METHOD_LIST_BULKS, "1:'b-0'"},
    {METHOD_LIST_OBJECTIVES, ""},
    {METHOD_LIST_RULES, ""},
    {METHOD_CHANGE_RULE, "1:'rule' 2:1 3:" WHO " 4:" WHY},
    {METHOD_STATUS, ""},
    {METHOD_EXPLAIN, "2:'Start' 3:'fan'"},
    {METHOD_LIST_AUDIT, "1:1 2:{1:1001}"},
    {METHOD_VERIFY, "1:'0/1:0123456789abcdef0123456789abcdef'"},
    {METHOD_LIST_JOURNALS, "1:'a'"},
    {METHOD_GIVE_JOURNAL, "1:'a' 2:" WHO},
    {METHOD_INJECT_FAULTS, "1:{1:2 2:'t' 3:'fan' 6:1 7:14 10:{1:60}} 2:" WHO " 3:" WHY},
    {METHOD_INJECT_FAULTS, "1:{1:1 4:'tenant' 5:'acme' 9:{1:1} 10:{1:60}} 2:" WHO " 3:" WHY},
    {METHOD_LIST_FAULTS, ""},
};

struct answering {
    FILE *out;
    struct api_world world;
    bool open; /* the world is there, and nothing but what it began with has happened in it */
    enum method_id method;
    const char *base; /* the request that is varied, as its text */
    char *first;      /* and what was answered to it */
};

/* ---- the world ---- */

static struct world_call *ask(struct api_world *w, enum method_id method, const char *text)
{
    uint8_t wire[1024];
    struct world_call *call = api_world_ask_bytes(w, 0, method, bytes_of(wire, wire_of_text(text, wire, sizeof wire)));
    api_world_settle(w);
    return call;
}

static void done(struct api_world *w, enum method_id method, const char *text)
{
    struct world_call *call = ask(w, method, text);
    ck_assert_msg(call->status == 0, "%s: %s %s", call->method->path, call->message, text);
    api_world_free(call);
}

static void open_world(struct api_world *w)
{
    api_world_init(w, 1);
    api_world_start(w);
    w->loop[0].api->options.fault_injection = true;
    api_world_add_schema(w);
    api_world_register(w, "name: fan\nversion: 1.0.0\nsteps:\n"
                          "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
                          "  - {name: b, target: t, after: [a], action: /p.S/B, compensation: none}\n");
    api_world_register(w, "name: letter\nversion: 1.2.0\nforward_only: true\nschema: shapes\ninput: shapes.Line\n"
                          "tags: {tenant: =input.sku}\nsteps:\n"
                          "  - {name: a, target: t, action: {method: /shapes.Shop/Old}}\n");
    done(w, METHOD_BEGIN, "1:'trip' 2:'r-1' 6:{1:'hotel' 2:" CALL "} 6:{1:'car'}");
    done(w, METHOD_BEGIN, "1:'trip' 2:'r-2' 5:" TRACE " 6:{1:'hotel'}");
    done(w, METHOD_COMMIT, ENDED "2:" SETTLE);
    w->now.us += 1000000;
    done(w, METHOD_START, "1:'fan' 3:'r-3' 4:'input' 8:1");
    done(w, METHOD_START, "1:'letter' 3:'r-4' 4:{1:'acme' 2:7}");
    /* Of the two that are out the later one fails. */
    ck_assert_uint_eq(w->loop[0].call_count, 2);
    const struct call_effect earlier = w->loop[0].calls[0];
    w->loop[0].calls[0] = w->loop[0].calls[1];
    w->loop[0].calls[1] = earlier;
    api_world_answer(w, 0, 5, "there is no a", bytes_of(NULL, 0));
    done(w, METHOD_START_BULK,
         "1:'b-0' 2:3 3:'state == \"STUCK\" && age > duration(\"1h\")' 4:'letter' 5:'ben' 6:'late'");
    w->now.us += 1000000;
}

/* ---- the answers ---- */

static void put_answer(FILE *out, struct api_world *w, enum method_id method, struct world_call *call)
{
    if (!call->ended) {
        fputs("nothing yet", out);
        api_world_cancel(call);
        api_world_settle(w);
    } else if (call->status != 0) {
        fprintf(out, "%d %s at %s: ", call->status, call->reason, call->field);
        message_text_put_bytes(out, bytes_of_text(call->message));
    } else {
        fputs("OK ", out);
        message_text_put_packed(out, methods[method].response, call->body);
    }
}

/* The entry that came last, if it is of this method. */
static void put_entry(FILE *out, struct api_world *w, enum method_id method)
{
    struct world_call *call = ask(w, METHOD_LIST_AUDIT, "1:1");
    Saga__V1__ListAuditResponse *m = saga__v1__list_audit_response__unpack(NULL, call->body.size, call->body.at);
    if (m->n_entries > 0 && strcmp(m->entries[0]->method, authz_method_name(method)) == 0) {
        fputs(" audit ", out);
        message_text_put(out, &m->entries[0]->base);
    }
    saga__v1__list_audit_response__free_unpacked(m, NULL);
    api_world_free(call);
}

/* What has become of what it was about. */
static void put_outcome(FILE *out, struct api_world *w, enum method_id method, const char *base)
{
    char text[64];
    enum method_id look = METHOD_GET;
    snprintf(text, sizeof text, "%.20s2:1", strncmp(base, "1:'000000", 9) == 0 ? base : "1:'000000abc000-5' ");
    if (method == METHOD_INJECT_FAULTS)
        look = METHOD_LIST_FAULTS;
    else if (method == METHOD_START_BULK || method == METHOD_CHANGE_BULK)
        look = METHOD_LIST_BULKS;
    else if (methods[method].decode == NULL || method == METHOD_SET_BREAKER)
        return;
    struct world_call *call = ask(w, look, look == METHOD_GET ? text : "");
    fputs(" then ", out);
    put_answer(out, w, look, call);
    api_world_free(call);
}

static void answer(void *self, const char *what, struct bytes request)
{
    struct answering *a = self;
    char *line = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&line, &size);
    if (!a->open)
        open_world(&a->world);
    struct world_call *call = api_world_ask_bytes(&a->world, 0, a->method, request);
    api_world_settle(&a->world);
    put_answer(out, &a->world, a->method, call);
    a->open = methods[a->method].read != NULL || call->status != 0;
    if (!a->open) {
        put_entry(out, &a->world, a->method);
        put_outcome(out, &a->world, a->method, a->base);
    }
    fclose(out);
    api_world_free(call);
    if (!a->open)
        api_world_close(&a->world);
    if (what == NULL) {
        fprintf(a->out, "\n%s: %s\n", methods_served[a->method].path, line);
        free(a->first);
        a->first = strdup(line);
    } else {
        fprintf(a->out, "  %s: ", what);
        if (strncmp(line, "OK", 2) == 0)
            vary_put_difference(a->out, a->first, line);
        else
            fputs(line, a->out);
        fputc('\n', a->out);
    }
    free(line);
}

static void put_all(FILE *out)
{
    static struct answering a;
    a.out = out;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        uint8_t wire[1024];
        size_t size = wire_of_text(requests[i].wire, wire, sizeof wire);
        a.method = requests[i].method;
        a.base = requests[i].wire;
        vary(methods[a.method].request, bytes_of(wire, size), answer, &a);
    }
    if (a.open)
        api_world_close(&a.world);
    free(a.first);
}

START_TEST(requests__every_field_is_answered_in_these_words)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "request_fields", requests__every_field_is_answered_in_these_words);
}
