/* yaml_tree.h - the part of YAML that the sidecar reads, as a tree that remembers lines and columns.
 *
 * One document in UTF-8 of mappings with plain text keys, sequences and scalars. Refused: anchors and aliases (a small
 * text could grow without bound), tags, directives for tags, duplicate keys, a second document, and more than the
 * bounds below. */
#ifndef SAGA_DEFINITION_YAML_TREE_H
#define SAGA_DEFINITION_YAML_TREE_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"

#include <stdbool.h>

#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 65536
#define YAML_KEYS_MAX  2048 /* of one mapping */

enum yaml_kind {
    YAML_SCALAR = 1,
    YAML_SEQUENCE = 2,
    YAML_MAPPING = 3,
};

/* Belongs to its tree. Lines and columns count from 1. */
struct yaml_node {
    enum yaml_kind kind;
    bool plain;  /* a scalar written without quotes */
    bool braced; /* a mapping or sequence in {} or [], within which a comma or a brace ends what is plain */
    int line;
    int column;
    struct bytes text; /* of a scalar; a NUL follows it */
    unsigned count;    /* of children */
    struct yaml_node *first;
    struct yaml_node *last;

    struct yaml_node *next; /* sibling */
    struct yaml_node *parent;
    struct bytes key; /* within a mapping; a NUL follows it */
    int key_line;
    int key_column;
    unsigned index; /* among its siblings, from 0 */
};

struct yaml_tree;

/* Reads text (borrowed for the call). On success *out is to be given to yaml_tree_destroy. Fails with E_SYNTAX or
 * E_MEMORY. */
int yaml_tree_read(struct bytes text, struct yaml_tree **out, struct error_detail *detail);

/* Accepts NULL. */
void yaml_tree_destroy(struct yaml_tree *t);

/* The outermost node, or NULL when the text holds nothing but comments. */
const struct yaml_node *yaml_tree_root(const struct yaml_tree *t);

/* Size bytes that live as long as the tree, or NULL. size is not 0. */
void *yaml_tree_take(struct yaml_tree *t, size_t size);

/* The value of a key of a mapping, or NULL. */
const struct yaml_node *yaml_node_child(const struct yaml_node *mapping, const char *key);

/* Whether a scalar says "nothing": empty, ~ or null, without quotes. */
bool yaml_node_is_null(const struct yaml_node *n);

#endif
