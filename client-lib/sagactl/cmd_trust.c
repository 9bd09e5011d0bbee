/* cmd_trust.c - who did what, who may do what, and whether anybody has changed what is written. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/times.h"

#include <stdlib.h>
#include <string.h>

#define NAME_SHOWN 160
#define SAID_SHOWN 600
#define HEADS_MAX  64

/* ---- the audit trail ---- */

static int newest_first(const void *a, const void *b)
{
    struct instant x = times_of((*(Saga__V1__AuditEntry *const *)a)->time);
    struct instant y = times_of((*(Saga__V1__AuditEntry *const *)b)->time);
    return x.us < y.us ? 1 : x.us > y.us ? -1 : 0;
}

/* "Skip", of saga 9f03c1d2a4b7-2a step charge, by ann (spiffe://...): why */
static void put_entry(const struct screen *s, const Saga__V1__AuditEntry *e)
{
    char at[TIMES_TEXT_SIZE], text[NAME_SHOWN], said[SAID_SHOWN];
    fprintf(s->out, "%s  ", times_write(s, times_of(e->time), at));
    screen_put(s, PAINT_STRONG, "%s", screen_clean(s, e->method, text, sizeof text));
    if (e->act[0] != '\0')
        screen_put(s, PAINT_STRONG, " %s", screen_clean(s, e->act, text, sizeof text));
    if (e->saga_id[0] != '\0')
        fprintf(s->out, " %s", screen_clean(s, e->saga_id, text, sizeof text));
    if (e->step[0] != '\0')
        fprintf(s->out, " %s", screen_clean(s, e->step, text, sizeof text));
    if (e->subject[0] != '\0')
        fprintf(s->out, " %s", screen_clean(s, e->subject, text, sizeof text));
    fprintf(s->out, " by %s",
            e->identity[0] == '\0' ? "the sidecar itself" : screen_clean(s, e->identity, text, sizeof text));
    if (e->actor[0] != '\0')
        fprintf(s->out, ", who says %s", screen_clean(s, e->actor, text, sizeof text));
    if (e->address[0] != '\0')
        fprintf(s->out, ", from %s", screen_clean(s, e->address, text, sizeof text));
    fprintf(s->out, "%s%s\n", e->reason[0] != '\0' ? ": " : "", screen_clean(s, e->reason, said, sizeof said));
}

/* Of all loops together no more than were asked for; but entries of one time stay together, so that nothing is lost between two pages. */
static size_t cut(const Saga__V1__ListAuditResponse *page, size_t limit)
{
    size_t count = page->n_entries < limit ? page->n_entries : limit;
    while (count > 0 && count < page->n_entries &&
           times_of(page->entries[count]->time).us == times_of(page->entries[count - 1]->time).us)
        count++;
    return count;
}

int command_audit(struct run *r)
{
    Saga__V1__ListAuditRequest request = SAGA__V1__LIST_AUDIT_REQUEST__INIT;
    Google__Protobuf__Timestamp before = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__ListAuditResponse *page;
    struct instant at;
    request.page_size = (int32_t)r->o.limit;
    if (r->o.before != NULL) {
        times_read(r->o.before, r->screen.now, r->o.utc, &at);
        before.seconds = at.us / 1000000;
        before.nanos = (int32_t)(at.us % 1000000) * 1000;
        request.before = &before;
    }
    int status =
        run_call(r, "/saga.v1.Operator/ListAudit", &request.base, &saga__v1__list_audit_response__descriptor, &page);
    if (status != EXIT_DONE)
        return status;
    if (page->n_entries > 0)
        qsort(page->entries, page->n_entries, sizeof(*page->entries), newest_first);
    size_t all = page->n_entries, shown = cut(page, r->o.limit);
    page->n_entries = shown;
    if (r->o.json)
        status = run_json(r, &page->base, false);
    for (size_t i = 0; i < shown && !r->o.json; i++)
        put_entry(&r->screen, page->entries[i]);
    if (shown == 0 && !r->o.json)
        fputs("nobody has done anything that is kept\n", r->screen.out);
    page->n_entries = all;
    saga__v1__list_audit_response__free_unpacked(page, NULL);
    return status;
}

/* ---- the chains ---- */

