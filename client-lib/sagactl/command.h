/* command.h - sagactl's commands and options, in two tables. Help, the man page, the shell completions and the reader
 * of the command line all come from here. */
#ifndef SAGACTL_COMMAND_H
#define SAGACTL_COMMAND_H

#include <stddef.h>
#include <stdint.h>

struct run;

enum option_id {
    /* Every command takes these. */
    OPTION_ADDRESS,
    OPTION_OUTPUT,
    OPTION_TIMEOUT,
    OPTION_COLOR,
    OPTION_UTC,
    OPTION_TLS_CERTIFICATE,
    OPTION_TLS_KEY,
    OPTION_TLS_ROOTS,
    OPTION_TLS_IDENTITY,
    OPTION_HELP,
    /* Only before the command. */
    OPTION_SHOW_VERSION,
    /* Each for some commands. */
    OPTION_DRY_RUN,
    OPTION_VERSION,
    OPTION_INPUT,
    OPTION_INPUT_TEXT,
    OPTION_INPUT_HEX,
    OPTION_JSON,
    OPTION_NAME,
    OPTION_REQUEST_ID,
    OPTION_DEADLINE,
    OPTION_PRIORITY,
    OPTION_WAIT,
    OPTION_PAYLOADS,
    OPTION_STATE,
    OPTION_DEFINITION,
    OPTION_TAG,
    OPTION_SINCE,
    OPTION_BEFORE,
    OPTION_LIMIT,
    OPTION_PAGE,
    OPTION_ALL,
    OPTION_FROM,
    OPTION_PAST_STUCK,
    OPTION_ANSWERED,
    OPTION_KILL,
    OPTION_REASON,
    OPTION_ACTOR,
    OPTION_SUMMARY,
    OPTION_STEP,
    OPTION_STATUS,
    OPTION_SCHEMA,
    OPTION_EXPLAIN,
    OPTION_POLICY,
    OPTION_ONCE,
    OPTION_CONTRACT,
    OPTION_TARGET,
    OPTION_WHERE,
    OPTION_REFLECT,
    OPTION_SEEDS,
    OPTION_RATE,
    OPTION_AS,
    OPTION_METHOD,
    OPTION_CONFIG,
    OPTION_FLEET,
    OPTION_JOURNAL,
    OPTION_COUNT
};

#define OPTION_BIT(id) (UINT64_C(1) << (id))
#define OPTIONS_COMMON \
    (OPTION_BIT(OPTION_ADDRESS) | OPTION_BIT(OPTION_OUTPUT) | OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_COLOR) | \
     OPTION_BIT(OPTION_UTC) | OPTION_BIT(OPTION_TLS_CERTIFICATE) | OPTION_BIT(OPTION_TLS_KEY) | \
     OPTION_BIT(OPTION_TLS_ROOTS) | OPTION_BIT(OPTION_TLS_IDENTITY) | OPTION_BIT(OPTION_HELP))
#define OPTIONS_BEFORE (OPTIONS_COMMON | OPTION_BIT(OPTION_SHOW_VERSION))

/* What a shell can complete an argument with. */
enum complete { COMPLETE_NOTHING, COMPLETE_FILE, COMPLETE_VALUES, COMPLETE_SAGA, COMPLETE_STUCK, COMPLETE_DEFINITION };

struct option_row {
    const char *name;          /* without "--" */
    char letter;               /* '\0': has none */
    const char *argument;      /* its name in help, or NULL when the option takes none */
    const char *const *values; /* those that are valid, NULL at the end; or NULL */
    enum complete complete;
    const char *help; /* one or two sentences */
};

struct command_row {
    const char *name;
    const char *arguments; /* as help shows them */
    unsigned words_min, words_max;
    const char *const *values; /* of its first argument, or NULL */
    enum complete complete;    /* of its arguments */
    uint64_t options;          /* OPTION_BITs beside OPTIONS_COMMON */
    const char *summary;       /* one line without a full stop */
    const char *text;          /* what one needs to know, in sentences */
    /* Carries it out and returns an exit status; whatever went wrong has been said. */
    int (*run)(struct run *r);
};

extern const struct option_row option_rows[OPTION_COUNT];
extern const struct command_row command_rows[];
extern const size_t command_count;

/* The row of this name, or NULL. */
const struct command_row *command_find(const char *name);

/* The command's name nearest to a wrong one, or NULL. */
const char *command_nearest(const char *wrong);

/* The name of the option nearest to a wrong one among those in mask, or NULL. wrong is without "--". */
const char *option_nearest(const char *wrong, uint64_t mask);

/* ---- the commands, each in the file cmd_*.c that fits ---- */

int command_register(struct run *r);
int command_lint(struct run *r);
int command_graph(struct run *r);
int command_rehearse(struct run *r);
int command_definitions(struct run *r);
int command_schema(struct run *r);
int command_contract(struct run *r);
int command_input(struct run *r);
int command_start(struct run *r);
int command_wait(struct run *r);
int command_get(struct run *r);
int command_why(struct run *r);
int command_bulk(struct run *r);
int command_slo(struct run *r);
int command_top(struct run *r);
int command_list(struct run *r);
int command_deadletters(struct run *r);
int command_watch(struct run *r);
int command_cancel(struct run *r);
int command_pause(struct run *r);
int command_reload(struct run *r);
int command_breaker(struct run *r);
int command_hold(struct run *r);
int command_forget(struct run *r);
int command_release(struct run *r);
int command_rules(struct run *r);
int command_drill(struct run *r);
int command_targets(struct run *r);
int command_resume(struct run *r);
int command_retry(struct run *r);
int command_skip(struct run *r);
int command_reject(struct run *r);
int command_resolve(struct run *r);
int command_fleet(struct run *r);
int command_status(struct run *r);
int command_audit(struct run *r);
int command_verify(struct run *r);
int command_authz(struct run *r);
int command_runbook(struct run *r);
int command_completion(struct run *r);
int command_version(struct run *r);
int command_help(struct run *r);

#endif
