/* What sagactl shows of many sagas, and of one that is started, waited for or watched, for answers in which every field is set, and then has other
 * values, one field after another. It is kept in tests/fixtures/sagactl; `build/release/tests/unit/test_sagactl_screens_lists write` writes that anew,
 * for its difference to be read. */
#include "tests/support/kept_text.h"
#include "tests/support/screen_texts.h"
#include "tests/support/screens.h"

#define NOBODY \
    { \
        NULL, NULL, NULL, 0, NULL \
    }
#define LIST(text)    ANSWER("List", list_response, text)
#define LETTERS(text) ANSWER("ListDeadLetters", list_dead_letters_response, text)
#define WAIT(text)    ANSWER("Wait", wait_response, text)
#define WATCH(text)   ANSWER("Watch", watch_response, text)
#define ABSENT \
    "absent{journal:'shop-b' carrier:'shop-a' live:4 status:14 why:'no route'} absent{journal:'shop-c' why:'it is an " \
    "orphan'} "

#define SECOND_SAGA \
    "id:'9f03c1d2a4b7-2b' definition:'refund' version:'2' state:STUCK stuck_reason:REQUEST_CHANGED stuck_step:'pay' " \
    "started_at:-90 steps{name:'pay' action:UNKNOWN action_attempts:1 last_status:4 last_message:'too late'} "
#define THIRD_SAGA \
    "id:'9f03c1d2a4b7-2c' definition:'refund' version:'3' state:STUCK stuck_step:'pay' stuck_reason:REQUEST_CHANGED " \
    "started_at:-8000 steps{name:'pay' action:UNKNOWN action_attempts:2 last_status:4}"
#define ALL_SAGAS "sagas{" STUCK_SAGA "} sagas{" SECOND_SAGA "} sagas{" THIRD_SAGA "} "

static const struct screen_row listed[] = {
    {"list", {LIST(ALL_SAGAS ABSENT)}, 0},
    {"deadletters --address unix:other.sock", {LETTERS(ALL_SAGAS ABSENT "next_page_token:'t 1'")}, 0},
    {"deadletters --summary", {LETTERS(ALL_SAGAS ABSENT)}, 0},
};

static const struct screen_row followed[] = {
    {"wait " SAGA, {WAIT("saga{" STUCK_SAGA "}")}, 0},
    {"watch --utc",
     {WATCH("events{at:-3.25 type:SAGA_STARTED cursor:'c1' definition:'checkout' saga_id:'" SAGA "'} "
            "events{at:-2 type:STUCK saga_id:'" SAGA "' step:'pay' reason:UNREACHABLE}")},
     0},
    {"watch " SAGA,
     {WATCH("events{at:-3 type:ACTION_STARTED step:'pay' attempt:1 saga_id:'" SAGA "'}"),
      WATCH("events{at:-2 type:ENDED state:COMMITTED saga_id:'" SAGA "'} events{type:PAUSED}")},
     0},
};

