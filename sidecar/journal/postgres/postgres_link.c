/* postgres_link.c - a thread with a connection. It sends the statements that it is given, several before the answer to the first, each a
 * transaction of its own, and gives the answers back in their order. When the connection is lost it makes another. While it waits for
 * answers, whoever gives it a statement sends that himself: waking a thread for it would cost a commit more than the sending does. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/postgres/hold.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How long between two tries to connect. */
#define CONNECT_AGAIN_US     20000
#define CONNECT_AGAIN_MAX_US 1000000
#define SENT_MAX             64

struct queue {
    struct pg_job *first, **last;
    unsigned count;
};

struct pg_link {
    struct pg_link_options options;
    pthread_t thread;
    int wake_fd;           /* for the thread */
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    enum pg_link_state state;
    int code; /* of a dead one */
    struct error_detail why;
    bool stop;
    struct queue waiting, sent;
    uint64_t epoch;
    int64_t renewed_us;
    uint64_t kept;    /* the last commit that is known to be */
    PGconn *db;       /* NULL: not up */
    PGresult *answer; /* of the oldest that was sent; NULL: none yet */
    bool unsent;      /* libpq has bytes that the socket did not take */
    bool broken;      /* the connection took nothing more */
};

static void queue_init(struct queue *q)
{
    *q = (struct queue){.first = NULL};
    q->last = &q->first;
}

static void queue_put(struct queue *q, struct pg_job *job)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
    q->count++;
}

static struct pg_job *queue_take(struct queue *q)
{
    struct pg_job *job = q->first;
    CHECK((job == NULL) == (q->count == 0));
    if (job == NULL)
        return NULL;
    q->first = job->next;
    if (q->first == NULL)
        q->last = &q->first;
    q->count--;
    return job;
}

/* ---- jobs end; within the mutex ---- */

static void end_job(struct pg_link *l, struct pg_job *job, enum pg_job_state state, PGresult *result)
{
    CHECK(job->state == PG_JOB_WAITING && state != PG_JOB_WAITING); /* it ends once */
    CHECK(state == PG_JOB_DONE || result == NULL);
    if (state == PG_JOB_DONE && job->seq > l->kept)
        l->kept = job->seq;
    if (job->orphaned) {
        PQclear(result);
        job_free(job);
        return;
    }
    job->result = result;
    job->ended_us = pg_now();
    job->state = state;
    pthread_cond_broadcast(&l->changed);
}

static void fail_all(struct pg_link *l, struct queue *q)
{
    struct pg_job *job;
    while ((job = queue_take(q)) != NULL)
        end_job(l, job, PG_JOB_FAILED, NULL);
}

/* What was sent goes before what waits, in its order. A commit that was kept is done; who only renewed is not needed any more. */
static void take_back(struct pg_link *l, const struct pg_taken *taken)
{
    struct queue sent = l->sent, waiting = l->waiting;
    struct queue *const queues[] = {&sent, &waiting};
    uint64_t before = 0;
    queue_init(&l->sent);
    queue_init(&l->waiting);
    for (int i = 0; i < 2; i++)
        for (struct pg_job *job = queues[i]->first, *next; job != NULL; job = next) {
            next = job->next;
            CHECK(job->seq == 0 || job->seq > before); /* commits stand in their order */
            before = job->seq == 0 ? before : job->seq;
            if (job->seq == 0)
                end_job(l, job, PG_JOB_FAILED, NULL);
            else if (hold_has_kept(job->seq, taken->seq))
                end_job(l, job, PG_JOB_DONE, NULL);
            else
                queue_put(&l->waiting, job);
        }
}

static void wake_owner(struct pg_link *l)
{
    if (l->options.wake != NULL)
        l->options.wake(l->options.self);
}

/* ---- the connection ---- */

static bool stops(void *self)
{
    struct pg_link *l = self;
    pthread_mutex_lock(&l->mutex);
    bool stop = l->stop;
    pthread_mutex_unlock(&l->mutex);
    return stop;
}

