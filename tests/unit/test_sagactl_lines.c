/* The command line of sagactl, as a table: every option with values that it takes and others that it does not, every command with every two of its options, with
 * words too few and too many, and names misspelt. It is kept in tests/fixtures/sagactl; `build/release/tests/unit/test_sagactl_lines write` writes
 * that anew, for its difference to be read. */
#include "client-lib/sagactl/options.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- one line ---- */

#define TEXT(field) \
    { \
#field, o->field \
    }
#define NUMBER(field, usual) \
    { \
#field, (long long)o->field, usual \
    }

/* What was read that is not as it is when nothing is said. */
static void put_options(FILE *out, const struct options *o)
{
    const struct {
        const char *name, *value;
    } texts[] = {TEXT(address),      TEXT(tls_certificate),
                 TEXT(tls_key),      TEXT(tls_roots),
                 TEXT(tls_identity), TEXT(journal),
                 TEXT(version),      TEXT(input),
                 TEXT(input_text),   TEXT(input_hex),
                 TEXT(input_json),   TEXT(name),
                 TEXT(request_id),   TEXT(definition),
                 TEXT(tag),          TEXT(where),
                 TEXT(since),        TEXT(before),
                 TEXT(page),         TEXT(from),
                 TEXT(reason),       TEXT(step),
                 TEXT(schema),       TEXT(explain),
                 TEXT(policy),       TEXT(config),
                 TEXT(contract),     TEXT(target),
                 TEXT(as),           TEXT(method),
                 TEXT(kill)};
    const struct {
        const char *name;
        long long value, usual;
    } numbers[] = {NUMBER(json, 0),     NUMBER(form, 0),        NUMBER(timeout_ms, -1), NUMBER(color, 0),
                   NUMBER(utc, 0),      NUMBER(fleet, 0),       NUMBER(dry_run, 0),     NUMBER(wait, 0),
                   NUMBER(payloads, 0), NUMBER(all, 0),         NUMBER(past_stuck, 0),  NUMBER(answered, 0),
                   NUMBER(once, 0),     NUMBER(deadline.us, 0), NUMBER(priority, 0),    NUMBER(states, 0),
                   NUMBER(limit, 50),   NUMBER(status, -1),     NUMBER(seeds, 0),       NUMBER(summary, 0),
                   NUMBER(reflect, 0)};
    for (unsigned id = 0; id < OPTION_COUNT; id++)
        if ((o->given & OPTION_BIT(id)) != 0)
            fprintf(out, " +%s", option_rows[id].name);
    if (o->per_second > 0)
        fprintf(out, " per_second=%g", o->per_second);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value != NULL)
            fprintf(out, " %s=%.40s%s", texts[i].name, texts[i].value, strlen(texts[i].value) > 40 ? "..." : "");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value != numbers[i].usual)
            fprintf(out, " %s=%lld", numbers[i].name, numbers[i].value);
    if (strncmp(o->actor, "anna@", 5) != 0)
        fprintf(out, " actor=%.40s%s", o->actor, strlen(o->actor) > 40 ? "..." : "");
    for (unsigned i = 0; i < o->word_count; i++)
        fprintf(out, " [%s]", o->words[i]);
}

/* Writes the words, and what is read of them, or what is said instead. */
static void put_line(FILE *out, const char *const words[], size_t count)
{
    struct options o;
    char *argv[80] = {(char *)(uintptr_t) "sagactl"}, *said;
    size_t size;
    int status = -1;
    FILE *both = open_memstream(&said, &size);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%.60s", i > 0 ? " " : "", words[i][0] != '\0' ? words[i] : "''");
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    fputs(" :", out);
    if (options_read(&o, (int)count + 1, argv, both, both, &status))
        put_options(out, &o);
    fclose(both);
    fprintf(out, " %.*s", (int)strcspn(said, "\n"), said);
    if (size == 0 || strstr(said, "\nTry: ") == NULL)
        fprintf(out, "(%d)", status);
    fputc('\n', out);
    free(said);
}

#define ID "9f03c1d2a4b7-2a"

