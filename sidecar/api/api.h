/* api.h - the methods of saga.v1: requests become events of the core, whose replies become answers; who only looks is shown what is durable.
 *
 * One owner, the loop: it hands on what the rpc room and the core say, and after each commit calls api_turn. With several loops relay/ stands
 * before it, so that only what belongs to this loop arrives here. */
#ifndef SAGA_API_API_H
#define SAGA_API_API_H

#include "sidecar/api/methods.h"
#include "sidecar/base/failure.h"
#include "sidecar/core/catalog.h"
#include "sidecar/core/core.h"
#include "sidecar/core/arena.h"
#include "sidecar/core/schemas.h"
#include "sidecar/definition/reader.h"

#include "saga/v1/operator.pb-c.h"

struct api;
struct bulks;
struct slis;

/* What is said of a new definition by lint or a policy. All borrowed. */
struct warning {
    const char *rule;
    bool is_warning;  /* else a note */
    int line, column; /* 0: the rule tells no place */
    const char *field, *text;
};

/* What the methods work on, and their bounds. Everything is borrowed for the api's life. */
struct api_options {
    struct core *core;
    struct catalog *catalog;
    struct schemas *schemas;
    struct bulks *bulks;
    bool fault_injection;    /* is allowed */
    const struct slis *slis; /* NULL: nothing is promised */
    struct store *store;
    struct rpc *rpc;
    struct rpc *const *rooms; /* of every loop, by its index: a pipe's commands are asked of them */
    unsigned loop, loops;     /* which of how many this one is */
    const char *guest;        /* the journal's name where it is another sidecar's; "": our own */
    bool fleet;              /* sagas and request_ids may be elsewhere: what a Pipe asks about them goes by the relay */
    const struct tags *tags; /* whose ids are whose */
    struct definition_limits definition_limits;
    /* Whether a new definition may be registered: 0, or a code with *detail set. */
    int (*admit)(void *self, const struct definition *definition, struct error_detail *detail);
    /* What is to be said of a definition that may be registered. 0 or E_MEMORY. */
    int (*warn)(void *self, const struct definition *definition,
                void (*found)(void *list, const struct warning *warning), void *list);
    struct retry_policy compensation_retry; /* where an enlistment's policy leaves something out */
    uint32_t waiters_max, watchers_max, pipe_commands_max, steps_max;
    uint64_t last_frame;       /* that is durable */
    const struct authz *authz; /* who may do what */
    struct instant (*now)(void *self);
    /* Has the configuration read again. Returns the number under which api_reloaded tells what came of it. */
    uint32_t (*reload)(void *self);
    /* Asks a target for the descriptors of services. Returns 0, and the number under which api_reflected tells what came of it; E_TARGET_NOT_FOUND. */
    int (*reflect)(void *self, const char *target, char *const *services, unsigned count, uint32_t *number,
                   struct error_detail *detail);
    /* Fills in the fleet's journals behind `after`, from the arena; has one given up. Each returns 0, STORE_PENDING to be called again in the same words, or
     * an error. */
    int (*journals)(void *self, const char *after, struct arena *a, Saga__V1__ListJournalsResponse *m,
                    struct error_detail *detail);
    int (*give)(void *self, const char *journal, struct error_detail *detail);
    /* Fills in how the loop is, from the arena. Returns false when no memory is left. */
    bool (*status)(void *self, struct arena *a, Saga__V1__LoopStatus *m);
    /* What the sidecar does by itself; NULL without memory. And changes a rule: its row goes into the core's batch. Returns 0, E_RULE_NOT_FOUND or
     * E_MEMORY. */
    bool (*rules)(void *self, struct arena *a, Saga__V1__ListRulesResponse *m);
    int (*change_rule)(void *self, const char *name, bool arm, struct error_detail *detail);
    /* A request, or a command of a Pipe, is refused with this error. */
    void (*refused)(void *self, enum method_id method, int code);
    void *self;
    struct failure *failure; /* the loop's */
};

