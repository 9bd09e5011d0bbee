#include "tests/support/config_text.h"

#include "sidecar/config/config_same.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A long text by its length. */
static void put_text(FILE *out, const char *text)
{
    if (strlen(text) > 60)
        fprintf(out, "\"%.20s...\" of %zu\n", text, strlen(text));
    else
        fprintf(out, "\"%s\"\n", text);
}

static void put_retry(FILE *out, const struct retry_policy *p)
{
    fprintf(out, "%u attempts, %" PRId64 "us to %" PRId64 "us, times %u, jitter %u, statuses %x\n",
            (unsigned)p->max_attempts, p->initial_backoff.us, p->max_backoff.us,
            (unsigned)p->backoff_multiplier_permille, (unsigned)p->jitter_permille,
            (unsigned)p->retryable_status_codes);
}

/* A single value. Lists have their own writers. */
static void put_value(FILE *out, const char *path, const struct option *o, const void *base)
{
    const void *field = (const char *)base + o->offset;
    switch (o->type) {
    case OPTION_TEXT:
        fprintf(out, "%s%s: ", path, o->name);
        put_text(out, *(const char *const *)field);
        return;
    case OPTION_SIZE:
        fprintf(out, "%s%s: %" PRIu64 "\n", path, o->name, *(const uint64_t *)field);
        return;
    case OPTION_SPAN:
        fprintf(out, "%s%s: %" PRId64 "us\n", path, o->name, ((const struct span *)field)->us);
        return;
    case OPTION_BOOL:
        fprintf(out, "%s%s: %s\n", path, o->name, *(const bool *)field ? "true" : "false");
        return;
    case OPTION_RETRY:
    case OPTION_RETRY_COMPENSATION:
        fprintf(out, "%s%s: ", path, o->name);
        put_retry(out, field);
        return;
    case OPTION_COUNT:
    case OPTION_LOG_LEVEL:
    case OPTION_LOG_FORMAT:
    case OPTION_LOAD_BALANCING:
    case OPTION_UNIX_ACCESS:
    case OPTION_STATUS_CODES:
        fprintf(out, "%s%s: %" PRIu32 "\n", path, o->name, *(const uint32_t *)field);
        return;
    case OPTION_RULES:
    case OPTION_LISTEN:
    case OPTION_OBJECTIVES:
    case OPTION_LIMITS:
    case OPTION_SYNTHETICS:
    case OPTION_REMEDIES:
    case OPTION_FAULTS:
    case OPTION_TARGETS:
        return;
    }
}

static void put_objective(FILE *out, const char *path, size_t i, const struct config_objective *o)
{
    fprintf(out, "%s[%zu]: %s success %u, %u in %" PRId64 "us, fresh %u in %" PRId64 "us, window %" PRId64 "us\n", path,
            i, o->definition, (unsigned)o->success, (unsigned)o->latency_percent, o->latency.us,
            (unsigned)o->freshness_percent, o->freshness.us, o->window.us);
}

static void put_promises(FILE *out, const struct config *c)
{
    fprintf(out, "objectives: %zu\n", c->objective_count);
    for (size_t i = 0; i < c->objective_count; i++)
        put_objective(out, "objectives", i, &c->objectives[i]);
    fprintf(out, "synthetics: %zu\n", c->synthetic_count);
    for (size_t i = 0; i < c->synthetic_count; i++) {
        const struct config_synthetic *s = &c->synthetics[i];
        fprintf(out, "synthetics[%zu]: every %" PRId64 "us, deadline %" PRId64 "us\n", i, s->every.us, s->deadline.us);
        fprintf(out, "synthetics[%zu].version: ", i);
        put_text(out, s->version);
        fprintf(out, "synthetics[%zu].input: ", i);
        put_text(out, s->input);
        fprintf(out, "synthetics[%zu].input_json: ", i);
        put_text(out, s->input_json);
        put_objective(out, "synthetics.promised", i, &s->promised);
    }
    fprintf(out, "definition_limits: %zu\n", c->definition_limit_count);
    for (size_t i = 0; i < c->definition_limit_count; i++) {
        const struct config_limit *l = &c->definition_limits[i];
        fprintf(out, "definition_limits[%zu]: %s live %u, %u a second, %u at once\n", i, l->definition,
                (unsigned)l->live_sagas_max, (unsigned)l->starts_per_second, (unsigned)l->starts_burst);
    }
}

static void put_acts(FILE *out, const struct config *c)
{
    fprintf(out, "remediation: %zu\n", c->remedy_count);
    for (size_t i = 0; i < c->remedy_count; i++) {
        const struct config_remedy *m = &c->remediation[i];
        const char *const texts[] = {m->when, m->definition, m->target, m->where, m->url};
        fprintf(out, "remediation[%zu]: %s act %u%s, %u a second, after %" PRId64 "us, every %" PRId64 "us, ", i,
                m->name, (unsigned)m->act, m->acts ? "" : " dry", (unsigned)m->per_second, m->lasts.us, m->every.us);
        fprintf(out, "settle %" PRId64 "us\n", m->settle.us);
        for (size_t k = 0; k < 5; k++) {
            fprintf(out, "remediation[%zu] text %zu: ", i, k);
            put_text(out, texts[k]);
        }
    }
    fprintf(out, "faults: %zu\n", c->fault_count);
    for (size_t i = 0; i < c->fault_count; i++) {
        const struct config_fault *f = &c->faults[i];
        const char *const texts[] = {f->target, f->definition, f->tag, f->tag_value};
        fprintf(out,
                "faults[%zu]: kind %u of calls %u, status %u, permille %u, delay %" PRId64 "us, for %" PRId64 "us\n", i,
                f->kind, f->calls, f->status, (unsigned)f->permille, f->delay.us, f->lasts.us);
        for (size_t k = 0; k < 4; k++) {
            fprintf(out, "faults[%zu] text %zu: ", i, k);
            put_text(out, texts[k]);
        }
    }
}

