/* journal.c - SQLite in the data directory, or a database that the configuration names. */
#include "sidecar/runtime/journal.h"

#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/files.h"
#include "sidecar/runtime/release.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much longer than a lease a start waits for the journal. */
#define LEASE_MORE SPAN_S(5)

static const char *in_data_dir(const struct config *config, const char *name, char path[JOURNAL_PATH_SIZE])
{
    snprintf(path, JOURNAL_PATH_SIZE, "%s/%s", config->data_dir, name);
    return path;
}

int journal_check_kind(const struct config *config, struct error_detail *detail)
{
    char path[JOURNAL_PATH_SIZE];
    bool database = config->store[0] != '\0';
    if (database && strncmp(config->store, "postgresql://", 13) != 0 && strncmp(config->store, "postgres://", 11) != 0)
        return error_set(detail, E_ARGUMENT, "store", "must be a URI, postgresql://...");
    if (database && access(sidecar_journal_path(config, 0, path), F_OK) == 0)
        return error_set(
            detail, E_ARGUMENT, "store",
            "data_dir holds a journal in SQLite, whose sagas would be left behind: begin with another data_dir");
    if (!database && access(in_data_dir(config, "journal.seen", path), F_OK) == 0)
        return error_set(
            detail, E_ARGUMENT, "store",
            "data_dir is that of a journal in a database, and store names none: name it, or begin with another "
            "data_dir");
    if (!database && config->fleet[0] != '\0')
        return error_set(detail, E_ARGUMENT, "fleet", "a fleet shares a database: name it by store");
    if (config->fleet_address[0] != '\0' && config->fleet[0] == '\0')
        return error_set(detail, E_ARGUMENT, "fleet_address", "nobody asks for it without a fleet: name that by fleet");
    return database ? postgres_store_check_conninfo(config->store, detail) : 0;
}

