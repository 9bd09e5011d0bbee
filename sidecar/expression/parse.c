/* The parser: by precedence, one function for all binary operators. Macros
 * become nodes here, so that nothing later knows their names. */
#include "sidecar/expression/ast_inside.h"
#include "sidecar/expression/lexer_inside.h"

#include "sidecar/base/decimal.h"

struct parser {
    struct lexer lexer;
    struct token token;
    struct pool *pool;
    struct expression_error *error;
    int code; /* 0, or what went wrong first; then every function returns NULL */
    uint32_t nodes;
    unsigned depth;
};

/* Collects nodes whose number is not known before. */
struct node_list {
    struct node **at;
    uint32_t count, room;
};

static struct node *expression(struct parser *p);
static struct node *unary(struct parser *p);

static void *refuse(struct parser *p, int code, uint32_t position, const char *text)
{
    if (p->code == 0)
        p->code = expression_fail(p->error, code, position, text);
    return NULL;
}

static void advance(struct parser *p)
{
    if (p->code != 0)
        return;
    const char *wrong = lexer_next(&p->lexer, &p->token);
    if (wrong != NULL)
        refuse(p, wrong == lexer_no_room ? E_MEMORY : E_SYNTAX, p->token.position, wrong);
}

static bool is(const struct parser *p, enum token_kind kind)
{
    return p->code == 0 && p->token.kind == kind;
}

static bool accept(struct parser *p, enum token_kind kind)
{
    if (!is(p, kind))
        return false;
    advance(p);
    return p->code == 0;
}

static void expect(struct parser *p, enum token_kind kind, const char *otherwise)
{
    if (p->code == 0 && !accept(p, kind))
        refuse(p, E_SYNTAX, p->token.position, otherwise);
}

static void *take(struct parser *p, size_t count, size_t size)
{
    void *at = pool_take_zeroed(p->pool, count, size);
    return at != NULL ? at : refuse(p, E_MEMORY, p->token.position, lexer_no_room);
}

static struct node *make(struct parser *p, enum node_kind kind, uint32_t position)
{
    if (p->code != 0)
        return NULL;
    if (++p->nodes > EXPRESSION_NODES_MAX)
        return refuse(p, E_PAYLOAD, position, "the expression has more than 4096 parts");
    struct node *n = take(p, 1, sizeof *n);
    if (n != NULL) {
        n->kind = kind;
        n->position = position;
    }
    return n;
}

static void append(struct parser *p, struct node_list *list, struct node *n)
{
    if (p->code != 0)
        return;
    if (list->count == list->room) {
        uint32_t room = list->room == 0 ? 4 : 2 * list->room;
        list->at = pool_grow(p->pool, list->at, list->room * sizeof *list->at, room * sizeof *list->at);
        list->room = room;
        if (list->at == NULL) {
            refuse(p, E_MEMORY, n->position, lexer_no_room);
            return;
        }
    }
    list->at[list->count++] = n;
}

static struct node *with_args(struct parser *p, struct node *n, uint32_t count, struct node *a, struct node *b)
{
    if (n == NULL || p->code != 0)
        return NULL;
    n->args = take(p, count, sizeof *n->args);
    if (n->args == NULL)
        return NULL;
    n->count = count;
    n->args[0] = a;
    if (count > 1)
        n->args[1] = b;
    return n;
}

static struct node *literal(struct parser *p, struct datum value)
{
    struct node *n = make(p, NODE_LITERAL, p->token.position);
    if (n != NULL)
        n->literal = value;
    advance(p);
    return n;
}

static int read_hexadecimal(struct bytes text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (*value >> 60 != 0)
            return -2;
        uint8_t c = text.at[i];
        *value = *value << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return 0;
}

/* A whole number; negative when a minus stands before it, so that the smallest
 * int can be written. */
static struct node *whole_number(struct parser *p, bool negative)
{
    const struct token *t = &p->token;
    uint64_t value;
    int bad = t->hexadecimal ? read_hexadecimal(t->text, &value) : decimal_read_uint(t->text, &value);
    if (t->kind == TOKEN_UINT)
        return bad == 0 ? literal(p, datum_uint(value))
                        : refuse(p, E_SYNTAX, t->position, "the number does not fit a uint, which has 64 bits");
    if (bad != 0 || value > (uint64_t)INT64_MAX + negative)
        return refuse(p, E_SYNTAX, t->position, "the number does not fit an int, which has 64 bits");
    return literal(p, datum_int(negative ? (int64_t)(0 - value) : (int64_t)value));
}

static bool text_is(struct bytes text, const char *word)
{
    return bytes_equal(text, bytes_of_text(word));
}

