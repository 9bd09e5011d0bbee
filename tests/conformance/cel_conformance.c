/* cel_conformance.c - runs CEL's own conformance suite, as convert.mjs wrote it
 * down. usage: cel_conformance TYPES CASES [-v] [FILE...]
 *
 * Prints how many cases of each file passed, and with -v each that did not. An
 * expression that is refused where the suite wants an evaluation to fail counts
 * as not passed. Exit status 1 when fewer pass than docs/expressions.md
 * promises (the numbers below). */
#include "sidecar/expression/expression.h"
#include "sidecar/expression/fields.h"
#include "sidecar/expression/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all cases, and of all in the files that say so. */
#define ALL_PERMILLE_MIN  870
#define FILE_PERMILLE_MIN 950

static const char *const whole_files[] = {
    "basic", "comparisons", "conversions", "dynamic", "enums",    "fields", "fp_math", "integer_math", "lists",
    "logic", "macros",      "namespace",   "parse",   "plumbing", "proto3", "string",  "timestamps",   "wrappers"};

enum { NAMES_MAX = 8, LINE_MAX_BYTES = 1 << 16 };

struct test {
    char path[512];
    struct bytes expr;
    char container[256];
    bool unchecked, check_only, unsupported, wants_error, wants_value;
    struct datum value;
    char type[256];
    struct variable variables[NAMES_MAX];
    struct datum values[NAMES_MAX];
    unsigned variable_count;
};

struct file_count {
    char name[64];
    unsigned passed, all;
};

struct run {
    struct pool pool;
    struct schema *schema;
    bool verbose;
    struct file_count files[64];
    unsigned file_count;
    char **only;
    int only_count;
};

static void *take(void *self, size_t size)
{
    (void)self;
    return malloc(size);
}

static void *take_zeroed(void *self, size_t size)
{
    (void)self;
    return calloc(1, size);
}

static void give_back(void *self, void *at, size_t size)
{
    (void)self;
    (void)size;
    free(at);
}

static const struct memory memory = {.take = take, .take_zeroed = take_zeroed, .give_back = give_back};

static void stop(const char *why, const char *what)
{
    fprintf(stderr, "cel_conformance: %s: %s\n", why, what);
    exit(2);
}

static struct bytes read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        stop("cannot be read", path);
    size_t room = 1 << 20, size = 0, got;
    uint8_t *at = malloc(room);
    while (at != NULL && (got = fread(at + size, 1, room - size, f)) > 0) {
        size += got;
        if (size == room)
            at = realloc(at, room *= 2);
    }
    fclose(f);
    if (at == NULL)
        stop("no memory", path);
    return bytes_of(at, size);
}

/* ---- words ---- */

