/* What comes of each order of a rule, for each answer that each of three loops may give, while the sidecar runs, stops, and cuts calls off; and of pages. It
 * is kept in tests/fixtures/runtime/remedies.txt; `build/release/tests/unit/test_told_remedies write` writes that anew, for its difference to be
 * read. */
#include "sidecar/runtime/remedies_inside.h"

#include "sidecar/api/methods.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "tests/support/kept_text.h"
#include "tests/support/message_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS 3
#define RULES 2

static struct loop s;
static struct sidecar sidecar;
static struct config_remedy config;
static struct rule *rules[RULES]; /* the second is another kind of the first */
static struct remedies remedies = {.rules = rules, .count = 1};
static enum remedy_order order;
static struct remedy_mark mark;
static FILE *to;
static const struct rpc_asker *asker;
static void *tag; /* of what is asked and not answered; NULL: nothing is */
static uint64_t post_number;
static enum webhook_fate fate;
static int answered_code, reply_code;
static const char *said;

/* ---- its surroundings; tests.mk wraps these ---- */

struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to_room, const struct rpc_method *method,
                               struct bytes message, const struct rpc_peer *peer, const struct rpc_asker *by, void *of);
enum remedy_order __wrap_ruling_order(const struct ruling *r);
int __wrap_ruling_answered(struct ruling *r, struct core *core, enum remedy_order which, uint64_t act, const char *why);
const struct remedy_mark *__wrap_ruling_mark(const struct ruling *r);
const char *__wrap_ruling_name(const struct ruling *r);
const char *__wrap_ruling_said(const struct ruling *r);
void __wrap_ruling_destroy(struct ruling *r);
void __wrap_counters_remedy(struct loop *l, const char *name, const char *what);
uint64_t __wrap_webhook_post(struct webhook *w, const char *url, const char *body);
enum webhook_fate __wrap_webhook_fate(struct webhook *w, uint64_t number);
void __wrap_api_audit_own(struct api *api, const char *what, const char *subject, const char *actor,
                          const char *reason);
int __wrap_core_reply(struct core *c, const struct reply_effect *reply, const struct error_detail *detail);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);

int __wrap_core_reply(struct core *c, const struct reply_effect *reply, const struct error_detail *detail)
{
    (void)c;
    (void)detail;
    ck_assert_uint_eq(reply->token, (uintptr_t)&remedies);
    fprintf(to, "  waits for the journal\n");
    return reply_code;
}

struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to_room, const struct rpc_method *method,
                               struct bytes message, const struct rpc_peer *peer, const struct rpc_asker *by, void *of)
{
    (void)from;
    ck_assert_ptr_null(peer);
    ProtobufCMessage *m = protobuf_c_message_unpack(methods[method->id].request, NULL, message.size, message.at);
    ck_assert_ptr_nonnull(m);
    for (unsigned k = 0; k < LOOPS; k++)
        if (sidecar.rooms[k] == to_room)
            fprintf(to, "  loop %u: %s ", k, method->path);
    message_text_put(to, m);
    fputc('\n', to);
    protobuf_c_message_free_unpacked(m, NULL);
    asker = by;
    tag = of;
    return NULL;
}

enum remedy_order __wrap_ruling_order(const struct ruling *r)
{
    return (const void *)r == (const void *)&mark ? REMEDY_ORDER_ACT : order;
}

int __wrap_ruling_answered(struct ruling *r, struct core *core, enum remedy_order which, uint64_t act, const char *why)
{
    (void)r;
    (void)core;
    fprintf(to, "  answered: order %d of act %" PRIu64 "%s%s\n", which, act, why == NULL ? "" : ": ",
            why == NULL ? "" : why);
    order = REMEDY_ORDER_NONE;
    return answered_code;
}

const struct remedy_mark *__wrap_ruling_mark(const struct ruling *r)
{
    (void)r;
    return &mark;
}

const char *__wrap_ruling_name(const struct ruling *r)
{
    (void)r;
    return "calm";
}

const char *__wrap_ruling_said(const struct ruling *r)
{
    (void)r;
    return said;
}

