/* run.h - one run of sagactl: what the commands share. */
#ifndef SAGACTL_RUN_H
#define SAGACTL_RUN_H

#include <saga/error.h>

#include "client-lib/sagactl/exits.h"
#include "client-lib/sagactl/options.h"
#include "client-lib/sagactl/screen.h"
#include "client-lib/src/wire.h"

#include "saga/v1/coordinator.pb-c.h"
#include "saga/v1/operator.pb-c.h"

#define RUN_TIMEOUT_DEFAULT_MS 10000
/* Of files and standard input: what a message may carry at most. */
#define RUN_FILE_BYTES_MAX (16u * 1024 * 1024)

struct run {
    struct options o;
    struct screen screen; /* standard output */
    FILE *err;
    struct wire *wire;         /* NULL until the first call */
    int64_t deadline;          /* of all calls together, from --timeout: set with the wire */
    struct saga_error failure; /* what run_failed told last */
    char (*absent)[130];       /* journals of the fleet that were missing from an answer; owned */
    size_t absent_count;
};

/* The whole program: reads the command line, runs the command, says what went wrong. Returns the exit status. */
int run_main(int argc, char **argv, FILE *out, FILE *err);

/* ---- saying things; each returns the exit status that fits ---- */

/* An error that a call gave: as text, or as JSON with -o json. */
int run_failed(struct run *r, const struct saga_error *error);

/* A sentence of our own; status as given. */
int run_say(struct run *r, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What a person may want to know meanwhile, on standard error; with -o json {"note": {"message": ...}}. */
void run_note(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes the token of the next page ("": there is none). Returns EXIT_DONE, or says why not: it is that of this page, or too long. */
int run_next_page(struct run *r, char token[TOKEN_SIZE], const char *next);

/* Adds an option and its value to a command that is proposed on the screen; value may be NULL. */
void run_put_option(const struct run *r, const char *option, const char *value);

/* What a command that is proposed needs to ask the same sidecar, as this one was told it: " --address ADDRESS" and its like, or "". Valid until the
 * next call. */
const char *run_same_sidecar(const struct run *r);

/* Journals that are missing from an answer about the whole fleet: each is named once, and the exit status becomes EXIT_INCOMPLETE. */
void run_absent(struct run *r, Saga__V1__Absent *const *all, size_t count);

/* A message on standard output as JSON. Returns EXIT_DONE, or EXIT_REFUSED when there is no memory (which is said). */
int run_json(struct run *r, const ProtobufCMessage *message, bool one_line);

/* ---- calls ---- */

/* Opens the wire if it is not open. Returns EXIT_DONE, or another status after having said why. */
int run_connect(struct run *r);

/* Waits a while before a call is tried again, each time longer, but not beyond deadline. *delay_ms starts as 0. */
void run_pause(int64_t *delay_ms, int64_t deadline);

/* One call within --timeout (which all calls share) or the default for each. Returns EXIT_DONE with *response set (gives;
 * protobuf_c_message_free_unpacked), or another status after having said why. */
int run_call(struct run *r, const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
             void *response);

/* The same, but says nothing: returns SAGA_OK or a code, with *error filled in. deadline from wire_deadline. */
int run_try(struct run *r, const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
            int64_t deadline, bool wait_for_ready, void *response, struct saga_error *error);

/* Whether a call failed because the connection broke or the sidecar is stopping: one that comes back may answer it. */
bool run_lost(const struct saga_error *error);

/* ---- shared by several commands ---- */

/* Waits until the saga has ended (or is stuck, unless --past-stuck), shows how, and returns the status that tells; *shown
 * (may be NULL) says whether the saga was. A
 * sidecar that was there (a call before this one was answered) is waited for when it is away; else one that cannot be
 * reached is said to be. */
int run_wait(struct run *r, const char *saga_id, bool was_there, bool *shown);

/* Dead letters by definition, step and status, with counts; and all those that --definition, --step and --status let through
 * tried again (cmd_night.c). */
int run_summary(struct run *r);
/* The same of the oldest thousand, at most rows_max of them, in a line each. */
int run_letters(struct run *r, unsigned rows_max);
int run_retry_all(struct run *r);

/* A bulk job over the dead letters that --where lets through, or with --dry-run which those are (cmd_bulk.c). */
int run_bulk(struct run *r);

/* All registered definitions, without their sources (cmd_definitions.c). *all is to be freed whatever is returned. */
int run_definitions(struct run *r, Saga__V1__ListDefinitionsResponse *all);
void run_definitions_free(Saga__V1__ListDefinitionsResponse *all);

/* Registers a set of descriptors under a name, and says so (cmd_schema.c). */
int run_register_schema(struct run *r, const char *name, char *data, size_t size);

/* Whether what --json says is the JSON itself rather than a file's name: messages begin with a bracket, or are a text, as times are. */
bool run_is_json(const char *text);

/* Reads a whole file, "-" being standard input. Gives *data (free; a NUL follows it). Returns EXIT_DONE, or EXIT_USAGE
 * after having said why. */
int run_read_file(struct run *r, const char *path, char **data, size_t *size);

#endif