static void put_journal(const struct screen *s, const Saga__V1__JournalVerified *j)
{
    char finding[SAID_SHOWN], head[NAME_SHOWN];
    unsigned long long frames = j->first_frame == 0 ? 0 : j->last_frame - j->first_frame + 1;
    unsigned long long rows = j->first_row == 0 ? 0 : j->last_row - j->first_row + 1;
    if (j->finding[0] != '\0') {
        screen_put(s, PAINT_BAD, "loop %d: CHANGED: %s\n", j->loop,
                   screen_clean(s, j->finding, finding, sizeof finding));
        return;
    }
    fprintf(s->out, "loop %d: whole: %llu of %llu frames and %llu of %llu rows of the audit trail are chained\n",
            j->loop, (unsigned long long)j->frames_chained, frames, (unsigned long long)j->rows_chained, rows);
    if (j->head[0] != '\0')
        fprintf(s->out, "        head %d/%s\n", j->loop, screen_clean(s, j->head, head, sizeof head));
}

int command_verify(struct run *r)
{
    Saga__V1__VerifyRequest request = SAGA__V1__VERIFY_REQUEST__INIT;
    Saga__V1__VerifyResponse *answer;
    bool changed = false, chained = false;
    request.heads = (char **)(uintptr_t)r->o.words;
    request.n_heads = r->o.word_count;
    int status =
        run_call(r, "/saga.v1.Operator/Verify", &request.base, &saga__v1__verify_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json)
        status = run_json(r, &answer->base, false);
    for (size_t i = 0; i < answer->n_journals; i++) {
        changed |= answer->journals[i]->finding[0] != '\0';
        chained |= answer->journals[i]->head[0] != '\0';
        if (!r->o.json)
            put_journal(&r->screen, answer->journals[i]);
    }
    if (!chained && !changed)
        run_note(r, "nothing is chained: the sidecar has no audit_key_file");
    saga__v1__verify_response__free_unpacked(answer, NULL);
    return status == EXIT_DONE && changed ? EXIT_REFUSED : status;
}

/* ---- rules ---- */

static const char *extent_words(Saga__V1__Extent extent)
{
    switch (extent) {
    case SAGA__V1__EXTENT__EXTENT_DENIED:
        return "denied";
    case SAGA__V1__EXTENT__EXTENT_SOME:
        return "allowed for some definitions";
    case SAGA__V1__EXTENT__EXTENT_OWN:
        return "allowed for sagas that it has begun";
    case SAGA__V1__EXTENT__EXTENT_TAGS:
        return "allowed for sagas with some tags";
    case SAGA__V1__EXTENT__EXTENT_ALLOWED:
        return "allowed";
    default:
        return "?";
    }
}

static void put_verdict(const struct screen *s, const Saga__V1__Verdict *v)
{
    char method[NAME_SHOWN];
    fprintf(s->out, "%s%s: ", screen_clean(s, v->method, method, sizeof method), v->payloads ? " with payloads" : "");
    screen_put(s, v->extent == SAGA__V1__EXTENT__EXTENT_DENIED ? PAINT_BAD : PAINT_GOOD, "%s", extent_words(v->extent));
    for (size_t i = 0; i < v->n_rules; i++)
        fprintf(s->out, "%s authorization[%u]", i == 0 ? " by" : ",", (unsigned)v->rules[i]);
    fputc('\n', s->out);
}

int command_authz(struct run *r)
{
    Saga__V1__ExplainRequest request = SAGA__V1__EXPLAIN_REQUEST__INIT;
    Saga__V1__ExplainResponse *answer;
    char identity[SAID_SHOWN];
    bool allowed = false;
    if (strcmp(r->o.words[0], "explain") != 0)
        return run_say(r, EXIT_USAGE, "authz takes explain, not \"%.100s\"", r->o.words[0]);
    const char *const asked[] = {r->o.as, r->o.method, r->o.definition};
    char **const fields[] = {&request.as, &request.method, &request.definition};
    for (size_t i = 0; i < 3; i++)
        if (asked[i] != NULL)
            *fields[i] = (char *)(uintptr_t)asked[i];
    int status =
        run_call(r, "/saga.v1.Operator/Explain", &request.base, &saga__v1__explain_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json)
        status = run_json(r, &answer->base, false);
    else if (r->o.method == NULL)
        fprintf(r->screen.out, "%s%s:\n", screen_clean(&r->screen, answer->identity, identity, sizeof identity),
                answer->has_rules ? "" : ", without rules of authorization");
    for (size_t i = 0; i < answer->n_verdicts; i++) {
        allowed |= !answer->verdicts[i]->payloads && answer->verdicts[i]->extent != SAGA__V1__EXTENT__EXTENT_DENIED;
        if (!r->o.json)
            put_verdict(&r->screen, answer->verdicts[i]);
    }
    saga__v1__explain_response__free_unpacked(answer, NULL);
    return status == EXIT_DONE && r->o.method != NULL && !allowed ? EXIT_REFUSED : status;
}
