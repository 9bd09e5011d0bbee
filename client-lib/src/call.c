/* call.c - one call on its way through a function: what came with it, and the answer so far. */
#include "client-lib/src/call.h"
#include "client-lib/src/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int call_status(int returned)
{
    return returned >= 0 && returned < SAGA_STATUS_COUNT ? returned : SAGA_E_UNKNOWN;
}

/* ---- what came with it ---- */

struct text_rule {
    size_t offset; /* of the member */
    const char *member;
    const char *metadata;
    size_t bytes_max;
    bool needed;
};

#define TEXT(member, metadata, max, needed) \
    { \
        offsetof(struct saga_call_info, member), #member, metadata, max, needed \
    }

/* Every text of a call, in the order in which they are checked and copied. */
static const struct text_rule texts[] = {
    TEXT(saga_id, "saga-id", SAGA_CALL_ID_BYTES_MAX, true),
    TEXT(definition, "saga-definition", SAGA_CALL_DEFINITION_BYTES_MAX, true),
    TEXT(step, "saga-step", SAGA_CALL_STEP_BYTES_MAX, true),
    TEXT(idempotency_key, "idempotency-key", SAGA_CALL_KEY_BYTES_MAX, true),
    TEXT(action_key, "saga-action-key", SAGA_CALL_KEY_BYTES_MAX, false),
    TEXT(traceparent, "traceparent", SAGA_CALL_TRACEPARENT_BYTES_MAX, false),
    TEXT(method, ":path", SAGA_CALL_METHOD_BYTES_MAX, false),
};

enum { TEXT_COUNT = sizeof texts / sizeof texts[0] };

static const char *text_of(const struct saga_call_info *info, const struct text_rule *rule)
{
    const char *text;
    memcpy(&text, (const char *)info + rule->offset, sizeof text);
    return text != NULL ? text : "";
}

static bool is_printable(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

bool call_method_valid(const char *method)
{
    size_t size = strnlen(method, SAGA_CALL_METHOD_BYTES_MAX + 1);
    if (size > SAGA_CALL_METHOD_BYTES_MAX || !is_printable(method, size) || method[0] != '/')
        return false;
    const char *slash = strchr(method + 1, '/');
    return slash != NULL && slash != method + 1 && slash[1] != '\0' && strchr(slash + 1, '/') == NULL;
}

int call_info_check(const struct saga_call_info *info, bool named_as_members, const char **field, const char **problem)
{
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const struct text_rule *rule = &texts[i];
        const char *text = text_of(info, rule);
        size_t size = strnlen(text, rule->bytes_max + 1);
        *field = named_as_members ? rule->member : rule->metadata;
        *problem = rule->needed && size == 0 ? "is missing" : size > rule->bytes_max ? "is too long" : NULL;
        if (*problem == NULL && !is_printable(text, size))
            *problem = "is not printable ASCII";
        if (*problem != NULL)
            return SAGA_E_INVALID_ARGUMENT;
    }

    bool compensation = info->phase == SAGA_CALL_COMPENSATION;
    const char *action_key = info->action_key != NULL ? info->action_key : "";
    const char *member, *metadata;
    if (!compensation && info->phase != SAGA_CALL_ACTION) {
        member = "phase", metadata = "saga-phase";
        *problem = "is neither action nor compensation";
    } else if (info->attempt < 1) {
        member = "attempt", metadata = "saga-attempt";
        *problem = "is not a number from 1";
    } else if (info->timeout_ms < 0) {
        member = "timeout_ms", metadata = "grpc-timeout";
        *problem = "is negative";
    } else if (compensation
                   ? info->action_outcome != SAGA_CALL_OUTCOME_DONE && info->action_outcome != SAGA_CALL_OUTCOME_UNKNOWN
                   : info->action_outcome != SAGA_CALL_OUTCOME_NONE) {
        member = "action_outcome", metadata = "saga-action-outcome";
        *problem = compensation ? "is neither done nor unknown" : "comes with an action";
    } else if (compensation != (action_key[0] != '\0')) {
        member = "action_key", metadata = "saga-action-key";
        *problem = compensation ? "is missing" : "comes with an action";
    } else if (info->action_started_ms < 0) {
        member = "action_started_ms", metadata = "saga-action-started-ms";
        *problem = "is not a number of milliseconds";
    } else if (strcmp(action_key, info->idempotency_key) == 0) {
        member = "action_key", metadata = "saga-action-key";
        *problem = "is the compensation's own key";
    } else {
        return SAGA_OK;
    }
    *field = named_as_members ? member : metadata;
    return SAGA_E_INVALID_ARGUMENT;
}

