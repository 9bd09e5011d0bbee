/* shim.c - the system as it is on a bad day: loaded before sagad (LD_PRELOAD), it fails, delays and shortens system calls, and turns clocks.
 *
 * The environment's SAGA_SHIM names a file that says what happens; it is read again when it is another, so that a test changes it while
 * the sidecar runs. A line each:
 *
 *   fsync PATH delay MS          each sync of a file whose path contains PATH takes so much longer (PATH - : of any file)
 *   fsync PATH fail ERRNO N      the next N of them fail (N -1: all)
 *   pwrite PATH fail ERRNO N     likewise writes at a place, ftruncate, pread
 *   pwrite PATH short 0 N        the next N write only half; pread: read only half
 *   sendmsg - short 0 N          sockets take one byte
 *   accept - fail ERRNO N        no connection is taken
 *   clock REALTIME SECONDS 0 0   the clock is so far ahead; BOOTTIME likewise
 *   clock REALTIME =SECONDS 0 0  it stands still there
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX 16
#define EXPORTED  __attribute__((visibility("default")))

struct rule {
    char call[16], path[64], what[16];
    long number, left;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[RULES_MAX];
static unsigned rule_count;
static struct timespec read_at; /* the file's time when it was read */

static void read_rules(void)
{
    const char *name = getenv("SAGA_SHIM");
    struct stat st;
    char text[4096] = "";
    if (name == NULL || stat(name, &st) != 0 ||
        (st.st_mtim.tv_sec == read_at.tv_sec && st.st_mtim.tv_nsec == read_at.tv_nsec))
        return;
    read_at = st.st_mtim;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size < 0 ? 0 : size] = '\0';
    rule_count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL && rule_count < RULES_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        struct rule r = {.left = -1};
        if (sscanf(line, "%15s %63s %15s %ld %ld", r.call, r.path, r.what, &r.number, &r.left) >= 3)
            rules[rule_count++] = r;
    }
}

static bool path_matches(int fd, const char *path)
{
    char link[32], name[1024];
    if (strcmp(path, "-") == 0)
        return true;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, name, sizeof name - 1);
    name[size < 0 ? 0 : size] = '\0';
    return strstr(name, path) != NULL;
}

/* What is to happen to a call; a rule with a count is used up by it. */
static struct rule strike(const char *call, int fd)
{
    struct rule found = {.what = ""};
    int before = errno;
    pthread_mutex_lock(&lock);
    read_rules();
    for (unsigned i = 0; i < rule_count && found.what[0] == '\0'; i++) {
        struct rule *r = &rules[i];
        if (strcmp(r->call, call) != 0 || r->left == 0 || !path_matches(fd, r->path))
            continue;
        found = *r;
        r->left -= r->left > 0;
    }
    pthread_mutex_unlock(&lock);
    errno = before;
    return found;
}

/* Whether the call fails, with errno; a delay has passed by then. */
static bool struck(const struct rule *r)
{
    if (strcmp(r->what, "delay") == 0)
        nanosleep(&(struct timespec){r->number / 1000, r->number % 1000 * 1000000}, NULL);
    if (strcmp(r->what, "fail") != 0)
        return false;
    errno = (int)r->number;
    return true;
}

static size_t cut(const struct rule *r, size_t size)
{
    return strcmp(r->what, "short") == 0 && size > 1 ? size / 2 : size;
}

EXPORTED int fsync(int fd)
{
    struct rule r = strike("fsync", fd);
    return struck(&r) ? -1 : (int)syscall(SYS_fsync, fd);
}

EXPORTED int fdatasync(int fd)
{
    struct rule r = strike("fsync", fd);
    return struck(&r) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

EXPORTED ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at)
{
    struct rule r = strike("pwrite", fd);
    return struck(&r) ? -1 : syscall(SYS_pwrite64, fd, from, cut(&r, size), at);
}

EXPORTED ssize_t pwrite(int fd, const void *from, size_t size, off_t at)
{
    return pwrite64(fd, from, size, at);
}

EXPORTED ssize_t pread64(int fd, void *to, size_t size, off64_t at)
{
    struct rule r = strike("pread", fd);
    return struck(&r) ? -1 : syscall(SYS_pread64, fd, to, cut(&r, size), at);
}

EXPORTED ssize_t pread(int fd, void *to, size_t size, off_t at)
{
    return pread64(fd, to, size, at);
}

EXPORTED int ftruncate64(int fd, off64_t size)
{
    struct rule r = strike("ftruncate", fd);
    return struck(&r) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

EXPORTED int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

EXPORTED ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct rule r = strike("sendmsg", -1);
    struct msghdr one = *message;
    struct iovec first;
    if (struck(&r))
        return -1;
    if (strcmp(r.what, "short") == 0 && message->msg_iovlen > 0 && message->msg_iov[0].iov_len > 0) {
        first = (struct iovec){.iov_base = message->msg_iov[0].iov_base, .iov_len = 1};
        one.msg_iov = &first;
        one.msg_iovlen = 1;
    }
    return syscall(SYS_sendmsg, fd, &one, flags);
}

EXPORTED int accept4(int fd, __SOCKADDR_ARG who, socklen_t *size, int flags)
{
    struct rule r = strike("accept", -1);
    return struck(&r) ? -1 : (int)syscall(SYS_accept4, fd, who.__sockaddr__, size, flags);
}

/* ---- clocks ---- */

static void turn(const char *clock, struct timespec *t)
{
    pthread_mutex_lock(&lock);
    read_rules();
    for (unsigned i = 0; i < rule_count; i++)
        if (strcmp(rules[i].call, "clock") == 0 && strcmp(rules[i].path, clock) == 0) {
            bool still = rules[i].what[0] == '=';
            long seconds = strtol(rules[i].what + still, NULL, 10);
            *t = still ? (struct timespec){.tv_sec = seconds} : (struct timespec){t->tv_sec + seconds, t->tv_nsec};
        }
    pthread_mutex_unlock(&lock);
}

EXPORTED int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        turn("REALTIME", t);
    else if (rc == 0 && id == CLOCK_BOOTTIME)
        turn("BOOTTIME", t);
    return rc;
}