void __wrap_ruling_destroy(struct ruling *r)
{
    (void)r;
    fprintf(to, "  destroyed\n");
}

void __wrap_counters_remedy(struct loop *l, const char *name, const char *what)
{
    (void)l;
    fprintf(to, "  counted: %s %s\n", name, what);
}

uint64_t __wrap_webhook_post(struct webhook *w, const char *url, const char *body)
{
    (void)w;
    fprintf(to, "  posted to %s: %s\n", url, body);
    return post_number;
}

enum webhook_fate __wrap_webhook_fate(struct webhook *w, uint64_t number)
{
    (void)w;
    ck_assert_uint_eq(number, post_number);
    return fate;
}

void __wrap_api_audit_own(struct api *api, const char *what, const char *subject, const char *actor, const char *reason)
{
    (void)api;
    fprintf(to, "  audit: %s %s by %s, %s\n", what, subject, actor, reason);
}

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, level, text, fields, count, line);
    fprintf(to, "  %s", strchr(line, ' ') + 1);
}

/* ---- one order ---- */

static void begin(enum config_remedy_act act, enum remedy_order which)
{
    s = (struct loop){.sidecar = &sidecar, .remedies = &remedies};
    config.act = act;
    order = which;
    tag = NULL;
    answered_code = reply_code = 0;
    said = "it \"burns\"";
    remedies.keeping = remedies.durable = false;
    remedies.count = 1;
    rules[0] = calloc(1, sizeof *rules[0]); /* the room gives it back when it is let go */
    rules[0]->config = &config;
}

static void put_state(void)
{
    const struct rule *r = rules[0];
    fprintf(to, "  %s%s%s%s%s\n", r->out ? "out " : "", r->stirred ? "stirred " : "", r->kept ? "kept " : "",
            remedies.keeping ? "keeping " : "", s.failure.code != 0 ? "failed" : "");
}

/* The journal has what was decided. */
static void decide(void)
{
    remedies_carry_out(&s);
    if (remedies.keeping)
        remedies_kept(&s, 0);
    remedies_ask(&s);
}

/* The loops answer so, one after the other, as long as any is asked; what is decided meanwhile is not asked for. */
static void answer_all(const int statuses[LOOPS])
{
    for (unsigned k = 0; k < LOOPS && tag != NULL; k++) {
        void *of = tag;
        const struct rpc_told told = {.status = statuses[k], .message = statuses[k] == 13 ? NULL : "no"};
        tag = NULL;
        asker->on_end(&s, of, &told);
    }
}

static void end(void)
{
    if (tag != NULL) { /* the last of it */
        s.cutting = true;
        answer_all((const int[LOOPS]){14, 14, 14});
    }
    free(rules[0]);
}

/* While it runs, stops, cuts off; and when the rule is in force no more. */
static void put_answers(enum config_remedy_act act, enum remedy_order which, const int statuses[LOOPS], int state)
{
    static const char *const states[] = {"", ", while it stops", ", while it cuts off", ", let go"};
    fprintf(to, "act %d order %d: %d %d %d%s\n", act, which, statuses[0], statuses[1], statuses[2], states[state]);
    begin(act, which);
    decide();
    s.stopping = state == 1;
    s.cutting = state == 2;
    if (state == 3) {
        remedies_let_go(rules[0]);
        remedies.count = 0;
    }
    answer_all(statuses);
    if (state == 3) { /* it has given itself back, once it was not out any more */
        ck_assert_ptr_null(tag);
        return;
    }
    put_state();
    end();
}

