/* health.c - grpc.health.v1 (https://grpc.io/docs/guides/health-checking/): Check tells the state, Watch also every change of it. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

#include "transport/health.h"

#include <stdio.h>
#include <stdlib.h>

#define SERVICES_MAX 32

struct service {
    char name[HEALTH_NAME_SIZE]; /* "" is the whole server */
    bool serving;
};

/* A Watch that is open. */
struct watch {
    struct rpc_call *call;
    struct rpc_health *health;
    struct rpc_link link;
    char name[HEALTH_NAME_SIZE];
    int told; /* the state that was sent last; -1: none */
    bool sending;
};

struct rpc_health {
    struct service services[SERVICES_MAX];
    size_t count;
    struct rpc_link watches;
};

void rpc_health_init(struct rpc *r)
{
    r->health = rpc_allocate(sizeof *r->health);
    rpc_link_init(&r->health->watches);
}

void rpc_health_finish(struct rpc *r)
{
    CHECK(rpc_link_is_single(&r->health->watches));
    free(r->health);
}

static struct service *find(struct rpc_health *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->services[i].name, name) == 0)
            return &h->services[i];
    return NULL;
}

static enum health_state state_of(struct rpc_health *h, const char *name)
{
    const struct service *service = find(h, name);
    return service == NULL ? HEALTH_SERVICE_UNKNOWN : service->serving ? HEALTH_SERVING : HEALTH_NOT_SERVING;
}

/* Writes the response for state; views at. */
static struct bytes pack(enum health_state state, uint8_t at[HEALTH_RESPONSE_SIZE])
{
    return bytes_of(at, health_write(state, at));
}

/* Reads the name that a request asks for. Returns false, with the call ended, when it cannot be read. */
static bool read_name(struct rpc_call *call, struct bytes request, char name[HEALTH_NAME_SIZE])
{
    if (health_read(request.at, request.size, name))
        return true;
    rpc_end(call, CODE_INVALID_ARGUMENT, "the bytes are no HealthCheckRequest", bytes_of(NULL, 0));
    return false;
}

void rpc_health_check(struct rpc *r, struct rpc_call *call, struct bytes request)
{
    char name[HEALTH_NAME_SIZE];
    uint8_t response[HEALTH_RESPONSE_SIZE];
    if (!read_name(call, request, name))
        return;
    enum health_state state = state_of(r->health, name);
    if (state == HEALTH_SERVICE_UNKNOWN)
        rpc_end(call, CODE_NOT_FOUND, "no service of this name is served", bytes_of(NULL, 0));
    else
        rpc_reply(call, pack(state, response));
}

/* Sends the state unless it is known there, or a message is on its way: then it follows that. */
static void tell(struct watch *w)
{
    uint8_t response[HEALTH_RESPONSE_SIZE];
    enum health_state state = state_of(w->health, w->name);
    if (w->sending || w->told == (int)state)
        return;
    w->told = (int)state;
    w->sending = true;
    rpc_send(w->call, pack(state, response));
}

void rpc_health_watch(struct rpc *r, struct rpc_call *call, struct bytes request)
{
    char name[HEALTH_NAME_SIZE];
    if (!read_name(call, request, name))
        return;
    struct watch *w = rpc_allocate(sizeof *w);
    memcpy(w->name, name, sizeof name);
    w->call = call;
    w->health = r->health;
    w->told = -1;
    rpc_link_append(&r->health->watches, &w->link);
    rpc_call_set_owner(call, w);
    tell(w);
}

static void end(struct watch *w, int status, const char *message)
{
    rpc_link_remove(&w->link);
    rpc_end(w->call, status, message, bytes_of(NULL, 0));
    free(w);
}

void rpc_health_sent(struct rpc_call *call)
{
    struct watch *w = rpc_call_owner(call);
    w->sending = false;
    tell(w);
}

void rpc_health_cancelled(struct rpc_call *call)
{
    end(rpc_call_owner(call), CODE_CANCELLED, NULL);
}

void rpc_health_stop(struct rpc *r)
{
    while (!rpc_link_is_single(&r->health->watches))
        end(RPC_HOLDER(r->health->watches.next, struct watch, link), CODE_UNAVAILABLE, "the sidecar is stopping");
}

void rpc_set_serving(struct rpc *r, const char *name, bool serving)
{
    struct rpc_health *h = r->health;
    const char *key = name == NULL ? "" : name;
    struct service *service = find(h, key);
    if (service == NULL) {
        CHECK(h->count < SERVICES_MAX && strlen(key) < HEALTH_NAME_SIZE);
        service = &h->services[h->count++];
        snprintf(service->name, HEALTH_NAME_SIZE, "%s", key);
    }
    service->serving = serving;
    for (struct rpc_link *l = h->watches.next; l != &h->watches; l = l->next)
        tell(RPC_HOLDER(l, struct watch, link));
}
