/* cmd_slo.c - what is promised of definitions and how it is kept; and Prometheus' rules for it. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/times.h"

#include "sidecar/definition/quantity.h"

#include <string.h>

#define FIELD   256
#define WINDOWS 8

static const char *const kinds[] = {"?", "success", "latency", "freshness", "synthetic_success", "synthetic_latency"};
/* Of the answer's windows those that are shown. */
static const struct {
    const char *name;
    unsigned index;
} shown[] = {{"5m", 0}, {"1h", 2}, {"6h", 4}, {"3d", 6}};

/* Of all loops. */
struct promise {
    const Saga__V1__Objective *first;
    uint64_t all[WINDOWS], bad[WINDOWS];
};

static const char *kind_of(const Saga__V1__Objective *o)
{
    return (unsigned)o->kind < sizeof kinds / sizeof kinds[0] ? kinds[o->kind] : "?";
}

/* What a guest has counted, before it was taken over, too, is another's budget. */
static bool is_same(const Saga__V1__Objective *a, const Saga__V1__Objective *b)
{
    return a->kind == b->kind && strcmp(a->definition, b->definition) == 0 && strcmp(a->journal, b->journal) == 0;
}

/* Adds up those that are the same as the one at this index; false when it was added to one before. */
static bool add_up(const Saga__V1__ListObjectivesResponse *m, size_t index, struct promise *p)
{
    *p = (struct promise){.first = m->objectives[index]};
    for (size_t i = 0; i < m->n_objectives; i++) {
        const Saga__V1__Objective *o = m->objectives[i];
        if (!is_same(o, p->first))
            continue;
        if (i < index)
            return false;
        for (size_t k = 0; k < o->n_windows && k < WINDOWS; k++) {
            p->all[k] += o->windows[k]->all;
            p->bad[k] += o->windows[k]->bad;
        }
    }
    return true;
}

static double burn(const struct promise *p, unsigned window)
{
    double may = 1 - p->first->promised;
    return p->all[window] == 0 || may <= 0 ? 0 : (double)p->bad[window] / (double)p->all[window] / may;
}

/* "latency under 5s" */
static char *promise_text(const Saga__V1__Objective *o, char text[FIELD])
{
    char threshold[QUANTITY_TEXT_SIZE];
    quantity_write_span(times_span_of(o->threshold), threshold);
    snprintf(text, FIELD, "%s%s%s", kind_of(o), o->threshold != NULL ? " under " : "",
             o->threshold != NULL ? threshold : "");
    return text;
}

static void put_promise(const struct screen *s, const struct promise *p)
{
    char name[FIELD], text[FIELD], share[32];
    double left = 100 * (1 - burn(p, WINDOWS - 1));
    left = left > -0.05 && left < 0.05 ? 0 : left;
    screen_cell(s, PAINT_NONE, screen_clean(s, p->first->definition, name, sizeof name), 24);
    fputs("  ", s->out);
    screen_cell(s, PAINT_NONE, promise_text(p->first, text), 22);
    snprintf(share, sizeof share, "%.5g%%", 100 * p->first->promised);
    fprintf(s->out, "  %8s %10llu %8llu  ", share, (unsigned long long)p->all[WINDOWS - 1],
            (unsigned long long)p->bad[WINDOWS - 1]);
    screen_put(s, left <= 0 ? PAINT_BAD : left < 25 ? PAINT_WARN : PAINT_NONE, "%9.1f%%", left);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        double rate = burn(p, shown[i].index);
        screen_put(s, rate >= 6 ? PAINT_BAD : rate >= 1 ? PAINT_WARN : PAINT_NONE, " %7.3g", rate);
    }
    fputc('\n', s->out);
}

static bool is_first_of_guest(const Saga__V1__ListObjectivesResponse *m, size_t index)
{
    const char *journal = m->objectives[index]->journal;
    for (size_t i = 0; i < index; i++)
        if (strcmp(m->objectives[i]->journal, journal) == 0)
            return false;
    return journal[0] != '\0';
}

static void put_guest(const struct screen *s, const Saga__V1__ListObjectivesResponse *m, const char *journal)
{
    char name[FIELD];
    struct promise p;
    screen_put(s, PAINT_DIM, "taken over: %s\n", screen_clean(s, journal, name, sizeof name));
    for (size_t i = 0; i < m->n_objectives; i++)
        if (strcmp(m->objectives[i]->journal, journal) == 0 && add_up(m, i, &p))
            put_promise(s, &p);
}

