/* external.c - the acceptor's object, and the trial of it. */
#include "transport/external.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <grpc/support/time.h>

/* Of the object's virtual functions: two destructors, then void Handle(int listener, int fd, grpc_byte_buffer *read_already). */
enum { HANDLE = 2 };

#define TRIAL_MS 3000

typedef void (*handle_function)(void *object, int listener, int fd, grpc_byte_buffer *read_already);

static void *same(void *p)
{
    return p;
}

static void nothing(void *p)
{
    (void)p;
}

static int compare(void *a, void *b)
{
    return a < b ? -1 : a > b;
}

static const grpc_arg_pointer_vtable as_it_is = {same, nothing, compare};

grpc_arg transport_external_arg(const char *name, struct transport_external *external)
{
    return (grpc_arg){.type = GRPC_ARG_POINTER,
                      .key = (char *)(uintptr_t)name,
                      .value.pointer = {.p = &external->handler, .vtable = &as_it_is}};
}

bool transport_external_add(grpc_server *server, const char *name, struct transport_external *external,
                            grpc_server_credentials *credentials)
{
    grpc_server_add_http2_port(server, name, credentials); /* it has no number to give */
    return external->handler != NULL;
}

void transport_external_take(const struct transport_external *external, int fd)
{
    const handle_function *functions = *(const handle_function *const *)external->handler;
    functions[HANDLE](external->handler, -1, fd, NULL);
}

/* ---- the trial ---- */

/* What a client says first, and the head of what a server answers: a frame of settings. */
static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
enum { HELLO_SIZE = sizeof hello, FRAME_HEAD_SIZE = 9, SETTINGS = 4 };

/* A server of its own takes one end of a pair of sockets, and answers at the other as a server does. */
static bool serves(int ours, int theirs)
{
    static const char name[] = "external:trial";
    struct transport_external external = {0};
    grpc_init();
    grpc_arg arg = transport_external_arg(name, &external);
    grpc_server *server = grpc_server_create(&(grpc_channel_args){.num_args = 1, .args = &arg}, NULL);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server, queue, NULL);
    if (!transport_external_add(server, name, &external, grpc_insecure_server_credentials_create()))
        return false;
    grpc_server_start(server);
    if (send(ours, hello, HELLO_SIZE, MSG_NOSIGNAL) != HELLO_SIZE)
        return false;
    transport_external_take(&external, theirs);
    for (;;) {
        uint8_t head[FRAME_HEAD_SIZE];
        ssize_t size = recv(ours, head, sizeof head, MSG_DONTWAIT);
        if (size >= 0)
            return size == FRAME_HEAD_SIZE && head[3] == SETTINGS;
        grpc_completion_queue_next(
            queue, gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(5, GPR_TIMESPAN)), NULL);
    }
}

/* A trial that goes wrong may end in any way: without a word, and without a core file. */
static _Noreturn void try_it(void)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE, SIGTERM, SIGINT};
    int pair[2];
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        signal(deadly[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(TRIAL_MS / 1000 + 1); /* even if nobody waits for it any more */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        _exit(1);
    _exit(serves(pair[0], pair[1]) ? 0 : 1);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool tried_well(void)
{
    int status = 0, done[2];
    /* The pipe's other end closes when the child ends, which can be waited for with a bound. */
    if (pipe(done) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        close(done[0]);
        try_it();
    }
    close(done[1]);
    if (child > 0) {
        struct pollfd ended = {.fd = done[0], .events = POLLIN};
        int64_t end = now_ms() + TRIAL_MS;
        for (int64_t left = TRIAL_MS; left > 0 && poll(&ended, 1, (int)left) < 0; left = end - now_ms())
            ;
        if (ended.revents == 0)
            kill(child, SIGKILL);
        while (waitpid(child, &status, 0) < 0)
            ;
    }
    close(done[0]);
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool works;

static void find_out(void)
{
    works = tried_well();
}

bool transport_external_works(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_out);
    return works;
}
