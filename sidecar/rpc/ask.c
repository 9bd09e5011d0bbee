/* ask.c - one loop asks another of the same process, as a client would ask it over a socket.
 *
 * The loop that is asked gets a call like any other, and answers it like any other; what it says travels back as
 * letters (inbox.h). Bytes are copied when they cross; beyond that the two share one struct, and each touches only its
 * own part of it. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/account.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Letters read in one turn, so that the owner commits even when more keep coming. */
#define LETTERS_MAX 1024

struct rpc_ask {
    struct rpc *from;
    struct rpc *to;
    const struct rpc_method *method;
    struct rpc_peer peer; /* on whose behalf; stays as it is made */
    int64_t since_us;     /* likewise: when, by a clock that goes on while the machine sleeps */
    const struct rpc_asker *asker;
    void *tag;
    struct rpc_call *served; /* of the loop that was asked: NULL before it has heard, and once it has ended it */
    atomic_uint holders;     /* who asks, who is asked, and every letter on its way */
};

enum kind {
    ASK,     /* the request; to the one who is asked, like the next two */
    CANCEL,  /* nobody waits for it any more */
    TOOK,    /* the message has been passed on: there is room for the next */
    MESSAGE, /* of a stream; to the one who asked, like the next one */
    END,     /* the answer of a unary call, or a status */
};

struct post {
    struct letter letter;
    struct rpc_ask *ask;
    enum kind kind;
    size_t size; /* of the bytes */
    int status;
    struct bytes body, text, details; /* within bytes; the text with its NUL */
    uint8_t bytes[];
};

static void drop(struct post *post)
{
    account_sub(&account.leaving, post->size);
    free(post);
}

static void let_go(struct rpc_ask *ask)
{
    if (atomic_fetch_sub(&ask->holders, 1) == 1)
        free(ask);
}

static struct bytes put(struct post *post, size_t *used, struct bytes bytes)
{
    if (bytes.size == 0)
        return bytes_of(NULL, 0);
    uint8_t *at = post->bytes + *used;
    memcpy(at, bytes.at, bytes.size);
    *used += bytes.size;
    return bytes_of(at, bytes.size);
}

static void send(struct rpc_ask *ask, enum kind kind, const struct rpc_told *told)
{
    struct rpc *from = kind <= TOOK ? ask->from : ask->to, *to = kind <= TOOK ? ask->to : ask->from;
    struct bytes text = bytes_of(told->message, told->message == NULL ? 0 : strlen(told->message) + 1);
    size_t size = told->body.size + text.size + told->details.size;
    struct post *post = rpc_allocate(sizeof *post + size);
    size_t used = 0;
    post->size = size;
    account_add(&account.leaving, size);
    post->ask = ask;
    post->kind = kind;
    post->status = told->status;
    post->body = put(post, &used, told->body);
    post->text = put(post, &used, text);
    post->details = put(post, &used, told->details);
    atomic_fetch_add(&ask->holders, 1);
    inbox_put(&to->inbox, &post->letter);
    if (to == from) /* reads it before it waits */
        return;
    for (size_t i = 0; i < from->to_wake_count; i++)
        if (from->to_wake[i] == to)
            return;
    CHECK(from->to_wake_count < RPC_ROOMS_MAX);
    from->to_wake[from->to_wake_count++] = to;
}

static int64_t boottime_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- who asks ---- */

struct rpc_ask *rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                        const struct rpc_peer *peer, const struct rpc_asker *asker, void *tag)
{
    struct rpc_ask *ask = rpc_allocate(sizeof *ask);
    ask->from = from;
    ask->to = to;
    ask->method = method;
    if (peer != NULL)
        ask->peer = *peer;
    ask->asker = asker;
    ask->tag = tag;
    ask->since_us = boottime_us();
    atomic_init(&ask->holders, 1);
    send(ask, ASK, &(struct rpc_told){.body = message});
    return ask;
}

void rpc_ask_cancel(struct rpc_ask *ask)
{
    send(ask, CANCEL, &(struct rpc_told){0});
}

void rpc_ask_took(struct rpc_ask *ask)
{
    send(ask, TOOK, &(struct rpc_told){0});
}