static void put_all(const struct run *r, const Saga__V1__ListObjectivesResponse *m)
{
    const struct screen *s = &r->screen;
    struct promise p;
    if (m->n_objectives == 0) {
        fputs("Nothing is promised: objectives in sagad.yaml says what is.\n", s->out);
        return;
    }
    screen_put(s, PAINT_DIM, "%-24s  %-22s  %8s %10s %8s  %10s %s\n", "DEFINITION", "OBJECTIVE", "PROMISED", "COUNTED",
               "BAD", "LEFT", "   BURN 5m     1h      6h      3d");
    for (size_t i = 0; i < m->n_objectives; i++)
        if (m->objectives[i]->journal[0] == '\0' && add_up(m, i, &p))
            put_promise(s, &p);
    for (size_t i = 0; i < m->n_objectives; i++)
        if (is_first_of_guest(m, i))
            put_guest(s, m, m->objectives[i]->journal);
}

/* ---- rules ---- */

static const struct {
    const char *alert, *severity, *longer, *shorter;
    double burn;
    const char *runbook;
} alerts[] = {{"Fast", "page", "1h", "5m", 14.4, "SagadSloBurning"},
              {"Steady", "page", "6h", "30m", 6, "SagadSloBurning"},
              {"Slow", "ticket", "1d", "2h", 3, "SagadSloSpending"},
              {"Creeping", "ticket", "3d", "6h", 1, "SagadSloSpending"}};
static const char *const rates[] = {"5m", "30m", "1h", "2h", "6h", "1d", "3d"};

/* A definition's name as a piece of an alert's: letters, digits and '_' alone. */
static char *rule_name(const char *definition, char text[FIELD])
{
    size_t used = 0;
    for (; definition[used] != '\0' && used + 1 < FIELD; used++) {
        char c = definition[used];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        text[used] = plain ? c : '_';
    }
    text[used] = '\0';
    return text;
}

static void put_rules(FILE *out, const Saga__V1__Objective *o)
{
    char name[FIELD];
    const char *kind = kind_of(o);
    rule_name(o->definition, name);
    fprintf(out, "  - name: sagad-slo-%s-%s\n    rules:\n", o->definition, kind);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        fprintf(out,
                "      - record: sagad:slo_bad:ratio_rate%s\n"
                "        labels: {definition: \"%s\", objective: \"%s\"}\n"
                "        expr: |\n"
                "          sum(rate(sagad_slo_bad_events_total{definition=\"%s\", objective=\"%s\"}[%s]))\n"
                "          / sum(rate(sagad_slo_events_total{definition=\"%s\", objective=\"%s\"}[%s]))\n",
                rates[i], o->definition, kind, o->definition, kind, rates[i], o->definition, kind, rates[i]);
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++)
        fprintf(out,
                "      - alert: SagadSlo%s_%s_%s\n"
                "        expr: |\n"
                "          sagad:slo_bad:ratio_rate%s{definition=\"%s\", objective=\"%s\"} > %g * %.9g\n"
                "          and sagad:slo_bad:ratio_rate%s{definition=\"%s\", objective=\"%s\"} > %g * %.9g\n"
                "        labels: {severity: %s, definition: \"%s\", objective: \"%s\"}\n"
                "        annotations:\n"
                "          summary: '%s: what is promised of %s is used up %g times as fast as it may be'\n"
                "          runbook: sagactl runbook %s\n"
                "          runbook_url: \"{{ with $externalLabels.runbooks_sagad }}{{ . }}/%s{{ end }}\"\n",
                alerts[i].alert, name, kind, alerts[i].longer, o->definition, kind, alerts[i].burn, 1 - o->promised,
                alerts[i].shorter, o->definition, kind, alerts[i].burn, 1 - o->promised, alerts[i].severity,
                o->definition, kind, o->definition, kind, alerts[i].burn, alerts[i].runbook, alerts[i].runbook);
}

int command_slo(struct run *r)
{
    Saga__V1__ListObjectivesRequest request = SAGA__V1__LIST_OBJECTIVES_REQUEST__INIT;
    Saga__V1__ListObjectivesResponse *answer;
    struct promise p;
    bool rules = r->o.word_count > 0;
    if (rules && strcmp(r->o.words[0], "rules") != 0)
        return run_say(r, EXIT_USAGE, "\"%.100s\" is not rules", r->o.words[0]);
    int status = run_call(r, "/saga.v1.Operator/ListObjectives", &request.base,
                          &saga__v1__list_objectives_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json) {
        status = run_json(r, &answer->base, false);
    } else if (!rules) {
        put_all(r, answer);
    } else {
        fputs(
            "# From sagactl slo rules: burn rates of all instances together, by the windows of Google's SRE workbook.\n"
            "groups:\n",
            r->screen.out);
        for (size_t i = 0; i < answer->n_objectives; i++)
            if (answer->objectives[i]->journal[0] == '\0' && add_up(answer, i, &p))
                put_rules(r->screen.out, p.first);
    }
    saga__v1__list_objectives_response__free_unpacked(answer, NULL);
    return status;
}
