/* config_inside.h - what the parts of config*.c share: a configuration while it is read. */
#ifndef SAGA_CONFIG_CONFIG_INSIDE_H
#define SAGA_CONFIG_CONFIG_INSIDE_H

#include "sidecar/definition/yaml_value.h"
#include "sidecar/config/config_options.h"

#define JOURNAL_BYTES_MIN (UINT64_C(16) << 20)
/* What part of the journal's bound a commit is by default. */
#define JOURNAL_COMMITS 16

struct config_reader {
    struct config *config;
    struct yaml_tree *tree;                            /* gives room for what the config points to */
    const struct yaml_node *nodes[OPTION_INDEX_COUNT]; /* where the file says it, or NULL */
    struct error_detail *detail;
};

/* Reads the option authorization, once the listeners are known; or sets what holds without rules. */
int config_read_rules(const struct config_reader *r);

/* Reads the option objectives. */
int config_read_objectives(const struct config_reader *r);
/* And synthetics, and remediation. */
int config_read_synthetics(const struct config_reader *r);
int config_read_remedies(const struct config_reader *r);

/* The mapping that such an option holds, or NULL; example is what one entry may look like. */
int config_mapping(const struct config_reader *r, enum option_index index, const char *example,
                   const struct yaml_node **out);
/* A field of a mapping, which may be missing: then *to stays. A percentage from 50 to 99.999, in thousandths; a length of time. */
int config_read_percent(const struct config_reader *r, const struct yaml_node *mapping, const char *name, uint32_t *to);
int config_read_span(const struct config_reader *r, const struct yaml_node *mapping, const char *name, struct span min,
                     struct span max, struct span *to);

/* Reads the option faults, after the targets. */
int config_read_faults(const struct config_reader *r);
/* Reads the option definition_limits. */
int config_read_limits(const struct config_reader *r);

/* Whether the sidecar may call this address as a target. Returns NULL, or what is wrong in words that follow it. */
const char *config_check_target(const struct config *c, const char *text);

/* Whether the options, each within its own bounds, go together. Returns 0 or E_ARGUMENT with detail. */
int config_check(const struct config_reader *r);

#endif