/* ---- who is asked ---- */

static void serve(struct rpc *r, const struct post *post)
{
    struct rpc_ask *ask = post->ask;
    ptrdiff_t index = ask->method - r->options.methods;
    CHECK(index >= 0 && (size_t)index < r->options.method_count && ask->method->kind != RPC_BIDI);
    struct rpc_call *call = rpc_call_take(r, NULL, &r->served[index]);
    call->ask = ask;
    call->delivered = true;
    ask->served = call;
    atomic_fetch_add(&ask->holders, 1);
    r->callbacks.on_message(r->callbacks.self, call, post->body);
}

void rpc_ask_send(struct rpc_call *call, struct bytes message)
{
    call->sending = true;
    send(call->ask, MESSAGE, &(struct rpc_told){.body = message});
}

void rpc_ask_end(struct rpc_call *call, const struct rpc_told *told)
{
    struct rpc_ask *ask = call->ask;
    ask->served = NULL;
    rpc_call_give_back(call);
    send(ask, END, told);
    let_go(ask);
}

const struct rpc_peer *rpc_ask_peer(const struct rpc_ask *ask)
{
    return &ask->peer;
}

struct rpc *rpc_call_asker(const struct rpc_call *call)
{
    return call->ask == NULL ? NULL : call->ask->from;
}

struct span rpc_call_asked_ago(const struct rpc_call *call)
{
    return (struct span){.us = call->ask == NULL ? 0 : boottime_us() - call->ask->since_us};
}

/* ---- letters ---- */

static void wake(struct rpc *to)
{
    if (!inbox_is_empty(&to->inbox))
        rpc_wake(to);
}

/* Whoever hears of the last end may let the other room go: nothing is handed over to it after that. */
static void flush_to(struct rpc *r, struct rpc *to)
{
    for (size_t i = 0; i < r->to_wake_count; i++)
        if (r->to_wake[i] == to) {
            r->to_wake[i] = r->to_wake[--r->to_wake_count];
            wake(to);
            return;
        }
}

static void read_one(struct rpc *r, const struct post *post)
{
    struct rpc_ask *ask = post->ask;
    void *self = r->callbacks.self;
    switch (post->kind) {
    case ASK:
        serve(r, post);
        break;
    case CANCEL:
        if (ask->served != NULL && !ask->served->gone) {
            ask->served->gone = true;
            r->callbacks.on_cancelled(self, ask->served);
        }
        break;
    case TOOK:
        if (ask->served != NULL && !ask->served->gone) {
            ask->served->sending = false;
            r->callbacks.on_sent(self, ask->served);
        }
        break;
    case MESSAGE:
        ask->asker->on_message(self, ask->tag, post->body);
        break;
    case END: {
        struct rpc_told told = {
            .status = post->status,
            .message = (const char *)post->text.at,
            .details = post->details,
            .body = post->body,
        };
        flush_to(r, ask->to);
        ask->asker->on_end(self, ask->tag, &told);
        let_go(ask);
        break;
    }
    }
}

int rpc_asks_read(struct rpc *r)
{
    int count = 0;
    if (r->unread == NULL && !inbox_is_empty(&r->inbox))
        r->unread = inbox_take(&r->inbox);
    for (; r->unread != NULL && count < LETTERS_MAX; count++) {
        struct post *post = (struct post *)(void *)r->unread;
        r->unread = post->letter.next;
        read_one(r, post);
        let_go(post->ask);
        drop(post);
    }
    return count;
}

void rpc_asks_flush(struct rpc *r)
{
    while (r->to_wake_count > 0)
        wake(r->to_wake[--r->to_wake_count]);
}

void rpc_asks_drop(struct rpc *r)
{
    r->to_wake_count = 0;
    do {
        while (r->unread != NULL) {
            struct post *post = (struct post *)(void *)r->unread;
            r->unread = post->letter.next;
            if (post->kind == END) /* who asked is this room, and hears of it no more */
                let_go(post->ask);
            let_go(post->ask);
            drop(post);
        }
        r->unread = inbox_take(&r->inbox);
    } while (r->unread != NULL);
}