/* The words that a command needs at least, and what else it does not go without. Returns how many. */
static size_t needed(const struct command_row *c, const char *words[8])
{
    static const struct {
        const char *arguments, *words[3];
    } all[] = {{"SAGA-ID", {ID}},          {"SAGA-ID STEP", {ID, "pay"}},
               {"SAGA-ID [STEP]", {ID}},   {"ACT TARGET", {"trip", "bank"}},
               {"NAME KEY", {"a/b", "k"}}, {"DEFINITION", {"checkout"}},
               {"FILE...", {"a.yaml"}},    {"FILE", {"a.yaml"}},
               {"WHAT", {"a.yaml"}},       {"ACTION", {"check"}},
               {"SHELL", {"bash"}},        {"ACTION [ARGUMENT...]", {"list"}}};
    size_t count = 0;
    words[count++] = c->name;
    if (c->run == command_deadletters) {
        words[count++] = "retry";
        words[count++] = "--where=true";
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < 3 && strcmp(all[i].arguments, c->arguments) == 0 && all[i].words[k] != NULL; k++)
            words[count++] = all[i].words[k];
    bool reasons = c->run == command_skip || c->run == command_reject || c->run == command_resolve ||
                   c->run == command_breaker || c->run == command_hold;
    if (reasons)
        words[count++] = "--reason=why";
    return count;
}

/* ---- options and their values ---- */

/* A value of N letters is written *N. The first is one that is taken. */
static const char *const values[OPTION_COUNT] = {
    [OPTION_ADDRESS] = "unix:a||*512|*513",
    [OPTION_OUTPUT] = "json|text|sarif|mermaid|dot|svg|yaml||js|JSON",
    [OPTION_TIMEOUT] = "2s|1ms|999us|0s|366d|8785h|400d|x||5|-1s|1.5s|2m|1h",
    [OPTION_COLOR] = "always|auto|never|sometimes|",
    [OPTION_TLS_CERTIFICATE] = "c.pem||*4000|*4001",
    [OPTION_TLS_KEY] = "k.pem||*4000|*4001",
    [OPTION_TLS_ROOTS] = "r.pem||*4000|*4001",
    [OPTION_TLS_IDENTITY] = "spiffe://a/*||*512|*513",
    [OPTION_VERSION] = "1.0.0|1.0|1.2.3-rc.1|v1|",
    [OPTION_INPUT] = "-||*4096|*4097",
    [OPTION_INPUT_TEXT] = "t|",
    [OPTION_INPUT_HEX] = "0a|",
    [OPTION_JSON] = "{}|",
    [OPTION_NAME] = "j1||a b|*128|*129|-a|a.b_c",
    [OPTION_REQUEST_ID] = "r||*128|*129",
    [OPTION_DEADLINE] = "90s|1ms|1us|0s|2d|soon|",
    [OPTION_PRIORITY] = "low|normal|high|urgent|",
    [OPTION_STATE] =
        "running|committed|compensating|compensated|stuck|resolved|live|ended|paused|STUCK,Live|running,paused|"
        "running,|,|stuk|run|",
    [OPTION_DEFINITION] = "checkout||a b|*128|*129",
    [OPTION_TAG] = "a=b|a|=|a=b=c",
    [OPTION_SINCE] =
        "2h|2026-05-04|2026-05-04T10:20|2026-05-04T10:20:30Z|2026-05-04T10:20:30.5+02:00|1d|2w|100000d|2026-02-30|"
        "1969-01-01|2026-05-04T10:20:30+15:00|now|",
    [OPTION_BEFORE] = "2026-05-04||tomorrow",
    [OPTION_LIMIT] = "7|1|1000|1001|0|-1|x||1k",
    [OPTION_PAGE] = "t||*65535|*65536",
    [OPTION_FROM] = "c||*2047|*2048",
    [OPTION_KILL] = "restart|",
    [OPTION_REASON] = "why||*256|*257",
    [OPTION_ACTOR] = "ben||*128|*129",
    [OPTION_STEP] = "pay|pay[3]|pay[]|pay[3|pay[3]x|pay[x]|p y||*64|*65|[3]",
    [OPTION_STATUS] = "UNAVAILABLE|ok|Unauthenticated|UNAUTHENTICATED|CANCELLED|NONE|14|",
    [OPTION_SCHEMA] = "s||*4096|*4097",
    [OPTION_EXPLAIN] = "all||*64|*65",
    [OPTION_POLICY] = "p||*4096|*4097",
    [OPTION_CONTRACT] = "c||*4096|*4097",
    [OPTION_TARGET] = "bank||a b|*64|*65",
    [OPTION_WHERE] = "true||*2048|*2049",
    [OPTION_SEEDS] = "9|1|1000000|1000001|0|x|",
    [OPTION_RATE] = "10/s|30/m|0.5|0.01|0.009|10000|10001|600000/m|600001/m|1/h|x|/s||-1",
    [OPTION_AS] = "uid:1||*512|*513",
    [OPTION_METHOD] = "Retry||*64|*65",
    [OPTION_CONFIG] = "c||*4096|*4097",
    [OPTION_JOURNAL] = "shop||*128|*129",
};