static int64_t time_over(const struct pg_link *l)
{
    return pg_now() + l->options.timeout.us;
}

PGresult *link_query(struct pg_link *l, PGconn *db, const char *sql, int count, const char *const *values,
                     char state[6], struct error_detail *detail)
{
    state[0] = '\0';
    PGresult *result = NULL;
    if (PQsendQueryParams(db, sql, count, NULL, values, NULL, NULL, 0) == 1)
        result = connection_answer(db, time_over(l), stops, l);
    ExecStatusType status = PQresultStatus(result);
    if (result != NULL && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK))
        return result;
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (code != NULL)
        snprintf(state, 6, "%s", code);
    if (result == NULL)
        error_set(detail, E_JOURNAL_AWAY, "", "the database server does not answer in time");
    else
        connection_error(db, detail);
    PQclear(result);
    return NULL;
}

static bool prepare_all(struct pg_link *l, PGconn *db, struct error_detail *detail)
{
    bool writer = l->options.writer;
    for (int i = writer ? 0 : PG_WRITER_COUNT; i < (writer ? PG_WRITER_COUNT : PG_STATEMENT_COUNT); i++) {
        char name[16];
        snprintf(name, sizeof name, "saga%d", i);
        PGresult *result = NULL;
        if (PQsendPrepare(db, name, postgres_statements[i], 0, NULL) == 1)
            result = connection_answer(db, time_over(l), stops, l);
        bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
        if (!good)
            connection_error(db, detail);
        PQclear(result);
        if (!good)
            return false;
    }
    return true;
}

/* A commit is durable, whatever the role's or the database's default is; what the reader drops may come back after a crash. */
static bool set_up_session(struct pg_link *l, PGconn *db, struct error_detail *detail)
{
    static const char writer[] =
        "select set_config('synchronous_commit', case when current_setting('synchronous_commit') in "
        "('off', 'local') then 'on' else current_setting('synchronous_commit') end, false), "
        "set_config('lock_timeout', '2s', false)";
    static const char reader[] = "select set_config('synchronous_commit', 'off', false)";
    char state[6];
    PGresult *result = link_query(l, db, l->options.writer ? writer : reader, 0, NULL, state, detail);
    PQclear(result);
    return result != NULL && prepare_all(l, db, detail);
}

/* A connection that is ready to carry jobs, or NULL: then *code is STORE_PENDING, or why there never will be one. */
static PGconn *connect_once(struct pg_link *l, struct pg_taken *taken, int *code, struct error_detail *detail)
{
    *code = STORE_PENDING;
    PGconn *db = connection_open(l->options.conninfo, time_over(l), stops, l, detail);
    if (db == NULL)
        return NULL;
    *code = l->options.ready == NULL ? 0 : l->options.ready(l->options.self, l, db, taken, detail);
    if (*code == 0 && !set_up_session(l, db, detail))
        *code = STORE_PENDING;
    if (*code == 0 && PQsetnonblocking(db, 1) == 0 && PQenterPipelineMode(db) == 1)
        return db;
    if (*code == 0)
        *code = STORE_PENDING;
    PQfinish(db);
    return NULL;
}

static void drain(int fd)
{
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
}

/* Makes a connection. Returns false when there will be none. */
static bool come_up(struct pg_link *l)
{
    int64_t pause_us = CONNECT_AGAIN_US;
    for (;;) {
        struct pg_taken taken = {.epoch = 0};
        struct error_detail detail = {.text = ""};
        int code;
        PGconn *db = connect_once(l, &taken, &code, &detail);
        pthread_mutex_lock(&l->mutex);
        bool stop = l->stop;
        if (db != NULL) {
            CHECK(!l->options.writer || taken.epoch > l->epoch); /* what an older connection left is fenced off */
            l->db = db;
            l->state = PG_LINK_UP;
            l->epoch = taken.epoch;
            l->renewed_us = taken.renewed_us;
            take_back(l, &taken);
        } else {
            l->why = detail;
            if (code != STORE_PENDING) {
                l->state = PG_LINK_DEAD;
                l->code = code;
                fail_all(l, &l->sent);
                fail_all(l, &l->waiting);
            }
        }
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->mutex);
        if (db != NULL || code != STORE_PENDING || stop) {
            wake_owner(l);
            return db != NULL && !stop;
        }
        struct pollfd at = {.fd = l->wake_fd, .events = POLLIN};
        poll(&at, 1, (int)(pause_us / 1000));
        pause_us = pause_us * 2 < CONNECT_AGAIN_MAX_US ? pause_us * 2 : CONNECT_AGAIN_MAX_US;
        drain(l->wake_fd);
    }
}