static bool reserved(struct bytes name)
{
    static const char *const words[] = {"as",        "break",  "const",  "continue", "else",  "for",
                                        "function",  "if",     "import", "let",      "loop",  "package",
                                        "namespace", "return", "var",    "void",     "while", "in"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_is(name, words[i]))
            return true;
    return false;
}

/* Notes whether the item or entry of this number is optional. */
static void mark_optional(struct parser *p, bool **optionals, uint32_t number, bool optional)
{
    if (number % 16 == 0 && p->code == 0) {
        *optionals = pool_grow(p->pool, *optionals, number, number + 16);
        if (*optionals == NULL)
            refuse(p, E_MEMORY, p->token.position, lexer_no_room);
    }
    if (p->code == 0)
        (*optionals)[number] = optional;
}

/* Items up to the closing sign, with a comma behind the last allowed when
 * trailing; ?item where optionals is not NULL. */
static void items(struct parser *p, enum token_kind close, bool trailing, struct node_list *list, bool **optionals)
{
    while (p->code == 0 && !is(p, close)) {
        bool optional = optionals != NULL && accept(p, TOKEN_QUESTION);
        if (optionals != NULL)
            mark_optional(p, optionals, list->count, optional);
        struct node *item = expression(p);
        append(p, list, item);
        if (!accept(p, TOKEN_COMMA))
            break;
        if (is(p, close) && !trailing)
            refuse(p, E_SYNTAX, p->token.position, "an argument is missing behind the comma");
    }
}

static struct node *list_literal(struct parser *p)
{
    struct node *n = make(p, NODE_LIST, p->token.position);
    advance(p);
    struct node_list list = {0};
    bool *optionals = NULL;
    items(p, TOKEN_SQUARED, true, &list, &optionals);
    expect(p, TOKEN_SQUARED, "a list ends with ]");
    if (p->code != 0)
        return NULL;
    n->args = list.at;
    n->count = list.count;
    n->optionals = optionals;
    return n;
}

/* Entries of a map, or fields of the message n. */
static struct node *entries(struct parser *p, struct node *n)
{
    advance(p);
    struct node_list list = {0};
    bool *optionals = NULL;
    struct bytes *fields = NULL;
    uint32_t field_room = 0, count = 0;
    while (p->code == 0 && !is(p, TOKEN_BRACED)) {
        bool optional = accept(p, TOKEN_QUESTION);
        mark_optional(p, &optionals, count, optional);
        if (n->kind == NODE_MAP) {
            append(p, &list, expression(p));
        } else {
            if (count == field_room) {
                fields = pool_grow(p->pool, fields, field_room * sizeof *fields, (field_room + 16) * sizeof *fields);
                field_room += 16;
                if (fields == NULL)
                    return refuse(p, E_MEMORY, p->token.position, lexer_no_room);
            }
            fields[count] = p->token.text;
            if (!accept(p, TOKEN_NAME) && !accept(p, TOKEN_QUOTED))
                return refuse(p, E_SYNTAX, p->token.position,
                              "a message's literal names its fields: Type{field: value}");
        }
        expect(p, TOKEN_COLON, "a value is written behind a colon");
        append(p, &list, expression(p));
        count++;
        if (!accept(p, TOKEN_COMMA))
            break;
    }
    expect(p, TOKEN_BRACED, n != NULL && n->kind == NODE_MAP ? "a map ends with }" : "a message ends with }");
    if (p->code != 0)
        return NULL;
    n->args = list.at;
    n->count = list.count;
    n->fields = fields;
    n->optionals = optionals;
    return n;
}

/* Whether node n is a name and nothing else, as a macro's variable is. */
static bool simple_name(const struct node *n)
{
    return n->kind == NODE_NAME && !n->absolute;
}

static const struct macro {
    const char *name;
    uint8_t names, args_min, args_max; /* behind the names */
    enum loop_kind loop;
} macros[] = {
    {"all", 1, 1, 1, LOOP_ALL},
    {"exists", 1, 1, 1, LOOP_EXISTS},
    {"exists_one", 1, 1, 1, LOOP_EXISTS_ONE},
    {"existsOne", 1, 1, 1, LOOP_EXISTS_ONE},
    {"map", 1, 1, 2, LOOP_MAP},
    {"filter", 1, 1, 1, LOOP_FILTER},
    {"all", 2, 1, 1, LOOP_ALL},
    {"exists", 2, 1, 1, LOOP_EXISTS},
    {"existsOne", 2, 1, 1, LOOP_EXISTS_ONE},
    {"exists_one", 2, 1, 1, LOOP_EXISTS_ONE},
    {"transformList", 2, 1, 2, LOOP_MAP},
    {"transformMap", 2, 1, 2, LOOP_MAP_MAP},
    {"transformMapEntry", 2, 1, 2, LOOP_MAP_ENTRY},
    {"optMap", 1, 1, 1, LOOP_OPT_MAP},
    {"optFlatMap", 1, 1, 1, LOOP_OPT_FLAT_MAP},
};

