/* What sagactl asks for when it changes something, what it says of each way in which that can fail, and what it says of
 * itself. It is kept in tests/fixtures/sagactl;
 * `build/release/tests/unit/test_sagactl_screens_acts write` writes that anew, for its difference to be read. */
#include "client-lib/sagactl/help.h"
#include "tests/support/kept_text.h"
#include "tests/support/screen_texts.h"
#include "tests/support/screens.h"

static const char *const acts[] = {
    "cancel " SAGA,
    "pause " SAGA,
    "resume " SAGA,
    "retry " SAGA,
    "retry " SAGA " 'pay[3]'",
    "skip " SAGA " pay --reason r",
    "reject " SAGA " pay --reason r",
    "resolve " SAGA " --reason r",
    "breaker trip bank --reason r",
    "breaker hold bank --reason r",
    "breaker reset bank --reason r",
    "hold checkout --reason r",
    "release checkout",
    "forget checkout/score k",
    "rules arm wake",
    "rules undo wake",
    "fleet give shop-b",
};

static void put_acts(FILE *out)
{
    static const char *const more[] = {"", " -o json", " --actor ben --timeout 3s", " --reason 'a reason'"};
    char line[160];
    screens_begin();
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        for (size_t k = 0; k < sizeof more / sizeof *more; k++) {
            snprintf(line, sizeof line, "%s%s", acts[i], more[k]);
            screens_put_line(out, line);
        }
}

/* Where nothing can be written: what went well does so no longer, and what did not keeps its status. */
static void put_full(FILE *out)
{
    static const struct screen_row rows[] = {
        {"version", {{NULL, NULL, NULL, 0, NULL}}, 0},
        {"list", {{NULL, NULL, NULL, 0, NULL}}, 0},
        {"wait " SAGA, {ANSWER("Wait", wait_response, "saga{state:COMPENSATED}")}, 0},
        {"wait " SAGA " -o json", {ANSWER("Wait", wait_response, "saga{state:COMMITTED}")}, 0},
        {"wait " SAGA, {ANSWER("Wait", wait_response, "")}, 0},
        {"list --fleet", {ANSWER("List", list_response, "sagas{id:'a'} absent{journal:'b' why:'c'}")}, 0},
        {"list --all -o json", {ANSWER("List", list_response, "sagas{id:'a'} sagas{id:'b'} next_page_token:'t'")}, 0},
        {"watch " SAGA,
         {ANSWER("Watch", watch_response, "events{type:PAUSED} events{type:RESUMED} events{type:ENDED}")},
         0},
        {"watch " SAGA " -o json", {ANSWER("Watch", watch_response, "events{type:PAUSED} events{type:RESUMED}")}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        screens_put_nowhere(out, &rows[i]);
}

static void put_about(FILE *out)
{
    static const char *const lines[] = {

        "help lst",
        "help nothing-like-it",
        "help help",
        "completion csh",
        "help -o json bulk",
        "runbook",
        "runbook -o json",
        "runbook SagadJournalFul",
        "runbook nothing-like-it",
        "runbook SagadJournalFull --utc",
        "runbook SagadDown -o json",
        "runbook SagadDeadLetters --address unix:other.sock"};
    screens_begin();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        screens_put_line(out, lines[i]);
    put_full(out);
}

static void put_help(FILE *out)
{
    static const char *const some[] = {"start", "list", "bulk", "version"};
    help_overview(out);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        fputs("----\n", out);
        help_command(out, command_find(some[i]));
    }
    fprintf(out, "---- %d\n", help_completion(out, "csh"));
    help_completion(out, "bash");
    fputs("----\n", out);
    help_completion(out, "zsh");
    fputs("----\n", out);
    help_completion(out, "fish");
}

/* Every code, with each reason that sagactl knows; and everything that may hinder a connection. */
static void put_failures(FILE *out)
{
    static const char *const reasons[] = {"", "NOT_STUCK", SAGA_REASON_UNREACHABLE, SAGA_REASON_LOST,
                                          SAGA_REASON_ARGUMENT};
    static const char *const words[] = {"saga_id: is wrong",
                                        "name: is wrong",
                                        "definition: is wrong",
                                        "step: is wrong",
                                        "target: is wrong",
                                        "No such file",
                                        "Connection refused",
                                        "Permission denied",
                                        "certificate verify failed",
                                        "it is of somebody else",
                                        "wrong version number",
                                        "http1 answered",
                                        "parsing HTTP/2",
                                        "no SETTINGS came",
                                        "Socket closed",
                                        "Connection reset",
                                        "DNS resolution failed for x",
                                        "no connection in time",
                                        "something else",
                                        "\033[2J"};
    static const char *const lines[] = {"pause " SAGA, "pause " SAGA " -o json", "pause " SAGA " --address bank:7240",
                                        "pause " SAGA " --address unix:tests/tests.mk"};
    screens_begin();
    for (int code = 1; code <= 17; code++)
        for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
            const struct screen_row row = {lines[0], {REFUSES("Pause", code, reasons[i], "these words")}, 0};
            screens_put(out, &row);
        }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
            const struct screen_row row = {lines[k], {REFUSES("Pause", 14, SAGA_REASON_UNREACHABLE, words[i])}, 0};
            const struct screen_row refused = {lines[k], {REFUSES("Pause", 9, "NOT_STUCK", words[i])}, 0};
            screens_put(out, &row);
            if (k < 2)
                screens_put(out, &refused);
        }
}

START_TEST(screens__show_what_is_done_and_what_fails)
{
    kept_text_compare("tests/fixtures/sagactl/acts.txt", put_acts);
    kept_text_compare("tests/fixtures/sagactl/about.txt", put_about);
    kept_text_compare("tests/fixtures/sagactl/help.txt", put_help);
    kept_text_compare("tests/fixtures/sagactl/failures.txt", put_failures);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sagactl_screens_acts", screens__show_what_is_done_and_what_fails);
}
