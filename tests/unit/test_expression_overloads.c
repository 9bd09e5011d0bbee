/* Every row of function.def: what it takes, what it gives, and that anything else fails, told before it runs or, of dyn, when it does. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/expression.h"
#include "sidecar/expression/function_inside.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 4
#define TEXT_SIZE     256

static struct pool pool;

static struct text {
    char at[TEXT_SIZE];
} joined(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct text joined(const char *format, ...)
{
    struct text t;
    va_list arguments;
    va_start(arguments, format);
    ck_assert_int_lt(vsnprintf(t.at, sizeof t.at, format, arguments), (int)sizeof t.at);
    va_end(arguments);
    return t;
}

/* A value of the type that begins at *at, which is moved behind it; whether any would do. */
static struct text sample(const char **at, bool *any)
{
    char letter = *(*at)++;
    struct text of, second;
    bool within = false;
    *any = letter == 'A' || letter == 'B' || letter == '*';
    switch (letter) {
    case 'b':
        return joined("true");
    case 'i':
    case 'A':
    case '*':
        return joined("1");
    case 'B':
        return joined("'x'");
    case 'u':
        return joined("1u");
    case 'd':
        return joined("1.5");
    case 's':
        return joined("'Z'"); /* a zone of time, too */
    case 'y':
        return joined("b'a'");
    case 't':
        return joined("timestamp(1)");
    case 'D':
        return joined("duration('1s')");
    case 'l':
        of = sample(at, &within);
        return joined("[%s]", of.at);
    case 'm':
        of = sample(at, &within);
        second = sample(at, &within);
        return joined("{%s: %s}", of.at, second.at);
    case 'o':
        of = sample(at, &within);
        return joined("optional.of(%s)", of.at);
    default:
        ck_abort_msg("a letter that the test does not know: %c", letter);
    }
}

static struct text call_text(const struct function *f, struct text *args, unsigned count)
{
    struct text all = joined("%s", "");
    unsigned first = f->style == FUNCTION_MEMBER;
    const char *name = f->name;
    if (strcmp(name, "_[_]") == 0)
        return joined("(%s)[%s]", args[0].at, args[1].at);
    if (strcmp(name, "_[?_]") == 0)
        return joined("(%s)[?%s]", args[0].at, args[1].at);
    if (name[0] == '_')
        return joined("(%s) %.*s (%s)", args[0].at, (int)strcspn(name + 1, "_"), name + 1, args[1].at);
    if (name[1] == '_')
        return joined("%c(%s)", name[0], args[0].at);
    for (unsigned i = first; i < count; i++)
        all = joined("%s%s%s", all.at, i > first ? ", " : "", args[i].at);
    return first == 1 ? joined("(%s).%s(%s)", args[0].at, name, all.at) : joined("%s(%s)", name, all.at);
}

/* What it gives, or NULL where it cannot be compiled. */
static const struct expression *compiled(struct text text)
{
    static const struct environment none;
    const struct expression *e = NULL;
    struct expression_error error;
    return expression_compile(bytes_of_text(text.at), &none, &pool, &e, &error) == 0 ? e : NULL;
}

static struct datum evaluated(struct text text)
{
    const struct expression *e = compiled(text);
    ck_assert_msg(e != NULL, "%s", text.at);
    return expression_evaluate(e, &(struct evaluation){.pool = &pool, .cost_max = 100000});
}

static bool has_no_overload(const struct datum *d)
{
    static const char words[] = "no such overload";
    return d->kind == DATUM_FAILURE && d->failure->text.size >= sizeof words - 1 &&
           memcmp(d->failure->text.at, words, sizeof words - 1) == 0;
}

/* One overload with arguments as it wants them, as dyn, and with each of them in turn of a type that it does not take. */
static void try_overload(const struct function *f, const char **at)
{
    struct text args[ARGUMENTS_MAX], dyn[ARGUMENTS_MAX];
    bool any[ARGUMENTS_MAX];
    unsigned count = 0;
    for (; **at != ':'; count++) {
        ck_assert_uint_lt(count, ARGUMENTS_MAX);
        args[count] = sample(at, &any[count]);
        dyn[count] = joined("dyn(%s)", args[count].at);
    }
    struct text plain = call_text(f, args, count), loose = call_text(f, dyn, count);
    struct datum d = evaluated(plain), same = evaluated(loose);
    ck_assert_msg(!has_no_overload(&d), "%s", plain.at);
    ck_assert_msg(!has_no_overload(&same) && same.kind == d.kind, "%s", loose.at);
    /* Of its result the type is known. */
    const char *result = ++*at;
    if (strchr("TAB*", *result) == NULL && d.kind != DATUM_FAILURE) {
        bool whatever;
        struct text typed = joined("type(dyn(%s)) == type(%s)", plain.at, sample(&result, &whatever).at);
        d = evaluated(typed);
        ck_assert_msg(d.kind == DATUM_BOOL && d.b, "%s", typed.at);
    }
    for (unsigned i = 0; i < count; i++) {
        /* No function is one of a type alone. */
        struct text kept = args[i], kept_dyn = dyn[i];
        args[i] = joined("int");
        dyn[i] = joined("dyn(int)");
        if (!any[i]) {
            ck_assert_msg(compiled(call_text(f, args, count)) == NULL, "%s", call_text(f, args, count).at);
            d = evaluated(call_text(f, dyn, count));
            /* An index has words of its own. */
            bool told = f->handler == function_index || f->handler == function_optional_index ? d.kind == DATUM_FAILURE
                                                                                              : has_no_overload(&d);
            ck_assert_msg(told, "%s", call_text(f, dyn, count).at);
        }
        args[i] = kept;
        dyn[i] = kept_dyn;
    }
    *at += strcspn(*at, " ");
}

START_TEST(overloads__take_what_their_row_says_and_nothing_else)
{
    const struct function *f = &functions[_i];
    pool_init(&pool, &heap, 1 << 22);
    for (const char *at = f->overloads; *at != '\0'; at += *at == ' ')
        try_overload(f, &at);
    /* Nothing takes so many. */
    if (f->name[0] != '_' && f->name[1] != '_' && f->overloads[0] != '\0')
        ck_assert_msg(compiled(f->style == FUNCTION_MEMBER
                                   ? joined("dyn(1).%s(dyn(1), dyn(1), dyn(1), dyn(1))", f->name)
                                   : joined("%s(dyn(1), dyn(1), dyn(1), dyn(1))", f->name)) == NULL,
                      "%s", f->name);
    pool_finish(&pool);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("expression_overloads");
    Suite *s = suite_create("expression_overloads");
    tcase_add_loop_test(c, overloads__take_what_their_row_says_and_nothing_else, 0, FUNCTION_COUNT);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_set_fork_status(r, CK_NOFORK); /* many rows, of which each would be a process */
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
