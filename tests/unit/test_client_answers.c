/* What libsaga makes of the answers of a sidecar: of one in which every field is set, of the same with one field different, of every way in which two tries
 * of a call may end, and of what is heard of leases. It is kept in tests/fixtures/client/answers.txt;
 * `build/release/tests/unit/test_client_answers write` writes that anew, for its difference to be read. */
#include "tests/support/kept_text.h"
#include "tests/support/still_wire.h"
#include "tests/support/vary.h"
#include "tests/support/wire_text.h"

#include <stdlib.h>

static const char path[] = "tests/fixtures/client/answers.txt";

#define STEP "{1:'a' 2:2 3:3 4:5 5:6 6:{1:7 2:8000000} 7:'b' 8:9 9:'broken' 10:'output' 12:'t'}"
#define SAGA \
    "1:{1:'s-1' 2:2 3:'d' 4:'1.0.0' 5:5 6:1 7:3 8:'a' 9:7 10:'b' 11:'r' 12:{1:11 2:12000000} 13:{1:13} 14:{1:14} " \
    "17:" STEP " 17:{1:'b'}} "
#define EVENT \
    "2:{1:'1.0' 2:{1:21 2:22000000} 3:6 4:'s-1' 5:'a' 6:23 7:24 8:'words' 9:3 10:4 11:5 12:6 13:{1:25} 14:'anna' " \
    "15:'d' 16:'uid:1'}"

static saga_client *client;
static char *first;

/* ---- what is seen of a saga ---- */

static void put_info(FILE *to, const struct saga_info *i)
{
    fprintf(to,
            "id:%.70s definition:%.140s version:%.140s request_id:%.140s reason_step:%.140s stuck_step:%.140s state:%d "
            "reason:%d stuck_reason:%d enlisted:%d paused:%d started:%" PRId64 " ended:%" PRId64 " deadline:%" PRId64,
            i->saga_id, i->definition, i->version, i->request_id, i->reason_step, i->stuck_step, i->state, i->reason,
            i->stuck_reason, i->enlisted, i->paused, i->started_at_ms, i->ended_at_ms, i->deadline_ms);
}

static void put_step(FILE *to, const struct saga_step *s)
{
    fprintf(to, " step:%.40s %zu action:%d compensation:%d attempts:%d undos:%d at:%" PRId64 " for:%.40s status:%d",
            s->name, strlen(s->name), s->action, s->compensation, s->action_attempts, s->compensation_attempts,
            s->started_at_ms, s->waiting_for, s->last_status);
    fprintf(to, " message:%.40s output:%d:", s->last_message, s->output != NULL);
    message_text_put_bytes(to, bytes_of(s->output, s->output_size));
}

static void put_event(FILE *to, const struct saga_event *e)
{
    fprintf(to, " event:%.40s type:%d on:%" PRId64 " of:%.40s by:%.40s try:%d code:%d words:%.40s why:%d", e->cursor,
            e->type, e->at_ms, e->saga_id, e->step, e->attempt, e->status, e->message, e->reason);
    fprintf(to, " did:%d undid:%d now:%d next:%" PRId64 " actor:%.40s kind:%.40s", e->action, e->compensation, e->state,
            e->next_attempt_at_ms, e->actor, e->definition);
}

static void see(void *self, const char *what, struct bytes varied)
{
    struct saga_info info;
    struct saga_error error;
    saga_snapshot *snapshot;
    char *line = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&line, &size);
    (void)self;
    calls = 1;
    answer = varied;
    int code = saga_get(client, "s-1", &info, &error);
    if (code != SAGA_OK)
        fprintf(to, "%s %s: %s", saga_status_name(code), error.reason, error.message);
    else
        put_info(to, &info);
    int again = saga_snapshot_get(client, "s-1", 1, &snapshot, &error);
    ck_assert_int_eq(again, code);
    if (snapshot != NULL) {
        ck_assert_mem_eq(saga_snapshot_info(snapshot), &info, sizeof info);
        for (size_t i = 0; i < saga_snapshot_step_count(snapshot) && i < 3; i++)
            put_step(to, saga_snapshot_step(snapshot, i));
        for (size_t i = 0; i < saga_snapshot_event_count(snapshot) && i < 3; i++)
            put_event(to, saga_snapshot_event(snapshot, i));
        size_t steps = saga_snapshot_step_count(snapshot), events = saga_snapshot_event_count(snapshot);
        ck_assert(saga_snapshot_step(snapshot, steps) == NULL && saga_snapshot_event(snapshot, events) == NULL);
        fprintf(to, " counts:%zu/%zu truncated:%d", steps, events, saga_snapshot_truncated(snapshot));
    }
    saga_snapshot_free(snapshot);
    fclose(to);
    if (what == NULL) {
        fprintf(out, "%s\n", line);
        first = line;
        return;
    }
    fprintf(out, "  %s: ", what);
    vary_put_difference(out, first, line);
    fputc('\n', out);
    free(line);
}

