/* config.h - what sagad.yaml says: every option with its value, checked against its bounds and against the others.
 *
 * The options are rows of one table, options.def. It gives the names that are read, their bounds and defaults, what
 * `sagad --options` prints, sagad.yaml(5) and the table in docs/configuration.md. One owner; immutable once read. */
#ifndef SAGA_CONFIG_CONFIG_H
#define SAGA_CONFIG_CONFIG_H

#include "sidecar/authz/authz.h"
#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/definition/model.h"
#include "sidecar/definition/participants.h"
#include "sidecar/definition/reader.h"

#include <stdio.h>

#define CONFIG_BYTES_MAX   1048576 /* of sagad.yaml */
#define CONFIG_LISTEN_MAX  8
#define CONFIG_TARGETS_MAX 1024
/* Journals of others that a sidecar looks after at once. */
#define FLEET_TAKEOVERS_MAX 16
#define CONFIG_RULES_MAX    256

enum config_unix_access {
    CONFIG_UNIX_OWNER = 0,
    CONFIG_UNIX_GROUP = 1,
    CONFIG_UNIX_EVERYBODY = 2,
};

enum config_log_level {
    CONFIG_LOG_ERROR = 0,
    CONFIG_LOG_WARN = 1,
    CONFIG_LOG_INFO = 2,
    CONFIG_LOG_DEBUG = 3,
};

enum config_log_format {
    CONFIG_LOG_LOGFMT = 0,
    CONFIG_LOG_JSON = 1,
};

/* Of a target with several addresses. */
enum config_load_balancing {
    CONFIG_ROUND_ROBIN = 0,
    CONFIG_PICK_FIRST = 1,
};

/* A participant's address. */
struct config_target {
    const char *name;
    const char *address; /* as gRPC names it: "dns:///inventory:50051", "unix:/run/inventory.sock", "127.0.0.1:50051" */
    const char *identity; /* who must be there; "" for the host of the address */
    struct span timeout;  /* of an attempt that declares none */
    uint32_t max_concurrent_calls;
    uint32_t load_balancing_policy; /* enum config_load_balancing */
    uint32_t max_pending_calls;
    struct span pending_timeout;
    uint32_t rate_limit_per_second; /* resilience/rate.h */
    uint32_t rate_limit_burst;
    uint32_t retry_budget_percent; /* resilience/budget.h */
    uint32_t retry_budget_min_per_second;
    uint32_t breaker_failure_percent; /* these are resilience/breaker.h's */
    uint32_t breaker_slow_percent;
    struct span breaker_slow_call;
    uint32_t breaker_status_codes;
    struct span breaker_window;
    uint32_t breaker_volume;
    struct span breaker_open;
    struct span breaker_open_max;
    uint32_t breaker_probes;
    bool adaptive_concurrency;
    bool barrier; /* its participant refuses an action whose undo has been there */
};

/* What is promised of a definition's sagas, or of enlisted ones of a name. Percentages in thousandths; 0: nothing is. */
struct config_objective {
    const char *definition;
    uint32_t success, latency_percent, freshness_percent;
    struct span latency, freshness; /* 0: nothing is promised of it */
    struct span window;
};

/* How many sagas of a definition there may be. 0: any number. */
struct config_limit {
    const char *definition;
    uint32_t live_sagas_max, starts_per_second, starts_burst;
};

/* A saga of this definition is started every so often, as a heartbeat, and what is promised of these. */
struct config_synthetic {
    const char *version;            /* "" for the highest */
    const char *input, *input_json; /* one of them at most; "" for none */
    struct span every, deadline;
    struct config_objective promised; /* of no freshness */
};

enum config_remedy_act {
    CONFIG_REMEDY_RETRY,
    CONFIG_REMEDY_HOLD,
    CONFIG_REMEDY_TRIP,
    CONFIG_REMEDY_RESET,
    CONFIG_REMEDY_PAGE
};

/* A fault that is injected for a drill. Texts are "" where the file says nothing. */
struct config_fault {
    const char *target, *definition, *tag, *tag_value;
    uint8_t calls;  /* 0: all; 1: actions; 2: compensations */
    uint8_t kind;   /* enum drill_kind */
    uint8_t status; /* of abort */
    uint32_t permille;
    struct span delay, lasts;
};

/* A rule of remediation. Texts are "" where the file says nothing. */
struct config_remedy {
    const char *name, *when, *definition, *target;
    const char *where;   /* RETRY: of which dead letters */
    const char *url;     /* PAGE */
    uint32_t act;        /* enum config_remedy_act */
    uint32_t per_second; /* RETRY */
    bool acts;           /* else it only tells what it would do */
    struct span lasts;   /* how long `when` must be true before it acts */
    struct span every;   /* it acts at most so often */
    struct span settle;  /* after an act it is judged by what came in so long */
};

