/* client_lease.c - the keeper of leases: on the wire's thread, one KeepAlive at a third of each lease in which nothing else was heard. */
#include "client-lib/src/client_inside.h"

#include <stdlib.h>

#define NANOSECONDS_PER_MS INT64_C(1000000)
/* A KeepAlive that failed is sent again after this, or a tenth of the lease when that is shorter. */
#define RETRY_MS 500
/* When the length of a lease that was left to the sidecar is asked for: most sagas have ended by then. */
#define FIRST_AFTER_MS 200
/* How long one KeepAlive may take while the lease is not known. */
#define FIRST_TIMEOUT_MS 5000
#define TIMEOUT_MS_MIN   100
/* What no lease exceeds, so that arithmetic with it stays in range: a hundred years. */
#define LEASE_MS_MAX INT64_C(3155760000000)

int64_t lease_of_response(const ProtobufCMessage *response)
{
    const Google__Protobuf__Duration *lease = ((const Saga__V1__KeepAliveResponse *)(const void *)response)->lease;
    if (!lease || lease->seconds < 0 || lease->nanos < 0)
        return 0;
    if (lease->seconds >= LEASE_MS_MAX / 1000)
        return LEASE_MS_MAX;
    return lease->seconds * 1000 + lease->nanos / 1000000;
}

/* With the mutex held. */
static void renew_at(struct saga_tx *tx, int64_t at)
{
    tx->renew_at = at;
    if (at < tx->client->renew_at)
        tx->client->renew_at = at;
}

/* With the mutex held. */
static void plan(struct saga_tx *tx)
{
    if (!tx->kept || tx->ended)
        tx->renew_at = WIRE_FOREVER;
    else if (tx->lease_ms == 0)
        renew_at(tx, tx->heard_of == 0 ? wire_now() : tx->heard_of + FIRST_AFTER_MS * NANOSECONDS_PER_MS);
    else
        renew_at(tx, tx->heard_of + tx->lease_ms * NANOSECONDS_PER_MS / 3);
}

void lease_add(struct saga_tx *tx)
{
    saga_client *client = tx->client;
    pthread_mutex_lock(&client->mutex);
    if (tx->lease_ms > LEASE_MS_MAX)
        tx->lease_ms = LEASE_MS_MAX;
    tx->next = client->sagas;
    if (tx->next)
        tx->next->previous = tx;
    client->sagas = tx;
    plan(tx);
    pthread_mutex_unlock(&client->mutex);
    if (tx->kept)
        wire_wake(client->wire);
}

/* With the mutex held. */
static void unlink_tx(struct saga_tx *tx)
{
    if (tx->previous)
        tx->previous->next = tx->next;
    else
        tx->client->sagas = tx->next;
    if (tx->next)
        tx->next->previous = tx->previous;
}

void lease_remove(struct saga_tx *tx)
{
    saga_client *client = tx->client;
    pthread_mutex_lock(&client->mutex);
    unlink_tx(tx);
    tx->freed = true;
    bool renewing = tx->renewing;
    pthread_mutex_unlock(&client->mutex);
    if (!renewing)
        client_tx_destroy(tx);
}

void lease_heard(struct saga_tx *tx, int64_t sent_at, int64_t lease_ms)
{
    pthread_mutex_lock(&tx->client->mutex);
    if (lease_ms > 0)
        tx->lease_ms = lease_ms;
    if (sent_at > tx->heard_of)
        tx->heard_of = sent_at;
    plan(tx);
    pthread_mutex_unlock(&tx->client->mutex);
}

void lease_end(struct saga_tx *tx)
{
    pthread_mutex_lock(&tx->client->mutex);
    tx->ended = true;
    plan(tx);
    pthread_mutex_unlock(&tx->client->mutex);
}

/* ---- on the wire's thread ---- */

/* With the mutex held: try again soon. */
static void postpone(struct saga_tx *tx)
{
    int64_t delay = tx->lease_ms == 0 || tx->lease_ms / 10 > RETRY_MS ? RETRY_MS : tx->lease_ms / 10 + 1;
    renew_at(tx, wire_now() + delay * NANOSECONDS_PER_MS);
}

static void renewed(void *self, int code, const ProtobufCMessage *response, const struct saga_error *error)
{
    struct saga_tx *tx = self;
    saga_client *client = tx->client;
    (void)error;
    pthread_mutex_lock(&client->mutex);
    tx->renewing = false;
    bool freed = tx->freed;
    if (code == SAGA_OK) {
        int64_t lease = lease_of_response(response);
        if (lease > 0)
            tx->lease_ms = lease;
        if (tx->sent_at > tx->heard_of)
            tx->heard_of = tx->sent_at;
        plan(tx);
        /* A sidecar that does not say how long the lease is, is not asked without pause. */
        if (tx->lease_ms == 0)
            postpone(tx);
    } else if (code == SAGA_E_NOT_FOUND || code == SAGA_E_FAILED_PRECONDITION || code == SAGA_E_INVALID_ARGUMENT) {
        tx->ended = true;
        plan(tx);
    } else {
        postpone(tx);
    }
    pthread_mutex_unlock(&client->mutex);
    if (freed)
        client_tx_destroy(tx);
}

/* With the mutex held. */
static int64_t timeout_of(const struct saga_tx *tx)
{
    if (tx->lease_ms == 0)
        return FIRST_TIMEOUT_MS;
    return tx->lease_ms / 3 < TIMEOUT_MS_MIN ? TIMEOUT_MS_MIN : tx->lease_ms / 3;
}

/* Chains those that are due, for the calls are made without the mutex; renewing keeps them from being freed. */
static struct saga_tx *take_due(saga_client *client, int64_t now)
{
    struct saga_tx *due = NULL;
    pthread_mutex_lock(&client->mutex);
    if (client->renew_at <= now) {
        client->renew_at = WIRE_FOREVER;
        for (struct saga_tx *tx = client->sagas; tx && !client->shut; tx = tx->next) {
            if (tx->renewing || tx->renew_at == WIRE_FOREVER)
                continue;
            if (tx->renew_at > now) {
                renew_at(tx, tx->renew_at);
                continue;
            }
            tx->renewing = true;
            tx->sent_at = now;
            tx->renew_timeout_ms = timeout_of(tx);
            tx->due_next = due;
            due = tx;
        }
    }
    pthread_mutex_unlock(&client->mutex);
    return due;
}

int64_t lease_turn(saga_client *client)
{
    struct saga_tx *after;
    for (struct saga_tx *tx = take_due(client, wire_now()); tx; tx = after) {
        after = tx->due_next;
        Saga__V1__KeepAliveRequest request = SAGA__V1__KEEP_ALIVE_REQUEST__INIT;
        request.saga_id = tx->saga_id;
        struct wire_call call = {
            .method = COORDINATOR "KeepAlive",
            .request = &request.base,
            .response_type = &saga__v1__keep_alive_response__descriptor,
            .deadline = wire_deadline(tx->renew_timeout_ms),
            .wait_for_ready = true,
        };
        int code = wire_call_background(client->wire, &call, renewed, tx, NULL);
        if (code != SAGA_OK)
            renewed(tx, code, NULL, NULL);
    }
    pthread_mutex_lock(&client->mutex);
    int64_t next = client->renew_at;
    pthread_mutex_unlock(&client->mutex);
    return next;
}
