/* sqlite_reserve.c - room that is kept for making room: a file beside the database that holds nothing.
 *
 * To drop rows is to write, too: into the log, and by copying the log into the database. On a volume that is full to the last page retention
 * could therefore never begin. Then the reserve is given up, and made again once there is room. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE 4096

static bool reserve_path(const struct sqlite_store *s, char path[PATH_SIZE])
{
    return s->named_file && snprintf(path, PATH_SIZE, "%s.reserve", s->path) < PATH_SIZE;
}

void reserve_make(struct sqlite_store *s)
{
    char path[PATH_SIZE];
    if (s->has_reserve || s->broken || !reserve_path(s, path))
        return;
    CHECK(s->checkpoint_pages > 0);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    s->has_reserve = posix_fallocate(fd, 0, (off_t)RESERVE_PAGES(s) * PAGE_SIZE) == 0;
    close(fd);
    if (!s->has_reserve)
        unlink(path); /* what is too little for it is better used */
}

bool reserve_give_up(struct sqlite_store *s)
{
    char path[PATH_SIZE];
    if (!s->has_reserve || !reserve_path(s, path))
        return false;
    s->has_reserve = false;
    return unlink(path) == 0;
}
