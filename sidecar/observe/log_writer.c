/* log_writer.c - the queue of lines, and the thread that writes them.
 *
 * The queue is a ring of bytes in which whole lines lie. Only the thread waits for the reader of the log; for it alone a write may block. */
#include "sidecar/observe/log_writer.h"

#include "sidecar/base/check.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* At once, so that lines of several writers never mix in a pipe: PIPE_BUF on Linux, two whole lines at least. */
#define WRITE_SIZE 4096
/* Once lines are lost, more are until so much is free: a gap is one line, not one in two. */
#define ROOM_AGAIN (LOG_QUEUE_BYTES / 4)
_Static_assert(WRITE_SIZE >= LOG_LINE_SIZE, "a line is one write");

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more, written;
    char ring[LOG_QUEUE_BYTES];
    size_t first, used;
    uint64_t dropped; /* since it was last said */
    bool busy;        /* the thread holds lines that are in the ring no more */
    bool started;
    int fd;
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .fd = STDERR_FILENO};

/* Writes all of it, however long that takes. What cannot be written has nowhere to be told of. */
static void write_out(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return;
        text += n < 0 ? 0 : n;
        size -= n < 0 ? 0 : (size_t)n;
    }
}

static void copy_in(const char *text, size_t size)
{
    size_t at = (writer.first + writer.used) % LOG_QUEUE_BYTES;
    size_t part = size < LOG_QUEUE_BYTES - at ? size : LOG_QUEUE_BYTES - at;
    memcpy(writer.ring + at, text, part);
    memcpy(writer.ring, text + part, size - part);
    writer.used += size;
}

/* Takes as many whole lines as fit. */
static size_t copy_out(char text[WRITE_SIZE])
{
    size_t size = 0, whole = 0;
    while (size < WRITE_SIZE && size < writer.used) {
        text[size] = writer.ring[(writer.first + size) % LOG_QUEUE_BYTES];
        if (text[size++] == '\n')
            whole = size;
    }
    CHECK(whole > 0 || writer.used == 0);
    writer.first = (writer.first + whole) % LOG_QUEUE_BYTES;
    writer.used -= whole;
    return whole;
}

/* Where lines were lost, this stands instead. */
static void tell_dropped(void)
{
    char line[LOG_LINE_SIZE];
    const struct log_field field = LOG_NUMBER("lines", writer.dropped);
    copy_in(line, log_line_now(LOG_LEVEL_WARN, "nobody read the log for a while: lines were dropped", &field, 1, line));
    writer.dropped = 0;
}

static _Noreturn void *run(void *unused)
{
    static char text[WRITE_SIZE];
    (void)unused;
    pthread_mutex_lock(&writer.lock);
    for (;;) {
        if (writer.used == 0 && writer.dropped > 0)
            tell_dropped();
        size_t size = copy_out(text);
        writer.busy = size > 0;
        if (size == 0) {
            pthread_cond_broadcast(&writer.written);
            pthread_cond_wait(&writer.more, &writer.lock);
            continue;
        }
        int fd = writer.fd;
        pthread_mutex_unlock(&writer.lock);
        write_out(fd, text, size);
        pthread_mutex_lock(&writer.lock);
    }
}

/* Waits of log_close go by a clock that nobody sets. */
static void init_written(void)
{
    pthread_condattr_t by_uptime;
    pthread_condattr_init(&by_uptime);
    pthread_condattr_setclock(&by_uptime, CLOCK_MONOTONIC);
    pthread_cond_init(&writer.written, &by_uptime);
    pthread_condattr_destroy(&by_uptime);
}

void log_writer_open(int fd)
{
    sigset_t all, before;
    pthread_t thread;
    pthread_mutex_lock(&writer.lock);
    writer.fd = fd;
    if (!writer.started) {
        init_written();
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        writer.started = pthread_create(&thread, NULL, run, NULL) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (writer.started)
            pthread_detach(thread);
    }
    pthread_mutex_unlock(&writer.lock);
}

void log_writer_put(const char *line, size_t size)
{
    pthread_mutex_lock(&writer.lock);
    if (writer.dropped > 0 && LOG_QUEUE_BYTES - writer.used >= ROOM_AGAIN)
        tell_dropped();
    if (!writer.started)
        write_out(writer.fd, line, size);
    else if (writer.dropped > 0 || size > LOG_QUEUE_BYTES - writer.used)
        writer.dropped++;
    else
        copy_in(line, size);
    pthread_cond_signal(&writer.more);
    pthread_mutex_unlock(&writer.lock);
}

void log_close(struct span patience)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + patience.us % 1000000 * 1000;
    until.tv_sec += patience.us / 1000000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&writer.lock);
    while (writer.started && (writer.used > 0 || writer.dropped > 0 || writer.busy))
        if (pthread_cond_timedwait(&writer.written, &writer.lock, &until) != 0)
            break;
    pthread_mutex_unlock(&writer.lock);
}
