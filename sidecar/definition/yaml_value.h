/* yaml_value.h - reads typed values out of a YAML tree, and says where and why one is not valid.
 *
 * Every function that can fail returns 0 or a negative code and then has filled in detail: the path of the field, one
 * sentence, the line and the column. It leaves *value alone. Texts of the file appear in a sentence only cut and made
 * printable. */
#ifndef SAGA_DEFINITION_YAML_VALUE_H
#define SAGA_DEFINITION_YAML_VALUE_H

#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/definition/yaml_tree.h"

/* Room for a text of the file within a sentence. */
#define YAML_QUOTE_SIZE 48

/* Writes text cut and printable, for use in a sentence; returns quoted. */
const char *yaml_quote(struct bytes text, char quoted[YAML_QUOTE_SIZE]);

/* Says what is wrong with a value, and returns code. */
int yaml_refuse(const struct yaml_node *n, int code, struct error_detail *detail, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, pointing at its key. */
int yaml_refuse_key(const struct yaml_node *n, int code, struct error_detail *detail, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Names the rule of sidecar/lint/lint.def that what was refused breaks (rule is static), and returns code. */
int yaml_rule(struct error_detail *detail, const char *rule, int code);

/* Whether n is a mapping all of whose keys are among names; else says which is not, and the nearest that is. */
int yaml_check_mapping(const struct yaml_node *n, const char *const *names, size_t count, struct error_detail *detail);

int yaml_check_sequence(const struct yaml_node *n, struct error_detail *detail);

/* The value of a key that must be there. */
int yaml_need(const struct yaml_node *mapping, const char *key, const struct yaml_node **value,
              struct error_detail *detail);

/* A text of min to max bytes without control characters. *value is a view into the tree, a NUL follows it. */
int yaml_read_text(const struct yaml_node *n, size_t min, size_t max, struct bytes *value, struct error_detail *detail);

int yaml_read_bool(const struct yaml_node *n, bool *value, struct error_detail *detail);

/* Numbers from min to max, as sidecar/definition/quantity.h writes them. */
int yaml_read_count(const struct yaml_node *n, uint64_t min, uint64_t max, uint64_t *value,
                    struct error_detail *detail);
int yaml_read_size(const struct yaml_node *n, uint64_t min, uint64_t max, uint64_t *value, struct error_detail *detail);
int yaml_read_permille(const struct yaml_node *n, uint32_t min, uint32_t max, uint32_t *value,
                       struct error_detail *detail);
int yaml_read_span(const struct yaml_node *n, struct span min, struct span max, struct span *value,
                   struct error_detail *detail);

/* One of names; *value is its index. */
int yaml_read_choice(const struct yaml_node *n, const char *const *names, size_t count, uint32_t *value,
                     struct error_detail *detail);

#endif
