/* precheck.c - each look at the machine leaves it as it was: a lock is taken for a moment, an address bound and let go. */
#include "sidecar/runtime/precheck.h"

#include "sidecar/core/heap.h"
#include "sidecar/definition/model.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "sidecar/message/schema.h"
#include "sidecar/runtime/files.h"
#include "sidecar/runtime/keys.h"
#include "sidecar/runtime/schemas_dir.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/trust.h"
#include "transport/address.h"
#include "transport/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 8192

const char precheck_unknown[] =
    "Not looked at: whether the journal is sound (--check-journal) and which keys open it, what a command for keys "
    "says,\n"
    "whether a database that keeps the journal answers, whether its definitions and schemas differ from those in the\n"
    "directories, which targets its live sagas need, and whether targets answer.\n";

struct report {
    FILE *out;
    unsigned count;
};

static void complain(struct report *r, const char *field, const char *what, const char *why)
{
    fprintf(r->out, "sagad: a start would be refused now: %s: %s%s%s\n", field, what, why[0] != '\0' ? ": " : "", why);
    r->count++;
}

/* ---- files ---- */

static int read_set(void *self, const char *name, struct bytes set, struct error_detail *detail)
{
    struct schema *schema;
    (void)self;
    (void)name;
    int code = schema_read(set, &heap, &schema, detail);
    if (code == 0)
        schema_destroy(schema);
    return code;
}

static void check_read(struct report *r, int code, const struct error_detail *detail)
{
    if (code != 0)
        complain(r, detail->field[0] != '\0' ? detail->field : "schemas_dir",
                 detail->text[0] != '\0' ? detail->text : error_row(code)->text, "");
}

static void check_certificates(struct report *r, const struct config *config)
{
    struct certificates *certificates;
    struct error_detail detail;
    int code = trust_open(config, &certificates, &detail);
    check_read(r, code, &detail);
    if (code == 0)
        certificates_destroy(certificates);
}

static void check_keys(struct report *r, const struct config *config)
{
    struct keys keys;
    struct error_detail detail;
    check_read(r, keys_read_files(config, &keys, &detail), &detail);
    keys_forget(&keys);
}

/* ---- the data directory ---- */

/* A lock that is held says so; one that is free is held by us for no longer than it takes to know. */
static void check_lock(struct report *r, const struct config *config, unsigned k)
{
    char path[JOURNAL_PATH_SIZE], lock[JOURNAL_PATH_SIZE + 8];
    snprintf(lock, sizeof lock, "%s.lock", sidecar_journal_path(config, k, path));
    int fd = open(lock, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        complain(r, "data_dir", path, "another sagad uses it");
    close(fd);
}

/* What a start would do to a journal that an older sagad wrote. */
static void check_schema(struct report *r, const struct config *config, unsigned k)
{
    char path[JOURNAL_PATH_SIZE];
    int now = sqlite_store_schema_now(), found = sqlite_store_schema(sidecar_journal_path(config, k, path));
    char why[96];
    snprintf(why, sizeof why, "it has schema %d and this sagad knows %d", found, now);
    if (found > now)
        complain(r, "data_dir", path, why);
    if (found > 0 && found < now)
        fprintf(r->out,
                "sagad: a start would bring %s from schema %d to %d, after which no older sagad opens it: see the "
                "upgrade in docs/operations.md\n",
                path, found, now);
}

/* Whether something can be made in a directory: 0 or an errno. It is tried, and leaves nothing: permissions do not tell (/proc grants them). */
static int try_making(const char *directory)
{
    char path[PATH_SIZE + 32];
    int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0)
        return close(fd);
    if (errno != EOPNOTSUPP)
        return errno;
    snprintf(path, sizeof path, "%s/.sagad-check-XXXXXX", directory);
    return mkdtemp(path) == NULL ? errno : rmdir(path);
}