/* Takes the next value, up to the bar, into word; NULL when there is none. */
static const char *next_value(const char *at, char **word)
{
    size_t size = strcspn(at, "|"), letters = at[0] == '*' ? strtoul(at + 1, NULL, 10) : 0;
    free(*word);
    *word = calloc(1, size + letters + 1);
    if (letters > 0)
        memset(*word, 'x', letters);
    else
        memcpy(*word, at, size);
    return at[size] == '|' ? at + size + 1 : NULL;
}

/* "--name=VALUE" or "--name", with the first of its values. */
static const char *good(unsigned id, char text[128])
{
    const char *value = values[id];
    if (value == NULL)
        snprintf(text, 128, "--%s", option_rows[id].name);
    else
        snprintf(text, 128, "--%s=%.*s", option_rows[id].name, (int)strcspn(value, "|"), value);
    return text;
}

static const struct command_row *who_takes(unsigned id)
{
    for (size_t i = 0; i < command_count; i++)
        if (((OPTIONS_COMMON | command_rows[i].options) & OPTION_BIT(id)) != 0)
            return &command_rows[i];
    return NULL;
}

static void put_values(FILE *out)
{
    setenv("TZ", "UTC", 1);
    setenv("USER", "anna", 1);
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        const struct command_row *c = who_takes(id);
        const char *words[16], *at = values[id] == NULL ? "" : values[id];
        char *value = NULL, name[128], letter[3] = {'-', option_rows[id].letter, '\0'};
        if (c == NULL)
            continue;
        size_t count = needed(c, words);
        while (at != NULL) {
            snprintf(name, sizeof name, "--%s", option_rows[id].name);
            words[count] = name;
            at = next_value(at, &value);
            words[count + 1] = value;
            put_line(out, words, count + (values[id] != NULL ? 2 : 1));
        }
        put_line(out, words, count + (values[id] != NULL ? 1 : 2));
        snprintf(name, sizeof name, "--%s=%s", option_rows[id].name, values[id] == NULL ? "x" : "");
        put_line(out, words, count + 1);
        words[count] = letter;
        if (letter[1] != '\0')
            put_line(out, words, count + (values[id] != NULL ? 2 : 1));
        free(value);
    }
}

/* ---- commands ---- */

/* Gives what put_line writes behind the words. */
static char *result_of(const char *const words[], size_t count)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    put_line(out, words, count);
    fclose(out);
    const char *result = strstr(text, " :");
    memmove(text, result, strlen(result) + 1);
    return text;
}

/* Every option of a command, those that it has not, and every two of its own that say something together that neither says alone. */
static void put_pairs(FILE *out)
{
    for (size_t c = 0; c < command_count; c++) {
        const char *words[16];
        char texts[OPTION_COUNT][128], *alone[OPTION_COUNT];
        size_t count = needed(&command_rows[c], words);
        uint64_t mask = command_rows[c].options;
        put_line(out, words, count);
        fputs("  has no", out);
        for (unsigned a = 0; a < OPTION_COUNT; a++) {
            words[count] = good(a, texts[a]);
            alone[a] = result_of(words, count + 1);
            if (strstr(alone[a], "there is no option") != NULL)
                fprintf(out, " %s", option_rows[a].name);
        }
        fputc('\n', out);
        for (unsigned a = 0; a < OPTION_COUNT; a++) {
            words[count] = texts[a];
            if (strstr(alone[a], "there is no option") == NULL && a != OPTION_HELP && a != OPTION_SHOW_VERSION)
                fprintf(out, "  %s%s", texts[a], alone[a]);
            for (unsigned b = a + 1; b < OPTION_COUNT; b++) {
                words[count + 1] = texts[b];
                if ((mask & OPTION_BIT(a)) == 0 || (mask & OPTION_BIT(b)) == 0)
                    continue;
                char *both = result_of(words, count + 2);
                bool refused = strstr(both, "sagactl ") != NULL,
                     is_new = strcmp(both, alone[a]) != 0 && strcmp(both, alone[b]) != 0;
                bool helped =
                    !refused && (strstr(alone[a], "sagactl ") != NULL || strstr(alone[b], "sagactl ") != NULL);
                if ((refused && is_new) || helped)
                    fprintf(out, "  %s %s%s", texts[a], texts[b], both);
                free(both);
            }
        }
        for (unsigned a = 0; a < OPTION_COUNT; a++)
            free(alone[a]);
    }
}

