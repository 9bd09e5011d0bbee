/* health.c - grpc.health.v1 (https://grpc.io/docs/guides/health-checking/): Check tells the state, Watch also every change of it. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

#include "grpc/health/v1/health.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

#define SERVICES_MAX  32
#define NAME_SIZE_MAX 128

enum {
    SERVING = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING,
    NOT_SERVING = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING,
    SERVICE_UNKNOWN = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN,
};

struct service {
    char name[NAME_SIZE_MAX]; /* "" is the whole server */
    bool serving;
};

/* A Watch that is open. */
struct watch {
    struct rpc_call *call;
    struct rpc_health *health;
    struct rpc_link link;
    char name[NAME_SIZE_MAX];
    int told; /* the state that was sent last */
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

static int state_of(struct rpc_health *h, const char *name)
{
    const struct service *service = find(h, name);
    return service == NULL ? SERVICE_UNKNOWN : service->serving ? SERVING : NOT_SERVING;
}

/* Writes the response for state; views at. */
static struct bytes pack(int state, uint8_t at[16])
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)state;
    return bytes_of(at, grpc__health__v1__health_check_response__pack(&response, at));
}

/* Reads the name that a request asks for. A name that is too long is nobody's. Returns false, with the call ended, when it cannot be
 * read. */
static bool read_name(struct rpc_call *call, struct bytes request, char name[NAME_SIZE_MAX])
{
    Grpc__Health__V1__HealthCheckRequest *asked =
        grpc__health__v1__health_check_request__unpack(NULL, request.size, request.at);
    if (asked == NULL) {
        rpc_end(call, CODE_INVALID_ARGUMENT, "the bytes are no HealthCheckRequest", bytes_of(NULL, 0));
        return false;
    }
    if (strlen(asked->service) < NAME_SIZE_MAX)
        snprintf(name, NAME_SIZE_MAX, "%s", asked->service);
    else
        snprintf(name, NAME_SIZE_MAX, "?");
    grpc__health__v1__health_check_request__free_unpacked(asked, NULL);
    return true;
}

void rpc_health_check(struct rpc *r, struct rpc_call *call, struct bytes request)
{
    char name[NAME_SIZE_MAX];
    uint8_t response[16];
    if (!read_name(call, request, name))
        return;
    int state = state_of(r->health, name);
    if (state == SERVICE_UNKNOWN)
        rpc_end(call, CODE_NOT_FOUND, "no service of this name is served", bytes_of(NULL, 0));
    else
        rpc_reply(call, pack(state, response));
}

/* Sends the state unless it is known there, or a message is on its way: then it follows that. */
static void tell(struct watch *w)
{
    uint8_t response[16];
    int state = state_of(w->health, w->name);
    if (w->sending || w->told == state)
        return;
    w->told = state;
    w->sending = true;
    rpc_send(w->call, pack(state, response));
}

void rpc_health_watch(struct rpc *r, struct rpc_call *call, struct bytes request)
{
    char name[NAME_SIZE_MAX];
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
        CHECK(h->count < SERVICES_MAX && strlen(key) < NAME_SIZE_MAX);
        service = &h->services[h->count++];
        snprintf(service->name, NAME_SIZE_MAX, "%s", key);
    }
    service->serving = serving;
    for (struct rpc_link *l = h->watches.next; l != &h->watches; l = l->next)
        tell(RPC_HOLDER(l, struct watch, link));
}
