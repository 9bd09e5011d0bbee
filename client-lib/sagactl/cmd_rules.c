/* cmd_rules.c - what the sidecar does by itself: its rules shown, armed, and what one did taken back. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/times.h"

#include <string.h>

#define FIELD 512

static const char *const acts[] = {"?", "retry", "hold", "trip", "reset", "page"};

static const char *state_of(const Saga__V1__Rule *rule)
{
    return rule->order == SAGA__V1__RULE_ORDER__RULE_ORDER_UNDO  ? "taking back"
           : rule->order == SAGA__V1__RULE_ORDER__RULE_ORDER_ACT ? "acting"
           : rule->disarmed                                      ? "disarmed"
           : rule->dry_run                                       ? "dry-run"
           : rule->held                                          ? "holds"
           : rule->pending                                       ? "to be judged"
           : rule->true_since != NULL                            ? "true"
                                                                 : "armed";
}

static void put_rule(const struct screen *s, const Saga__V1__Rule *rule)
{
    char name[FIELD], what[FIELD], about[FIELD], ago[TIMES_TEXT_SIZE] = "never", text[FIELD];
    const char *on = rule->act == SAGA__V1__RULE_ACT__RULE_ACT_TRIP || rule->act == SAGA__V1__RULE_ACT__RULE_ACT_RESET
                         ? rule->target
                         : rule->definition;
    snprintf(what, sizeof what, "%s %.200s", (unsigned)rule->act < sizeof acts / sizeof acts[0] ? acts[rule->act] : "?",
             screen_clean(s, on, about, sizeof about));
    if (rule->acted_at != NULL)
        times_write_span(instant_since(s->now, times_of(rule->acted_at)), ago);
    screen_cell(s, PAINT_NONE, screen_clean(s, rule->name, name, sizeof name), 20);
    fputs("  ", s->out);
    screen_cell(s, PAINT_NONE, what, 24);
    fputs("  ", s->out);
    screen_cell(s,
                rule->disarmed                ? PAINT_BAD
                : rule->held || rule->pending ? PAINT_WARN
                                              : PAINT_NONE,
                state_of(rule), 12);
    fprintf(s->out, "  %5llu  %s\n", (unsigned long long)rule->acts, ago);
    fputs("    when ", s->out);
    screen_rest(s, PAINT_DIM, screen_clean(s, rule->when, text, sizeof text), 9);
    fputc('\n', s->out);
    if (rule->said[0] == '\0')
        return;
    fputs("    ", s->out);
    screen_wrap(s, rule->disarmed ? PAINT_BAD : PAINT_NONE, screen_clean(s, rule->said, text, sizeof text), 4, 4);
}

static int list(struct run *r)
{
    Saga__V1__ListRulesRequest request = SAGA__V1__LIST_RULES_REQUEST__INIT;
    Saga__V1__ListRulesResponse *answer;
    int status =
        run_call(r, "/saga.v1.Operator/ListRules", &request.base, &saga__v1__list_rules_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json) {
        status = run_json(r, &answer->base, false);
    } else if (answer->n_rules == 0) {
        fputs("There are no rules: remediation in sagad.yaml says what is done, and when.\n", r->screen.out);
    } else {
        screen_put(&r->screen, PAINT_DIM, "%-20s  %-24s  %-12s  %5s  %s\n", "RULE", "DOES", "IS", "TIMES", "LAST");
        for (size_t i = 0; i < answer->n_rules; i++)
            put_rule(&r->screen, answer->rules[i]);
    }
    saga__v1__list_rules_response__free_unpacked(answer, NULL);
    return status;
}

int command_rules(struct run *r)
{
    if (r->o.word_count == 0)
        return list(r);
    bool arm = strcmp(r->o.words[0], "arm") == 0;
    Saga__V1__ChangeRuleRequest request = SAGA__V1__CHANGE_RULE_REQUEST__INIT;
    ProtobufCMessage *answer;
    request.name = r->o.words[1];
    request.change = arm ? SAGA__V1__RULE_CHANGE__RULE_CHANGE_ARM : SAGA__V1__RULE_CHANGE__RULE_CHANGE_UNDO;
    request.actor = r->o.actor;
    if (r->o.reason != NULL)
        request.reason = (char *)(uintptr_t)r->o.reason;
    int status = run_call(r, "/saga.v1.Operator/ChangeRule", &request.base, &saga__v1__change_rule_response__descriptor,
                          &answer);
    if (status != EXIT_DONE)
        return status;
    protobuf_c_message_free_unpacked(answer, NULL);
    if (!r->o.json)
        fprintf(r->screen.out, arm ? "rule %s is armed\n" : "what rule %s did is taken back, and it is disarmed\n",
                r->o.words[1]);
    else if (json_put(r->screen.out, json_pack("{sssb}", "rule", r->o.words[1], "armed", arm), false) != 0)
        status = run_say(r, EXIT_REFUSED, "it is done, but there is no memory to say so");
    return status;
}