/* Every pointer belongs to the config. options.def tells what each one means; lists are in the file's order. */
struct config {
    const char *data_dir;
    uint32_t loops;
    const char *definitions_dir; /* "" for none */
    const char *schemas_dir;     /* "" for none */
    const char *policy_file;     /* "" for none */
    struct span schema_drift_interval;
    const char *store;                                  /* "" for SQLite in data_dir */
    const char *store_journal;                          /* "" for the host's name */
    const char *fleet, *fleet_address, *fleet_identity; /* "" for none */
    uint32_t fleet_takeovers_max;
    struct span store_lease;
    struct span store_timeout;
    const char *const *listen; /* "unix:/path" or a loopback "127.0.0.1:7240", "[::1]:7240"; at least one */
    size_t listen_count;
    const struct config_target *targets;
    size_t target_count;
    struct participants participants; /* the targets, as those who judge definitions see them */

    uint32_t live_sagas_max;
    const struct config_limit *definition_limits;
    size_t definition_limit_count;
    uint32_t steps_max;
    uint64_t payload_bytes_max;
    uint32_t last_good_answers_max;
    uint64_t last_good_bytes_max;
    struct span last_good_age_max;
    uint64_t memory_bytes_max;
    uint64_t message_bytes_max;
    uint64_t metadata_bytes_max;
    uint32_t definitions_max;
    uint32_t schemas_max;
    uint64_t definition_bytes_max;
    uint32_t calls_max;
    uint32_t streams_max;
    uint32_t connection_streams_max;
    uint32_t pipe_commands_max;
    uint32_t waiters_max;
    uint32_t watchers_max;
    const char *tls_certificate, *tls_key, *tls_roots; /* "" for none */
    struct span tls_connection_age;
    const char *encryption_key_file, *encryption_key_command, *audit_key_file; /* "" for none */
    bool audit_verify_at_start;
    struct span audit_retention;
    struct authz authorization; /* the default's rules when the file has none */
    bool plaintext_operators;
    bool core_dumps;
    bool fault_injection;
    const struct config_fault *faults;
    size_t fault_count;
    uint32_t unix_access;       /* enum config_unix_access */
    uint64_t journal_bytes_max; /* 0: as much as the disk holds */
    uint64_t commit_bytes_max;

    struct span handshake_timeout;
    struct span keepalive_time;
    struct span keepalive_timeout;
    struct span connect_timeout;
    struct span enlisted_deadline_default;
    struct span enlisted_lease_default;
    struct span deadline_max;
    struct span pushback_max;
    struct span target_wait;
    struct retry_policy default_retry;
    struct retry_policy default_compensation_retry;
    struct retry_policy earlier_retry; /* default_retry of definitions that were registered before theirs was kept */
    struct span retention;
    struct span shutdown_grace;

    const char *http_listen; /* "" for nowhere */
    uint32_t metrics_series_max;
    const char *otlp_endpoint; /* "" for no collector */
    struct span otlp_metrics_interval;
    bool otlp_logs;
    uint32_t traces_percent;
    const struct config_objective *objectives;
    size_t objective_count;
    const struct config_synthetic *synthetics;
    size_t synthetic_count;
    const struct config_remedy *remediation;
    size_t remedy_count;
    uint32_t log_level;  /* enum config_log_level */
    uint32_t log_format; /* enum config_log_format */
};

/* Reads the file at path, or gives the defaults when path is NULL. On success *out is to be given to config_destroy.
 * Fails with E_SYSTEM (the file cannot be read), E_SYNTAX, E_ARGUMENT or E_MEMORY; detail then tells the option, the
 * line and the column. */
int config_read(const char *path, struct config **out, struct error_detail *detail);

/* Whether a line of the file says `log_format: json`: of one that config_read refuses, so that who reads the log can read that, too. Accepts
 * NULL. */
bool config_wants_json(const char *path);

/* The same from a text (borrowed). */
int config_read_text(struct bytes text, struct config **out, struct error_detail *detail);

/* Accepts NULL. */
void config_destroy(struct config *c);

/* Whether there are certificates, so that TLS can be spoken. */
bool config_has_certificates(const struct config *c);

/* What the reader of definitions is to apply. */
struct definition_limits config_definition_limits(const struct config *c);

/* Writes one line for people, without a newline: "sagad.yaml:3:5: listen[0]: what is wrong". path may be NULL. It
 * serves files of definitions just as well. Returns its length, cut to size - 1. */
size_t config_describe_error(const char *path, int code, const struct error_detail *detail, char *line, size_t size);

/* Prints every option with its bounds, default and what it is for, as `sagad --options` shows it. */
void config_print_options(FILE *out);

#endif
