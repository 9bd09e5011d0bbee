/* options.h - the command line, read and checked before anything is sent. */
#ifndef SAGACTL_OPTIONS_H
#define SAGACTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client-lib/sagactl/command.h"
#include "client-lib/sagactl/screen.h"

/* A token of the next page, with its NUL: of the whole fleet it has a part for each journal. */
#define TOKEN_SIZE 65536
#define ACTOR_SIZE 129 /* with its NUL; the API takes 128 bytes */

/* What --output takes, in its order. */
enum form { FORM_TEXT, FORM_JSON, FORM_SARIF, FORM_MERMAID, FORM_DOT, FORM_SVG };

/* Texts are views of argv. */
struct options {
    const struct command_row *command;
    char *const *words; /* its arguments */
    unsigned word_count;
    uint64_t given; /* OPTION_BITs */

    const char *address;                                              /* NULL: not said */
    const char *tls_certificate, *tls_key, *tls_roots, *tls_identity; /* likewise */
    bool json;
    enum form form;
    int64_t timeout_ms; /* -1: not said */
    enum color color;
    bool utc;

    bool fleet;
    const char *journal; /* NULL: not said */
    bool dry_run, wait, payloads, all, past_stuck, answered, once;
    const char *version;
    const char *input, *input_text, *input_hex, *input_json, *name;
    const char *request_id;
    struct span deadline; /* 0: not said */
    unsigned priority;    /* saga.v1.Priority; 0: not said */
    uint32_t states;      /* bit n for state n, WORDS_PAUSED for those that are paused; 0: all */
    const char *definition;
    const char *tag; /* NAME=VALUE */
    const char *where;
    double per_second; /* 0: not said */
    const char *since, *before;
    uint32_t limit;
    const char *page, *from, *reason, *step;
    int status;     /* a gRPC status; -1: not said */
    uint32_t seeds; /* 0: not said */
    bool summary, reflect;
    const char *schema, *explain, *policy, *config, *contract, *target;
    const char *as, *method, *kill;
    char actor[ACTOR_SIZE];
};

/* Reads argv (which getopt may reorder). Returns true with *o filled in. False: *status is how to exit, and what is to
 * be said has been written to out (help, version) or err (mistakes). */
bool options_read(struct options *o, int argc, char **argv, FILE *out, FILE *err, int *status);

/* The options by which the command was told its sidecar, with their values; NULL: was not given. */
#define OPTIONS_OF_SIDECAR 5
struct option_given {
    const char *name, *value;
};
void options_of_sidecar(const struct options *o, struct option_given given[OPTIONS_OF_SIDECAR]);

#endif