/* A call with a receiver that is a macro; NULL without an error when it is
 * none. */
static struct node *loop_macro(struct parser *p, struct node *operand, struct bytes name, uint32_t position,
                               const struct node_list *args)
{
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++) {
        const struct macro *m = &macros[i];
        if (!text_is(name, m->name) || args->count < (uint32_t)m->names + m->args_min ||
            args->count > (uint32_t)m->names + m->args_max)
            continue;
        struct node *n = make(p, NODE_LOOP, position);
        if (n == NULL)
            return NULL;
        n->loop = m->loop;
        n->operand = operand;
        n->name = name;
        n->name_count = m->names;
        for (unsigned k = 0; k < m->names; k++) {
            if (!simple_name(args->at[k]))
                return refuse(p, E_SYNTAX, args->at[k]->position,
                              "a macro gives its items a simple name: list.all(item, item > 0)");
            n->names[k] = args->at[k]->name;
        }
        if (m->names == 2 && bytes_equal(n->names[0], n->names[1]))
            return refuse(p, E_SYNTAX, args->at[1]->position, "a macro's two names must differ");
        n->args = args->at + m->names;
        n->count = args->count - m->names;
        return n;
    }
    return NULL;
}

static struct node *bind_macro(struct parser *p, uint32_t position, const struct node_list *args)
{
    struct node *n = make(p, NODE_BIND, position);
    if (n == NULL)
        return NULL;
    if (!simple_name(args->at[0]))
        return refuse(p, E_SYNTAX, args->at[0]->position,
                      "cel.bind gives its value a simple name: cel.bind(x, value, "
                      "expression)");
    n->names[0] = args->at[0]->name;
    n->name_count = 1;
    return with_args(p, n, 2, args->at[1], args->at[2]);
}

static struct node *has_macro(struct parser *p, const struct node_list *args)
{
    struct node *n = args->at[0];
    if (n->kind != NODE_SELECT || n->test || n->optional)
        return refuse(p, E_SYNTAX, n->position, "has() is asked of a field: has(message.field)");
    n->test = true;
    return n;
}

/* The arguments and the closing bracket; operand is NULL for a function without
 * a receiver. */
static struct node *call(struct parser *p, struct node *operand, struct bytes name, uint32_t position, bool absolute)
{
    struct node_list args = {0};
    advance(p);
    items(p, TOKEN_CLOSE, false, &args, NULL);
    expect(p, TOKEN_CLOSE, "a call ends with )");
    if (p->code != 0)
        return NULL;
    if (operand == NULL && args.count == 1 && text_is(name, "has"))
        return has_macro(p, &args);
    if (operand != NULL && operand->kind == NODE_NAME && text_is(operand->name, "cel") && text_is(name, "bind") &&
        args.count == 3)
        return bind_macro(p, position, &args);
    if (operand != NULL) {
        struct node *n = loop_macro(p, operand, name, position, &args);
        if (n != NULL || p->code != 0)
            return n;
    }
    struct node *n = make(p, NODE_CALL, position);
    if (n == NULL)
        return NULL;
    n->operand = operand;
    n->name = name;
    n->absolute = absolute;
    n->args = args.at;
    n->count = args.count;
    return n;
}

static struct node *name_or_call(struct parser *p)
{
    uint32_t position = p->token.position;
    bool absolute = accept(p, TOKEN_DOT);
    struct bytes name = p->token.text;
    if (!is(p, TOKEN_NAME))
        return refuse(p, E_SYNTAX, p->token.position, "a name is expected behind the dot");
    if (!absolute) {
        if (text_is(name, "true") || text_is(name, "false"))
            return literal(p, datum_bool(name.size == 4));
        if (text_is(name, "null"))
            return literal(p, datum_null());
    }
    if (reserved(name)) {
        refuse(p, E_SYNTAX, position, "this word is reserved and cannot be a name: ");
        expression_error_append(p->error, name);
        return NULL;
    }
    advance(p);
    if (is(p, TOKEN_OPEN))
        return call(p, NULL, name, position, absolute);
    struct node *n = make(p, NODE_NAME, position);
    if (n != NULL) {
        n->name = name;
        n->absolute = absolute;
    }
    return n;
}