static struct bytes unhex(struct run *r, const char *word)
{
    size_t size = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
    uint8_t *at = pool_take(&r->pool, size + 1);
    if (at == NULL)
        stop("no memory", word);
    for (size_t i = 0; i < size; i++) {
        char two[3] = {word[2 * i], word[2 * i + 1], '\0'};
        at[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return bytes_of(at, size);
}

static const char *next_word(char **rest)
{
    const char *word = strtok_r(NULL, " \n", rest);
    if (word == NULL)
        stop("a word is missing", "");
    return word;
}

static const struct type *read_type(struct run *r, const char **text, bool *bad);

/* "(" type "," type ")" */
static void read_parameters(struct run *r, const char **text, const struct type *of[2], bool *bad)
{
    of[0] = of[1] = NULL;
    for (unsigned i = 0; **text == '(' || **text == ','; i++) {
        ++*text;
        const struct type *t = read_type(r, text, bad);
        if (i < 2)
            of[i] = t;
        else
            *bad = true;
    }
    if (**text == ')')
        ++*text;
}

static const struct type *read_type(struct run *r, const char **text, bool *bad)
{
    static const struct type *const plain[] = {&type_dyn,       &type_null,     &type_bool,   &type_int,
                                               &type_uint,      &type_double,   &type_string, &type_bytes,
                                               &type_timestamp, &type_duration, &type_type};
    size_t size = strcspn(*text, "(),");
    struct bytes name = bytes_of(*text, size);
    *text += size;
    const struct type *of[2] = {NULL, NULL};
    if (**text == '(')
        read_parameters(r, text, of, bad);
    for (size_t i = 0; of[0] == NULL && i < sizeof plain / sizeof *plain; i++)
        if (bytes_equal(name, type_name(plain[i])))
            return plain[i];
    if (of[0] == NULL) {
        const struct message_type *message = schema_message(r->schema, name);
        *bad = *bad || message == NULL;
        return message == NULL ? &type_dyn : type_of_message(&r->pool, message);
    }
    if (bytes_equal(name, bytes_of_text("list")))
        return type_list(&r->pool, of[0]);
    if (bytes_equal(name, bytes_of_text("map")))
        return type_map(&r->pool, of[0], of[1]);
    if (bytes_equal(name, bytes_of_text("wrapper")))
        return type_wrapper(&r->pool, of[0]);
    if (bytes_equal(name, bytes_of_text("optional_type")))
        return type_optional(&r->pool, of[0]);
    if (bytes_equal(name, bytes_of_text("type")))
        return type_of_type(&r->pool, of[0]);
    *bad = true;
    return &type_dyn;
}

static struct evaluation evaluation_of(struct run *r)
{
    return (struct evaluation){.schema = r->schema, .pool = &r->pool, .cost_max = 10000000};
}

static struct datum read_value(struct run *r, char **rest, bool *bad);

static struct datum read_map(struct run *r, char **rest, bool *bad)
{
    uint32_t count = (uint32_t)atoi(next_word(rest));
    struct map_builder map;
    map_builder_init(&map, &r->pool, count);
    for (uint32_t i = 0; i < count; i++) {
        struct datum key = read_value(r, rest, bad), value = read_value(r, rest, bad);
        map_builder_add(&map, &key, &value, true);
    }
    return map_builder_finish(&map);
}

static struct datum read_list(struct run *r, char **rest, bool *bad)
{
    uint32_t count = (uint32_t)atoi(next_word(rest));
    struct datum *items = pool_take(&r->pool, count * sizeof *items + 1);
    for (uint32_t i = 0; i < count; i++)
        items[i] = read_value(r, rest, bad);
    return datum_list(items, count);
}

static struct datum read_message(struct run *r, char **rest, bool *bad)
{
    const struct message_type *type = schema_message(r->schema, bytes_of_text(next_word(rest)));
    struct bytes wire = unhex(r, next_word(rest));
    struct evaluation e = evaluation_of(r);
    *bad = *bad || type == NULL;
    return type == NULL ? datum_null() : datum_of_message(&e, 0, type, wire);
}

static struct datum read_value(struct run *r, char **rest, bool *bad)
{
    const char *word = next_word(rest);
    switch (*word) {
    case 'n':
        return datum_null();
    case 'b':
        return datum_bool(*next_word(rest) == '1');
    case 'i':
        return datum_int(strtoll(next_word(rest), NULL, 10));
    case 'u':
        return datum_uint(strtoull(next_word(rest), NULL, 10));
    case 'd': {
        uint64_t bits = strtoull(next_word(rest), NULL, 16);
        double d;
        memcpy(&d, &bits, sizeof d);
        return datum_double(d);
    }
    case 's':
        return datum_string(unhex(r, next_word(rest)));
    case 'y':
        return datum_text(DATUM_BYTES, unhex(r, next_word(rest)));
    case 'l':
        return read_list(r, rest, bad);
    case 'm':
        return read_map(r, rest, bad);
    case 'o':
        return read_message(r, rest, bad);
    case 't': {
        struct environment none = {.schema = r->schema};
        const struct expression *e;
        struct expression_error error;
        if (expression_compile(bytes_of_text(next_word(rest)), &none, &r->pool, &e, &error) != 0) {
            *bad = true;
            return datum_null();
        }
        struct evaluation evaluation = evaluation_of(r);
        return expression_evaluate(e, &evaluation);
    }
    default:
        *bad = true;
        return datum_null();
    }
}

/* ---- one case ---- */

/* As ==, but that NaN is NaN and an int no double. */
static bool same(struct run *r, const struct datum *a, const struct datum *b)
{
    struct evaluation e = evaluation_of(r);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case DATUM_DOUBLE:
        return a->d == b->d || (a->d != a->d && b->d != b->d);
    case DATUM_LIST:
        for (uint32_t i = 0; i < a->size; i++)
            if (a->size != b->size || !same(r, &a->items[i], &b->items[i]))
                return false;
        return a->size == b->size;
    case DATUM_MAP:
        for (uint32_t i = 0; i < a->size; i++) {
            int64_t at = map_find(b, &a->map->entries[2 * i]);
            if (at < 0 || !same(r, &a->map->entries[2 * i + 1], &b->map->entries[2 * at + 1]))
                return false;
        }
        return a->size == b->size;
    case DATUM_MESSAGE:
        for (unsigned i = 0; a->message->type == b->message->type && i < a->message->type->field_count; i++) {
            const struct field *f = &a->message->type->fields[i];
            struct datum failed;
            if (f->kind == FIELD_GROUP)
                continue;
            int set = field_is_set(&e, 0, a->message, f, &failed);
            if (set != field_is_set(&e, 0, b->message, f, &failed))
                return false;
            struct datum x = datum_of_field(&e, 0, a->message, f), y = datum_of_field(&e, 0, b->message, f);
            if (set == 1 && !same(r, &x, &y))
                return false;
        }
        return a->message->type == b->message->type;
    case DATUM_TYPE:
        return type_same_at_run(a->type, b->type);
    case DATUM_FAILURE:
        return false;
    case DATUM_OPTIONAL:
        return a->held == b->held || (a->held != NULL && b->held != NULL && same(r, a->held, b->held));
    default:
        return a->kind == DATUM_NULL || datum_compare(a, b) == 0;
    }
}

static bool judge(struct run *r, const struct test *t, char why[512])
{
    struct environment environment = {.schema = r->schema,
                                      .container = bytes_of_text(t->container),
                                      .variables = t->variables,
                                      .variable_count = t->variable_count,
                                      .unchecked = t->unchecked};
    const struct expression *e;
    struct expression_error error;
    if (t->unsupported) {
        snprintf(why, 512,
                 "needs what is not there: other enums, functions of the suite, "
                 "messages of unknown types");
        return false;
    }
    int code = expression_compile(t->expr, &environment, &r->pool, &e, &error);
    if (code != 0) {
        snprintf(why, 512, "refused at %u: %s", error.position, error.text);
        return false;
    }
    char type[256];
    type_print(expression_type(e), type, sizeof type);
    char *to = type;
    for (const char *from = type; *from != '\0'; from++)
        if (*from != ' ')
            *to++ = *from;
    *to = '\0';
    if (t->type[0] != '\0' && strcmp(type, t->type) != 0) {
        snprintf(why, 512, "the type is %.200s, not %.200s", type, t->type);
        return false;
    }
    if (t->check_only)
        return true;
    struct evaluation evaluation = evaluation_of(r);
    evaluation.variables = t->values;
    struct datum value = expression_evaluate(e, &evaluation);
    if (datum_failed(&value)) {
        snprintf(why, 512, "failed: %.*s", (int)value.failure->text.size, (const char *)value.failure->text.at);
        return t->wants_error;
    }
    snprintf(why, 512, "another value, of kind %d", value.kind);
    return !t->wants_error && (!t->wants_value || same(r, &value, &t->value));
}

static void count(struct run *r, const struct test *t)
{
    char name[64] = "", why[512] = "";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(t->path, "/"), t->path);
    struct file_count *f = &r->files[0];
    while (f < r->files + r->file_count && strcmp(f->name, name) != 0)
        f++;
    if (f == r->files + r->file_count) {
        if (r->file_count++ == sizeof r->files / sizeof *r->files)
            stop("too many files", name);
        memcpy(f->name, name, sizeof name);
    }
    bool chosen = r->only_count == 0;
    for (int i = 0; i < r->only_count; i++)
        chosen = chosen || strncmp(r->only[i], t->path, strlen(r->only[i])) == 0;
    if (!chosen)
        return;
    f->all++;
    bool passed = judge(r, t, why);
    f->passed += passed;
    if (!passed && r->verbose)
        printf("%s\n    %.*s\n    %s\n", t->path, (int)t->expr.size, (const char *)t->expr.at, why);
}