static void put_sagas(void)
{
    uint8_t wire[2048];
    size_t size = wire_of_text(SAGA EVENT " 2:{} 3:1", wire, sizeof wire);
    fprintf(out, "a saga: ");
    quiet = true;
    vary(&saga__v1__get_response__descriptor, bytes_of(wire, size), see, NULL);
    quiet = false;
    free(first);
    for (int i = -1; i < 20; i++)
        fprintf(out, "%d %s %s %s %s %s %d\n", i, saga_state_name(i), saga_reason_name(i), saga_action_name(i),
                saga_compensation_name(i), saga_event_name(i), saga_state_final(i));
}

/* ---- two tries of a call ---- */

static const struct end ways[] = {
    {SAGA_OK, NULL, false},
    {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, false},
    {SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE, true},
    {SAGA_E_UNAVAILABLE, SAGA_REASON_LOST, true},
    {SAGA_E_UNAVAILABLE, "STOPPING", false},
    {SAGA_E_CANCELLED, "", true},
    {SAGA_E_CANCELLED, SAGA_REASON_CLOSED, true},
    {SAGA_E_INTERNAL, "", true},
    {SAGA_E_INTERNAL, "JOURNAL_CORRUPT", true},
    {SAGA_E_UNKNOWN, "", false},
    {SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, true},
    {SAGA_E_RESOURCE_EXHAUSTED, "LIVE_SAGAS_MAX", true},
    {SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, true},
    {SAGA_E_NOT_FOUND, "SAGA_NOT_FOUND", true},
};

static void put_tries(void)
{
    static const int64_t times[] = {1000, 1001};
    struct saga_error error;
    answer = bytes_of("\x0a\x03s-1", 5);
    quiet = true;
    for (int fast = 0; fast < 2; fast++) {
        saga_client *one = client_now(fast);
        for (size_t i = 0; i < COUNT(times) * COUNT(ways) * COUNT(ways); i++) {
            const struct end *a = &ways[i / COUNT(ways) % COUNT(ways)], *b = &ways[i % COUNT(ways)];
            struct saga_started started;
            if (a->code == SAGA_OK && b->code != SAGA_OK)
                continue;
            ends[0] = *a;
            ends[1] = *b;
            end_count = 2;
            on_and_on = true;
            calls = 0;
            waited = 0;
            const struct saga_start_options options = {.definition = "d",
                                                       .timeout_ms = times[i / COUNT(ways) / COUNT(ways)]};
            int code = saga_start(one, &options, &started, &error);
            fprintf(out, "%s%" PRId64 " ms: %s %s%s, %s %s%s: %u tries, ", fast ? "fast, " : "", options.timeout_ms,
                    saga_status_name(a->code), text(a->reason), a->left ? " left" : "", saga_status_name(b->code),
                    text(b->reason), b->left ? " left" : "", calls);
            put_result(code, &error);
        }
        end_count = 0;
        on_and_on = false;
        saga_client_close(one);
    }
    quiet = false;
}

/* ---- leases ---- */

static const struct end heard[] = {
    {SAGA_OK, NULL, false},
    {SAGA_E_NOT_FOUND, "SAGA_NOT_FOUND", true},
    {SAGA_E_FAILED_PRECONDITION, "SAGA_ENDED", true},
    {SAGA_E_FAILED_PRECONDITION, "SAGA_TURNED_BACK", true},
    {SAGA_E_FAILED_PRECONDITION, "NOT_ENLISTED_SAGA", true},
    {SAGA_E_INVALID_ARGUMENT, "INVALID_ARGUMENT", true},
};

