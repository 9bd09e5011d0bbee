/* sqlite_files.c - whether the database and its log are still the files that their names lead to.
 *
 * A clean-up job or a wrong mount can take them away under a running process. Writing then goes on without an error, into files that nobody
 * will find again. */
#include "sidecar/journal/sqlite/inside.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static struct file_id file_id(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return (struct file_id){0, 0};
    return (struct file_id){.device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino};
}

static struct file_id log_id(const struct sqlite_store *s)
{
    char path[4096];
    return snprintf(path, sizeof path, "%s-wal", s->path) < (int)sizeof path ? file_id(path) : (struct file_id){0, 0};
}

static bool same(struct file_id a, struct file_id b)
{
    return a.device == b.device && a.inode == b.inode;
}

void files_remember(struct sqlite_store *s)
{
    if (!s->named_file)
        return;
    s->file = file_id(s->path);
    s->log = log_id(s);
}

static int gone(struct sqlite_store *s, const char *what, struct error_detail *detail)
{
    s->broken = true;
    s->broken_code = E_JOURNAL_FENCED;
    error_set(&s->why, E_JOURNAL_FENCED, s->path, what);
    error_append(&s->why, " while the sidecar ran; put the files back as they were, or restore the data directory, "
                          "before it is started again");
    *detail = s->why;
    return E_JOURNAL_FENCED;
}

int sqlite_store_check(struct store *face, struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    if (s->broken) {
        *detail = s->why;
        return s->broken_code;
    }
    if (!s->named_file || s->file.inode == 0)
        return 0;
    struct file_id file = file_id(s->path);
    if (!same(file, s->file))
        return gone(s, file.inode == 0 ? "the journal's file was removed" : "the journal's file was replaced", detail);
    struct file_id log = log_id(s);
    if (s->log.inode == 0)
        s->log = log; /* SQLite makes it with the first commit, and keeps it while the database is open */
    else if (!same(log, s->log))
        return gone(s, "the journal's write-ahead log was removed or replaced", detail);
    return 0;
}