int call_init(struct saga_call *call, const struct saga_call_info *info, size_t answer_bytes_max)
{
    memset(call, 0, sizeof *call);
    call->info = *info;
    call->answer_bytes_max = answer_bytes_max;
    call->deadline_ns = wire_deadline(info->timeout_ms > 0 ? info->timeout_ms : -1);
    atomic_init(&call->cancelled, false);

    size_t size = 0;
    for (size_t i = 0; i < TEXT_COUNT; i++)
        size += strlen(text_of(info, &texts[i])) + 1;
    char *at = call->texts = malloc(size);
    if (at == NULL)
        return SAGA_E_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const char *copy = at;
        at = stpcpy(at, text_of(info, &texts[i])) + 1;
        memcpy((char *)&call->info + texts[i].offset, &copy, sizeof copy);
    }
    return SAGA_OK;
}

void call_finish(struct saga_call *call)
{
    free(call->texts);
    free(call->request);
    free(call->answer);
    call->texts = NULL;
    call->request = NULL;
    call->answer = NULL;
}

int saga_call_create(const struct saga_call_info *info, saga_call **out, struct saga_error *error)
{
    const char *field = "info", *problem = "is NULL";
    if (out == NULL)
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "out", "is NULL");
    *out = NULL;
    if (info == NULL || call_info_check(info, true, &field, &problem) != SAGA_OK)
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, field, problem);

    struct saga_call *call = malloc(sizeof *call);
    if (call == NULL)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    if (call_init(call, info, CALL_ANSWER_BYTES_MAX_DEFAULT) != SAGA_OK)
        goto out_of_memory;
    if (info->request_size > 0) {
        call->request = malloc(info->request_size);
        if (call->request == NULL)
            goto out_of_memory;
        memcpy(call->request, info->request, info->request_size);
    }
    call->info.request = call->request;
    *out = call;
    return SAGA_OK;

out_of_memory:
    saga_call_destroy(call);
    return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
}

void saga_call_destroy(saga_call *call)
{
    if (call == NULL)
        return;
    call_finish(call);
    free(call);
}

const struct saga_call_info *saga_call_info(const saga_call *call)
{
    return &call->info;
}

int64_t saga_call_time_left_ms(const saga_call *call)
{
    int64_t left = wire_time_left_ms(call->deadline_ns);
    return left < 0 ? INT64_MAX : left;
}

bool saga_call_cancelled(const saga_call *call)
{
    return atomic_load_explicit(&call->cancelled, memory_order_acquire) || saga_call_time_left_ms(call) == 0;
}

/* ---- the answer ---- */

int saga_call_reply(saga_call *call, const void *bytes, size_t size)
{
    uint8_t *answer = NULL;
    if (bytes == NULL && size > 0)
        return saga_call_fail(call, SAGA_E_INTERNAL, "the function's answer has no bytes");
    if (size > call->answer_bytes_max || (size > 0 && (answer = malloc(size)) == NULL)) {
        free(call->answer);
        call->answer = NULL;
        call->answer_size = 0;
        if (size > call->answer_bytes_max)
            return saga_call_fail(call, SAGA_E_RESOURCE_EXHAUSTED, "the answer has %zu bytes; answer_bytes_max is %zu",
                                  size, call->answer_bytes_max);
        return saga_call_fail(call, SAGA_E_RESOURCE_EXHAUSTED, "no memory is left for the answer");
    }
    if (size > 0)
        memcpy(answer, bytes, size);
    free(call->answer);
    call->answer = answer;
    call->answer_size = size;
    return SAGA_OK;
}

/* The length of the UTF-8 sequence at text of size bytes, or 0 when there is none. */
static size_t utf8_length(const unsigned char *text, size_t size)
{
    size_t length = text[0] < 0x80                      ? 1
                    : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                    : (text[0] & 0xf0) == 0xe0          ? 3
                    : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                        : 0;
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what lies beyond the last code point. */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] >= 0xa0) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] >= 0x90))
        return 0;
    return length;
}

/* The message is stored as text by databases and shown by tools: neither takes broken UTF-8. cut tells that the text was longer, so that a
 * sequence broken by the cut is dropped and not replaced. */
static void make_utf8(char *text, bool cut)
{
    size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        size_t length = utf8_length((unsigned char *)text + at, size - at);
        if (length == 0 && cut && size - at < 4 && (unsigned char)text[at] >= 0xc2) {
            text[at] = '\0';
            return;
        }
        if (length == 0)
            text[at] = '?';
        at += length == 0 ? 1 : length;
    }
}

int saga_call_fail(saga_call *call, int status, const char *format, ...)
{
    /* Not into the message itself: the message so far may be among the arguments. */
    char text[sizeof call->message];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    strcpy(call->message, length < 0 ? "" : text);
    make_utf8(call->message, length >= (int)sizeof call->message);
    return status == SAGA_OK ? SAGA_E_INTERNAL : call_status(status);
}

const void *saga_call_answer(const saga_call *call, size_t *size)
{
    if (size != NULL)
        *size = call->answer_size;
    return call->answer;
}

const char *saga_call_message(const saga_call *call)
{
    return call->message;
}
