/* async_reckoning.h - a model of the asynchronous half of the client: arrays that are searched from their first to their last. For a test of one file. */
#ifndef TESTS_SUPPORT_ASYNC_RECKONING_H
#define TESTS_SUPPORT_ASYNC_RECKONING_H

#include "client-lib/src/client_inside.h"

#include <stdio.h>
#include <string.h>

#define MS          INT64_C(1000000)
#define ALL_MAX     160
#define MESSAGE_MAX ((size_t)1 << 20)

static saga_client client;
static int64_t now_ns;
static bool shut, refuses, reached; /* the stream: is refused, and has been given to a connection */

/* ---- what both write ---- */

struct seen {
    char told[4096];
    char sent[4096];
    unsigned opened, cancelled;
    int64_t again;
    size_t outstanding;
    bool readable;
};

static struct seen real, model;

static void say(struct seen *to, unsigned number, int code, const char *reason, const char *words, const char *id,
                bool already)
{
    size_t used = strlen(to->told);
    snprintf(to->told + used, sizeof to->told - used, "%u:%d/%s/%.20s/%s/%d ", number, code, reason, words, id,
             already);
}

static void note(struct seen *to, unsigned number, size_t size)
{
    size_t used = strlen(to->sent);
    snprintf(to->sent + used, sizeof to->sent - used, "%u*%zu ", number, size);
}

/* ---- the model ---- */

struct model_command {
    unsigned number;
    size_t size;
    int64_t deadline;
    bool left, open; /* open: it has not been completed */
    char said[200];  /* with polls: what will be told */
};

static struct model_command commands[ALL_MAX];
static unsigned made, waiting[ALL_MAX], waiting_count, completed[ALL_MAX], completed_count;
static unsigned sent[16][8], sent_sizes[16], sent_count; /* numbers; ALL_MAX: it has timed out */
static bool has_stream, sending, breaking;
static int64_t open_at, pause_ms;

static void model_complete(unsigned n, int code, const char *reason, const char *words, const char *id, bool already)
{
    commands[n].open = false;
    if (!client.options.async_poll) {
        say(&model, n, code, reason, words, id, already);
        model.outstanding--;
        return;
    }
    snprintf(commands[n].said, sizeof commands[n].said, "%u:%d/%s/%.20s/%s/%d ", n, code, reason, words, id, already);
    completed[completed_count++] = n;
}

static void drop_waiting(unsigned place, unsigned count)
{
    memmove(waiting + place, waiting + place + count, (waiting_count - place - count) * sizeof *waiting);
    waiting_count -= count;
}

static void model_expire(unsigned n)
{
    bool waits = false;
    for (unsigned i = 0; i < waiting_count; i++)
        if (waiting[i] == n) {
            drop_waiting(i, 1);
            waits = true;
        }
    for (unsigned i = 0; i < sent_count; i++)
        for (unsigned k = 0; k < sent_sizes[i]; k++)
            if (sent[i][k] == n)
                sent[i][k] = ALL_MAX;
    if (commands[n].left || (has_stream && reached))
        model_complete(n, SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE,
                       waits && !commands[n].left ? "it was still queued behind others"
                                                  : saga_status_text(SAGA_E_DEADLINE_EXCEEDED),
                       "", false);
    else
        model_complete(n, SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, "no connection to the sidecar in time", "",
                       false);
}

static int64_t model_earliest(unsigned *which)
{
    int64_t earliest = WIRE_FOREVER;
    for (unsigned n = 0; n < made; n++)
        if (commands[n].open && commands[n].deadline < earliest) {
            earliest = commands[n].deadline;
            *which = n;
        }
    return earliest;
}

static void model_send(void)
{
    unsigned count = 0;
    size_t size = 0;
    while (count < waiting_count && count < client.options.pipe_commands_max && size < MESSAGE_MAX) {
        size_t more = commands[waiting[count]].size;
        if (count > 0 && more > MESSAGE_MAX - size)
            break;
        size += more;
        sent[sent_count][count] = waiting[count];
        note(&model, waiting[count], more);
        count++;
    }
    if (count == 0)
        return;
    sent_sizes[sent_count++] = count;
    drop_waiting(0, count);
    sending = true;
}

static int64_t model_turn(void)
{
    unsigned which = 0;
    int64_t next;
    while ((next = model_earliest(&which)) <= now_ns)
        model_expire(which);
    if (shut) {
        for (unsigned i = 0; i < waiting_count; i++)
            model_complete(waiting[i], SAGA_E_CANCELLED, SAGA_REASON_CLOSED, "the client is being closed", "", false);
        waiting_count = 0;
        return WIRE_FOREVER;
    }
    if (!has_stream && waiting_count > 0) {
        if (now_ns >= open_at) {
            model.opened++;
            has_stream = !refuses;
            if (refuses) {
                pause_ms += 20;
                open_at = now_ns + pause_ms * MS;
            }
        }
        if (!has_stream)
            return open_at < next ? open_at : next;
    }
    if (has_stream && reached && !sending && !breaking && sent_count < client.options.pipe_messages_max)
        model_send();
    return next;
}

static bool model_lost(int code, const char *reason)
{
    return code == SAGA_E_UNAVAILABLE || (code == SAGA_E_CANCELLED && strcmp(reason, SAGA_REASON_CLOSED) != 0) ||
           ((code == SAGA_E_INTERNAL || code == SAGA_E_UNKNOWN) && reason[0] == '\0') ||
           (code == SAGA_E_RESOURCE_EXHAUSTED && strcmp(reason, SAGA_REASON_MEMORY) == 0);
}

static void model_ended(int code, const char *reason)
{
    unsigned again[ALL_MAX], count = 0;
    bool lost = code == SAGA_OK || model_lost(code, reason);
    pause_ms += 20;
    open_at = now_ns + pause_ms * MS;
    has_stream = sending = breaking = false;
    for (unsigned i = 0; i < sent_count; i++)
        for (unsigned k = 0; k < sent_sizes[i]; k++) {
            unsigned n = sent[i][k];
            if (n == ALL_MAX)
                continue;
            if (!lost && !(commands[n].left && code == SAGA_E_RESOURCE_EXHAUSTED)) {
                model_complete(n, code, reason, "it ended so", "", false);
                continue;
            }
            commands[n].left |= lost;
            again[count++] = n;
        }
    sent_count = 0;
    memmove(waiting + count, waiting, waiting_count * sizeof *waiting);
    memcpy(waiting, again, count * sizeof *waiting);
    waiting_count += count;
}

#endif