static void read_line(struct run *r, struct test *t, char *line)
{
    char *rest;
    const char *word = strtok_r(line, " \n", &rest);
    if (strcmp(word, "case") == 0)
        snprintf(t->path, sizeof t->path, "%s", next_word(&rest));
    else if (strcmp(word, "expr") == 0)
        t->expr = unhex(r, next_word(&rest));
    else if (strcmp(word, "container") == 0)
        snprintf(t->container, sizeof t->container, "%s", next_word(&rest));
    else if (strcmp(word, "unchecked") == 0)
        t->unchecked = true;
    else if (strcmp(word, "checkonly") == 0)
        t->check_only = true;
    else if (strcmp(word, "function") == 0)
        t->unsupported = true;
    else if (strcmp(word, "error") == 0)
        t->wants_error = true;
    else if (strcmp(word, "type") == 0)
        snprintf(t->type, sizeof t->type, "%s", next_word(&rest));
    else if (strcmp(word, "value") == 0) {
        t->wants_value = true;
        t->value = read_value(r, &rest, &t->unsupported);
    } else if (strcmp(word, "name") == 0 && t->variable_count < NAMES_MAX) {
        struct variable *v = &t->variables[t->variable_count];
        v->name = pool_copy(&r->pool, bytes_of_text(next_word(&rest)));
        const char *type = next_word(&rest);
        v->type = read_type(r, &type, &t->unsupported);
        bool absent = false;
        t->values[t->variable_count] = read_value(r, &rest, &absent);
        if (absent)
            t->values[t->variable_count] = datum_absent;
        t->variable_count++;
    } else {
        stop("an unknown word", word);
    }
}