static void put_orders(void)
{
    static const int answers[] = {0, 5, 14};
    for (int act = CONFIG_REMEDY_RETRY; act < CONFIG_REMEDY_PAGE; act++)
        for (int which = REMEDY_ORDER_ACT; which <= (act == CONFIG_REMEDY_RESET ? 1 : 2); which++)
            put_answers((enum config_remedy_act)act, (enum remedy_order)which, (const int[LOOPS]){0, 0, 0}, 0);
    for (int which = REMEDY_ORDER_ACT; which <= REMEDY_ORDER_UNDO; which++)
        for (int all = 0; all < 27; all++) {
            const int statuses[LOOPS] = {answers[all / 9], answers[all / 3 % 3], answers[all % 3]};
            for (int state = 0; state < 4; state++)
                if (state == 0 || all % 4 == 0)
                    put_answers(CONFIG_REMEDY_HOLD, (enum remedy_order)which, statuses, state);
        }
    for (int status = 1; status <= 16; status++) /* which of them may pass */
        put_answers(CONFIG_REMEDY_TRIP, REMEDY_ORDER_ACT, (const int[LOOPS]){status, 0, 0}, 0);
}

/* ---- pages ---- */

static void put_page(const char *when, const char *what, uint64_t number, enum webhook_fate then)
{
    fprintf(to, "a page, number %" PRIu64 ", fate %d\n", number, then);
    begin(CONFIG_REMEDY_PAGE, REMEDY_ORDER_ACT);
    config.when = when;
    said = what;
    post_number = number;
    fate = then;
    decide();
    fprintf(to, "  page %" PRIu64 " of act %" PRIu64 "\n", rules[0]->page, rules[0]->page_number);
    mark.acts++; /* it may decide again before that is known */
    remedies_follow_pages(&s);
    remedies_follow_pages(&s);
    put_state();
    mark.acts--;
    end();
    config.when = "live > 1";
}

static void put_pages(void)
{
    static char many[2200];
    memset(many, 'm', sizeof many - 1);
    put_page("live > 1", "all", 7, WEBHOOK_SENT);
    put_page("live > 1", "all", 7, WEBHOOK_WAITS);
    put_page("live > 1", "all", 7, WEBHOOK_FAILED);
    put_page("live > 1", "all", 0, WEBHOOK_WAITS);
    put_page("target.matches(\"^a\\\\.b\")\n\t\x01", "q\"\\\x1f\x7f \xc3\xa9", 7, WEBHOOK_SENT);
    put_page(many, many, 7, WEBHOOK_SENT);
}

/* ---- what is durable before it is asked for ---- */

static void put_durable(void)
{
    for (int state = 0; state < 6; state++) {
        struct rule other = {.config = &config, .ruling = (struct ruling *)(void *)&mark};
        fprintf(to, "durable, %d\n", state);
        begin(CONFIG_REMEDY_HOLD, state == 5 ? REMEDY_ORDER_NONE : REMEDY_ORDER_ACT);
        reply_code = state == 1 ? 1 : 0;
        remedies_carry_out(&s);
        put_state();
        remedies_carry_out(&s); /* it waits already */
        if (remedies.keeping)
            remedies_kept(&s, state == 2 ? 1 : 0);
        fprintf(to, "  durable: %d\n", remedies.durable);
        remedies_carry_out(&s);
        rules[1] = &other; /* another has decided since */
        remedies.count = 2;
        s.stopping = state == 3;
        s.failure.code = state == 4 ? 1 : s.failure.code;
        remedies_ask(&s);
        put_state();
        fprintf(to, "  the other: %d %d\n", other.kept, other.out);
        remedies.count = 1;
        answered_code = 1;
        answer_all((const int[LOOPS]){0, 0, 0});
        put_state();
        end();
    }
}

static void put_all(FILE *out)
{
    to = out;
    sidecar.count = LOOPS;
    for (unsigned k = 0; k < LOOPS; k++)
        sidecar.rooms[k] = (struct rpc *)&sidecar.loops[k]; /* only told apart */
    config = (struct config_remedy){.name = "calm",
                                    .when = "live > 1",
                                    .where = "true",
                                    .definition = "order",
                                    .target = "bank",
                                    .url = "https://there",
                                    .per_second = 2};
    mark = (struct remedy_mark){.acts = 3, .acted_at = {.us = INT64_C(1234999999)}};
    put_orders();
    put_pages();
    put_durable();
}

START_TEST(remedies__what_comes_of_each_order)
{
    kept_text_compare("tests/fixtures/runtime/remedies.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "told_remedies", remedies__what_comes_of_each_order);
}