/* Who starts with the same file on the same machine has its lock, so whoever held it before has ended. The lock is the process's until it ends. */
static int take_lock(const struct config *config, struct error_detail *detail)
{
    char path[JOURNAL_PATH_SIZE];
    int fd = open(in_data_dir(config, "journal.lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_error("make", path, "data_dir", detail);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    close(fd);
    return error_set(detail, E_JOURNAL_LOCKED, path, NULL);
}

/* Who holds what this process has in the database: the file with the lock, on this machine since it was started. */
static int make_holder(const struct config *config, char holder[POSTGRES_HOLDER_BYTES_MAX], struct error_detail *detail)
{
    char path[JOURNAL_PATH_SIZE], boot[40] = "";
    struct stat st;
    if (stat(in_data_dir(config, "journal.lock", path), &st) != 0)
        return file_error("look at", path, "data_dir", detail);
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool known = file != NULL && fscanf(file, "%39s", boot) == 1;
    if (file != NULL)
        fclose(file);
    if (!known)
        return file_error("read", "/proc/sys/kernel/random/boot_id", "", detail);
    snprintf(holder, POSTGRES_HOLDER_BYTES_MAX, "%s:%" PRIx64 ":%" PRIx64, boot, (uint64_t)st.st_dev,
             (uint64_t)st.st_ino);
    return 0;
}

int journal_name(const struct config *config, char name[JOURNAL_NAME_SIZE], struct error_detail *detail)
{
    snprintf(name, JOURNAL_NAME_SIZE, "%s", config->store_journal);
    if (name[0] == '\0' && gethostname(name, JOURNAL_NAME_SIZE - 1) != 0)
        return file_error("read", "the host's name", "store_journal", detail);
    return 0;
}

/* What loop k has beside what loop 0 has: "/1", "-1". */
static char *with_loop(char *text, size_t size, unsigned k, char mark)
{
    size_t length = strlen(text);
    if (k > 0)
        snprintf(text + length, size - length, "%c%u", mark, k);
    return text;
}

int journal_name_of(const struct config *config, unsigned k, char name[JOURNAL_NAME_SIZE], struct error_detail *detail)
{
    int code = journal_name(config, name, detail);
    if (code == 0)
        with_loop(name, JOURNAL_NAME_SIZE, k, '/');
    return code;
}

/* What a sidecar that takes it over must have. Owned by the caller. */
static char *needs_of(const struct config *config)
{
    size_t size = 1, used = 0;
    for (size_t i = 0; i < config->target_count; i++)
        size += strlen(config->targets[i].name) + 1;
    char *text = calloc(1, size);
    for (size_t i = 0; text != NULL && i < config->target_count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s,", config->targets[i].name);
    return text;
}

/* What a start waits for is said once; a signal that ends the sidecar ends that, too: until it runs nobody else takes it in. */
static bool waits(void *self, const char *why)
{
    bool *told = self;
    sigset_t pending;
    if (!*told && why[0] != '\0')
        log_event(LOG_LEVEL_WARN, "a start waits for the journal in the database", LOG_TEXT("why", why));
    *told |= why[0] != '\0';
    return sigpending(&pending) != 0 || (!sigismember(&pending, SIGTERM) && !sigismember(&pending, SIGINT));
}

static int open_database(const struct config *config, unsigned k, const struct adopted *adopted, struct store **out,
                         struct store_state *state, struct error_detail *detail)
{
    char holder[POSTGRES_HOLDER_BYTES_MAX], witness[JOURNAL_PATH_SIZE], name[JOURNAL_NAME_SIZE];
    char own[JOURNAL_NAME_SIZE];
    bool first = adopted == NULL && k == config->loops - 1; /* they are opened from the last to loop 0 */
    int code = first ? take_lock(config, detail) : 0;
    if (code == 0)
        code = make_holder(config, holder, detail);
    if (code == 0)
        code = journal_name(config, name, detail);
    if (code == 0)
        code = journal_name_of(config, k, own, detail);
    char *needs = code == 0 ? needs_of(config) : NULL;
    if (code == 0 && needs == NULL)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code != 0)
        return code;
    in_data_dir(config, "journal.seen", witness);
    bool told = false;
    const struct postgres_store_options options = {
        .conninfo = config->store,
        .journal = adopted == NULL ? own : adopted->journal,
        .loops = adopted == NULL ? config->loops : 0,
        .first = name,
        .holder = holder,
        .fleet = config->fleet,
        .carrier = own,
        .address = config->fleet_address,
        .program = sagad_version,
        .needs = needs,
        .witness = adopted == NULL ? with_loop(witness, sizeof witness, k, '-') : NULL,
        .bytes_max = config->journal_bytes_max,
        .commit_bytes_max = config->commit_bytes_max,
        .lease = config->store_lease,
        .timeout = config->store_timeout,
        .patience = {.us = config->store_lease.us + config->shutdown_grace.us + LEASE_MORE.us},
        .waits = adopted == NULL ? waits : NULL,
        .self = &told,
    };
    code = postgres_store_open(&options, out, state, detail);
    free(needs);
    if (code == 0)
        log_event(LOG_LEVEL_INFO, "the journal is in a database", LOG_TEXT("journal", options.journal),
                  LOG_NUMBER("epoch", (int64_t)state->epoch), LOG_TEXT("server", postgres_store_promise(*out)));
    return code;
}

static void tell_upgrade(void *self, const struct sqlite_upgrade *upgrade)
{
    const char *path = self;
    if (upgrade->request_ids)
        log_event(LOG_LEVEL_INFO, "the journal's table of request_ids is made anew, before anything is served",
                  LOG_TEXT("journal", path), LOG_NUMBER("request_ids", (int64_t)upgrade->in_table));
    else
        log_event(LOG_LEVEL_INFO, "the journal is brought to a newer schema: no older sagad can open it from now on",
                  LOG_TEXT("journal", path), LOG_NUMBER("from", upgrade->from), LOG_NUMBER("to", upgrade->to));
}

int journal_open(const struct config *config, unsigned k, const struct adopted *adopted, struct store **out,
                 struct store_state *state, struct error_detail *detail)
{
    char path[JOURNAL_PATH_SIZE];
    if (config->store[0] != '\0')
        return open_database(config, k, adopted, out, state, detail);
    struct sqlite_store_options options = {.path = sidecar_journal_path(config, k, path),
                                           .size_bytes_max = config->journal_bytes_max,
                                           .commit_bytes_max = config->commit_bytes_max,
                                           .upgrading = tell_upgrade,
                                           .self = path};
    int code = sqlite_store_open(&options, out, state, detail);
    if (code == 0 && state->dropped_bytes > 0)
        log_event(LOG_LEVEL_WARN,
                  "the journal's last commit was not written whole and is dropped: after a kill or a crash that is in "
                  "order, since nobody was "
                  "told that it was durable; else look at the disk",
                  LOG_TEXT("journal", path), LOG_NUMBER("bytes", (int64_t)state->dropped_bytes));
    return code;
}

int journal_migrate(const struct config *config, FILE *out, struct error_detail *detail)
{
    if (config->store[0] == '\0')
        return error_set(detail, E_ARGUMENT, "store",
                         "it names no database: a journal in SQLite is migrated by a start");
    int code = journal_check_kind(config, detail);
    return code == 0 ? postgres_store_migrate(config->store, config->store_timeout, out, detail) : code;
}
