/* fuzz_definition.c - any bytes as the text of a definition: it is refused with words, or what comes out is sound, and lint judges it. The schema
 * "shapes" is there (tests/support/shapes.proto). */
#include "sidecar/base/check.h"
#include "sidecar/base/utf8.h"
#include "sidecar/definition/reader.h"
#include "sidecar/lint/lint.h"
#include "tests/support/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void check_call(const struct definition *d, const struct step_spec *step, const struct call_spec *call,
                       const struct definition_limits *limits)
{
    CHECK(definition_method_valid(bytes_of_text(call->method)));
    CHECK(definition_name_valid(bytes_of_text(call->target), STEP_NAME_BYTES_MAX));
    CHECK(call->timeout.us >= 0 && call->timeout.us <= limits->deadline_max.us);
    CHECK(call->retry.max_attempts >= 1 && call->retry.max_attempts <= 1000);
    CHECK(call->retry.initial_backoff.us > 0 && call->retry.initial_backoff.us <= call->retry.max_backoff.us);
    CHECK(call->retry.backoff_multiplier_permille >= 1000 && call->retry.jitter_permille <= 1000);
    CHECK(call->constant.size <= limits->payload_bytes_max);
    CHECK(call->source != REQUEST_OUTPUT ||
          (call->source_step < d->step_count && step_set_has(&step->ancestors, call->source_step)));
    CHECK(call->source != REQUEST_OWN_OUTPUT || call == &step->compensation);
}

static void check_definition(const struct definition *d, const struct definition_limits *limits)
{
    CHECK(definition_name_valid(bytes_of_text(d->name), NAME_BYTES_MAX) && definition_version_valid(d->version));
    CHECK(d->step_count >= 1 && d->step_count <= limits->steps_max);
    CHECK(d->pivot_step >= -1 && d->pivot_step < d->step_count);
    for (unsigned i = 0; i < d->step_count; i++) {
        const struct step_spec *step = &d->steps[i];
        CHECK(definition_step_find(d, bytes_of_text(step->name)) == (int)i);
        CHECK(!step_set_has(&step->ancestors, i) && step_set_within(&step->after, &step->ancestors));
        CHECK(step->pivot == (d->pivot_step == (int)i));
        check_call(d, step, &step->action, limits);
        if (step->has_compensation)
            check_call(d, step, &step->compensation, limits);
        if (d->pivot_step >= 0 && (unsigned)d->pivot_step != i)
            CHECK(step_set_has(&step->ancestors, (unsigned)d->pivot_step) !=
                  step_set_has(&d->steps[d->pivot_step].ancestors, i));
    }
}

static void judge(const struct definition *d)
{
    static const struct participant known[] = {{.name = "t", .timeout = {.us = 10000000}}, {.name = "u"}};
    static struct lint_report report;
    struct participants participants = {.at = known, .count = 2};
    report.count = report.more = 0;
    CHECK(lint_definition(d, &participants, &report) == 0);
    for (unsigned i = 0; i < report.count; i++) {
        const struct lint_finding *f = &report.findings[i];
        CHECK(f->rule < LINT_RULE_COUNT && f->line > 0 && f->column > 0);
        CHECK(f->text[0] != '\0' && memchr(f->text, '\0', sizeof f->text) != NULL &&
              utf8_valid(bytes_of_text(f->text)));
        CHECK(i == 0 || report.findings[i - 1].line <= f->line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    limits.schemas = shapes_schemas();
    int code = definition_read(bytes_of(at, size), &limits, &d, &detail);
    if (code != 0) {
        CHECK(error_row(code) != NULL && d == NULL);
        CHECK(memchr(detail.text, '\0', sizeof detail.text) != NULL && detail.line >= 0);
        return 0;
    }
    check_definition(d, &limits);
    judge(d);
    CHECK(bytes_equal(d->source, bytes_of(at, size)));
    definition_destroy(d);
    return 0;
}