static struct node *primary(struct parser *p)
{
    struct node *n;
    switch (p->code == 0 ? p->token.kind : TOKEN_END) {
    case TOKEN_INT:
    case TOKEN_UINT:
        return whole_number(p, false);
    case TOKEN_DOUBLE:
        return literal(p, datum_double(p->token.number));
    case TOKEN_STRING:
    case TOKEN_BYTES:
        return literal(p, datum_text(p->token.kind == TOKEN_STRING ? DATUM_STRING : DATUM_BYTES, p->token.text));
    case TOKEN_SQUARE:
        return list_literal(p);
    case TOKEN_BRACE:
        n = make(p, NODE_MAP, p->token.position);
        return n == NULL ? NULL : entries(p, n);
    case TOKEN_OPEN:
        advance(p);
        n = expression(p);
        expect(p, TOKEN_CLOSE, "a bracket is not closed: ) is missing");
        return n;
    case TOKEN_NAME:
    case TOKEN_DOT:
        return name_or_call(p);
    case TOKEN_END:
        return refuse(p, E_SYNTAX, p->token.position, "the expression ends where a value is expected");
    default:
        return refuse(p, E_SYNTAX, p->token.position, "a value is expected here");
    }
}

/* Whether n is a name with dots, as a message's type is. */
static bool qualified(const struct node *n)
{
    while (n->kind == NODE_SELECT && !n->test && !n->optional)
        n = n->operand;
    return n->kind == NODE_NAME;
}

static struct node *member(struct parser *p, struct node *operand)
{
    uint32_t position = p->token.position;
    advance(p);
    bool optional = accept(p, TOKEN_QUESTION);
    struct bytes name = p->token.text;
    bool quoted = is(p, TOKEN_QUOTED);
    if (!accept(p, TOKEN_NAME) && !accept(p, TOKEN_QUOTED))
        return refuse(p, E_SYNTAX, p->token.position, "a field's name is expected behind the dot");
    if (text_is(name, "in") && !quoted)
        return refuse(p, E_SYNTAX, position, "this word is reserved and cannot be a name: in");
    if (is(p, TOKEN_OPEN) && !optional && !quoted)
        return call(p, operand, name, position, false);
    struct node *n = make(p, NODE_SELECT, position);
    if (n == NULL)
        return NULL;
    n->operand = operand;
    n->name = name;
    n->optional = optional;
    return n;
}

static struct node *subscript(struct parser *p, struct node *operand)
{
    struct node *n = make(p, NODE_INDEX, p->token.position);
    advance(p);
    bool optional = accept(p, TOKEN_QUESTION);
    struct node *index = expression(p);
    expect(p, TOKEN_SQUARED, "an index ends with ]");
    n = with_args(p, n, 1, index, NULL);
    if (n != NULL) {
        n->operand = operand;
        n->optional = optional;
    }
    return n;
}

static bool too_deep(struct parser *p)
{
    if (p->depth < EXPRESSION_DEPTH_MAX)
        return false;
    refuse(p, E_PAYLOAD, p->token.position, "the expression has more than 200 parts within one another");
    return true;
}

/* What follows a value: fields, indices, calls. */
static struct node *postfix(struct parser *p, struct node *n)
{
    unsigned depth = p->depth;
    while (p->code == 0 && n != NULL) {
        bool dot = is(p, TOKEN_DOT), square = is(p, TOKEN_SQUARE), brace = is(p, TOKEN_BRACE) && qualified(n);
        if (!dot && !square && !brace)
            break;
        /* What comes first is walked to last. */
        if (too_deep(p))
            break;
        p->depth++;
        if (dot) {
            n = member(p, n);
        } else if (square) {
            n = subscript(p, n);
        } else {
            struct node *m = make(p, NODE_MESSAGE, n->position);
            if (m == NULL)
                break;
            m->operand = n; /* its name, as it was written */
            n = entries(p, m);
        }
    }
    p->depth = depth;
    return p->code == 0 ? n : NULL;
}

static struct node *operator_call(struct parser *p, const char *name, uint32_t position, uint32_t count, struct node *a,
                                  struct node *b)
{
    struct node *n = make(p, NODE_CALL, position);
    if (n != NULL)
        n->name = bytes_of_text(name);
    return with_args(p, n, count, a, b);
}

