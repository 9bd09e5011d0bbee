/* precheck.c - each look at the machine leaves it as it was: a lock is taken for a moment, an address bound and let go. */
#include "sidecar/runtime/precheck.h"

#include "sidecar/core/heap.h"
#include "sidecar/definition/model.h"
#include "sidecar/message/schema.h"
#include "sidecar/runtime/files.h"
#include "sidecar/runtime/schemas_dir.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/trust.h"
#include "transport/address.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char precheck_unknown[] = "Not looked at: whether the journal is sound (--check-journal), whether its "
                                "definitions and schemas differ from those "
                                "in the\ndirectories, which targets its live sagas need, and whether targets answer.\n";

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

static void check_directory(struct report *r, const struct config *config)
{
    char parent[8192], why[128];
    if (access(config->data_dir, F_OK) == 0) {
        if (access(config->data_dir, R_OK | W_OK | X_OK) != 0)
            complain(r, "data_dir", config->data_dir, strerror(errno));
        for (unsigned k = 0; k < config->loops; k++)
            check_lock(r, config, k);
        return;
    }
    snprintf(parent, sizeof parent, "%s", config->data_dir);
    const char *above = dirname(parent);
    if (access(above, W_OK | X_OK) != 0) {
        snprintf(why, sizeof why, "it cannot be made: %s", strerror(errno));
        complain(r, "data_dir", config->data_dir, why);
    }
}

/* ---- addresses ---- */

static void check_socket_file(struct report *r, const char *field, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char parent[sizeof at.sun_path];
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == EAGAIN))
        complain(r, field, path, "another process listens there");
    if (fd >= 0)
        close(fd);
    snprintf(parent, sizeof parent, "%s", path);
    const char *above = dirname(parent);
    if (access(above, W_OK | X_OK) != 0 && errno != ENOENT)
        complain(r, field, path, strerror(errno));
}

static void check_port(struct report *r, const char *field, const char *text, const struct address *address)
{
    struct addrinfo hints = {.ai_family = address->bracketed ? AF_INET6 : AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    char port[16];
    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    int code = getaddrinfo(address->host, port, &hints, &found);
    if (code != 0) {
        complain(r, field, text, gai_strerror(code));
        return;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0)
        complain(r, field, text, strerror(errno));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
}

static void check_address(struct report *r, const char *field, const char *text)
{
    struct address address;
    if (text[0] == '\0' || address_read(text, &address) != NULL)
        return;
    if (address.path != NULL)
        check_socket_file(r, field, address.path);
    else
        check_port(r, field, text, &address);
}

unsigned precheck(const struct config *config, FILE *out)
{
    struct report r = {.out = out};
    struct error_detail detail = {.text = ""};
    check_read(&r, sidecar_check_start(config, &detail), &detail);
    check_certificates(&r, config);
    check_read(&r, schemas_dir_read(config, read_set, NULL, &detail), &detail);
    check_directory(&r, config);
    for (size_t i = 0; i < config->listen_count; i++)
        check_address(&r, "listen", config->listen[i]);
    check_address(&r, "http_listen", config->http_listen);
    return r.count;
}