static bool is_whole(const char *name)
{
    for (size_t i = 0; i < sizeof whole_files / sizeof *whole_files; i++)
        if (strcmp(name, whole_files[i]) == 0)
            return true;
    return false;
}

static int report(const struct run *r)
{
    unsigned passed = 0, all = 0, whole_passed = 0, whole_all = 0;
    for (unsigned i = 0; i < r->file_count; i++) {
        const struct file_count *f = &r->files[i];
        if (f->all > 0)
            printf("%-16s %4u of %4u\n", f->name, f->passed, f->all);
        passed += f->passed;
        all += f->all;
        whole_passed += is_whole(f->name) ? f->passed : 0;
        whole_all += is_whole(f->name) ? f->all : 0;
    }
    printf("all %u of %u; of the %zu files of the language itself %u of %u\n", passed, all,
           sizeof whole_files / sizeof *whole_files, whole_passed, whole_all);
    if (r->only_count > 0)
        return 0;
    return all == 0 || passed * 1000 < all * ALL_PERMILLE_MIN || whole_passed * 1000 < whole_all * FILE_PERMILLE_MIN;
}

int main(int argc, char **argv)
{
    static struct run r;
    struct error_detail detail;
    if (argc < 3)
        stop("usage", "cel_conformance TYPES CASES [-v] [PREFIX...]");
    r.verbose = argc > 3 && strcmp(argv[3], "-v") == 0;
    r.only = argv + 3 + r.verbose;
    r.only_count = argc - 3 - r.verbose;
    if (schema_read(read_file(argv[1]), &memory, &r.schema, &detail) != 0)
        stop(detail.field, detail.text);
    FILE *f = fopen(argv[2], "r");
    char *line = malloc(LINE_MAX_BYTES);
    if (f == NULL || line == NULL)
        stop("cannot be read", argv[2]);
    pool_init(&r.pool, &memory, 1 << 26);
    struct test t = {0};
    while (fgets(line, LINE_MAX_BYTES, f) != NULL) {
        if (strcmp(line, "end\n") != 0) {
            read_line(&r, &t, line);
            continue;
        }
        count(&r, &t);
        pool_finish(&r.pool);
        t = (struct test){0};
    }
    fclose(f);
    free(line);
    schema_destroy(r.schema);
    return report(&r);
}
