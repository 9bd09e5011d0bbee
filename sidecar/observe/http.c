/* http.c - three pages for those who watch: libmicrohttpd on a thread of its own. */
#include "sidecar/observe/http.h"

#include "transport/address.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* How long a page waits for the loops' fresh numbers. */
#define HTTP_PATIENCE_US INT64_C(250000)
/* A loop that has told nothing for so long although it was asked is not ready: its disk stalls, or the process was stopped. */
#define SILENCE_US INT64_C(5000000)
/* Connections at once, and seconds that one may be silent: scrapers and probes are few. */
#define CONNECTIONS_MAX      32
#define CONNECTION_SECONDS   10
#define CONNECTION_BYTES     8192
#define CONNECTIONS_PER_PEER 16

struct http {
    struct MHD_Daemon *daemon;
    int bell;
    const char *version;
    struct metrics *own; /* of the process, by the daemon's thread */
    uint64_t cpu_us;     /* as it was last counted */
    time_t started_at;
    struct vitals *const *loops;
    _Atomic unsigned count; /* 0: nothing is watched yet */
};

/* ---- the loops' side ---- */

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

bool vitals_are_wanted(const struct vitals *v)
{
    return atomic_load_explicit(&v->asked, memory_order_relaxed) !=
           atomic_load_explicit(&v->told, memory_order_relaxed);
}

void vitals_tell(struct vitals *v, uint32_t reasons)
{
    uint64_t asked = atomic_load(&v->asked);
    uint64_t ring = 1;
    atomic_store(&v->reasons, reasons);
    atomic_store(&v->told_at, now_us());
    atomic_store(&v->told, asked);
    /* A bell that is full has been rung: nothing is lost. */
    if (write(v->bell, &ring, sizeof ring) < 0)
        return;
}

/* ---- asking them ---- */

static bool has_told(const struct vitals *v)
{
    return !vitals_are_wanted(v);
}

/* Asks every loop, and waits for those that answered the last time: one that stalls holds nobody up twice. */
static void ask(struct http *h, unsigned count)
{
    int64_t until = now_us() + HTTP_PATIENCE_US;
    bool awaited[HTTP_LOOPS_MAX];
    for (unsigned k = 0; k < count; k++) {
        struct vitals *v = h->loops[k];
        awaited[k] = has_told(v);
        if (awaited[k])
            atomic_fetch_add(&v->asked, 1);
        v->wake(v->self);
    }
    for (;;) {
        unsigned waits = 0;
        uint64_t rings;
        for (unsigned k = 0; k < count; k++)
            waits += awaited[k] && !has_told(h->loops[k]);
        int64_t left = until - now_us();
        if (waits == 0 || left <= 0)
            return;
        struct pollfd bell = {.fd = h->bell, .events = POLLIN};
        poll(&bell, 1, (int)((left + 999) / 1000));
        if (read(h->bell, &rings, sizeof rings) < 0 && errno != EAGAIN)
            return;
    }
}

/* ---- pages ---- */

struct page {
    FILE *out;
    char *text;
    size_t size;
    unsigned status;
    const char *type;
};

static void write_livez(struct page *page)
{
    fputs("ok\n", page->out);
}