static void put_leases(void)
{
    static const char *const said[] = {"",
                                       "1:{}",
                                       "1:{1:3}",
                                       "1:{2:1500000}",
                                       "1:{1:-1}",
                                       "1:{2:-1}",
                                       "1:{1:3 2:7000000}",
                                       "1:{1:3155759999}",
                                       "1:{1:3155760000}",
                                       "1:{1:9000000000000000}"};
    struct saga_error error;
    uint8_t wire[64];
    quiet = true;
    for (size_t i = 0; i < COUNT(said) * COUNT(heard); i++) {
        saga_tx *tx;
        int64_t lease = -5;
        waited = 0;
        ck_assert_int_eq(saga_tx_attach(client, "s-1", 700, 3000, &tx, &error), SAGA_OK);
        fprintf(out, "lease %s %s: %" PRId64, said[i % COUNT(said)], text(heard[i / COUNT(said)].reason),
                saga_tx_lease_left_ms(tx));
        answer = bytes_of(wire, wire_of_text(said[i % COUNT(said)], wire, sizeof wire));
        ends[0] = heard[i / COUNT(said)];
        end_count = 1;
        calls = 0;
        answer_takes = 250000000; /* the lease counts from when it was asked for */
        int code = saga_keep_alive(tx, &lease, &error);
        answer_takes = 0;
        end_count = 0;
        fprintf(out, " then %" PRId64 " %" PRId64, lease, saga_tx_lease_left_ms(tx));
        waited += 1000000001;
        fprintf(out, " a second later %" PRId64, saga_tx_lease_left_ms(tx));
        answer = bytes_of(NULL, 0);
        put_result(code, &error);
        ck_assert_int_eq(saga_settle(tx, "a", SAGA_DONE, NULL, 0, &error), SAGA_OK);
        fprintf(out, "  settled %" PRId64, saga_tx_lease_left_ms(tx));
        ck_assert_int_eq(i % 2 == 0 ? saga_commit(tx, &error) : saga_abort(tx, "why", &error), SAGA_OK);
        fprintf(out, " over %" PRId64 "\n", saga_tx_lease_left_ms(tx));
        saga_tx_free(tx);
    }
    quiet = false;
}

/* After a fork, and in a callback on the client's own thread, nothing is asked. */
static void put_refusals(void)
{
    struct saga_error error;
    saga_tx *tx = NULL, *other;
    ck_assert_int_eq(saga_tx_attach(client, "s-1", 700, 3000, &tx, &error), SAGA_OK);
    for (int i = 0; i < 2; i++) {
        forked = i == 0;
        own_thread = i == 1;
        put_result(saga_get(client, "s-1", NULL, &error), &error);
        put_result(saga_commit(tx, &error), &error);
        put_result(saga_tx_attach(client, "s-1", 700, 3000, &other, &error), &error);
        fprintf(out, "  %" PRId64 "\n", saga_tx_lease_left_ms(tx));
        if (i == 0)
            saga_client_shutdown(client);
        else
            saga_tx_free(other);
        ck_assert(!client->shut);
    }
    forked = own_thread = false;
    put_result(saga_tx_attach(client, NULL, 700, 3000, &other, &error), &error);
    put_result(saga_tx_attach(client, "s-1", -1, 3000, &other, &error), &error);
    put_result(saga_tx_attach(client, "s-1", 1, 3000, NULL, &error), &error);
    ends[0] = (struct end){SAGA_E_FAILED_PRECONDITION, "SAGA_ENDED", true};
    end_count = 1;
    calls = 0;
    ck_assert_int_eq(saga_commit(tx, NULL), SAGA_E_FAILED_PRECONDITION);
    end_count = 0;
    error.code = 77;
    ck_assert_int_eq(saga_get(client, "s-1", NULL, &error), SAGA_E_INTERNAL);
    answer = bytes_of("\x0a\x00", 2);
    error.code = 77;
    ck_assert_int_eq(saga_get(client, "s-1", NULL, &error), SAGA_OK);
    ck_assert_int_eq(error.code, 77); /* what succeeds leaves it alone */
    for (int i = -1; i < 18; i++) {
        memset(&error, 'x', sizeof error);
        put_result(saga_error_set(&error, i, i % 2 == 0 ? NULL : "REASON", i % 3 == 0 ? NULL : "field",
                                  i % 4 == 0 ? NULL : "words"),
                   &error);
        fprintf(out, "  %d %" PRId64 " %s %s\n", error.code, error.retry_delay_ms, saga_status_name(i),
                saga_status_text(i));
    }
    saga_tx_free(tx);
    saga_tx_free(NULL);
    saga_client_shutdown(client);
    ck_assert(client->shut);
}

static void put_all(FILE *to)
{
    out = to;
    client = client_now(false);
    put_sagas();
    put_tries();
    put_leases();
    put_refusals();
    saga_client_close(client);
    saga_client_close(NULL);
}

START_TEST(client__answers_are_told_in_these_words)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "client_answers", client__answers_are_told_in_these_words);
}
