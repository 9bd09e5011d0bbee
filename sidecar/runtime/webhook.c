/* webhook.c - one request at a time, each with an end by our own clock. */
#include "sidecar/runtime/webhook.h"

#include "sidecar/base/check.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/curl.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 5000L
#define TIMEOUT_MS         10000L
/* Of so many pages that were posted last is known what came of them. */
#define FATES (4 * WEBHOOKS_WAITING_MAX)

struct page {
    struct page *next;
    uint64_t number;
    char *body; /* within the page, as the URL */
    char url[];
};

struct webhook {
    struct curl curl;
    CURL *handle; /* the thread's */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct page *first, *last; /* under the lock, as `waiting` */
    unsigned waiting;
    uint64_t posted;      /* likewise */
    uint8_t fates[FATES]; /* likewise; by number */
    atomic_bool stop;
    _Atomic uint64_t sent, failed, dropped;
    pthread_t thread;
};

/* What it says is nobody's business. */
static size_t discard(char *at, size_t size, size_t count, void *self)
{
    (void)at;
    (void)self;
    return size * count;
}

static int look_for_stop(void *self, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return atomic_load(&((struct webhook *)self)->stop);
}

/* Returns whether it was taken. */
static bool send_page(struct webhook *w, const struct page *p)
{
    const struct curl *f = &w->curl;
    CURL *curl = w->handle;
    struct curl_slist *headers = f->slist_append(NULL, "Content-Type: application/json");
    long status = 0;
    f->easy_reset(curl);
    f->easy_setopt(curl, CURLOPT_URL, p->url);
    f->easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    f->easy_setopt(curl, CURLOPT_POSTFIELDS, p->body);
    f->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    f->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    f->easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    f->easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    f->easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    f->easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    f->easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_for_stop);
    f->easy_setopt(curl, CURLOPT_XFERINFODATA, w);
    CURLcode code = f->easy_perform(curl);
    f->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    f->slist_free_all(headers);
    if (code == CURLE_OK && status >= 200 && status < 300) {
        atomic_fetch_add(&w->sent, 1);
        return true;
    }
    atomic_fetch_add(&w->failed, 1);
    /* A webhook's URL may be a secret. */
    log_event(LOG_LEVEL_ERROR, "a webhook did not take a page",
              LOG_TEXT("why", code != CURLE_OK ? f->easy_strerror(code) : "its answer says so"),
              LOG_NUMBER("status", status));
    return false;
}

static struct page *next_page(struct webhook *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !atomic_load(&w->stop))
        pthread_cond_wait(&w->wake, &w->lock);
    struct page *p = atomic_load(&w->stop) ? NULL : w->first;
    if (p != NULL) {
        w->first = p->next;
        w->waiting--;
    }
    pthread_mutex_unlock(&w->lock);
    return p;
}

static void *run(void *self)
{
    struct webhook *w = self;
    for (struct page *p; (p = next_page(w)) != NULL; free(p)) {
        bool sent = send_page(w, p);
        pthread_mutex_lock(&w->lock);
        w->fates[p->number % FATES] = sent ? WEBHOOK_SENT : WEBHOOK_FAILED;
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

int webhook_ready(struct error_detail *detail)
{
    struct curl loaded;
    return curl_load(&loaded, detail);
}

/* What sends pages. Returns 0, E_SYSTEM or E_MEMORY. */
static int prepare(struct webhook *w, struct error_detail *detail)
{
    int code = curl_load(&w->curl, detail);
    if (code != 0)
        return code;
    if (w->curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(detail, E_MEMORY, "", NULL);
    w->handle = w->curl.easy_init();
    if (w->handle != NULL)
        return 0;
    w->curl.global_cleanup();
    return error_set(detail, E_MEMORY, "", NULL);
}

/* Once no thread has it any more. */
static void dismantle(struct webhook *w)
{
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    w->curl.easy_cleanup(w->handle);
    w->curl.global_cleanup();
    free(w);
}

int webhook_open(struct webhook **out, struct error_detail *detail)
{
    struct webhook *w = calloc(1, sizeof *w);
    int code = w == NULL ? error_set(detail, E_MEMORY, "", NULL) : prepare(w, detail);
    if (code != 0) {
        free(w);
        return code;
    }
    CHECK(pthread_mutex_init(&w->lock, NULL) == 0 && pthread_cond_init(&w->wake, NULL) == 0);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        dismantle(w);
        return error_set(detail, E_SYSTEM, "", "the thread that sends pages cannot be made");
    }
    *out = w;
    return 0;
}

void webhook_close(struct webhook *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    atomic_store(&w->stop, true);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    for (struct page *p = w->first, *next; p != NULL; p = next) {
        next = p->next;
        free(p);
    }
    dismantle(w);
}

uint64_t webhook_post(struct webhook *w, const char *url, const char *body)
{
    size_t url_size = strlen(url) + 1, body_size = strlen(body) + 1;
    struct page *p = malloc(sizeof *p + url_size + body_size);
    bool room = false;
    uint64_t number = 0;
    if (p != NULL) {
        p->next = NULL;
        p->body = p->url + url_size;
        memcpy(p->url, url, url_size);
        memcpy(p->body, body, body_size);
        pthread_mutex_lock(&w->lock);
        room = w->waiting < WEBHOOKS_WAITING_MAX;
        if (room) {
            *(w->first == NULL ? &w->first : &w->last->next) = p;
            w->last = p;
            w->waiting++;
            number = p->number = ++w->posted;
            w->fates[number % FATES] = WEBHOOK_WAITS;
            pthread_cond_signal(&w->wake);
        }
        pthread_mutex_unlock(&w->lock);
    }
    if (!room) {
        free(p);
        atomic_fetch_add(&w->dropped, 1);
    }
    return number;
}

enum webhook_fate webhook_fate(struct webhook *w, uint64_t number)
{
    pthread_mutex_lock(&w->lock);
    uint8_t fate = number + FATES <= w->posted ? WEBHOOK_FAILED : w->fates[number % FATES];
    pthread_mutex_unlock(&w->lock);
    return (enum webhook_fate)fate;
}

struct webhook_counts webhook_take_counts(struct webhook *w)
{
    return (struct webhook_counts){.sent = atomic_exchange(&w->sent, 0),
                                   .failed = atomic_exchange(&w->failed, 0),
                                   .dropped = atomic_exchange(&w->dropped, 0)};
}
