/* otlp_logs.c - from a line of the log to a LogRecord. */
#include "sidecar/observe/otlp_logs.h"

#include "sidecar/observe/spans.h"

#include <string.h>

/* More than any line has; what is beyond is left out, and counted in the record. */
#define FIELDS_MAX 16
/* A value as long as the log shows it. */
#define TEXT_SIZE (LOG_VALUE_BYTES_MAX + 1)

/* What spans have, too, has one name in both. */
static const char *name_of(const char *field)
{
    static const char *const names[][2] = {
        {"saga", "saga.id"},         {"definition", "saga.definition"}, {"step", "saga.step"},
        {"attempt", "saga.attempt"}, {"target", "saga.target"},         {"state", "saga.state"},
        {"reason", "saga.reason"},   {"synthetic", "saga.synthetic"},   {"phase", "saga.phase"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(field, names[i][0]) == 0)
            return names[i][1];
    return field;
}

static void set_severity(Otlp__LogRecord *m, enum log_level level)
{
    static const struct {
        Otlp__SeverityNumber number;
        const char *text;
    } severities[] = {
        [LOG_LEVEL_ERROR] = {OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_ERROR, "ERROR"},
        [LOG_LEVEL_WARN] = {OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_WARN, "WARN"},
        [LOG_LEVEL_INFO] = {OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_INFO, "INFO"},
        [LOG_LEVEL_DEBUG] = {OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_DEBUG, "DEBUG"},
    };
    m->severity_number = severities[level].number;
    m->severity_text = (char *)(uintptr_t)severities[level].text;
}

/* The ids of a record, and whether the field is one of them. */
struct ids {
    uint8_t trace[TRACE_ID_SIZE], span[SPAN_ID_SIZE];
};

static bool is_id(Otlp__LogRecord *m, struct ids *ids, const struct log_field *field)
{
    if (field->kind != LOG_KIND_TEXT)
        return false;
    if (strcmp(field->name, "trace_id") == 0 && otlp_id(field->text, ids->trace, TRACE_ID_SIZE)) {
        m->trace_id = (ProtobufCBinaryData){.len = TRACE_ID_SIZE, .data = ids->trace};
        return true;
    }
    if (strcmp(field->name, "span_id") == 0 && otlp_id(field->text, ids->span, SPAN_ID_SIZE)) {
        m->span_id = (ProtobufCBinaryData){.len = SPAN_ID_SIZE, .data = ids->span};
        m->flags = 1; /* only what is sampled has spans */
        return true;
    }
    return false;
}

static void say(struct otlp_attribute *a, const struct log_field *field, char text[TEXT_SIZE])
{
    const char *name = name_of(field->name);
    if (field->kind == LOG_KIND_NUMBER) {
        otlp_say_number(a, name, field->number);
        return;
    }
    if (field->kind == LOG_KIND_SAGA)
        text[saga_id_format(field->saga, text)] = '\0';
    else
        otlp_text(field->text, text, TEXT_SIZE);
    otlp_say(a, name, text);
}

bool otlp_logs_add(struct otlp_queue *q, const struct log_entry *entry)
{
    struct otlp_attribute attributes[FIELDS_MAX];
    Otlp__KeyValue *list[FIELDS_MAX];
    char texts[FIELDS_MAX][TEXT_SIZE], text[TEXT_SIZE];
    struct ids ids;
    Otlp__LogRecord m = OTLP__LOG_RECORD__INIT;
    Otlp__AnyValue body = OTLP__ANY_VALUE__INIT;
    m.time_unix_nano = m.observed_time_unix_nano = (uint64_t)entry->at.us * 1000;
    set_severity(&m, entry->level);
    body.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
    body.string_value = otlp_text(bytes_of_text(entry->text), text, sizeof text);
    m.body = &body;
    m.attributes = list;
    for (size_t i = 0; i < entry->field_count; i++) {
        if (is_id(&m, &ids, &entry->fields[i]))
            continue;
        if (m.n_attributes == FIELDS_MAX) {
            m.dropped_attributes_count++;
            continue;
        }
        say(&attributes[m.n_attributes], &entry->fields[i], texts[m.n_attributes]);
        list[m.n_attributes] = &attributes[m.n_attributes].pair;
        m.n_attributes++;
    }
    return otlp_queue_add(q, &m.base);
}