/* Within the mutex. */
static void go_down(struct pg_link *l, const char *why)
{
    if (why != NULL)
        error_set(&l->why, E_JOURNAL_AWAY, "", why);
    else
        connection_error(l->db, &l->why);
    PQfinish(l->db);
    l->db = NULL;
    PQclear(l->answer);
    l->answer = NULL;
    l->unsent = l->broken = false;
    l->state = PG_LINK_DOWN;
    if (!l->options.writer) {
        fail_all(l, &l->sent);
        fail_all(l, &l->waiting);
    }
    pthread_cond_broadcast(&l->changed);
}

/* ---- jobs out, answers in; within the mutex ---- */

/* The parameter that names the epoch, in every statement of the writer. */
#define EPOCH_PARAMETER 1

static bool send_one(struct pg_link *l, struct pg_job *job)
{
    const char *values[PG_PARAMETERS_MAX];
    int sizes[PG_PARAMETERS_MAX], formats[PG_PARAMETERS_MAX];
    char name[16];
    CHECK(l->options.writer == (job->statement < PG_WRITER_COUNT)); /* the others are prepared there alone */
    if (l->options.writer)
        job_set_number(job, EPOCH_PARAMETER, l->epoch);
    for (unsigned i = 0; i < job->count; i++) {
        values[i] = (const char *)job->bytes + job->parameters[i].offset;
        sizes[i] = (int)job->parameters[i].size;
        formats[i] = 1;
    }
    snprintf(name, sizeof name, "saga%d", (int)job->statement);
    job->sent_us = pg_now();
    return PQsendQueryPrepared(l->db, name, (int)job->count, values, sizes, formats, 1) == 1 &&
           PQpipelineSync(l->db) == 1;
}

/* Sends what waits, as far as it may be on the way at once; what goes wrong is for the thread. */
static void send_waiting(struct pg_link *l)
{
    CHECK(l->state == PG_LINK_UP && l->db != NULL);
    while (!l->broken && l->sent.count < SENT_MAX && l->waiting.first != NULL) {
        struct pg_job *job = queue_take(&l->waiting);
        queue_put(&l->sent, job);
        l->broken = !send_one(l, job);
    }
    int flushed = l->broken ? -1 : PQflush(l->db);
    l->unsent = flushed == 1;
    l->broken = flushed < 0;
}

static bool hit(const PGresult *result)
{
    return PQntuples(result) == 1 && result_number(result, 0, 0) == 1;
}

/* What the oldest that was sent gave. It is not true before its transaction has ended: a server that ends a connection may tell the one without
 * the other. Returns false when the connection is to be made anew: what became of it is read when the journal is taken again. */
static bool take_answer(struct pg_link *l, PGresult *result)
{
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    CHECK(l->sent.first != NULL); /* there is an answer to what was asked alone */
    PQclear(l->answer);
    l->answer = result;
    return !l->options.writer || (good && hit(result));
}