/* One word more or less on the line, another sidecar. */
static const struct screen_row lines[] = {
    {"list -o json", {LIST(ALL_SAGAS ABSENT "next_page_token:'t'")}, 0},
    {"list --all -o json", {LIST("sagas{" SECOND_SAGA "} next_page_token:'t'"), LIST("sagas{id:'b'}" ABSENT)}, 0},
    {"list --all", {LIST("sagas{" SECOND_SAGA "} next_page_token:'t'"), LIST("sagas{id:'b'}" ABSENT)}, 0},
    {"list --all --limit 7", {LIST("sagas{id:'a'} next_page_token:'t'"), LIST("next_page_token:'t'")}, 0},
    {"list", {LIST("next_page_token:'t'"), LIST("next_page_token:'u'"), LIST("sagas{id:'c'} next_page_token:'v'")}, 0},
    {"list", {LIST("")}, 0},
    {"list -o json", {LIST("")}, 0},
    {"list", {REFUSES("List", 7, "DENIED", "it is denied")}, 0},
    {"list --state running,paused --definition checkout --tag 'tenant=a b' --since 2h --before 2026-05-04T09:00:00.25Z "
     "--limit 3 --where 'age > 3 // old' --fleet --address unix:a --tls-certificate c --tls-key k --tls-roots r "
     "--tls-identity i",
     {LIST("sagas{id:'a' paused:1} sagas{id:'b'} next_page_token:'next page'")},
     0},
    {"list --state committed --state live,resolved --journal 'shop b' --page p1 --since 2026-05-04",
     {LIST("sagas{id:'a'} next_page_token:'p2'")},
     0},
    {"list --state compensating,compensated,stuck --where true", {LIST("sagas{id:'a'} next_page_token:'p2'")}, 0},
    {"list --state paused", {LIST("sagas{id:'a' paused:1} next_page_token:'p2'")}, 0},
    {"list --state ended,paused", {LIST("sagas{id:'a'}")}, 0},
    {"list --request-id r-1",
     {ANSWER("Find", find_response, "saga_id:'" SAGA "'"), ANSWER("Get", get_response, "saga{" SECOND_SAGA "}")},
     0},
    {"list --request-id r-1 -o json",
     {ANSWER("Find", find_response, "saga_id:'" SAGA "'"), ANSWER("Get", get_response, "saga{" SECOND_SAGA "}")},
     0},
    {"list --request-id r-1 -o json --all",
     {ANSWER("Find", find_response, "saga_id:'" SAGA "'"), ANSWER("Get", get_response, "saga{" SECOND_SAGA "}")},
     0},
    {"list --request-id r-1", {ANSWER("Find", find_response, "saga_id:'" SAGA "'"), NOBODY}, 0},
    {"list --request-id r-1",
     {ANSWER("Find", find_response, "saga_id:'" SAGA "'"), REFUSES("Get", 5, "SAGA_UNKNOWN", "it is gone")},
     0},
    {"list --request-id r-1", {REFUSES("Find", 5, "SAGA_UNKNOWN", "there is none")}, 0},
    {"list --request-id r-1 --state live", {NOBODY}, 0},
    {"list --request-id r-1 --limit 3",
     {ANSWER("Find", find_response, ""), ANSWER("Get", get_response, "saga{id:'x'}")},
     0},
    {"deadletters --definition refund --where 'true' --fleet --limit 2 --page p",
     {LETTERS("sagas{" THIRD_SAGA "} next_page_token:'q'")},
     0},
    {"deadletters --journal shop-b", {LETTERS("sagas{" SECOND_SAGA "} sagas{" THIRD_SAGA "}")}, 0},
    {"deadletters", {LETTERS("")}, 0},
    {"deadletters -o json", {LETTERS("sagas{id:'a'}" ABSENT)}, 0},
    {"deadletters --all -o json", {LETTERS("sagas{id:'a'} sagas{id:'b'} next_page_token:'t'"), LETTERS(ABSENT)}, 0},
    {"deadletters", {REFUSES("ListDeadLetters", 14, SAGA_REASON_UNREACHABLE, "Connection refused")}, 0},
    {"deadletters --summary -o json", {LETTERS(ALL_SAGAS)}, 0},
    {"deadletters --summary --where 'age > 3' --address unix:other.sock",
     {LETTERS("sagas{" SECOND_SAGA "} sagas{id:'x' stuck_step:'a'}")},
     0},
    {"deadletters --summary --fleet --definition refund --step pay --status deadline_exceeded",
     {LETTERS(ALL_SAGAS "next_page_token:'t'"), LETTERS("sagas{" SECOND_SAGA "}")},
     0},
    {"deadletters --summary --journal shop-b --status UNAVAILABLE", {LETTERS(ALL_SAGAS)}, 0},
    {"deadletters --summary",
     {LETTERS("sagas{id:'a' definition:'x' stuck_step:'s'} sagas{id:'b' definition:'x' stuck_step:'t'} sagas{id:'c' "
              "definition:'y' stuck_step:'s'} "
              "sagas{id:'d' definition:'x' stuck_step:'s' steps{name:'s' last_status:1}} sagas{id:'e' definition:'x' "
              "stuck_step:'s'}")},
     0},
    {"deadletters --summary -o json", {REFUSES("ListDeadLetters", 7, "DENIED", "it is denied")}, 0},
    {"deadletters --summary", {LETTERS("sagas{id:'a'} next_page_token:*65536")}, 0},
    {"deadletters", {LETTERS("sagas{id:'a'} next_page_token:*65536")}, 0},
    {"deadletters --summary", {LETTERS("")}, 0},
    {"deadletters --summary", {LETTERS("next_page_token:'t'"), LETTERS("next_page_token:'t'")}, 0},
    {"retry --all --status DEADLINE_EXCEEDED --step pay --definition refund", {LETTERS(ALL_SAGAS)}, 0},
    {"retry --all --fleet -o json", {LETTERS(ALL_SAGAS), REFUSES("Retry", 5, "SAGA_UNKNOWN", "it is gone")}, 0},
    {"retry --all", {LETTERS(ALL_SAGAS), REFUSES("Retry", 9, "NOT_STUCK", "it is not stuck")}, 0},
    {"retry --all", {LETTERS(ALL_SAGAS), REFUSES("Retry", 14, SAGA_REASON_UNREACHABLE, "Connection refused")}, 0},
    {"retry --all", {LETTERS("sagas{id:'a' stuck_step:'b'}" ABSENT)}, 0},
    {"retry --all", {REFUSES("ListDeadLetters", 7, "DENIED", "it is denied")}, 0},
    {"wait " SAGA " --past-stuck --timeout 5s", {WAIT("saga{state:COMMITTED output_json:'[1]'}")}, 0},
    {"wait " SAGA " --answered", {WAIT("saga{state:RUNNING answered:1 lacks{kind:STALE} lacks{kind:MISSING}}")}, 0},
    {"wait " SAGA " -o json", {WAIT("saga{state:RESOLVED}")}, 0},
    {"wait " SAGA, {WAIT("")}, 0},
    {"wait " SAGA, {REFUSES("Wait", 14, SAGA_REASON_UNREACHABLE, "No such file"), NOBODY}, 0},
    {"wait " SAGA,
     {REFUSES("Wait", 14, "STOPPING", "it stops"), REFUSES("Wait", 14, SAGA_REASON_UNREACHABLE, "gone"),
      WAIT("saga{state:COMMITTED}")},
     0},
    {"wait " SAGA, {REFUSES("Wait", 4, "", "too late"), NOBODY}, 0},
    {"wait " SAGA, {REFUSES("Wait", 5, "SAGA_UNKNOWN", "saga_id: there is none"), NOBODY}, 0},
    {"start checkout --request-id r-1", {ANSWER("Start", start_response, "saga_id:'" SAGA "' already_started:1")}, 0},
    {"start checkout --request-id r-1 -o json",
     {ANSWER("Start", start_response, "saga_id:'" SAGA "' already_started:1")},
     0},
    {"start checkout --version 1.2.0 --request-id r-1 --input-text abc --deadline 90500ms --priority low --wait "
     "--timeout 20s",
     {ANSWER("Start", start_response, "saga_id:'" SAGA "'"), WAIT("saga{id:'x' state:COMPENSATED}")},
     0},
    {"start checkout --request-id r-1 --input-hex '0a fF:09' --priority high --wait -o json --timeout 3s",
     {ANSWER("Start", start_response, "saga_id:'" SAGA "'"), REFUSES("Wait", 4, "", "too late")},
     0},
    {"start checkout --request-id r-1 --input-hex 'a g'", {NOBODY}, 0},
    {"start checkout --request-id r-1 --input-hex ab0", {NOBODY}, 0},
    {"start checkout --request-id r-1 --json ' {\"n\": 1}' --priority normal",
     {ANSWER("Start", start_response, "saga_id:'a'")},
     0},
    {"start checkout --request-id r-1 --json no/such/file", {NOBODY}, 0},
    {"start checkout --request-id r-1 --input no/such/file", {NOBODY}, 0},
    {"start checkout --request-id r-1 --input tests/unit", {NOBODY}, 0},
    {"start checkout --request-id r-1", {REFUSES("Start", 14, SAGA_REASON_LOST, "it broke")}, 0},
    {"start checkout --request-id r-1", {REFUSES("Start", 4, "", "it took long")}, 0},
    {"start checkout --request-id r-1", {REFUSES("Start", 5, "DEFINITION_UNKNOWN", "definition: there is none")}, 0},
    {"watch --from c0 --journal shop-b -o json",
     {WATCH("events{cursor:'c1' type:PAUSED} events{cursor:'c2' type:RESUMED}")},
     0},
    {"watch " SAGA " --from c7",
     {REFUSES("Watch", 14, "STOPPING", "it stops"), WATCH("events{cursor:'c8' type:PAUSED}")},
     0},
    {"watch " SAGA,
     {WATCH("events{cursor:'c1' type:PAUSED}"), REFUSES("Watch", 14, SAGA_REASON_UNREACHABLE, "gone"),
      REFUSES("Watch", 14, SAGA_REASON_UNREACHABLE, "gone")},
     0},
    {"watch " SAGA, {REFUSES("Watch", 14, SAGA_REASON_UNREACHABLE, "Connection refused")}, 0},
    {"watch " SAGA, {REFUSES("Watch", 5, "SAGA_UNKNOWN", "saga_id: there is none")}, 0},
};

static void put_varied(FILE *out, const struct screen_row *rows, size_t count)
{
    screens_begin();
    setenv("COLUMNS", "180", 1);
    for (size_t i = 0; i < count; i++)
        screens_vary(out, &rows[i]);
}

static void put_listed(FILE *out)
{
    put_varied(out, listed, sizeof listed / sizeof *listed);
}

static void put_followed(FILE *out)
{
    put_varied(out, followed, sizeof followed / sizeof *followed);
}

static void put_lines(FILE *out)
{
    static const char *const widths[] = {"80", "200"};
    screens_begin();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        screens_put(out, &lines[i]);
    for (size_t w = 0; w < 2; w++) {
        setenv("COLUMNS", widths[w], 1);
        fprintf(out, "\n---- columns: %s\n", widths[w]);
        for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
            screens_put(out, &listed[i]);
    }
}

START_TEST(screens__show_every_field_of_many_sagas)
{
    kept_text_compare("tests/fixtures/sagactl/listed.txt", put_listed);
    kept_text_compare("tests/fixtures/sagactl/followed.txt", put_followed);
    kept_text_compare("tests/fixtures/sagactl/lists.txt", put_lines);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sagactl_screens_lists", screens__show_every_field_of_many_sagas);
}