static struct node *unary(struct parser *p)
{
    uint32_t position = p->token.position;
    if (!is(p, TOKEN_NOT) && !is(p, TOKEN_MINUS))
        return postfix(p, primary(p));
    bool minus = is(p, TOKEN_MINUS);
    unsigned count = 0;
    for (; is(p, minus ? TOKEN_MINUS : TOKEN_NOT); count++)
        advance(p);
    if (too_deep(p))
        return NULL;
    p->depth++;
    struct node *n;
    if (minus && count % 2 == 1 && is(p, TOKEN_INT)) {
        n = whole_number(p, true);
        /* -9223372036854775808.abs() and the like: what follows belongs to the
     * number. */
        count--;
    } else {
        n = is(p, TOKEN_NOT) || is(p, TOKEN_MINUS) ? unary(p) : postfix(p, primary(p));
    }
    p->depth--;
    /* An even number of signs cancels out, but for the type that they demand. */
    for (unsigned i = count == 0 ? 0 : count % 2 == 1 ? 1 : 2; i > 0; i--)
        n = operator_call(p, minus ? "-_" : "!_", position, 1, n, NULL);
    return n;
}

static const struct {
    enum token_kind token;
    int precedence;
    const char *function; /* NULL: && and || */
} operators[] = {
    {TOKEN_OR, 1, NULL},     {TOKEN_AND, 2, NULL},          {TOKEN_EQUAL, 3, "_==_"},  {TOKEN_NOT_EQUAL, 3, "_!=_"},
    {TOKEN_LESS, 3, "_<_"},  {TOKEN_LESS_EQUAL, 3, "_<=_"}, {TOKEN_GREATER, 3, "_>_"}, {TOKEN_GREATER_EQUAL, 3, "_>=_"},
    {TOKEN_NAME, 3, "_in_"}, {TOKEN_PLUS, 4, "_+_"},        {TOKEN_MINUS, 4, "_-_"},   {TOKEN_STAR, 5, "_*_"},
    {TOKEN_SLASH, 5, "_/_"}, {TOKEN_PERCENT, 5, "_%_"},
};

static int operator_at(const struct parser *p)
{
    for (int i = 0; i < (int)(sizeof operators / sizeof *operators); i++)
        if (is(p, operators[i].token) && (operators[i].token != TOKEN_NAME || text_is(p->token.text, "in")))
            return i;
    return -1;
}

static struct node *binary(struct parser *p, int precedence)
{
    struct node *left = unary(p);
    unsigned depth = p->depth;
    for (int i = operator_at(p); p->code == 0 && i >= 0 && operators[i].precedence >= precedence; i = operator_at(p)) {
        uint32_t position = p->token.position;
        advance(p);
        if (operators[i].function == NULL) {
            /* One node for a whole row of these, so that long ones are not deep. */
            enum node_kind kind = operators[i].token == TOKEN_OR ? NODE_OR : NODE_AND;
            struct node_list list = {0};
            append(p, &list, left);
            do {
                struct node *right = binary(p, operators[i].precedence + 1);
                if (p->code == 0)
                    append(p, &list, right);
            } while (accept(p, operators[i].token));
            left = make(p, kind, position);
            if (left == NULL)
                return NULL;
            left->args = list.at;
            left->count = list.count;
            continue;
        }
        if (too_deep(p))
            return NULL;
        p->depth++;
        struct node *right = binary(p, operators[i].precedence + 1);
        left = operator_call(p, operators[i].function, position, 2, left, right);
    }
    p->depth = depth;
    return p->code == 0 ? left : NULL;
}

static struct node *expression(struct parser *p)
{
    if (p->code != 0 || too_deep(p))
        return NULL;
    p->depth++;
    struct node *condition = binary(p, 1);
    uint32_t position = p->token.position;
    if (p->code == 0 && accept(p, TOKEN_QUESTION)) {
        struct node *yes = binary(p, 1);
        expect(p, TOKEN_COLON, "a condition has two branches: a ? b : c");
        struct node *no = expression(p);
        struct node *n = with_args(p, make(p, NODE_CHOICE, position), 3, condition, yes);
        if (n != NULL)
            n->args[2] = no;
        condition = n;
    }
    p->depth--;
    return p->code == 0 ? condition : NULL;
}

int parse_expression(struct bytes text, struct pool *pool, struct parsed *out, struct expression_error *error)
{
    struct parser p = {.lexer = {.text = text, .pool = pool}, .pool = pool, .error = error};
    advance(&p);
    struct node *root = expression(&p);
    if (p.code == 0 && !is(&p, TOKEN_END))
        refuse(&p, E_SYNTAX, p.token.position,
               "the expression should end here; an operator or a comma may be "
               "missing");
    *out = (struct parsed){.root = root, .node_count = p.nodes};
    return p.code;
}
