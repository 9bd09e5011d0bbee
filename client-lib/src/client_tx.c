/* client_tx.c - enlisted sagas: begin, enlist, settle, commit, abort. */
#include "client-lib/src/client_inside.h"

#include <stdlib.h>
#include <string.h>

static saga_tx *create(saga_client *client, int64_t lease_ms, int64_t timeout_ms, struct saga_error *error)
{
    saga_tx *tx = calloc(1, sizeof *tx);
    if (!tx) {
        saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a saga");
        return NULL;
    }
    tx->client = client;
    tx->timeout_ms = timeout_ms;
    tx->kept = !client->options.lease_keeper_off;
    tx->lease_ms = lease_ms;
    return tx;
}

void client_tx_destroy(saga_tx *tx)
{
    for (struct action_key *k = tx->keys, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    free(tx);
}

/* Keeps the key of a step; of one that was enlisted before it is the same. */
static int keep_key(saga_tx *tx, const char *step, const char *key, struct saga_error *error)
{
    size_t step_size = strlen(step) + 1, key_size = strlen(key) + 1;
    if (saga_tx_action_key(tx, step))
        return SAGA_OK;
    struct action_key *kept = malloc(sizeof *kept + step_size + key_size);
    if (!kept)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL,
                              "no memory for a key: enlist again");
    memcpy(kept->step, step, step_size);
    memcpy(kept->step + step_size, key, key_size);
    kept->key = kept->step + step_size;
    pthread_mutex_lock(&tx->client->mutex);
    kept->next = tx->keys;
    tx->keys = kept;
    pthread_mutex_unlock(&tx->client->mutex);
    return SAGA_OK;
}

/* An older sidecar says no keys. */
static int keep_keys(saga_tx *tx, const struct saga_enlistment *enlist, size_t count, char *const *keys,
                     size_t key_count, struct saga_error *error)
{
    int code = SAGA_OK;
    for (size_t i = 0; code == SAGA_OK && key_count == count && i < count; i++)
        code = keep_key(tx, enlist[i].step, keys[i], error);
    return code;
}

const char *saga_tx_action_key(const saga_tx *tx, const char *step)
{
    const char *key = NULL;
    if (!step)
        return NULL;
    pthread_mutex_lock(&tx->client->mutex);
    for (const struct action_key *k = tx->keys; k && !key; k = k->next)
        key = strcmp(k->step, step) == 0 ? k->key : NULL;
    pthread_mutex_unlock(&tx->client->mutex);
    return key;
}

int saga_begin(saga_client *client, const struct saga_begin_options *options, saga_tx **out, struct saga_error *error)
{
    struct built built;
    if (!out)
        return client_refuse(error, "out", "out must not be NULL");
    *out = NULL;
    int code = build_begin(&built, options, error);
    saga_tx *tx = code == SAGA_OK ? create(client, options->lease_ms, options->timeout_ms, error) : NULL;
    if (!tx) {
        built_finish(&built);
        return code != SAGA_OK ? code : SAGA_E_RESOURCE_EXHAUSTED;
    }
    struct client_call call = {
        .method = COORDINATOR "Begin",
        .request = &built.message.begin.base,
        .response_type = &saga__v1__begin_response__descriptor,
        .timeout_ms = options->timeout_ms,
    };
    code = client_call(client, &call, error);
    built_finish(&built);
    if (code != SAGA_OK) {
        free(tx);
        return code;
    }
    const Saga__V1__BeginResponse *response = (const void *)call.response;
    client_copy_text(tx->saga_id, sizeof tx->saga_id, response->saga_id);
    tx->already_started = response->already_started;
    code = keep_keys(tx, options->enlist, options->enlist_count, response->action_keys, response->n_action_keys, error);
    protobuf_c_message_free_unpacked(call.response, NULL);
    if (code != SAGA_OK) {
        client_tx_destroy(tx);
        return code;
    }
    /* Of one that was begun before nobody here knows whether it still runs: its lease counts as not known until that was answered. */
    if (tx->already_started)
        tx->lease_ms = 0;
    else
        tx->heard_of = call.sent_at;
    lease_add(tx);
    *out = tx;
    return SAGA_OK;
}

int saga_tx_attach(saga_client *client, const char *saga_id, int64_t lease_ms, int64_t timeout_ms, saga_tx **out,
                   struct saga_error *error)
{
    char *id;
    if (!out)
        return client_refuse(error, "out", "out must not be NULL");
    *out = NULL;
    int code = client_saga_id(saga_id, &id, error);
    if (code != SAGA_OK)
        return code;
    if (lease_ms < 0)
        return client_refuse(error, "lease_ms", "a lease is not negative");
    if (wire_forked(client->wire))
        return client_may_wait(client, error);
    /* How much of the lease is left nobody here knows, so it counts as not known until the sidecar has answered once. */
    saga_tx *tx = create(client, 0, timeout_ms, error);
    if (!tx)
        return SAGA_E_RESOURCE_EXHAUSTED;
    strcpy(tx->saga_id, id);
    lease_add(tx);
    *out = tx;
    return SAGA_OK;
}

const char *saga_tx_id(const saga_tx *tx)
{
    return tx->saga_id;
}

bool saga_tx_already_started(const saga_tx *tx)
{
    return tx->already_started;
}

