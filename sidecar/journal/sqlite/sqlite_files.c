/* sqlite_files.c - whether the database and its log are still the files that their names lead to.
 *
 * A clean-up job or a wrong mount can take them away under a running process. Writing then goes on without an error, into files that nobody
 * will find again. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define RESCUED   ".rescued"

/* How long a commit may trust the look of an earlier one: two calls of the system for each would be a sixth of all that a saga needs when
 * nothing else goes on. What was committed since is in the rescued copy, as everything is. */
#define LOOK_MS 50

/* Asks for the number alone: kernels with multigrain timestamps (Linux 6.13) give a file whose times were asked for a finer one at its next
 * write, and then every fdatasync writes the inode, too. */
static struct file_id file_id(const char *path)
{
    struct statx st;
    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st) != 0)
        return (struct file_id){0, 0};
    return (struct file_id){.device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor, .inode = st.stx_ino};
}

static struct file_id log_id(const struct sqlite_store *s)
{
    char path[PATH_SIZE];
    return snprintf(path, PATH_SIZE, "%s-wal", s->path) < PATH_SIZE ? file_id(path) : (struct file_id){0, 0};
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

static bool rescued_path(const char *database, char path[PATH_SIZE])
{
    return snprintf(path, PATH_SIZE, "%s" RESCUED, database) < PATH_SIZE;
}

/* The files are without a name, but we have them open: what they hold is copied to where it can be found. */
static bool rescue(struct sqlite_store *s)
{
    char path[PATH_SIZE];
    sqlite3 *to = NULL;
    if (!rescued_path(s->path, path) || file_id(path).inode != 0)
        return false;
    int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_backup *copy = rc == SQLITE_OK ? sqlite3_backup_init(to, "main", s->db, "main") : NULL;
    if (copy != NULL) {
        rc = sqlite3_backup_step(copy, -1);
        sqlite3_backup_finish(copy);
    }
    sqlite3_close(to);
    if (copy == NULL || rc != SQLITE_DONE) {
        unlink(path);
        return false;
    }
    chmod(path, S_IRUSR | S_IWUSR);
    return true;
}

static int gone(struct sqlite_store *s, const char *what, struct error_detail *detail)
{
    CHECK(!s->broken && s->named_file);
    s->broken = true;
    s->broken_code = E_JOURNAL_FENCED;
    inside_rest(s);
    error_set(&s->why, E_JOURNAL_FENCED, s->path, what);
    error_append(&s->why, " while the sidecar ran; ");
    error_append(&s->why, rescue(s) ? "all that it held was saved beside it, with " RESCUED
                                      " behind its name: put that in its place before the next start"
                                    : "put the files back as they were, or restore the data directory");
    *detail = s->why;
    return E_JOURNAL_FENCED;
}

int files_expected(const char *database, struct error_detail *detail)
{
    char path[PATH_SIZE];
    struct stat st;
    if (!rescued_path(database, path) || file_id(path).inode == 0)
        return 0;
    /* Both files are back where they were: there is nothing that only the copy has. */
    bool is_back = stat(database, &st) == 0 && st.st_size > 0;
    if (is_back && snprintf(path, PATH_SIZE, "%s-wal", database) < PATH_SIZE && file_id(path).inode != 0)
        return 0;
    return error_set(detail, E_JOURNAL, database,
                     "it was taken away while a sidecar ran, and what it held was saved beside it, with " RESCUED
                     " behind its name: rename that to this, or move it elsewhere, before the start");
}

bool files_are_due(const struct sqlite_store *s)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (now.tv_sec - s->looked.tv_sec) * 1000 + (now.tv_nsec - s->looked.tv_nsec) / 1000000 >= LOOK_MS;
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
    clock_gettime(CLOCK_MONOTONIC_COARSE, &s->looked);
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
