/* postgres.c - initdb, start, stop. */
#include "tests/support/postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define START_SECONDS_MAX 60

/* The newest server that the distribution has installed, as the folder of its programs. */
static bool find_programs(char folder[256])
{
    glob_t found;
    bool any = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (any) {
        const char *path = found.gl_pathv[found.gl_pathc - 1];
        snprintf(folder, 256, "%.*s", (int)(strrchr(path, '/') - path), path);
    } else {
        fprintf(stderr,
                "PostgreSQL is not installed: there is no /usr/lib/postgresql/*/bin/initdb (package postgresql)\n");
    }
    globfree(&found);
    return any;
}

static const struct passwd *other_user(void)
{
    const struct passwd *user = getpwnam("postgres");
    return user != NULL ? user : getpwnam("nobody");
}

static bool is_root(void)
{
    return geteuid() == 0;
}

/* Runs a program as that other user, with what it says in a log file of the folder. */
static pid_t spawn(const struct postgres *p, char *const *arguments)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    char log[96];
    snprintf(log, sizeof log, "%s/log", p->folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    const struct passwd *user = other_user();
    if (is_root() &&
        (user == NULL || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGINT);
    if (chdir(p->folder) != 0)
        _exit(126);
    execv(arguments[0], arguments);
    _exit(127);
}

static bool initialize(const struct postgres *p, const char *programs)
{
    char program[300], data[96];
    snprintf(program, sizeof program, "%s/initdb", programs);
    snprintf(data, sizeof data, "%s/data", p->folder);
    char *arguments[] = {
        program,         (char *)"-D", data,         (char *)"-U",   (char *)"test",        (char *)"-A",
        (char *)"trust", (char *)"-N", (char *)"-E", (char *)"UTF8", (char *)"--no-locale", NULL};
    int status;
    pid_t child = spawn(p, arguments);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool serve(struct postgres *p, const char *programs)
{
    char program[300], data[96];
    snprintf(program, sizeof program, "%s/postgres", programs);
    snprintf(data, sizeof data, "%s/data", p->folder);
    char *arguments[] = {program,
                         (char *)"-D",
                         data,
                         (char *)"-k",
                         p->folder,
                         (char *)"-c",
                         (char *)"listen_addresses=",
                         (char *)"-c",
                         (char *)(p->durable ? "fsync=on" : "fsync=off"),
                         (char *)"-c",
                         (char *)"shared_buffers=16MB",
                         (char *)"-c",
                         (char *)"max_connections=40",
                         (char *)"-c",
                         (char *)"deadlock_timeout=100ms",
                         NULL};
    p->server = spawn(p, arguments);
    if (p->server <= 0)
        return false;
    const struct timespec tick = {.tv_nsec = 10000000};
    for (int i = 0; i < START_SECONDS_MAX * 100; i++) {
        if (PQping(p->conninfo) == PQPING_OK)
            return true;
        if (waitpid(p->server, NULL, WNOHANG) == p->server)
            break;
        nanosleep(&tick, NULL);
    }
    return false;
}

static bool fail(struct postgres *p)
{
    char line[256], log[96];
    snprintf(log, sizeof log, "%s/log", p->folder);
    fprintf(stderr, "PostgreSQL does not start:\n");
    FILE *file = fopen(log, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        fputs(line, stderr);
    if (file != NULL)
        fclose(file);
    postgres_stop(p);
    return false;
}

static bool start(struct postgres *p)
{
    char programs[256];
    if (!find_programs(programs))
        return false;
    strcpy(p->folder, "/tmp/saga-postgres-XXXXXX");
    if (mkdtemp(p->folder) == NULL)
        return false;
    const struct passwd *user = other_user();
    if (is_root() && (user == NULL || chown(p->folder, user->pw_uid, user->pw_gid) != 0))
        return fail(p);
    snprintf(p->conninfo, sizeof p->conninfo,
             "host=%s user=test dbname=postgres options='-c client_min_messages=warning'", p->folder);
    return initialize(p, programs) && serve(p, programs) ? true : fail(p);
}

bool postgres_start(struct postgres *p)
{
    *p = (struct postgres){.server = 0};
    return start(p);
}

bool postgres_start_durable(struct postgres *p)
{
    *p = (struct postgres){.durable = true};
    return start(p);
}

/* The most processes that max_connections and its own make. */
enum { CHILDREN_MAX = 64 };

/* Returns how many there are; ends: for poll, readable once one has ended. NULL when nobody waits for that. */
static nfds_t signal_children(const struct postgres *p, int number, struct pollfd ends[CHILDREN_MAX])
{
    char path[64];
    int child;
    nfds_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)p->server, (int)p->server);
    FILE *file = fopen(path, "r");
    while (file != NULL && count < CHILDREN_MAX && fscanf(file, "%d", &child) == 1) {
        if (ends != NULL)
            ends[count] = (struct pollfd){.fd = pidfd_open(child, 0), .events = POLLIN};
        kill(child, number);
        count++;
    }
    if (file != NULL)
        fclose(file);
    return count;
}

/* Its children would notice by themselves that it is gone, but not at once, and a new one does not start while one of them is left. */
void postgres_kill(struct postgres *p)
{
    struct pollfd ends[CHILDREN_MAX];
    kill(p->server, SIGSTOP); /* it makes no more of them */
    nfds_t count = signal_children(p, SIGKILL, ends);
    kill(p->server, SIGKILL);
    while (waitpid(p->server, NULL, 0) < 0 && errno == EINTR)
        ;
    p->server = 0;
    for (nfds_t i = 0; i < count; i++) {
        while (poll(&ends[i], 1, ends[i].fd < 0 ? 0 : START_SECONDS_MAX * 1000) < 0 && errno == EINTR)
            ;
        if (ends[i].fd >= 0)
            close(ends[i].fd);
    }
}

bool postgres_restart(struct postgres *p)
{
    char programs[256];
    return find_programs(programs) && serve(p, programs);
}

void postgres_stop(struct postgres *p)
{
    if (p->server > 0) {
        signal_children(p, SIGCONT,
                        NULL); /* a test that failed may have left one stopped: the server would wait for it */
        kill(p->server, SIGINT);
        while (waitpid(p->server, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/rm", "rm", "-rf", p->folder, (char *)NULL);
        _exit(127);
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}