static void check_directory(struct report *r, const struct config *config)
{
    char parent[PATH_SIZE], why[128];
    int code;
    if (access(config->data_dir, F_OK) == 0) {
        if ((code = access(config->data_dir, R_OK | X_OK) != 0 ? errno : try_making(config->data_dir)) != 0) {
            snprintf(why, sizeof why, "nothing can be kept there: %s", strerror(code));
            complain(r, "data_dir", config->data_dir, why);
        }
        for (unsigned k = 0; k < config->loops; k++) {
            check_lock(r, config, k);
            check_schema(r, config, k);
        }
        return;
    }
    snprintf(parent, sizeof parent, "%s", config->data_dir);
    if ((code = try_making(dirname(parent))) != 0) {
        snprintf(why, sizeof why, "it cannot be made: %s", strerror(code));
        complain(r, "data_dir", config->data_dir, why);
    }
}

/* ---- addresses ---- */

/* Whether both are the same directory, be it there or not. */
static bool is_same_directory(const char *a, const char *b)
{
    char copies[2][PATH_SIZE], real[2][PATH_MAX];
    const char *names[2];
    for (int i = 0; i < 2; i++) {
        const char *path = i == 0 ? a : b;
        snprintf(copies[i], PATH_SIZE, "%s", path);
        if (realpath(dirname(copies[i]), real[i]) == NULL)
            return false;
        snprintf(copies[i], PATH_SIZE, "%s", path);
        names[i] = basename(copies[i]);
    }
    return strcmp(real[0], real[1]) == 0 && strcmp(names[0], names[1]) == 0;
}

static void check_socket_file(struct report *r, const struct config *config, const char *field, const char *path)
{
    char parent[PATH_SIZE];
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
        complain(r, field, path, "there is a file at this path that is not a socket");
    else if (unix_socket_knock(path) == 0)
        complain(r, field, path, "another process listens there");
    snprintf(parent, sizeof parent, "%s", path);
    const char *above = dirname(parent);
    int code = try_making(above);
    if (code != 0 && !is_same_directory(above, config->data_dir)) /* which is made first, or has been complained of */
        complain(r, field, path, strerror(code));
}

/* 0 or an errno. */
static int try_binding(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    int code = bind(fd, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    close(fd);
    return code;
}

/* A name may have several addresses: a start needs all of them, save those of a family that this machine lacks. */
static void check_port(struct report *r, const char *field, const char *text, const struct address *address)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    char port[16];
    bool bound = false;
    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    int code = getaddrinfo(address->host, port, &hints, &found);
    if (code != 0) {
        complain(r, field, text, gai_strerror(code));
        return;
    }
    for (const struct addrinfo *at = found; at != NULL && code == 0; at = at->ai_next) {
        code = try_binding(at);
        bound = bound || code == 0;
        if ((code == EAFNOSUPPORT || code == EADDRNOTAVAIL) && (bound || at->ai_next != NULL))
            code = 0;
    }
    if (code != 0)
        complain(r, field, text, strerror(code));
    freeaddrinfo(found);
}

static void check_address(struct report *r, const struct config *config, const char *field, const char *text)
{
    struct address address;
    if (text[0] == '\0' || address_read(text, &address) != NULL)
        return;
    if (address.path != NULL)
        check_socket_file(r, config, field, address.path);
    else
        check_port(r, field, text, &address);
}

unsigned precheck(const struct config *config, FILE *out)
{
    struct report r = {.out = out};
    struct error_detail detail = {.text = ""};
    check_read(&r, sidecar_check_start(config, &detail), &detail);
    check_certificates(&r, config);
    check_keys(&r, config);
    check_read(&r, schemas_dir_read(config, read_set, NULL, &detail), &detail);
    check_directory(&r, config);
    for (size_t i = 0; i < config->listen_count; i++)
        check_address(&r, config, "listen", config->listen[i]);
    check_address(&r, config, "http_listen", config->http_listen);
    return r.count;
}
