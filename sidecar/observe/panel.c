/* panel.c - asks the loops, and looks at the process. */
#include "sidecar/observe/panel.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* How long whoever looks waits for the loops' fresh numbers. */
#define PATIENCE_US INT64_C(250000)

struct panel {
    int bell;
    const char *version;
    struct instant started;
    struct vitals *const *loops;
    _Atomic unsigned count; /* 0: nothing is watched yet */
    struct metrics *more;   /* NULL: none */
    struct metrics *const *guests;
    _Atomic unsigned guest_count;
    pthread_mutex_t lock; /* of those who look: one at a time asks, and writes what follows */
    struct metrics *own;  /* of the process */
    uint64_t cpu_us;      /* as it was last counted */
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- the loops' side ---- */

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

/* Whether the loop has answered what it was asked. */
static bool has_told(const struct vitals *v)
{
    return !vitals_are_wanted(v);
}

struct span panel_silence(const struct vitals *v)
{
    return (struct span){.us = now_us() - atomic_load(&v->told_at)};
}

/* Whether all that were awaited have told by then. */
static void await(struct panel *p, const bool awaited[PANEL_LOOPS_MAX], unsigned count, int64_t until)
{
    for (;;) {
        unsigned waits = 0;
        uint64_t rings;
        for (unsigned k = 0; k < count; k++)
            waits += awaited[k] && !has_told(p->loops[k]);
        int64_t left = until - now_us();
        if (waits == 0 || left <= 0)
            return;
        struct pollfd bell = {.fd = p->bell, .events = POLLIN};
        poll(&bell, 1, (int)((left + 999) / 1000));
        if (read(p->bell, &rings, sizeof rings) < 0 && errno != EAGAIN)
            return;
    }
}

void panel_ask(struct panel *p)
{
    unsigned count = panel_loops(p);
    bool awaited[PANEL_LOOPS_MAX];
    pthread_mutex_lock(&p->lock);
    int64_t until = now_us() + PATIENCE_US;
    for (unsigned k = 0; k < count; k++) {
        struct vitals *v = p->loops[k];
        awaited[k] = has_told(v);
        if (awaited[k])
            atomic_fetch_add(&v->asked, 1);
        v->wake(v->self);
    }
    await(p, awaited, count, until);
    pthread_mutex_unlock(&p->lock);
}

unsigned panel_loops(const struct panel *p)
{
    return atomic_load(&p->count);
}

const struct vitals *panel_loop(const struct panel *p, unsigned k)
{
    return p->loops[k];
}

/* ---- the process ---- */

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
static void look_at_process(struct panel *p)
{
    struct rusage usage;
    struct rlimit limit;
    unsigned long long size, resident;
    FILE *memory = fopen("/proc/self/statm", "re");
    if (memory != NULL && fscanf(memory, "%llu %llu", &size, &resident) == 2)
        metrics_set(p->own, METRIC_PROCESS_MEMORY, no_labels(), (double)resident * (double)sysconf(_SC_PAGESIZE));
    if (memory != NULL)
        fclose(memory);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        uint64_t cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                          (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        metrics_add(p->own, METRIC_PROCESS_CPU, no_labels(), cpu_us - p->cpu_us);
        p->cpu_us = cpu_us;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_set(p->own, METRIC_PROCESS_FILES_MAX, no_labels(), (double)limit.rlim_cur);
    metrics_set(p->own, METRIC_PROCESS_FILES, no_labels(), count_files());
    metrics_set(p->own, METRIC_PROCESS_START, no_labels(), (double)(p->started.us / 1000000));
    metrics_set(p->own, METRIC_BUILD_INFO, (struct metric_labels){{bytes_of_text(p->version)}}, 1);
}

unsigned panel_metrics(struct panel *p, struct metrics *all[PANEL_METRICS_MAX])
{
    unsigned count = panel_loops(p);
    double oldest = 0;
    for (unsigned k = 0; k < count; k++) {
        double silent = (double)panel_silence(p->loops[k]).us / 1e6;
        all[k] = p->loops[k]->metrics;
        oldest = !has_told(p->loops[k]) && silent > oldest ? silent : oldest;
    }
    pthread_mutex_lock(&p->lock);
    look_at_process(p);
    metrics_set(p->own, METRIC_GAUGES_AGE, no_labels(), oldest);
    pthread_mutex_unlock(&p->lock);
    all[count++] = p->own;
    for (unsigned k = 0, guests = atomic_load(&p->guest_count); k < guests; k++)
        all[count++] = p->guests[k];
    if (count > 1 && p->more != NULL) /* it was there before the loops were */
        all[count++] = p->more;
    return count;
}

struct instant panel_started(const struct panel *p)
{
    return p->started;
}

/* ---- its life ---- */

int panel_create(const char *version, struct panel **out)
{
    struct timespec now;
    struct panel *p = calloc(1, sizeof *p);
    if (p == NULL)
        return E_MEMORY;
    p->version = version;
    p->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    clock_gettime(CLOCK_REALTIME, &now);
    p->started.us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    pthread_mutex_init(&p->lock, NULL);
    int code = metrics_create(METRIC_COUNT, &p->own) != 0 ? E_MEMORY : p->bell < 0 ? E_SYSTEM : 0;
    if (code != 0) {
        panel_destroy(p);
        return code;
    }
    *out = p;
    return 0;
}

void panel_watch(struct panel *p, struct vitals *const *loops, unsigned count)
{
    p->loops = loops;
    for (unsigned k = 0; k < count; k++) {
        loops[k]->bell = p->bell;
        atomic_store(&loops[k]->told_at, now_us());
    }
    atomic_store(&p->count, count);
}

void panel_add(struct panel *p, struct metrics *more)
{
    p->more = more;
}

void panel_add_guests(struct panel *p, struct metrics *const *guests, unsigned count)
{
    CHECK(count <= PANEL_GUESTS_MAX);
    p->guests = guests;
    atomic_store(&p->guest_count, count);
}

void panel_destroy(struct panel *p)
{
    if (p == NULL)
        return;
    if (p->bell >= 0)
        close(p->bell);
    pthread_mutex_destroy(&p->lock);
    metrics_destroy(p->own);
    free(p);
}