/* The transaction of the oldest that was sent has ended. */
static void end_oldest(struct pg_link *l)
{
    bool good = PQresultStatus(l->answer) == PGRES_TUPLES_OK;
    struct pg_job *job = queue_take(&l->sent);
    CHECK(job != NULL); /* there is an end to what was asked alone */
    if (l->options.writer && job->sent_us > l->renewed_us)
        l->renewed_us = job->sent_us;
    if (!good)
        connection_error(l->db, &l->why);
    end_job(l, job, good ? PG_JOB_DONE : PG_JOB_FAILED, good ? l->answer : NULL);
    if (!good)
        PQclear(l->answer);
    l->answer = NULL;
}

/* Takes the answers that are there; *any: whether a job ended. Returns false when the connection is no good. */
static bool take_answers(struct pg_link *l, bool *any)
{
    bool good = PQconsumeInput(l->db) == 1;
    while (good && !PQisBusy(l->db)) {
        PGresult *result = PQgetResult(l->db);
        if (result == NULL) {
            /* Between a statement and its end there is one of these, too; when nothing more was sent, it is the last. */
            if (PQisBusy(l->db) || l->sent.first == NULL)
                break;
        } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            end_oldest(l);
            *any = true;
        } else {
            good = take_answer(l, result);
        }
    }
    return good;
}

/* How long the oldest that was sent may still take. */
static int64_t patience_us(struct pg_link *l)
{
    return l->sent.first == NULL ? l->options.timeout.us : l->sent.first->sent_us + l->options.timeout.us - pg_now();
}

/* Waits for something to do, without the mutex; before that the owner hears of what has ended. Returns whether the server has sent something, or
 * the socket takes more. */
static bool wait_for_more(struct pg_link *l, int64_t left_us, bool *ended)
{
    struct pollfd at[] = {{.fd = PQsocket(l->db), .events = (short)(POLLIN | (l->unsent ? POLLOUT : 0))},
                          {.fd = l->wake_fd, .events = POLLIN}};
    pthread_mutex_unlock(&l->mutex);
    if (*ended)
        wake_owner(l);
    *ended = false;
    poll(at, 2, (int)(left_us / 1000) + 1);
    if (at[1].revents != 0)
        drain(l->wake_fd);
    pthread_mutex_lock(&l->mutex);
    return at[0].revents != 0;
}

/* Carries jobs until the connection is lost, or the thread is to end. */
static void carry(struct pg_link *l)
{
    const char *why = NULL;
    bool good = true, ended = false; /* ended: a job, of which the owner does not know yet */
    pthread_mutex_lock(&l->mutex);
    while (good && (!l->stop || l->sent.first != NULL)) {
        send_waiting(l);
        int64_t left_us = patience_us(l);
        if (left_us <= 0)
            why = "the database server does not answer in time";
        good = left_us > 0 && !l->broken;
        if (good && wait_for_more(l, left_us, &ended))
            good = take_answers(l, &ended);
    }
    if (!good)
        go_down(l, why);
    pthread_mutex_unlock(&l->mutex);
    if (!good || ended)
        wake_owner(l);
}

static void *run(void *self)
{
    struct pg_link *l = self;
    while (come_up(l)) {
        carry(l);
        if (stops(l))
            break;
    }
    PQclear(l->answer);
    PQfinish(l->db);
    return NULL;
}

/* ---- for the owner ---- */

int link_open(const struct pg_link_options *options, struct pg_link **out)
{
    pthread_condattr_t clock;
    struct pg_link *l = calloc(1, sizeof *l);
    if (l == NULL)
        return E_MEMORY;
    l->options = *options;
    queue_init(&l->waiting);
    queue_init(&l->sent);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &clock);
    pthread_condattr_destroy(&clock);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0 || pthread_create(&l->thread, NULL, run, l) != 0) {
        if (l->wake_fd >= 0)
            close(l->wake_fd);
        pthread_mutex_destroy(&l->mutex);
        pthread_cond_destroy(&l->changed);
        free(l);
        return E_SYSTEM;
    }
    *out = l;
    return 0;
}

static void tell_thread(struct pg_link *l)
{
    uint64_t one = 1;
    (void)!write(l->wake_fd, &one, sizeof one);
}

