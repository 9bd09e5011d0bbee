/* alloc.c - every allocation refused in turn, in a whole sidecar and in the client library, with the real SQLite and
 * the real gRPC.
 *
 *   alloc [all] [SUITE [N]]     all suites; one; or one with its Nth allocation refused, in this process. Without "all"
 * only every seventeenth of SQLite's allocations behind the first two hundred is refused.
 *
 * Suites: "sidecar" (what the sidecar's own thread asks malloc for, from its start through sagas of both kinds, a pipe
 * and a watch to its end), "recovery" (the same from a journal with live sagas to the end of a restart), "sqlite" (what
 * SQLite asks for there), "client" (what libsaga, client and participant, asks for). Each refusal happens in a process
 * of its own, which then opens the journal again with nothing refused: every saga that was acknowledged must be there,
 * and must end. Run it built with AddressSanitizer to have what leaks found as well.
 *
 * Linked with --wrap, so that only the tree's own calls count, and without those that sidecar/rpc cannot do without
 * (rpc_allocate), which end the process by design, as in gRPC itself. */
#include "tests/alloc/alloc.h"

#include "sidecar/base/check.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Refusals that are tried at the same time; most of a try is waiting. */
#define SIDE_BY_SIDE 8
#define TRY_SECONDS  60

enum exit_code { EXIT_REACHED = 0, EXIT_NOT_REACHED = 10 };

/* ---- refusing ---- */

_Thread_local enum alloc_side alloc_side_here = ALLOC_SIDE_CLIENT;

static atomic_ullong asked;
static unsigned long long refuse_at;
static enum alloc_side refuse_side;
static atomic_bool armed;

static bool refused(enum alloc_side side)
{
    return atomic_load_explicit(&armed, memory_order_relaxed) && side == refuse_side &&
           atomic_fetch_add(&asked, 1) + 1 == refuse_at;
}

void alloc_arm(bool on)
{
    atomic_store(&armed, on);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return refused(alloc_side_here) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused(alloc_side_here) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return refused(alloc_side_here) ? NULL : __real_realloc(at, size);
}

char *__wrap_strdup(const char *text)
{
    return refused(alloc_side_here) ? NULL : __real_strdup(text);
}

static sqlite3_mem_methods sqlite_memory;

static void *sqlite_malloc(int size)
{
    return alloc_side_here == ALLOC_SIDE_SIDECAR && refused(ALLOC_SIDE_SQLITE) ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *at, int size)
{
    return alloc_side_here == ALLOC_SIDE_SIDECAR && refused(ALLOC_SIDE_SQLITE) ? NULL
                                                                               : sqlite_memory.xRealloc(at, size);
}

static void count_sqlite(void)
{
    CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) == SQLITE_OK);
    sqlite3_mem_methods counted = sqlite_memory;
    counted.xMalloc = sqlite_malloc;
    counted.xRealloc = sqlite_realloc;
    CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &counted) == SQLITE_OK);
}

_Noreturn void saga_panic(const char *file, int line, const char *expectation)
{
    fprintf(stderr, "%s:%d: %s does not hold\n", file, line, expectation);
    abort();
}

/* ---- suites ---- */

struct suite {
    const char *name;
    enum alloc_side side;
    void (*run)(struct alloc_folder *folder);
    bool prepared; /* starts from a journal with live sagas */
};

static bool thorough;

static const struct suite suites[] = {
    {"sidecar", ALLOC_SIDE_SIDECAR, alloc_whole_life, false},
    {"recovery", ALLOC_SIDE_SIDECAR, alloc_restart, true},
    {"sqlite", ALLOC_SIDE_SQLITE, alloc_whole_life, false},
    {"client", ALLOC_SIDE_CLIENT, alloc_client, false},
};

/* One refusal. Does not return but by exit, so that leaks are looked for. */
static _Noreturn void try_one(const struct suite *suite, const struct alloc_folder *prepared, unsigned long long n)
{
    struct alloc_folder folder = {0};
    alarm(TRY_SECONDS);
    refuse_at = n;
    refuse_side = suite->side;
    if (suite->side == ALLOC_SIDE_SQLITE)
        count_sqlite();
    alloc_folder_make(&folder, suite->prepared ? prepared : NULL);
    suite->run(&folder);
    alloc_arm(false);
    alloc_folder_remove(&folder);
    exit(atomic_load(&asked) >= n ? EXIT_REACHED : EXIT_NOT_REACHED);
}

static pid_t fork_try(const struct suite *suite, const struct alloc_folder *prepared, unsigned long long n)
{
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        try_one(suite, prepared, n);
    return pid;
}

static bool run_suite(const struct suite *suite, const struct alloc_folder *prepared)
{
    struct {
        pid_t pid;
        unsigned long long n;
    } tries[SIDE_BY_SIDE] = {0};
    unsigned long long next = 1, reached = 0, end = 0;
    unsigned running = 0;
    bool good = true;
    while (running > 0 || (end == 0 && good)) {
        for (unsigned i = 0; i < SIDE_BY_SIDE && end == 0 && good; i++)
            if (tries[i].pid == 0) {
                tries[i].n = next;
                next += suite->side == ALLOC_SIDE_SQLITE && next >= 200 && !thorough ? 17 : 1;
                tries[i].pid = fork_try(suite, prepared, tries[i].n);
                running++;
            }
        int status;
        pid_t pid = wait(&status);
        CHECK(pid > 0);
        for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
            if (tries[i].pid != pid)
                continue;
            int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            tries[i].pid = 0;
            running--;
            reached += code == EXIT_REACHED;
            if (code == EXIT_NOT_REACHED && (end == 0 || tries[i].n < end))
                end = tries[i].n;
            if (code != EXIT_REACHED && code != EXIT_NOT_REACHED) {
                fprintf(stderr, "alloc: %s: refusal %llu: %s %d\n", suite->name, tries[i].n,
                        WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? code : WTERMSIG(status));
                good = false;
            }
        }
    }
    printf("alloc: %s: %llu refusals survived\n", suite->name, reached);
    return good && reached > 20;
}

int main(int argc, char **argv)
{
    struct alloc_folder *prepared =
        mmap(NULL, sizeof *prepared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(prepared != MAP_FAILED);
    pid_t pid = fork(); /* gRPC must not be at work in a process that forks */
    if (pid == 0) {
        alloc_folder_make(prepared, NULL);
        alloc_prepare(prepared);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    if (status != 0) {
        fprintf(stderr, "alloc: nothing refused, and it fails all the same (status %d)\n", status);
        return 1;
    }
    bool good = true;
    thorough = argc > 1 && strcmp(argv[1], "all") == 0;
    argc -= thorough;
    argv += thorough;
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (argc > 1 && strcmp(argv[1], suites[i].name) != 0)
            continue;
        if (argc > 2)
            try_one(&suites[i], prepared, strtoull(argv[2], NULL, 10));
        good = run_suite(&suites[i], prepared) && good;
    }
    alloc_folder_remove(prepared);
    return good ? 0 : 1;
}
