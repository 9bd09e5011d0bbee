/* yaml_tree.c - builds the tree from libyaml's events. */
#include "sidecar/definition/yaml_tree.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define CHUNK_BYTES 16384

struct chunk {
    struct chunk *next;
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char room[];
};

struct yaml_tree {
    struct chunk *chunks; /* the one in use is the first */
    struct yaml_node *root;
    unsigned node_count;
};

/* A key that waits for its value. */
struct pending_key {
    bool set;
    struct bytes text;
    int line;
    int column;
};

/* The state between two events. */
struct builder {
    struct yaml_tree *tree;
    struct error_detail *detail;
    struct yaml_node *open[YAML_DEPTH_MAX]; /* containers that have not ended, outermost first */
    struct pending_key keys[YAML_DEPTH_MAX];
    unsigned depth;
    unsigned documents;
};

void *yaml_tree_take(struct yaml_tree *t, size_t size)
{
    size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (t->chunks == NULL || t->chunks->size - t->chunks->used < size) {
        size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        struct chunk *fresh = malloc(sizeof *fresh + room);
        if (fresh == NULL)
            return NULL;
        fresh->next = t->chunks;
        fresh->size = room;
        fresh->used = 0;
        t->chunks = fresh;
    }
    void *at = t->chunks->room + t->chunks->used;
    t->chunks->used += size;
    return at;
}

static int refuse(struct error_detail *detail, int code, const yaml_mark_t *mark, const char *text)
{
    error_set(detail, code, NULL, text);
    detail->line = (int)mark->line + 1;
    detail->column = (int)mark->column + 1;
    return code;
}

/* Copies a scalar's text and adds a NUL. */
static bool keep_text(struct yaml_tree *t, const yaml_char_t *value, size_t length, struct bytes *kept)
{
    unsigned char *copy = yaml_tree_take(t, length + 1);
    if (copy == NULL)
        return false;
    if (length > 0)
        memcpy(copy, value, length);
    copy[length] = '\0';
    *kept = bytes_of(copy, length);
    return true;
}

/* Takes a scalar as the next key of the mapping that is open. */
static int take_key(struct builder *b, const yaml_event_t *event)
{
    struct yaml_node *mapping = b->open[b->depth - 1];
    struct pending_key *key = &b->keys[b->depth - 1];
    if (!keep_text(b->tree, event->data.scalar.value, event->data.scalar.length, &key->text))
        return refuse(b->detail, E_MEMORY, &event->start_mark, NULL);
    key->set = true;
    key->line = (int)event->start_mark.line + 1;
    key->column = (int)event->start_mark.column + 1;
    if (mapping->count == YAML_KEYS_MAX)
        return refuse(b->detail, E_SYNTAX, &event->start_mark, "the mapping has more than 2048 keys");
    for (const struct yaml_node *n = mapping->first; n != NULL; n = n->next)
        if (bytes_equal(n->key, key->text))
            return refuse(b->detail, E_SYNTAX, &event->start_mark, "the key stands here for the second time");
    return 0;
}

/* Makes a node of what has begun and hangs it into the container that is open. */
static int add_node(struct builder *b, const yaml_event_t *event, enum yaml_kind kind, struct yaml_node **added)
{
    if (b->tree->node_count == YAML_NODES_MAX)
        return refuse(b->detail, E_SYNTAX, &event->start_mark, "the text has more than 65536 values");
    struct yaml_node *n = yaml_tree_take(b->tree, sizeof *n);
    if (n == NULL)
        return refuse(b->detail, E_MEMORY, &event->start_mark, NULL);
    b->tree->node_count++;
    *n = (struct yaml_node){
        .kind = kind, .line = (int)event->start_mark.line + 1, .column = (int)event->start_mark.column + 1};
    *added = n;
    if (b->depth == 0) {
        b->tree->root = n;
        return 0;
    }
    struct yaml_node *parent = b->open[b->depth - 1];
    struct pending_key *key = &b->keys[b->depth - 1];
    n->parent = parent;
    n->index = parent->count++;
    if (parent->kind == YAML_MAPPING) {
        n->key = key->text;
        n->key_line = key->line;
        n->key_column = key->column;
        key->set = false;
    }
    if (parent->last == NULL)
        parent->first = n;
    else
        parent->last->next = n;
    parent->last = n;
    return 0;
}

/* Whether the next node is a key. */
static bool at_key(const struct builder *b)
{
    return b->depth > 0 && b->open[b->depth - 1]->kind == YAML_MAPPING && !b->keys[b->depth - 1].set;
}

static int take_scalar(struct builder *b, const yaml_event_t *event)
{
    if (at_key(b))
        return take_key(b, event);
    struct yaml_node *n;
    int code = add_node(b, event, YAML_SCALAR, &n);
    if (code != 0)
        return code;
    n->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!keep_text(b->tree, event->data.scalar.value, event->data.scalar.length, &n->text))
        return refuse(b->detail, E_MEMORY, &event->start_mark, NULL);
    return 0;
}