/* Whether an answer says that the saga does not run any more. */
static bool is_over(int code, const struct saga_error *error)
{
    return code == SAGA_E_NOT_FOUND ||
           (code == SAGA_E_FAILED_PRECONDITION &&
            (strcmp(error->reason, "SAGA_ENDED") == 0 || strcmp(error->reason, "SAGA_TURNED_BACK") == 0));
}

/* Makes one call for tx. *keep (may be NULL) gives the response. */
static int call_for(saga_tx *tx, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *type, ProtobufCMessage **keep, int64_t *sent_at,
                    struct saga_error *error)
{
    struct client_call call = {
        .method = method, .request = request, .response_type = type, .timeout_ms = tx->timeout_ms};
    struct saga_error refused;
    int code = client_call(tx->client, &call, &refused);
    if (code != SAGA_OK) {
        if (is_over(code, &refused))
            lease_end(tx);
        if (error)
            *error = refused;
        return code;
    }
    *sent_at = call.sent_at;
    if (keep)
        *keep = call.response;
    else
        protobuf_c_message_free_unpacked(call.response, NULL);
    return SAGA_OK;
}

int saga_advance(saga_tx *tx, const struct saga_settlement *settle, size_t settle_count,
                 const struct saga_enlistment *enlist, size_t enlist_count, struct saga_error *error)
{
    struct built built;
    ProtobufCMessage *response = NULL;
    int64_t sent_at;
    int code = build_advance(&built, tx->saga_id, settle, settle_count, enlist, enlist_count, error);
    if (code == SAGA_OK && enlist_count == 0)
        code = call_for(tx, COORDINATOR "Settle", &built.message.settle.base, &saga__v1__settle_response__descriptor,
                        NULL, &sent_at, error);
    else if (code == SAGA_OK)
        code = call_for(tx, COORDINATOR "Enlist", &built.message.enlist.base, &saga__v1__enlist_response__descriptor,
                        &response, &sent_at, error);
    built_finish(&built);
    if (code == SAGA_OK)
        lease_heard(tx, sent_at, 0);
    if (response) {
        const Saga__V1__EnlistResponse *m = (const void *)response;
        code = keep_keys(tx, enlist, enlist_count, m->action_keys, m->n_action_keys, error);
        protobuf_c_message_free_unpacked(response, NULL);
    }
    return code;
}

int saga_enlist(saga_tx *tx, const char *step, const struct saga_compensation *compensation, struct saga_error *error)
{
    struct saga_enlistment one = {.step = step, .compensation = compensation};
    return saga_advance(tx, NULL, 0, &one, 1, error);
}

int saga_settle(saga_tx *tx, const char *step, enum saga_outcome outcome, const void *output, size_t output_size,
                struct saga_error *error)
{
    struct saga_settlement one = {.step = step, .outcome = (int)outcome, .output = output, .output_size = output_size};
    return saga_advance(tx, &one, 1, NULL, 0, error);
}

int saga_commit_with(saga_tx *tx, const struct saga_settlement *settle, size_t settle_count, struct saga_error *error)
{
    struct built built;
    int64_t sent_at;
    int code = build_commit(&built, tx->saga_id, settle, settle_count, error);
    if (code == SAGA_OK)
        code = call_for(tx, COORDINATOR "Commit", &built.message.commit.base, &saga__v1__commit_response__descriptor,
                        NULL, &sent_at, error);
    built_finish(&built);
    if (code == SAGA_OK)
        lease_end(tx);
    return code;
}

int saga_commit(saga_tx *tx, struct saga_error *error)
{
    return saga_commit_with(tx, NULL, 0, error);
}

int saga_abort(saga_tx *tx, const char *reason, struct saga_error *error)
{
    Saga__V1__AbortRequest request = SAGA__V1__ABORT_REQUEST__INIT;
    int64_t sent_at;
    request.saga_id = tx->saga_id;
    request.reason = client_text(reason);
    int code =
        call_for(tx, COORDINATOR "Abort", &request.base, &saga__v1__abort_response__descriptor, NULL, &sent_at, error);
    if (code == SAGA_OK)
        lease_end(tx);
    return code;
}

int saga_keep_alive(saga_tx *tx, int64_t *lease_ms, struct saga_error *error)
{
    Saga__V1__KeepAliveRequest request = SAGA__V1__KEEP_ALIVE_REQUEST__INIT;
    ProtobufCMessage *response;
    int64_t sent_at;
    request.saga_id = tx->saga_id;
    int code = call_for(tx, COORDINATOR "KeepAlive", &request.base, &saga__v1__keep_alive_response__descriptor,
                        &response, &sent_at, error);
    if (code != SAGA_OK)
        return code;
    int64_t lease = lease_of_response(response);
    protobuf_c_message_free_unpacked(response, NULL);
    lease_heard(tx, sent_at, lease);
    if (lease_ms)
        *lease_ms = lease;
    return SAGA_OK;
}

int64_t saga_tx_lease_left_ms(const saga_tx *tx)
{
    if (wire_forked(tx->client->wire))
        return 0;
    pthread_mutex_lock(&tx->client->mutex);
    int64_t left = tx->ended ? 0 : -1;
    if (!tx->ended && tx->lease_ms > 0) {
        left = tx->lease_ms - (wire_now() - tx->heard_of + 999999) / 1000000;
        left = left < 0 ? 0 : left;
    }
    pthread_mutex_unlock(&tx->client->mutex);
    return left;
}

void saga_tx_free(saga_tx *tx)
{
    if (tx && !wire_forked(tx->client->wire))
        lease_remove(tx);
}
