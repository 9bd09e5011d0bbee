/* options.c - the command line by way of getopt_long, whose own messages are replaced by some that help. */
#include "client-lib/sagactl/options.h"

#include "client-lib/sagactl/exits.h"
#include "client-lib/sagactl/help.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/definition/quantity.h"
#include "sidecar/definition/reader.h"

#include <getopt.h>
#include <pwd.h>
#include <saga/version.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LIMIT_DEFAULT  50
#define SEEDS_MAX      1000000
#define LIMIT_MAX      1000
#define REQUEST_ID_MAX 128
#define REASON_MAX     256
#define CURSOR_MAX     2047
#define JOURNAL_MAX    128
#define WHERE_MAX      2048
#define JSON_TEXT_MAX  4194304
#define TIMEOUT_MAX_MS (INT64_C(366) * 24 * 3600 * 1000)
/* getopt's value of an option without a letter: above every character. */
#define VALUE_OF(id) (256 + (int)(id))

struct reading {
    struct options *o;
    FILE *err;
    struct screen plain; /* to clean what is quoted */
    bool json;           /* -o json stands somewhere on the command line */
};

/* What is wrong with the command line; always false. */
static bool wrong(const struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(const struct reading *r, const char *format, ...)
{
    char said[1024], clean[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    const char *command = r->o->command == NULL ? NULL : r->o->command->name;
    if (r->json) {
        struct saga_error error;
        saga_error_set(&error, SAGA_E_INVALID_ARGUMENT, "SAGACTL", "", said);
        if (json_put(r->err, json_of_error(&error), true) == 0)
            return false;
    }
    fprintf(r->err, "sagactl%s%s: %s\n", command ? " " : "", command ? command : "",
            screen_clean(&r->plain, said, clean, sizeof clean));
    fprintf(r->err, "Try: sagactl help%s%s\n", command ? " " : "", command ? command : "");
    return false;
}

/* A mistake may stand before the option that says how to tell it. */
static bool wants_json(int argc, char *const *argv)
{
    bool json = false;
    for (int i = 1; i < argc; i++) {
        bool apart = strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0;
        json = json || strcmp(argv[i], "-ojson") == 0 || strcmp(argv[i], "--output=json") == 0 ||
               (apart && i + 1 < argc && strcmp(argv[i + 1], "json") == 0);
    }
    return json;
}

/* ---- values ---- */

static bool text_value(const struct reading *r, unsigned id, const char *value, size_t max, const char **to)
{
    size_t size = strlen(value);
    if (size == 0 || size > max)
        return wrong(r, "--%s takes 1 to %zu bytes", option_rows[id].name, max);
    *to = value;
    return true;
}

static bool name_value(const struct reading *r, unsigned id, const char *value, const char **to)
{
    *to = value;
    return definition_name_valid(bytes_of_text(value), NAME_BYTES_MAX) ||
           wrong(r, "--%s: \"%.200s\" is not a name: 1 to 128 letters, digits, '-', '_' and '.'", option_rows[id].name,
                 value);
}

static bool span_value(const struct reading *r, unsigned id, const char *value, struct span *to)
{
    const char *why = quantity_read_span(bytes_of_text(value), to);
    if (why == NULL && to->us < 1000)
        why = "is less than 1ms";
    return why == NULL || wrong(r, "--%s: \"%.200s\" %s", option_rows[id].name, value, why);
}

static bool choice_value(const struct reading *r, unsigned id, const char *value, unsigned *to)
{
    const char *const *values = option_rows[id].values;
    for (*to = 0; values[*to] != NULL; ++*to)
        if (strcmp(values[*to], value) == 0)
            return true;
    char list[128] = "";
    for (unsigned i = 0; values[i] != NULL; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "", values[i]);
    return wrong(r, "--%s: \"%.200s\" is none of %s", option_rows[id].name, value, list);
}

static bool states_value(const struct reading *r, const char *value)
{
    const char *bad;
    size_t size;
    uint32_t states = words_states(value, &bad, &size);
    if (states == 0) {
        const char *near = words_state_nearest(bad, size);
        return wrong(r, "--state: \"%.*s\" is not a state%s%s%s", (int)(size < 200 ? size : 200), bad,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    r->o->states |= states;
    return true;
}

static bool time_value(const struct reading *r, unsigned id, const char *value, const char **to)
{
    struct instant at;
    const char *why = times_read(value, times_now(), r->o->utc, &at);
    *to = value;
    return why == NULL || wrong(r, "--%s: \"%.200s\" %s", option_rows[id].name, value, why);
}

static bool limit_value(const struct reading *r, const char *value)
{
    uint64_t count;
    if (quantity_read_count(bytes_of_text(value), &count) != NULL || count < 1 || count > LIMIT_MAX)
        return wrong(r, "--limit: \"%.200s\" is not a count from 1 to %d", value, LIMIT_MAX);
    r->o->limit = (uint32_t)count;
    return true;
}

/* "10/s", "0.5/s", "30/m"; without a unit a second's. */
static bool rate_value(const struct reading *r, const char *value)
{
    char *end;
    double count = strtod(value, &end);
    bool minute = strcmp(end, "/m") == 0;
    r->o->per_second = minute ? count / 60 : count;
    return (end != value && (minute || *end == '\0' || strcmp(end, "/s") == 0) && r->o->per_second >= 0.01 &&
            r->o->per_second <= 10000) ||
           wrong(r, "--rate: \"%.200s\" is not a rate from 0.01/s to 10000/s, as in 10/s or 30/m", value);
}

static bool seeds_value(const struct reading *r, const char *value)
{
    uint64_t count;
    if (quantity_read_count(bytes_of_text(value), &count) != NULL || count < 1 || count > SEEDS_MAX)
        return wrong(r, "--seeds: \"%.200s\" is not a count from 1 to %d", value, SEEDS_MAX);
    r->o->seeds = (uint32_t)count;
    return true;
}

/* A step's name, or an instance's of a loop: "reserve[3]". */
static bool is_step_name(const char *value)
{
    size_t size = strcspn(value, "[");
    bool instance = value[size] == '[';
    size_t digits = instance ? strspn(value + size + 1, "0123456789") : 0;
    return definition_name_valid(bytes_of(value, size), STEP_NAME_BYTES_MAX) &&
           (!instance || (digits > 0 && strcmp(value + size + 1 + digits, "]") == 0));
}

static bool take(const struct reading *r, unsigned id, const char *value)
{
    struct options *o = r->o;
    struct span span;
    unsigned choice;
    o->given |= OPTION_BIT(id);
    switch ((enum option_id)id) {
    case OPTION_ADDRESS:
        return text_value(r, id, value, 512, &o->address);
    case OPTION_TLS_CERTIFICATE:
        return text_value(r, id, value, 4000, &o->tls_certificate);
    case OPTION_TLS_KEY:
        return text_value(r, id, value, 4000, &o->tls_key);
    case OPTION_TLS_ROOTS:
        return text_value(r, id, value, 4000, &o->tls_roots);
    case OPTION_TLS_IDENTITY:
        return text_value(r, id, value, 512, &o->tls_identity);
    case OPTION_OUTPUT:
        if (!choice_value(r, id, value, &choice))
            return false;
        o->json = choice == 1;
        o->form = (enum form)choice;
        return true;
    case OPTION_TIMEOUT:
        if (!span_value(r, id, value, &span))
            return false;
        o->timeout_ms = span.us / 1000 < TIMEOUT_MAX_MS ? span.us / 1000 : TIMEOUT_MAX_MS;
        return true;
    case OPTION_COLOR:
        if (!choice_value(r, id, value, &choice))
            return false;
        o->color = (enum color)choice;
        return true;
    case OPTION_VERSION:
        o->version = value;
        return definition_version_valid(value) ||
               wrong(r, "--version: \"%.200s\" is not a semantic version, as in 1.0.0", value);
    case OPTION_INPUT:
        return text_value(r, id, value, 4096, &o->input);
    case OPTION_INPUT_TEXT:
        o->input_text = value;
        return true;
    case OPTION_INPUT_HEX:
        o->input_hex = value;
        return true;
    case OPTION_JSON:
        return text_value(r, id, value, JSON_TEXT_MAX, &o->input_json);
    case OPTION_NAME:
        return name_value(r, id, value, &o->name);
    case OPTION_REQUEST_ID:
        return text_value(r, id, value, REQUEST_ID_MAX, &o->request_id);
    case OPTION_DEADLINE:
        return span_value(r, id, value, &o->deadline);
    case OPTION_PRIORITY:
        if (!choice_value(r, id, value, &choice))
            return false;
        o->priority = choice + 1;
        return true;
    case OPTION_STATE:
        return states_value(r, value);
    case OPTION_DEFINITION:
        return name_value(r, id, value, &o->definition);
    case OPTION_TAG:
        o->tag = value;
        return strchr(value, '=') != NULL || wrong(r, "--tag takes NAME=VALUE");
    case OPTION_SINCE:
        return time_value(r, id, value, &o->since);
    case OPTION_BEFORE:
        return time_value(r, id, value, &o->before);
    case OPTION_LIMIT:
        return limit_value(r, value);
    case OPTION_PAGE:
        return text_value(r, id, value, TOKEN_SIZE - 1, &o->page);
    case OPTION_FROM:
        return text_value(r, id, value, CURSOR_MAX, &o->from);
    case OPTION_REASON:
        return text_value(r, id, value, REASON_MAX, &o->reason);
    case OPTION_ACTOR:
        if (value[0] == '\0' || strlen(value) >= ACTOR_SIZE)
            return wrong(r, "--actor takes 1 to 128 bytes");
        memcpy(o->actor, value, strlen(value) + 1);
        return true;
    case OPTION_STEP:
        o->step = value;
        return is_step_name(value) || wrong(r, "--step: \"%.200s\" is not the name of a step", value);
    case OPTION_STATUS:
        for (o->status = SAGA_OK; o->status < SAGA_STATUS_COUNT; o->status++)
            if (strcasecmp(saga_status_name(o->status), value) == 0)
                return true;
        return wrong(r, "--status: \"%.200s\" is not a gRPC status, as in UNAVAILABLE", value);
    case OPTION_SCHEMA:
        return text_value(r, id, value, 4096, &o->schema);
    case OPTION_POLICY:
        return text_value(r, id, value, 4096, &o->policy);
    case OPTION_CONFIG:
        return text_value(r, id, value, 4096, &o->config);
    case OPTION_CONTRACT:
        return text_value(r, id, value, 4096, &o->contract);
    case OPTION_TARGET:
        o->target = value;
        return definition_name_valid(bytes_of_text(value), STEP_NAME_BYTES_MAX) ||
               wrong(r, "--target: \"%.200s\" is not the name of a target", value);
    case OPTION_AS:
        return text_value(r, id, value, 512, &o->as);
    case OPTION_METHOD:
        return text_value(r, id, value, 64, &o->method);
    case OPTION_EXPLAIN:
        return text_value(r, id, value, 64, &o->explain);
    case OPTION_SUMMARY:
        o->summary = true;
        return true;
    case OPTION_WHERE:
        return text_value(r, id, value, WHERE_MAX, &o->where);
    case OPTION_RATE:
        return rate_value(r, value);
    case OPTION_FLEET:
        o->fleet = true;
        return true;
    case OPTION_JOURNAL:
        return text_value(r, id, value, JOURNAL_MAX, &o->journal);
    case OPTION_ONCE:
        o->once = true;
        return true;
    case OPTION_SEEDS:
        return seeds_value(r, value);
    case OPTION_REFLECT:
        o->reflect = true;
        return true;
    case OPTION_UTC:
        o->utc = true;
        return true;
    case OPTION_DRY_RUN:
        o->dry_run = true;
        return true;
    case OPTION_WAIT:
        o->wait = true;
        return true;
    case OPTION_PAYLOADS:
        o->payloads = true;
        return true;
    case OPTION_ALL:
        o->all = true;
        return true;
    case OPTION_PAST_STUCK:
        o->past_stuck = true;
        return true;
    case OPTION_KILL:
        o->kill = value;
        return true;
    case OPTION_ANSWERED:
        o->answered = true;
        return true;
    case OPTION_HELP:
    case OPTION_SHOW_VERSION:
    case OPTION_COUNT:
        break;
    }
    return true;
}

/* ---- getopt ---- */

struct getopt_tables {
    struct option longs[OPTION_COUNT + 1];
    char shorts[3 * OPTION_COUNT + 3];
};

/* first: '+' to stop at the first word, ':' not to. A missing argument is told from an unknown option either way. */
static void make_tables(struct getopt_tables *t, uint64_t mask, const char *first)
{
    size_t count = 0, used = (size_t)snprintf(t->shorts, sizeof t->shorts, "%s", first);
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        const struct option_row *row = &option_rows[id];
        if ((mask & OPTION_BIT(id)) == 0)
            continue;
        t->longs[count++] =
            (struct option){row->name, row->argument ? required_argument : no_argument, NULL, VALUE_OF(id)};
        if (row->letter != '\0') {
            t->shorts[used++] = row->letter;
            if (row->argument)
                t->shorts[used++] = ':';
        }
    }
    t->longs[count] = (struct option){0};
    t->shorts[used] = '\0';
}

static unsigned id_of(int value, uint64_t mask)
{
    for (unsigned id = 0; id < OPTION_COUNT; id++)
        if ((mask & OPTION_BIT(id)) != 0 &&
            (value == VALUE_OF(id) || (option_rows[id].letter != '\0' && value == option_rows[id].letter)))
            return id;
    return OPTION_COUNT;
}

static void refuse(const struct reading *r, int result, uint64_t mask, char *const *argv)
{
    unsigned id = optopt == 0 ? OPTION_COUNT : id_of(optopt, mask);
    const char *text = argv[optind - 1], *name = text + strspn(text, "-"), *near = option_nearest(name, mask);
    if (id < OPTION_COUNT && result == ':')
        wrong(r, "--%s needs %s", option_rows[id].name, option_rows[id].argument);
    else if (id < OPTION_COUNT)
        wrong(r, "--%s takes no argument", option_rows[id].name);
    else if (optopt != 0)
        wrong(r, "there is no option -%c", optopt);
    else
        wrong(r, "there is no option %.*s%s%s%s", (int)(strcspn(text, "=") < 200 ? strcspn(text, "=") : 200), text,
              near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

enum ended { ENDED_WELL, ENDED_WRONG, ENDED_HELP, ENDED_VERSION };

/* Reads options until the words (or, with '+', the first word). */
static enum ended read_some(const struct reading *r, int argc, char **argv, uint64_t mask, const char *first)
{
    struct getopt_tables tables;
    int value;
    make_tables(&tables, mask, first);
    optind = 0;
    opterr = 0;
    while ((value = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
        if (value == '?' || value == ':') {
            refuse(r, value, mask, argv);
            return ENDED_WRONG;
        }
        unsigned id = id_of(value, mask);
        if (id == OPTION_HELP)
            return ENDED_HELP;
        if (id == OPTION_SHOW_VERSION)
            return ENDED_VERSION;
        if (!take(r, id, optarg))
            return ENDED_WRONG;
    }
    return ENDED_WELL;
}

/* ---- what a command needs ---- */

static bool words_valid(const struct reading *r)
{
    const struct options *o = r->o;
    const char *arguments = o->command->arguments;
    if (o->word_count < o->command->words_min)
        return wrong(r, "needs %s", arguments);
    if (o->word_count > o->command->words_max)
        return wrong(r, "\"%.200s\" is too much", o->words[o->command->words_max]);
    const char *first = o->word_count > 0 ? o->words[0] : NULL, *second = o->word_count > 1 ? o->words[1] : NULL;
    struct saga_id id;
    if (first != NULL && strstr(arguments, "SAGA-ID") != NULL && !saga_id_parse(first, strlen(first), &id))
        return wrong(r, "\"%.200s\" is not a saga's id, as in 9f03c1d2a4b7-2a", first);
    if (second != NULL && strstr(arguments, "STEP") != NULL && !is_step_name(second))
        return wrong(r, "\"%.200s\" is not the name of a step", second);
    if (o->command->run == command_breaker && strcmp(first, "trip") != 0 && strcmp(first, "hold") != 0 &&
        strcmp(first, "reset") != 0)
        return wrong(r, "\"%.200s\" is none of trip, hold, reset", first);
    bool rules = o->command->run == command_rules && first != NULL;
    if (rules && strcmp(first, "arm") != 0 && strcmp(first, "undo") != 0)
        return wrong(r, "\"%.200s\" is none of arm, undo", first);
    if (rules && second == NULL)
        return wrong(r, "%s needs the name of a rule", first);
    bool names = strcmp(arguments, "DEFINITION") == 0 || strncmp(arguments, "[NAME", 5) == 0;
    if (first != NULL && names && !definition_name_valid(bytes_of_text(first), NAME_BYTES_MAX))
        return wrong(r, "\"%.200s\" is not the name of a definition", first);
    if (second != NULL && names && !definition_version_valid(second))
        return wrong(r, "\"%.200s\" is not a semantic version, as in 1.0.0", second);
    return true;
}

static bool options_agree(const struct reading *r)
{
    const struct options *o = r->o;
    unsigned inputs = (o->input != NULL) + (o->input_text != NULL) + (o->input_hex != NULL) + (o->input_json != NULL);
    if (inputs > 1)
        return wrong(r, "--json, --input, --input-text and --input-hex exclude one another");
    if (o->form == FORM_SARIF && o->command->run != command_lint && o->command->run != command_rehearse &&
        o->command->run != command_contract)
        return wrong(r, "-o sarif goes with lint, rehearse and contract check");
    if (o->form > FORM_SARIF && o->command->run != command_graph)
        return wrong(r, "-o %s goes with graph", option_rows[OPTION_OUTPUT].values[o->form]);
    bool retries = o->command->run == command_retry, narrows = o->step != NULL || o->status >= 0;
    if (retries && o->all && o->word_count > 0)
        return wrong(r, "takes a saga's id or --all, not both");
    if (retries && !o->all && (o->word_count == 0 || narrows || o->definition != NULL))
        return wrong(r, o->word_count == 0 ? "needs SAGA-ID [STEP], or --all"
                                           : "--definition, --step and --status go with --all");
    bool letters = o->command->run == command_deadletters, bulk = letters && o->word_count > 0;
    bool shows = (o->given & (OPTION_BIT(OPTION_LIMIT) | OPTION_BIT(OPTION_PAGE) | OPTION_BIT(OPTION_ALL))) != 0;
    if (bulk && (o->summary || narrows || shows))
        return wrong(r,
                     "%s acts on all that --where lets through: no --summary, --step, --status, --limit, --page or "
                     "--all goes with it",
                     o->words[0]);
    if (letters && narrows && !o->summary)
        return wrong(r, "--step and --status go with --summary");
    if (o->reflect && o->dry_run)
        return wrong(r, "--reflect registers the types first, which --dry-run does not");
    if (bulk && o->where == NULL)
        return wrong(r,
                     "%s needs --where: which of them, as in \"definition == 'checkout' && status == 'UNAVAILABLE'\"",
                     o->words[0]);
    if (bulk && strcmp(o->words[0], "retry") != 0 && strcmp(o->words[0], "skip") != 0 &&
        strcmp(o->words[0], "resolve") != 0)
        return wrong(r, "\"%.200s\" is none of retry, skip, resolve", o->words[0]);
    if (letters && !bulk && (o->dry_run || o->per_second > 0 || o->wait || o->name != NULL || o->reason != NULL))
        return wrong(r, "--dry-run, --rate, --name, --wait and --reason go with retry, skip and resolve");
    if (bulk && strcmp(o->words[0], "retry") != 0 && o->reason == NULL && !o->dry_run)
        return wrong(r, "needs --reason TEXT: why, for the timelines");
    if (o->contract != NULL && (o->target != NULL || o->definition != NULL))
        return wrong(r, "--contract says which target and definitions");
    if (o->all && o->page != NULL)
        return wrong(r, "--all and --page exclude one another");
    bool reason_needed = o->command->run == command_skip || o->command->run == command_reject ||
                         o->command->run == command_resolve || o->command->run == command_breaker ||
                         o->command->run == command_hold;
    return !reason_needed || o->reason != NULL || wrong(r, "needs --reason TEXT: why, for the timeline");
}

/* "anna@host", cut to fit. */
static void default_actor(char actor[ACTOR_SIZE])
{
    char host[65] = "";
    const char *user = getenv("USER");
    if (user == NULL || user[0] == '\0') {
        const struct passwd *entry = getpwuid(geteuid());
        user = entry != NULL ? entry->pw_name : "unknown";
    }
    gethostname(host, sizeof host - 1);
    snprintf(actor, ACTOR_SIZE, "%.63s%s%.64s", user, host[0] != '\0' ? "@" : "", host);
}

bool options_read(struct options *o, int argc, char **argv, FILE *out, FILE *err, int *status)
{
    struct reading r = {.o = o, .err = err, .json = wants_json(argc, argv)};
    screen_init(&r.plain, err, COLOR_NEVER, false);
    *o = (struct options){.timeout_ms = -1, .limit = LIMIT_DEFAULT, .status = -1};
    *status = EXIT_USAGE;
    enum ended ended = read_some(&r, argc, argv, OPTIONS_BEFORE, "+:");
    int at = optind;
    if (ended == ENDED_WELL && at >= argc) {
        if (r.json)
            return wrong(&r, "a command is needed");
        help_overview(err);
        return false;
    }
    if (ended == ENDED_WELL) {
        o->command = command_find(argv[at]);
        if (o->command == NULL) {
            const char *near = command_nearest(argv[at]);
            return wrong(&r, "there is no command %.200s%s%s%s", argv[at], near ? "; did you mean " : "",
                         near ? near : "", near ? "?" : "");
        }
        ended = read_some(&r, argc - at, argv + at, OPTIONS_COMMON | o->command->options, ":");
        o->words = argv + at + optind;
        o->word_count = (unsigned)(argc - at - optind);
    }
    if (ended == ENDED_WRONG)
        return false;
    if (ended == ENDED_HELP || ended == ENDED_VERSION) {
        *status = EXIT_DONE;
        if (ended == ENDED_VERSION)
            fprintf(out, "sagactl %s\n", saga_version());
        else if (o->command != NULL)
            help_command(out, o->command);
        else
            help_overview(out);
        return false;
    }
    if (o->actor[0] == '\0')
        default_actor(o->actor);
    return words_valid(&r) && options_agree(&r);
}

void options_of_sidecar(const struct options *o, struct option_given given[OPTIONS_OF_SIDECAR])
{
    const struct option_given all[OPTIONS_OF_SIDECAR] = {{option_rows[OPTION_ADDRESS].name, o->address},
                                                         {option_rows[OPTION_TLS_CERTIFICATE].name, o->tls_certificate},
                                                         {option_rows[OPTION_TLS_KEY].name, o->tls_key},
                                                         {option_rows[OPTION_TLS_ROOTS].name, o->tls_roots},
                                                         {option_rows[OPTION_TLS_IDENTITY].name, o->tls_identity}};
    memcpy(given, all, sizeof all);
}