static void free_all(struct queue *q)
{
    struct pg_job *job;
    while ((job = queue_take(q)) != NULL)
        job_free(job);
}

void link_close(struct pg_link *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_mutex_unlock(&l->mutex);
    tell_thread(l);
    pthread_join(l->thread, NULL);
    free_all(&l->sent);
    free_all(&l->waiting);
    pthread_mutex_destroy(&l->mutex);
    pthread_cond_destroy(&l->changed);
    close(l->wake_fd);
    free(l);
}

static enum pg_link_state look(struct pg_link *l, int *code, struct error_detail *detail)
{
    if (code != NULL)
        *code = l->code;
    if (detail != NULL && l->state != PG_LINK_UP)
        *detail = l->why;
    return l->state;
}

enum pg_link_state link_state(struct pg_link *l, int *code, struct error_detail *detail)
{
    pthread_mutex_lock(&l->mutex);
    enum pg_link_state state = look(l, code, detail);
    pthread_mutex_unlock(&l->mutex);
    return state;
}

int link_submit(struct pg_link *l, struct pg_job *job)
{
    if (job->out_of_memory) {
        job_free(job);
        return E_MEMORY;
    }
    CHECK(job->state == PG_JOB_WAITING && !job->orphaned);
    pthread_mutex_lock(&l->mutex);
    bool up = l->state == PG_LINK_UP, takes = up || (l->options.writer && l->state == PG_LINK_DOWN);
    if (takes)
        queue_put(&l->waiting, job);
    else
        end_job(l, job, PG_JOB_FAILED, NULL);
    if (up)
        send_waiting(l);
    bool tell = takes && (!up || l->unsent || l->broken);
    pthread_mutex_unlock(&l->mutex);
    if (tell)
        tell_thread(l);
    return 0;
}

/* Waits for a change until then. Returns false when the time is over. */
static bool wait_change(struct pg_link *l, int64_t until_us)
{
    struct timespec at;
    int64_t left_us = until_us - pg_now();
    if (left_us <= 0)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += left_us / 1000000;
    at.tv_nsec += left_us % 1000000 * 1000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&l->changed, &l->mutex, &at);
    return true;
}

enum pg_job_state link_ask(struct pg_link *l, struct pg_job *job, int64_t until_us)
{
    pthread_mutex_lock(&l->mutex);
    while (job->state == PG_JOB_WAITING && wait_change(l, until_us))
        ;
    enum pg_job_state state = job->state;
    pthread_mutex_unlock(&l->mutex);
    return state;
}

void link_forget(struct pg_link *l, struct pg_job *job)
{
    if (job == NULL)
        return;
    pthread_mutex_lock(&l->mutex);
    CHECK(!job->orphaned); /* nobody forgets it twice */
    bool over = job->state != PG_JOB_WAITING;
    job->orphaned = true;
    pthread_mutex_unlock(&l->mutex);
    if (over)
        job_free(job);
}

enum pg_link_state link_wait(struct pg_link *l, int64_t until_us, int *code, struct error_detail *detail)
{
    pthread_mutex_lock(&l->mutex);
    while (l->state == PG_LINK_DOWN && wait_change(l, until_us))
        ;
    enum pg_link_state state = look(l, code, detail);
    pthread_mutex_unlock(&l->mutex);
    return state;
}

int64_t link_renewed(struct pg_link *l)
{
    pthread_mutex_lock(&l->mutex);
    int64_t renewed_us = l->renewed_us;
    pthread_mutex_unlock(&l->mutex);
    return renewed_us;
}

uint64_t link_kept(struct pg_link *l)
{
    pthread_mutex_lock(&l->mutex);
    uint64_t kept = l->kept;
    pthread_mutex_unlock(&l->mutex);
    return kept;
}

uint64_t link_epoch(struct pg_link *l)
{
    pthread_mutex_lock(&l->mutex);
    uint64_t epoch = l->epoch;
    pthread_mutex_unlock(&l->mutex);
    return epoch;
}