static int open_container(struct builder *b, const yaml_event_t *event, enum yaml_kind kind, bool braced)
{
    if (at_key(b))
        return refuse(b->detail, E_SYNTAX, &event->start_mark, "a key must be plain text");
    if (b->depth == YAML_DEPTH_MAX)
        return refuse(b->detail, E_SYNTAX, &event->start_mark, "the text is nested deeper than 16 levels");
    struct yaml_node *n;
    int code = add_node(b, event, kind, &n);
    if (code != 0)
        return code;
    n->braced = braced;
    b->keys[b->depth].set = false;
    b->open[b->depth++] = n;
    return 0;
}

/* Refuses an anchor or a tag, which any node may carry. */
static int refuse_properties(struct builder *b, const yaml_event_t *event, const yaml_char_t *anchor,
                             const yaml_char_t *tag)
{
    if (anchor != NULL)
        return refuse(b->detail, E_SYNTAX, &event->start_mark, "anchors (&) and aliases (*) are not allowed");
    if (tag != NULL)
        return refuse(b->detail, E_SYNTAX, &event->start_mark, "tags (!) are not allowed");
    return 0;
}

static int take_event(struct builder *b, const yaml_event_t *event)
{
    int code = 0;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->documents++ > 0)
            return refuse(b->detail, E_SYNTAX, &event->start_mark, "a second document begins; there must be only one");
        if (event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
            return refuse(b->detail, E_SYNTAX, &event->start_mark, "tag directives are not allowed");
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse(b->detail, E_SYNTAX, &event->start_mark, "anchors (&) and aliases (*) are not allowed");
    case YAML_SCALAR_EVENT:
        code = refuse_properties(b, event, event->data.scalar.anchor, event->data.scalar.tag);
        return code != 0 ? code : take_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        code = refuse_properties(b, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return code != 0 ? code
                         : open_container(b, event, YAML_SEQUENCE,
                                          event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE);
    case YAML_MAPPING_START_EVENT:
        code = refuse_properties(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return code != 0
                   ? code
                   : open_container(b, event, YAML_MAPPING, event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return 0;
    default:
        return 0;
    }
}

/* Says what libyaml did not like, and where. */
static int parser_error(const yaml_parser_t *parser, struct bytes text, struct error_detail *detail)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_set(detail, E_MEMORY, NULL, NULL);
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_READER_ERROR) {
        /* Bytes that are no text have an offset but no mark. */
        mark = (yaml_mark_t){0};
        for (size_t i = 0; i < parser->problem_offset && i < text.size; i++) {
            mark.column++;
            if (text.at[i] == '\n') {
                mark.line++;
                mark.column = 0;
            }
        }
    }
    refuse(detail, E_SYNTAX, &mark,
           parser->error == YAML_READER_ERROR ? "the text is not UTF-8 without control characters: " : "");
    error_append(detail, parser->problem == NULL ? "the YAML cannot be read" : parser->problem);
    if (parser->context != NULL) {
        error_append(detail, " ");
        error_append(detail, parser->context);
    }
    return E_SYNTAX;
}

/* A byte-order mark, which some editors write: it says nothing here, since the text is UTF-8 in any case. */
static struct bytes without_mark(struct bytes text)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    bool marked = text.size >= sizeof mark && memcmp(text.at, mark, sizeof mark) == 0;
    return marked ? bytes_of(text.at + sizeof mark, text.size - sizeof mark) : text;
}

int yaml_tree_read(struct bytes text, struct yaml_tree **out, struct error_detail *detail)
{
    yaml_parser_t parser;
    bool ended = false;
    int code = 0;
    struct builder b = {.detail = detail};
    text = without_mark(text);
    b.tree = calloc(1, sizeof *b.tree);
    if (b.tree == NULL || !yaml_parser_initialize(&parser)) {
        free(b.tree);
        return error_set(detail, E_MEMORY, NULL, NULL);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.size == 0 ? (const unsigned char *)"" : text.at, text.size);
    while (code == 0 && !ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            code = parser_error(&parser, text, detail);
            break;
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        code = take_event(&b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (code != 0)
        yaml_tree_destroy(b.tree);
    else
        *out = b.tree;
    return code;
}

void yaml_tree_destroy(struct yaml_tree *t)
{
    if (t == NULL)
        return;
    while (t->chunks != NULL) {
        struct chunk *next = t->chunks->next;
        free(t->chunks);
        t->chunks = next;
    }
    free(t);
}

const struct yaml_node *yaml_tree_root(const struct yaml_tree *t)
{
    return t->root;
}

const struct yaml_node *yaml_node_child(const struct yaml_node *mapping, const char *key)
{
    struct bytes wanted = bytes_of_text(key);
    for (const struct yaml_node *n = mapping->first; n != NULL; n = n->next)
        if (bytes_equal(n->key, wanted))
            return n;
    return NULL;
}

bool yaml_node_is_null(const struct yaml_node *n)
{
    return n->kind == YAML_SCALAR && n->plain &&
           (n->text.size == 0 || bytes_equal(n->text, bytes_of_text("~")) ||
            bytes_equal(n->text, bytes_of_text("null")));
}