static void write_readyz(struct http *h, struct page *page)
{
    unsigned count = atomic_load(&h->count);
    static const char *const words[] = {"it is stopping", "its journal is full", "it cannot go on",
                                        "its journal does not answer"};
    bool ready = count > 0;
    if (count == 0)
        fputs("not ready: the journal is being read\n", page->out);
    ask(h, count);
    for (unsigned k = 0; k < count; k++) {
        const struct vitals *v = h->loops[k];
        uint32_t reasons = atomic_load(&v->reasons);
        int64_t silent = now_us() - atomic_load(&v->told_at);
        for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
            if (reasons & 1u << i)
                fprintf(page->out, "not ready: loop %u: %s\n", k, words[i]);
        if (!has_told(v) && silent > SILENCE_US)
            fprintf(page->out, "not ready: loop %u: it has not turned for %" PRId64 " s (does its disk stall?)\n", k,
                    silent / 1000000);
        ready = ready && reasons == 0 && (has_told(v) || silent <= SILENCE_US);
    }
    if (ready)
        fputs("ok\n", page->out);
    page->status = ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static struct metric_labels no_labels(void)
{
    return METRIC_NO_LABELS;
}

static double count_files(void)
{
    DIR *files = opendir("/proc/self/fd");
    double count = -3; /* itself, and the two names of directories */
    if (files == NULL)
        return 0;
    while (readdir(files) != NULL)
        count++;
    closedir(files);
    return count;
}

/* Of the process, under the names that every Prometheus client uses. */
static void look_at_process(struct http *h)
{
    struct rusage usage;
    struct rlimit limit;
    unsigned long long size, resident;
    FILE *memory = fopen("/proc/self/statm", "re");
    if (memory != NULL && fscanf(memory, "%llu %llu", &size, &resident) == 2)
        metrics_set(h->own, METRIC_PROCESS_MEMORY, no_labels(), (double)resident * (double)sysconf(_SC_PAGESIZE));
    if (memory != NULL)
        fclose(memory);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        uint64_t cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                          (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        metrics_add(h->own, METRIC_PROCESS_CPU, no_labels(), cpu_us - h->cpu_us);
        h->cpu_us = cpu_us;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_set(h->own, METRIC_PROCESS_FILES_MAX, no_labels(), (double)limit.rlim_cur);
    metrics_set(h->own, METRIC_PROCESS_FILES, no_labels(), count_files());
    metrics_set(h->own, METRIC_PROCESS_START, no_labels(), (double)h->started_at);
    metrics_set(h->own, METRIC_BUILD_INFO, (struct metric_labels){{bytes_of_text(h->version)}}, 1);
}

static void write_metrics(struct http *h, struct page *page, bool open)
{
    unsigned count = atomic_load(&h->count);
    struct metrics *all[HTTP_LOOPS_MAX + 1];
    double oldest = 0;
    ask(h, count);
    for (unsigned k = 0; k < count; k++) {
        double silent = (double)(now_us() - atomic_load(&h->loops[k]->told_at)) / 1e6;
        all[k] = h->loops[k]->metrics;
        oldest = !has_told(h->loops[k]) && silent > oldest ? silent : oldest;
    }
    look_at_process(h);
    metrics_set(h->own, METRIC_GAUGES_AGE, no_labels(), oldest);
    all[count] = h->own;
    if (metrics_write(all, count + 1, open ? METRICS_OPENMETRICS : METRICS_PROMETHEUS, page->out) != 0)
        page->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    if (open)
        fputs("# EOF\n", page->out);
    page->type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                      : "text/plain; version=0.0.4; charset=utf-8";
}

static void write_page(struct http *h, struct MHD_Connection *connection, const char *url, struct page *page)
{
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    if (strcmp(url, "/livez") == 0) {
        write_livez(page);
    } else if (strcmp(url, "/readyz") == 0) {
        write_readyz(h, page);
    } else if (strcmp(url, "/metrics") == 0) {
        write_metrics(h, page, accept != NULL && strstr(accept, "application/openmetrics-text") != NULL);
    } else {
        page->status = MHD_HTTP_NOT_FOUND;
        fputs("there are /metrics, /livez and /readyz\n", page->out);
    }
}

static enum MHD_Result handle(void *self, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct page page = {.status = MHD_HTTP_OK, .type = "text/plain; charset=utf-8"};
    (void)version;
    (void)upload;
    (void)state;
    if (*upload_size > 0)
        return MHD_NO;
    page.out = open_memstream(&page.text, &page.size);
    if (page.out == NULL)
        return MHD_NO;
    bool looks = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (looks)
        write_page(self, connection, url, &page);
    else
        fputs("only GET and HEAD: nothing here changes anything\n", page.out);
    if (fclose(page.out) != 0) {
        free(page.text);
        return MHD_NO;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(page.size, page.text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(page.text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page.type);
    if (!looks)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result =
        MHD_queue_response(connection, looks ? page.status : MHD_HTTP_METHOD_NOT_ALLOWED, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- its life ---- */

static bool read_address(const char *text, struct sockaddr_storage *out)
{
    struct address read;
    memset(out, 0, sizeof *out);
    if (address_read(text, &read) != NULL || read.path != NULL)
        return false;
    if (read.bracketed) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(read.port);
        return inet_pton(AF_INET6, read.host, &six->sin6_addr) == 1;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    four->sin_family = AF_INET;
    four->sin_port = htons(read.port);
    return inet_pton(AF_INET, read.host, &four->sin_addr) == 1;
}

static int fail(struct http *h, const char *address, const char *why, struct error_detail *detail)
{
    http_close(h);
    error_set(detail, E_SYSTEM, "http_listen", "cannot listen at ");
    error_append(detail, address);
    error_append(detail, ": ");
    error_append(detail, why);
    return E_SYSTEM;
}

int http_open(const char *address, const char *version, struct http **out, int *port, struct error_detail *detail)
{
    struct sockaddr_storage at;
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    h->version = version;
    h->started_at = time(NULL);
    h->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (metrics_create(METRIC_COUNT, &h->own) != 0)
        return fail(h, address, "out of memory", detail);
    if (h->bell < 0)
        return fail(h, address, strerror(errno), detail);
    if (!read_address(address, &at))
        return fail(h, address, "write it in numbers, as 127.0.0.1:9464 or [::1]:9464", detail);
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | (at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    errno = 0;
    h->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, handle, h, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                         MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_PEER, MHD_OPTION_END);
    if (h->daemon == NULL)
        return fail(h, address, errno != 0 ? strerror(errno) : "the address is taken, or cannot be used", detail);
    *port = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    *out = h;
    return 0;
}

void http_watch(struct http *h, struct vitals *const *loops, unsigned count)
{
    h->loops = loops;
    for (unsigned k = 0; k < count; k++) {
        loops[k]->bell = h->bell;
        atomic_store(&loops[k]->told_at, now_us());
    }
    atomic_store(&h->count, count);
}

void http_close(struct http *h)
{
    if (h == NULL)
        return;
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    if (h->bell >= 0)
        close(h->bell);
    metrics_destroy(h->own);
    free(h);
}