/* What a call that is served has become: the first member of what its owner word points to. */
enum request_kind {
    REQUEST_CHANGE = 1, /* the core will answer it */
    REQUEST_READ,       /* it waits for the next commit */
    REQUEST_SUBSCRIBER, /* Wait, Watch */
    REQUEST_PIPE,
    REQUEST_COMMAND, /* one of a pipe's: it has no call of its own */
    REQUEST_RELAYED, /* other loops answer it (relay/) */
};
struct request {
    enum request_kind kind;
    enum method_id method;
    struct rpc_call *call; /* NULL: a command */
};

/* Returns 0 or E_MEMORY. */
int api_create(const struct api_options *options, struct api **out);
/* Accepts NULL. */
void api_destroy(struct api *api);

/* ---- as of rpc_callbacks, for the calls that are answered here ---- */
void api_message(struct api *api, struct rpc_call *call, struct bytes message);
void api_half_close(struct api *api, struct rpc_call *call);
void api_cancelled(struct api *api, struct rpc_call *call);
void api_sent(struct api *api, struct rpc_call *call);

/* Whether the caller may ask this method at all; else the call has been refused. */
bool api_permits(struct api *api, struct rpc_call *call);

/* Other rules hold from the next request on. Borrowed until the next. */
void api_set_authz(struct api *api, const struct authz *authz);

/* Whether the caller may do anything, and so see what there is. */
bool api_may_reflect(struct api *api, struct rpc_call *call);

/* 0, or with which error every request is refused from now on. */
int api_closed(const struct api *api);

/* Whether a packed request is fit to be unpacked: 0, or an error with the field at fault. */
int api_check(const struct api *api, enum method_id method, struct bytes message, struct error_detail *detail);
/* The error of one that cannot be unpacked all the same. */
int api_unreadable(enum method_id method, struct error_detail *detail);

/* Ends a call with an error, which is counted. */
void api_refuse(struct api *api, struct rpc_call *call, int code, const struct error_detail *detail);

/* ---- as of core_world ---- */
void api_reply(struct api *api, const struct reply_effect *reply, const struct error_detail *detail);
/* A frame is durable; api_touch follows for the saga of each of its records, when api_cares. */
void api_durable(struct api *api, uint64_t frame);
bool api_cares(const struct api *api);
void api_touch(struct api *api, uint64_t serial);

/* Hands an event to the core. A failure that the loop cannot survive is kept in its failure. */
void api_submit(struct api *api, struct event *event);

/* Before a commit: goes on with what was cut short. */
void api_work(struct api *api);

/* After a commit: answers those who look. What is not durable yet, as while the journal is full, is not shown. */
void api_turn(struct api *api);

/* Whether something was cut short, and the next turn is to come at once. */
bool api_busy(const struct api *api);

/* The sidecar stops: streams and those who wait are sent away, once what they sent is answered. */
void api_stop(struct api *api);
/* At the end of a stop, after core_abandon: refuses what is left, and all that comes. */
void api_abandon(struct api *api);

/* Adds an entry to the audit trail about what a file at the start registered: a definition with its version, or a schema with its hash. */
void api_audit_file(struct api *api, bool schema, const char *name, const char *which);
/* Enters into the audit trail what the sidecar did by itself and was no request. */
void api_audit_own(struct api *api, const char *what, const char *subject, const char *actor, const char *reason);

/* For bulk_options: the entry of the audit trail, a view until the api is asked for anything else. */
int api_audit_bulk(struct api *api, const Saga__V1__BulkJob *job, struct event *event);

/* What came of reading the configuration again. All borrowed. */
struct api_reload {
    int code; /* 0, or why nothing was taken: */
    const struct error_detail *detail;
    char **taken, **restart; /* what was, and options that wait for a restart */
    size_t taken_count, restart_count;
};
/* Answers the requests that had it done, up to this number. */
void api_reloaded(struct api *api, uint32_t number, const struct api_reload *told);

/* Answers the request that had a target asked under this number: with its descriptors, or (code, detail) why there are none. */
void api_reflected(struct api *api, uint32_t number, int code, const struct error_detail *detail, struct bytes set);

/* How many a page of a list has: what is asked for, or what is usual when the request does not say. */
#define API_PAGE_SIZE_DEFAULT 100
int api_page_size(int32_t asked, size_t *size, struct error_detail *detail);

#endif