static void put_words(FILE *out)
{
    static const char *const others[][4] = {{ID, "pay", "a b", "c"},  {"list", "give", "1.0.0", "d"},
                                            {"trip", "1.x", "", "e"}, {"arm", "pay[2]", "f", "g"},
                                            {"", "9", "h", "i"},      {"retry", "--all", "--where=true", "j"}};
    for (size_t c = 0; c < command_count; c++)
        for (size_t n = 0; n < 4 && n <= command_rows[c].words_max + 1; n++)
            for (size_t i = 0; i < (n == 0 ? 1 : sizeof others / sizeof *others); i++) {
                const char *words[8] = {command_rows[c].name};
                for (size_t k = 0; k < n; k++)
                    words[k + 1] = others[i][k];
                put_line(out, words, n + 1);
            }
}

/* Without the letter in its middle. */
static const char *misspelt(const char *prefix, const char *name, char text[64])
{
    size_t half = strlen(name) / 2;
    snprintf(text, 64, "%s%.*s%s", prefix, (int)half, name, name + half + 1);
    return text;
}

static void put_mistakes(FILE *out)
{
    static const char *const lines[][6] = {{"-o", "json", "lst"},
                                           {"lst", "-o", "json"},
                                           {"lst", "-ojson"},
                                           {"lst\xc3\xa9"},
                                           {"lst", "--output=json"},
                                           {"lst", "--output", "json"},
                                           {"lst", "-o", "jsn"},
                                           {"list", "--outpt=json"},
                                           {"list", "-Z"},
                                           {"-Z", "list"},
                                           {"-h"},
                                           {"list", "-h"},
                                           {"list", "--help"},
                                           {"list", "-V"},
                                           {"--version=1", "list"},
                                           {"-o", "json"},
                                           {"-u"},
                                           {"--utc", "list"},
                                           {"list", "--utc", "--since", "2026-05-04"},
                                           {"list", "-o"},
                                           {"list", "--", "-o", "json"},
                                           {"--", "list"},
                                           {"list", "--st=live"},
                                           {"list", "-Al", "7"},
                                           {"list", "-Al7"},
                                           {"list", "--state=live,ended", "--state=paused"},
                                           {"start", "a", "--input=f", "--input-text=t"},
                                           {"start", "a", "--json={}", "--input-hex=00"},
                                           {"graph", "a", "-o", "svg"},
                                           {"list", "-osarif"},
                                           {"lint", "-osarif"},
                                           {"contract", "check", "-osarif"},
                                           {"rehearse", "f", "-odot"},
                                           {"", "list"},
                                           {"retry", ID, "--status=OK"},
                                           {"retry", ID, "--step=pay"},
                                           {"deadletters", "--step=a", "--summary"},
                                           {"deadletters", "skip", "--where=true", "--dry-run"},
                                           {"deadletters", "skip", "--where=true"},
                                           {"deadletters", "skip", "--where=true", "--reason=r"},
                                           {"deadletters", "stop", "--where=true"},
                                           {"deadletters", "retry", "--where=true"},
                                           {"rules", "undo", "x"},
                                           {"rules", "do", "x"},
                                           {"breaker", "hold", "b", "--reason=r"},
                                           {"breaker", "shut", "b", "--reason=r"}};
    char text[64];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        size_t count = 0;
        while (count < 6 && lines[i][count] != NULL)
            count++;
        put_line(out, lines[i], count);
    }
    put_line(out, lines[0], 0);
    for (size_t c = 0; c < command_count; c++) {
        const char *word = misspelt("", command_rows[c].name, text);
        put_line(out, &word, 1);
    }
    for (unsigned id = 0; id < OPTION_COUNT; id++) {
        const char *words[2] = {who_takes(id) == NULL ? "list" : who_takes(id)->name,
                                misspelt("--", option_rows[id].name, text)};
        put_line(out, words, 2);
    }
}

START_TEST(lines__are_read_and_refused_in_these_words)
{
    kept_text_compare("tests/fixtures/sagactl/values.txt", put_values);
    kept_text_compare("tests/fixtures/sagactl/options.txt", put_pairs);
    kept_text_compare("tests/fixtures/sagactl/words.txt", put_words);
    kept_text_compare("tests/fixtures/sagactl/mistakes.txt", put_mistakes);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sagactl_lines", lines__are_read_and_refused_in_these_words);
}