static void put_rules(FILE *out, const struct authz *z)
{
    fprintf(out, "authorization: %zu rules%s%s\n", z->count, z->given ? ", given" : "", z->by_tags ? ", by tags" : "");
    for (size_t i = 0; i < z->count; i++) {
        const struct authz_rule *r = &z->rules[i];
        fprintf(out, "authorization[%zu]: rights %x, methods %" PRIx64 ", never %x%s, %zu bytes of tags:", i, r->rights,
                r->methods, r->never, r->all_sagas ? ", all sagas" : "", r->tags.size);
        for (size_t k = 0; k < r->tags.size && k < 40; k++)
            fputc(r->tags.at[k] == 0 ? '|' : r->tags.at[k], out);
        fputc('\n', out);
        for (size_t k = 0; k < r->who_count; k++) {
            fprintf(out, "authorization[%zu].who[%zu]: kind %u, number %u, ", i, k, r->who[k].kind,
                    (unsigned)r->who[k].number);
            put_text(out, r->who[k].text == NULL ? "(none)" : r->who[k].text);
        }
        for (size_t k = 0; k < r->definition_count; k++) {
            fprintf(out, "authorization[%zu].definitions[%zu]: ", i, k);
            put_text(out, r->definitions[k]);
        }
    }
}

static void put_targets(FILE *out, const struct config *c)
{
    fprintf(out, "targets: %zu\n", c->target_count);
    for (size_t i = 0; i < c->target_count; i++) {
        char path[128];
        const struct participant *p = &c->participants.at[i];
        snprintf(path, sizeof path, "targets.%s.", c->targets[i].name);
        for (size_t k = 0; k < TARGET_OPTION_COUNT; k++)
            put_value(out, path, &config_target_options[k], &c->targets[i]);
        fprintf(out, "participant %s:%s%s, %" PRId64 "us, %u calls, at ", p->name, p->tls ? " tls" : "",
                p->barrier ? " barrier" : "", p->timeout.us, (unsigned)p->max_concurrent_calls);
        put_text(out, p->address);
    }
    fprintf(out, "participants: %u\n", c->participants.count);
}

static void put_all(const struct config *c, FILE *out)
{
    struct definition_limits l = config_definition_limits(c);
    for (size_t i = 0; i < OPTION_INDEX_COUNT; i++)
        put_value(out, "", &config_options[i], c);
    fprintf(out, "earlier retry: ");
    put_retry(out, &c->earlier_retry);
    fprintf(out,
            "limits of definitions: source %u, answers %" PRId64 "us, steps %u, payload %u, deadline %" PRId64 "us\n",
            (unsigned)l.source_bytes_max, l.last_good_age_max.us, (unsigned)l.steps_max, (unsigned)l.payload_bytes_max,
            l.deadline_max.us);
    fprintf(out, "retries of definitions: ");
    put_retry(out, &l.retry.action);
    fprintf(out, "retries of undos: ");
    put_retry(out, &l.retry.compensation);
    fprintf(out, "certificates: %s\n", config_has_certificates(c) ? "there" : "none");
    fprintf(out, "listen: %zu\n", c->listen_count);
    for (size_t i = 0; i < c->listen_count; i++) {
        fprintf(out, "listen[%zu]: ", i);
        put_text(out, c->listen[i]);
    }
    put_targets(out, c);
    put_rules(out, &c->authorization);
    put_promises(out, c);
    put_acts(out, c);
}

char *config_text(const struct config *c)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputc('\n', out);
    put_all(c, out);
    fclose(out);
    return text;
}

void config_text_result(const char *text, const struct config *base, const char *base_text, char *result)
{
    struct config *c = NULL;
    struct error_detail d = {.text = ""};
    int code = config_read_text(bytes_of_text(text), &c, &d);
    if (code != 0) {
        int used = snprintf(result, CONFIG_TEXT_RESULT_SIZE, "%s", code == E_ARGUMENT ? "" : "syntax ");
        config_describe_error(NULL, code, &d, result + used, CONFIG_TEXT_RESULT_SIZE - (size_t)used);
        return;
    }
    size_t used = 0;
    char *now = config_text(c);
    result[0] = '\0';
    const char *near = base_text + 1; /* most lines are the same in both, one behind the other */
    for (char *line = now + 1, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char whole[1024];
        size_t size = (size_t)(end + 1 - line);
        const char *there = near;
        if (strncmp(near, line, size) != 0) {
            snprintf(whole, sizeof whole, "\n%.*s", (int)size, line);
            there = strstr(base_text, whole);
            near = there != NULL ? there + 1 : strchr(near, '\n') != NULL ? strchr(near, '\n') + 1 : near;
        }
        if (there != NULL)
            near += size;
        else
            used += (size_t)snprintf(result + used, CONFIG_TEXT_RESULT_SIZE - used, "%s%.*s", used == 0 ? "" : "; ",
                                     (int)(end - line), line);
    }
    for (size_t i = 0; i < OPTION_INDEX_COUNT; i++)
        if (!config_same(base, c, (enum option_index)i))
            used += (size_t)snprintf(result + used, CONFIG_TEXT_RESULT_SIZE - used, " != %s", config_options[i].name);
    ck_assert_uint_lt(used, CONFIG_TEXT_RESULT_SIZE);
    free(now);
    config_destroy(c);
}
