/* still_wire.h - a wire of which nothing leaves, and on which time stands still but for the pauses between two tries: what is asked is written, and
 * answered as the test says. For programs of one file, which stand in for the functions of wire.h (tests.mk: STILL_WIRE). */
#ifndef TESTS_SUPPORT_STILL_WIRE_H
#define TESTS_SUPPORT_STILL_WIRE_H

#include "client-lib/src/client_inside.h"
#include "tests/support/message_text.h"

#include <saga/saga.h>

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOW         INT64_C(1000000000)
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* How a call ends. */
struct end {
    int code;
    const char *reason;
    bool left;
};

static FILE *out;
static bool quiet;         /* what is asked is not written */
static struct end ends[4]; /* of the next calls; OK behind them */
static unsigned end_count, calls;
static bool on_and_on;       /* every call behind them ends as the last of them */
static struct bytes answer;  /* what is answered when all is well */
static int64_t waited;       /* by which time has moved: each pause between two tries is half a second */
static int64_t answer_takes; /* nanoseconds, by which waited moves before one comes */
static bool forked, own_thread;

/* ---- the wire ---- */

int __wrap_wire_open(const struct wire_options *o, struct wire **wire, struct saga_error *error);
void __wrap_wire_close(struct wire *w);
void __wrap_wire_shutdown(struct wire *w);
void __wrap_wire_wake(struct wire *w);
bool __wrap_wire_forked(const struct wire *w);
bool __wrap_wire_is_own_thread(const struct wire *w);
const char *__wrap_wire_address(const struct wire *w);
int64_t __wrap_wire_now(void);
int64_t __wrap_wire_deadline(int64_t timeout_ms);
int64_t __wrap_wire_time_left_ms(int64_t deadline);
int64_t __wrap_wire_backoff(int64_t *delay_ms);
int __wrap_wire_call(struct wire *w, struct wire_call *call, struct saga_error *error);
void __wrap_request_id_make(char *room);

static const char *text(const char *t)
{
    return t == NULL ? "-" : t;
}

int __wrap_wire_open(const struct wire_options *o, struct wire **wire, struct saga_error *error)
{
    static char one[1];
    *wire = (struct wire *)(void *)one;
    if (!quiet)
        fprintf(out, "  opens %s tls %s %s %s %s message_bytes_max %zu\n", text(o->address), text(o->tls.certificate),
                text(o->tls.key), text(o->tls.roots), text(o->tls.identity), o->message_bytes_max);
    ck_assert(o->hooks.turn != NULL && o->hooks.self != NULL);
    if (o->address != NULL && strcmp(o->address, "nowhere") == 0) {
        *wire = NULL;
        return saga_error_set(error, SAGA_E_INTERNAL, SAGA_REASON_SYSTEM, NULL, "no thread could be made");
    }
    return SAGA_OK;
}

void __wrap_wire_close(struct wire *w)
{
    (void)w;
}

void __wrap_wire_shutdown(struct wire *w)
{
    (void)w;
}

void __wrap_wire_wake(struct wire *w)
{
    (void)w;
}

bool __wrap_wire_forked(const struct wire *w)
{
    (void)w;
    return forked;
}

bool __wrap_wire_is_own_thread(const struct wire *w)
{
    (void)w;
    return own_thread;
}

const char *__wrap_wire_address(const struct wire *w)
{
    (void)w;
    return "somewhere";
}

int64_t __wrap_wire_now(void)
{
    return NOW + waited;
}

int64_t __wrap_wire_deadline(int64_t timeout_ms)
{
    return timeout_ms < 0 ? WIRE_FOREVER : NOW + waited + timeout_ms * 1000000;
}

int64_t __wrap_wire_time_left_ms(int64_t deadline)
{
    return deadline == WIRE_FOREVER ? -1 : deadline <= NOW + waited ? 0 : (deadline - NOW - waited) / 1000000;
}

int64_t __wrap_wire_backoff(int64_t *delay_ms)
{
    (void)delay_ms;
    waited += 500000000;
    return 0;
}

void __wrap_request_id_make(char *room)
{
    strcpy(room, "made");
}

int __wrap_wire_call(struct wire *w, struct wire_call *call, struct saga_error *error)
{
    (void)w;
    if (!quiet && calls == 0) {
        fprintf(out, "  asks %s ", call->method);
        message_text_put(out, call->request);
        fprintf(out, " within %" PRId64 " ms%s\n",
                call->deadline == WIRE_FOREVER ? -1 : (call->deadline - NOW - waited) / 1000000,
                call->wait_for_ready ? "" : ", now or never");
    }
    unsigned which = calls++;
    if (on_and_on && which >= end_count)
        which = end_count - 1;
    call->response = NULL;
    if (which < end_count && ends[which].code != SAGA_OK) {
        call->left = ends[which].left;
        return saga_error_set(error, ends[which].code, ends[which].reason, NULL, "it ended so");
    }
    waited += answer_takes;
    call->response = protobuf_c_message_unpack(call->response_type, NULL, answer.size, answer.at);
    ck_assert_ptr_nonnull(call->response);
    return SAGA_OK;
}

/* ---- results ---- */

static void put_result(int code, const struct saga_error *error)
{
    if (code == SAGA_OK)
        fprintf(out, "  is OK\n");
    else
        fprintf(out, "  is %s %s at %s: %s\n", saga_status_name(code), error->reason, error->field, error->message);
    ck_assert(code == SAGA_OK || error->code == code);
}

static saga_client *client_of(const struct saga_client_options *options)
{
    saga_client *client = NULL;
    struct saga_error error;
    int code = saga_client_open(options, &client, &error);
    if (!quiet)
        put_result(code, &error);
    return client;
}

static saga_client *client_now(bool fail_fast)
{
    bool before = quiet;
    quiet = true;
    saga_client *client = client_of(&(struct saga_client_options){.fail_fast = fail_fast, .lease_keeper_off = true});
    quiet = before;
    calls = 0;
    waited = 0;
    return client;
}

#endif
