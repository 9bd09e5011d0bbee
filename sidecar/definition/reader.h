/* reader.h - reads a definition from YAML and checks it: the only face of the text form (docs/definitions.md). */
#ifndef SAGA_DEFINITION_READER_H
#define SAGA_DEFINITION_READER_H

#include "sidecar/base/error.h"
#include "sidecar/definition/model.h"
#include "sidecar/definition/names.h"

#define VERSION_BYTES_MAX 64

/* Where a definition's schema comes from. */
struct definition_schemas {
    /* The schema of this name, and in *hash that of its descriptors: both live longer than the definition. NULL when there is none. */
    const struct schema *(*find)(void *self, const char *name, const char **hash);
    void *self;
};

/* Whom calls may name. */
struct definition_targets {
    const char *const *names; /* borrowed; NULL: whoever is named is taken to be there */
    size_t count;
};

/* Bounds and defaults that the reader applies. */
struct definition_limits {
    uint32_t source_bytes_max;         /* of the YAML text */
    uint32_t steps_max;                /* at most STEPS_LIMIT */
    uint32_t payload_bytes_max;        /* of a constant */
    struct span deadline_max;          /* of the deadline and of timeouts */
    struct span last_good_age_max;     /* of an answer that a fallback takes */
    struct retry_defaults retry;       /* where a step says nothing */
    struct definition_schemas schemas; /* find NULL: types are not looked at */
    struct definition_targets targets;
};

/* The limits of a sidecar without configuration. */
struct definition_limits definition_limits_default(void);

/* Reads text (borrowed; copied into the result). On success *out is a definition that the caller must destroy, with
 * number 0. Fails with E_SYNTAX, E_ARGUMENT, E_STEPS, E_PAYLOAD, E_SCHEMA_NOT_FOUND, E_TARGET_NOT_FOUND or E_MEMORY; detail then tells the
 * field, the line and the column. */
int definition_read(struct bytes text, const struct definition_limits *limits, struct definition **out,
                    struct error_detail *detail);

/* Accepts NULL. */
void definition_destroy(struct definition *d);

/* Orders two semantic versions (https://semver.org, section 11): below, at or above zero. Both were accepted by the
 * reader. */
int definition_version_compare(const char *a, const char *b);

/* Whether text is a semantic version of at most VERSION_BYTES_MAX bytes. */
bool definition_version_valid(const char *text);

/* Whether a valid version is one that is only tried out, as 2.0.0-rc.1 (https://semver.org, section 9). */
bool definition_version_is_prerelease(const char *text);

#endif
