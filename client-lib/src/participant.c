/* participant.c - the public face of the participant: options, steps, start and stop. */
#include "client-lib/src/participant_server.h"

#include "client-lib/src/forked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* ---- options ---- */

struct option {
    const char *name;
    uint32_t *value;
    uint32_t min, max, fallback;
};

static int read_options(struct saga_participant_options *o, struct saga_error *error)
{
    if (o->address == NULL)
        o->address = "127.0.0.1:0";
    for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
        if (o->reserved[i] != 0)
            return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "reserved",
                                  "reserved must be 0");
    const struct option options[] = {
        {"threads", &o->threads, 1, 1024, 8},
        {"queue_calls_max", &o->queue_calls_max, 1, 65536, 256},
        {"request_bytes_max", &o->request_bytes_max, 1024, 64u << 20, 4u << 20},
        {"answer_bytes_max", &o->answer_bytes_max, 1024, 64u << 20, CALL_ANSWER_BYTES_MAX_DEFAULT},
        {"connection_calls_max", &o->connection_calls_max, 1, 65536, 256},
        {"pushback_ms", &o->pushback_ms, 1, 60000, 200},
        {"handshake_timeout_ms", &o->handshake_timeout_ms, 100, 600000, 10000},
        {"stop_grace_ms", &o->stop_grace_ms, 1, 3600000, 10000},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (*options[i].value == 0)
            *options[i].value = options[i].fallback;
        if (*options[i].value >= options[i].min && *options[i].value <= options[i].max)
            continue;
        char text[128];
        snprintf(text, sizeof text, "%s is %u to %u", options[i].name, options[i].min, options[i].max);
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, options[i].name, text);
    }
    return SAGA_OK;
}

/* ---- opening ---- */

static void init_waiting(saga_participant *p)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, &monotonic);
    pthread_mutex_init(&p->pool.mutex, NULL);
    pthread_cond_init(&p->pool.filled, NULL);
    pthread_cond_init(&p->pool.idle, NULL);
    pthread_condattr_destroy(&monotonic);
}

static void free_participant(saga_participant *p)
{
    for (size_t i = 0; i < p->method_count; i++)
        free(p->methods[i].path);
    free(p->methods);
    free(p->address);
    free(p->caller);
    certificates_destroy(p->credentials.certificates);
    if (p->interrupt_fd >= 0)
        close(p->interrupt_fd);
    pthread_cond_destroy(&p->pool.idle);
    pthread_cond_destroy(&p->pool.filled);
    pthread_mutex_destroy(&p->pool.mutex);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

int saga_participant_open(const struct saga_participant_options *options, saga_participant **out,
                          struct saga_error *error)
{
    unsigned generation;
    if (out == NULL)
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "out", "out must not be NULL");
    *out = NULL;
    int code = forked_begin(&generation, error);
    if (code != SAGA_OK)
        return code;
    saga_participant *p = calloc(1, sizeof *p);
    if (p == NULL)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    init_waiting(p);
    p->generation = generation;
    if (options != NULL)
        p->options = *options;
    p->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    code = read_options(&p->options, error);
    if (code == SAGA_OK && p->interrupt_fd < 0)
        code = saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_SYSTEM, NULL,
                              "the operating system gives no more descriptors");
    if (code == SAGA_OK)
        code = participant_listen(p, error);
    if (code != SAGA_OK) {
        free_participant(p);
        return code;
    }
    p->options.address = p->options.tls_certificate = p->options.tls_key = p->options.tls_roots =
        p->options.tls_identity = NULL;
    *out = p;
    return SAGA_OK;
}

const char *saga_participant_address(const saga_participant *participant)
{
    return participant->address;
}

/* ---- steps ---- */

static int order_of_methods(const void *a, const void *b)
{
    const struct participant_method *x = a, *y = b;
    int paths = strcmp(x->path, y->path);
    return paths != 0 ? paths : x->phase - y->phase;
}

const struct participant_method *participant_find(const saga_participant *p, const char *path, size_t size, int phase)
{
    char copy[SAGA_CALL_METHOD_BYTES_MAX + 1];
    if (p->method_count == 0 || size > SAGA_CALL_METHOD_BYTES_MAX || memchr(path, '\0', size) != NULL)
        return NULL;
    memcpy(copy, path, size);
    copy[size] = '\0';
    struct participant_method key = {.path = copy, .phase = phase};
    return bsearch(&key, p->methods, p->method_count, sizeof key, order_of_methods);
}

bool participant_has_service(const saga_participant *p, const char *service)
{
    size_t size = strlen(service);
    for (size_t i = 0; i < p->method_count; i++) {
        const char *path = p->methods[i].path;
        if (strncmp(path + 1, service, size) == 0 && path[1 + size] == '/')
            return true;
    }
    return false;
}

