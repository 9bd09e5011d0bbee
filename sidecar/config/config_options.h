/* config_options.h - the rows of options.def, for those who read, print and test every option. */
#ifndef SAGA_CONFIG_CONFIG_OPTIONS_H
#define SAGA_CONFIG_CONFIG_OPTIONS_H

#include "sidecar/base/grpc_status.h"
#include "sidecar/config/config.h"

enum option_type {
    OPTION_TEXT = 1,           /* const char * */
    OPTION_COUNT,              /* uint32_t: a whole number */
    OPTION_SIZE,               /* uint64_t: bytes, as in 64KiB */
    OPTION_SPAN,               /* struct span: a length of time, as in 250ms */
    OPTION_BOOL,               /* bool: true or false */
    OPTION_LOG_LEVEL,          /* uint32_t: one of a few names */
    OPTION_LOG_FORMAT,         /* the same */
    OPTION_LOAD_BALANCING,     /* the same */
    OPTION_RETRY,              /* struct retry_policy */
    OPTION_RETRY_COMPENSATION, /* struct retry_policy, of a compensation */
    OPTION_UNIX_ACCESS,        /* the same */
    OPTION_STATUS_CODES,       /* uint32_t: a list of gRPC status codes, bit n for status n */
    OPTION_RULES,              /* a list of rules: struct authz */
    OPTION_LISTEN,             /* a list of addresses, with its count beside it */
    OPTION_OBJECTIVES,         /* a mapping of definitions, with its count beside it */
    OPTION_LIMITS,             /* the same */
    OPTION_SYNTHETICS,         /* the same */
    OPTION_REMEDIES,           /* a mapping of rules, with its count beside it */
    OPTION_FAULTS,             /* a list, with its count beside it */
    OPTION_TARGETS,            /* a mapping of targets, with its count beside it */
};

enum option_group {
    GROUP_PLACES,
    GROUP_TARGET,
    GROUP_SAGAS,
    GROUP_SERVING,
    GROUP_TRUST,
    GROUP_JOURNAL,
    GROUP_LOGS,
    GROUP_COUNT
};

struct option {
    enum option_group group;
    const char *name;
    enum option_type type;
    const char *unit;
    int64_t min;
    int64_t max;
    const char *fallback; /* the default as it would stand in the file, or NULL */
    const char *doc;
    size_t offset; /* of the field, in struct config or in struct config_target */
    bool reloaded; /* taken while the sidecar runs, by SIGHUP and Reload */
};

#define OPTION(group, name, type, unit, min, max, fallback, doc) OPTION_INDEX_##name,
#define TARGET_OPTION(group, name, type, unit, min, max, fallback, doc)
enum option_index {
#include "sidecar/config/options.def"
    OPTION_INDEX_COUNT
};
#undef OPTION
#undef TARGET_OPTION

#define TARGET_OPTION_COUNT 22

extern const struct option config_options[OPTION_INDEX_COUNT];
extern const struct option config_target_options[TARGET_OPTION_COUNT];

/* By default, those of a breaker: what says more of the participant than of the request. */
#define STATUS_CODES_DEFAULT \
    (1u << CODE_UNKNOWN | 1u << CODE_DEADLINE_EXCEEDED | 1u << CODE_RESOURCE_EXHAUSTED | 1u << CODE_INTERNAL | \
     1u << CODE_UNAVAILABLE | 1u << CODE_DATA_LOSS)

/* The names that an option of type LOG_LEVEL, LOG_FORMAT, UNIX_ACCESS or LOAD_BALANCING can be, in the order of their numbers. */
const char *const *option_choices(enum option_type type, size_t *count);

/* What a group of options is about, for people. */
const char *option_group_title(enum option_group group);

/* What can stand there, for people: "1 to 16000000 sagas", "error, warn, info or debug". Returns text. */
#define OPTION_RANGE_SIZE 128
const char *option_range(const struct option *o, char text[OPTION_RANGE_SIZE]);

/* The default as it would stand in the file, or "" when there is none. Returns text. */
#define OPTION_DEFAULT_SIZE 224
const char *option_default(const struct option *o, char text[OPTION_DEFAULT_SIZE]);

#endif