/* Checks what add_method would refuse: *known tells that the very same method is there already. */
static int check_method(const saga_participant *p, const struct participant_method *m, const char *field, bool *known,
                        struct saga_error *error)
{
    *known = false;
    if (m->path == NULL || !call_method_valid(m->path))
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, field,
                              "a method is written /package.Service/Method");
    const struct participant_method *other = participant_find(p, m->path, strlen(m->path), m->phase);
    if (other != NULL && (other->function != m->function || other->user != m->user))
        return saga_error_set(error, SAGA_E_ALREADY_EXISTS, SAGA_REASON_ARGUMENT, field,
                              "the method has another function for this phase");
    *known = other != NULL;
    return SAGA_OK;
}

/* Keeps the methods sorted, so that they can be found from the first one on. There is room and path is the method's own. */
static void add_method(saga_participant *p, struct participant_method m)
{
    p->methods[p->method_count++] = m;
    qsort(p->methods, p->method_count, sizeof m, order_of_methods);
}

int saga_participant_step(saga_participant *participant, const char *action_method, saga_step_function action,
                          const char *compensation_method, saga_step_function compensation, void *user,
                          struct saga_error *error)
{
    saga_participant *p = participant;
    /* Paths are only borrowed until both are known to be good. */
    struct participant_method wanted[2] = {
        {(char *)(uintptr_t)action_method, SAGA_CALL_ACTION, action, user},
        {(char *)(uintptr_t)compensation_method, SAGA_CALL_COMPENSATION, compensation, user},
    };
    static const char *const fields[2] = {"action_method", "compensation_method"};
    size_t count = compensation != NULL || compensation_method != NULL ? 2 : 1;

    if (p == NULL)
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "participant",
                              "participant must not be NULL");
    if (p->state != PARTICIPANT_OPEN)
        return saga_error_set(error, SAGA_E_FAILED_PRECONDITION, SAGA_REASON_ARGUMENT, NULL,
                              "steps are registered before the participant is started");
    bool known[2];
    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
        if (wanted[i].function == NULL)
            return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT,
                                  i == 0 ? "action" : "compensation", "a method needs a function");
        int code = check_method(p, &wanted[i], fields[i], &known[i], error);
        if (code != SAGA_OK)
            return code;
        added += !known[i];
    }
    if (p->method_count + added > PARTICIPANT_METHODS_MAX)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_ARGUMENT, NULL,
                              "a participant has at most 1024 methods");

    char *paths[2] = {NULL, NULL};
    struct participant_method *grown = realloc(p->methods, (p->method_count + count) * sizeof *grown);
    if (grown != NULL)
        p->methods = grown;
    bool copied = grown != NULL;
    for (size_t i = 0; i < count && copied; i++)
        copied = (paths[i] = strdup(wanted[i].path)) != NULL;
    if (!copied) {
        free(paths[0]);
        free(paths[1]);
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        wanted[i].path = paths[i];
        if (known[i])
            free(paths[i]);
        else
            add_method(p, wanted[i]);
    }
    return SAGA_OK;
}

/* ---- serving ---- */

int saga_participant_start(saga_participant *participant, struct saga_error *error)
{
    saga_participant *p = participant;
    if (forked_since(p->generation))
        return forked_error(error);
    if (p->state != PARTICIPANT_OPEN || p->method_count == 0)
        return saga_error_set(error, SAGA_E_FAILED_PRECONDITION, SAGA_REASON_ARGUMENT, NULL,
                              p->state != PARTICIPANT_OPEN ? "the participant was started before"
                                                           : "the participant has no step");
    int code = participant_pool_start(p, error);
    if (code != SAGA_OK)
        return code;
    code = participant_serve(p, error);
    if (code != SAGA_OK) {
        participant_pool_stop(p);
        return code;
    }
    p->state = PARTICIPANT_SERVING;
    return SAGA_OK;
}

void saga_participant_stop(saga_participant *participant)
{
    saga_participant *p = participant;
    if (p == NULL || p->state != PARTICIPANT_SERVING || forked_since(p->generation))
        return;
    participant_unserve(p);
    participant_pool_stop(p);
    participant_free_server(p);
    p->state = PARTICIPANT_STOPPED;
}

void saga_participant_close(saga_participant *participant)
{
    if (participant == NULL || forked_since(participant->generation))
        return;
    saga_participant_stop(participant);
    if (participant->state == PARTICIPANT_OPEN)
        participant_unlisten(participant);
    free_participant(participant);
}
