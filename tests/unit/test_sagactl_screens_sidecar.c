/* What sagactl shows of a sidecar, its fleet and what is registered with it, for answers in which every field is set, and then has other values, one field
 * after another. It is kept in tests/fixtures/sagactl; `build/release/tests/unit/test_sagactl_screens_sidecar write` writes that anew, for its
 * difference to be read. */
#include "tests/support/kept_text.h"
#include "tests/support/screen_texts.h"
#include "tests/support/screens.h"

#include "grpc/health/v1/health.pb-c.h"

#define NOBODY \
    { \
        NULL, NULL, NULL, 0, NULL \
    }
#define HEALTH(text) \
    { \
        "Check", &grpc__health__v1__health_check_response__descriptor, text, 0, NULL \
    }
#define STATUS(text)   ANSWER("Status", status_response, text)
#define WHOLE          "loops{" LOOP "} " OTHER_LOOPS
#define BULKS(text)    ANSWER("ListBulks", list_bulks_response, text)
#define BEGUN(text)    ANSWER("StartBulk", start_bulk_response, text)
#define RULES(text)    ANSWER("ListRules", list_rules_response, text)
#define PROMISES(text) ANSWER("ListObjectives", list_objectives_response, text)
#define JOURNALS(text) ANSWER("ListJournals", list_journals_response, text)
#define AUDIT(text)    ANSWER("ListAudit", list_audit_response, text)
#define VERIFY(text)   ANSWER("Verify", verify_response, text)
#define EXPLAIN(text)  ANSWER("Explain", explain_response, text)
#define FAULTS(text)   ANSWER("ListFaults", list_faults_response, text)
#define KNOWN(text)    ANSWER("ListDefinitions", list_definitions_response, text)
#define SCHEMAS(text)  ANSWER("ListSchemas", list_schemas_response, text)

#define LETTERS \
    ANSWER("ListDeadLetters", list_dead_letters_response, \
           "sagas{" STUCK_SAGA "} sagas{id:'b' definition:'refund' stuck_step:'pay' steps{name:'pay' last_status:4}}")

#define WINDOWS(all) \
    "windows{window:300 all:" all " bad:1} windows{window:1800 all:" all "0 bad:2} windows{window:3600 all:" all \
    "0 bad:3} windows{all:" all "0 bad:4} windows{all:" all "00 bad:5} windows{all:" all "00 bad:6} windows{all:" all \
    "000 bad:7} windows{all:" all "0000 bad:80} "
#define LATENCY "objectives{definition:'checkout' kind:LATENCY promised:0.99 threshold:5 "
#define OBJECTIVES \
    LATENCY "window:2592000 all:1000 bad:9 " WINDOWS("1") "} " LATENCY "loop:1 " WINDOWS( \
        "2") "} " \
             "objectives{definition:'refund-2' kind:SUCCESS promised:0.9} " LATENCY \
             "journal:'shop-b' " WINDOWS("3") "} "

#define JOBS \
    "jobs{id:'j1' act:RETRY where:'true' definition:'checkout' actor:'anna@ops' reason:'mended' per_second:2.5 " \
    "state:DONE " \
    "started_at:-125 ended_at:-5 examined:40 acted:30 refused:10 error:'the journal was full' after:1 up_to:9 loop:0 " \
    "identity:'uid:7' journal:'shop-b'} " \
    "jobs{id:'j2' act:SKIP where:'age > 3' actor:'ben' state:RUNNING started_at:-60 per_second:10 examined:5} " \
    "jobs{id:'j1' act:RETRY state:DONE loop:1 ended_at:-3 per_second:2.5 examined:2 acted:2 journal:'shop-b'} " \
    "jobs{id:'j1' act:RETRY state:PAUSED loop:0 per_second:5 journal:'shop-c'} "

/* ---- every field in turn ---- */

static const struct screen_row sidecar[] = {
    {"status", {HEALTH("status:SERVING"), STATUS(WHOLE)}, 0},
    {"targets", {STATUS(WHOLE)}, 0},
    {"top --once",
     {STATUS(WHOLE),
      STATUS("loops{" LOOP "live:99 sagas_started:110 sagas_ended:95 sagas_turned_back:11 "
             "sagas_became_stuck:5 attempts:500 attempts_failed:55} " OTHER_LOOPS),
      LETTERS},
     2},
};
static const struct screen_row people[] = {
    {"slo", {PROMISES(OBJECTIVES)}, 0},
    {"bulk", {BULKS(JOBS "absent{journal:'shop-d' why:'no route'}")}, 0},
    {"rules",
     {RULES(
         "rules{name:'wake' when:'stuck > 3' act:RETRY definition:'checkout' target:'bank' dry_run:0 disarmed:0 held:0 "
         "pending:0 acts:7 acted_at:-60 true_since:-30 said:'three were retried' before_all:9 before_good:8 at_all:7 "
         "at_good:6 taken_back:1} rules{name:'close' act:TRIP target:'bank' when:'true' order:ACT} "
         "rules{name:'page' act:PAGE}")},
     0},
    {"fleet",
     {JOURNALS(
         "journals{name:'shop-a' carrier:'shop-a' address:'10.0.0.1:7240' epoch:3 commits:1000 live:12 lease:4.25 "
         "orphan:0 tries:1 wanted:0 form:2 program:'0.9.1'} journals{name:'shop-b' carrier:'shop-a' tries:3} "
         "journals{name:'shop-c' orphan:1 tries:3}")},
     0},
    {"audit",
     {AUDIT("entries{time:-60 method:'Skip' saga_id:'" SAGA "' step:'pay' subject:'checkout' identity:'uid:7' "
            "address:'unix:' actor:'anna@ops' reason:'by hand' act:'skip'} entries{time:-30.5 method:'Reload'} "
            "entries{time:-90 method:'Pause' identity:'gid:1'}")},
     0},
    {"verify h1 h2",
     {VERIFY("journals{loop:0 first_frame:10 last_frame:30 frames_chained:20 first_row:1 last_row:4 rows_chained:4 "
             "head:'abc'} journals{loop:1 finding:'frame 7 was changed' head:'d'}")},
     0},
    {"authz explain",
     {EXPLAIN("identity:'uid:7' has_rules:1 verdicts{method:'Retry' payloads:1 extent:SOME rules:1 rules:3} "
              "verdicts{method:'Skip' extent:DENIED}")},
     0},
    {"drill",
     {FAULTS(
         "faults{kind:DELAY target:'bank' definition:'checkout' tag:'tenant' tag_value:'acme' calls:ACTIONS status:14 "
         "percent:12.5 delay:0.25 lasts:60 until:45} faults{kind:ABORT status:14 percent:100}")},
     0},
    {"reload", {ANSWER("Reload", reload_response, "taken:'targets' taken:'log.level' needs_restart:'loops'")}, 0},
    {"definitions",
     {KNOWN(
         "definitions{name:'checkout' version:'1.2.0' source:'name: checkout' registered_at:-90000 steps:'reserve' "
         "steps:'charge' schema:'shop' schema_hash:'abc' input:'Order'} definitions{name:'refund' version:'2.0.0'}")},
     0},
    {"definitions checkout 1.2.0",
     {ANSWER("GetDefinition", definition,
             "name:'checkout' version:'1.2.0' source:'name: checkout\nsteps:\n' "
             "registered_at:-90000 steps:'reserve'")},
     0},
    {"schema list",
     {SCHEMAS("schemas{name:'shop' hash:'0123456789abcdef' registered_at:-90000 descriptors:'abc' services:'Bank' "
              "services:'Stock' message_count:12} schemas{name:'post'}")},
     0},
    {"deadletters retry --where true --name j7",
     {BEGUN("already_started:1 absent{journal:'shop-d' why:'no route'} journals:3")},
     0},
    {"bulk j1 cancel",
     {ANSWER("ChangeBulk", change_bulk_response, "absent{journal:'shop-d' why:'gone'} journals:2"), BULKS(JOBS)},
     0},
};

/* ---- other words on the line, and other answers ---- */

static const struct screen_row lines[] = {
    {"status -o json", {HEALTH("status:2"), STATUS("loops{live:9 compensating:1 stuck:2 paused:3} loops{live:1}")}, 0},
    {"status", {HEALTH("status:0"), STATUS("")}, 0},
    {"status",
     {HEALTH("status:3"),
      STATUS(
          "loops{journal_stalled:1 volume_free_bytes:999 journal_bytes:1000 certificate_expires:-5 targets{name:'a'} "
          "definition_limits{definition:'b' starts_per_second:2} "
          "definition_limits{definition:'c' live:2 live_max:2}}")},
     0},
    {"status",
     {HEALTH("status:4"),
      STATUS("loops{journal_bytes:1023000 volume_free_bytes:1100000000000000 stuck:1 live:2 synthetics_live:2} "
             "loops{journal:'x' volume_free_bytes:5}")},
     0},
    {"status", {REFUSES("Check", 5, "", "unknown service"), NOBODY}, 0},
    {"status", {HEALTH("status:1"), REFUSES("Status", 7, "DENIED", "it is denied")}, 0},
    {"targets stock", {STATUS(WHOLE)}, 0},
    {"targets nobody", {STATUS(WHOLE)}, 0},
    {"targets -o json", {STATUS("loops{loop:3}")}, 0},
    {"targets", {STATUS("")}, 0},
    {"targets",
     {STATUS(
         "loops{targets{name:'a' breaker{state:HALF_OPEN opened_at:-5 calls:4 failed:1 slow:2}} targets{name:'b' "
         "recent{count:1} "
         "breaker{state:OPEN held:1 opened_at:-9}} targets{name:'c' waiting:1 breaker{state:OPEN openings:1}}} "
         "loops{targets{name:'a' breaker{state:OPEN openings:2 open_until:3}} targets{name:'b' breaker{state:CLOSED}} "
         "targets{name:'c' waiting:3 waiting_undos:1 last_failure:-9 last_failure_message:'x'}}")},
     0},
    {"top --once -o json", {STATUS("loops{sagas_started:1}"), STATUS("loops{sagas_started:5 attempts:2 stuck:1}")}, 0},
    {"top --once", {STATUS("loops{}"), STATUS("loops{stuck:1 live:1}"), LETTERS}, 0},
    {"top --once",
     {STATUS("loops{}"),
      STATUS(
          "loops{targets{name:'a'} targets{name:'b'} targets{name:'c'} targets{name:'d'} targets{name:'e'} "
          "targets{name:'f'} targets{name:'g'} targets{name:'h'} targets{name:'i'} targets{name:'j'} targets{name:'k'} "
          "targets{name:'l'} targets{name:'m'} targets{name:'n'}}")},
     0},
    {"top --once",
     {STATUS("loops{}"),
      STATUS("loops{failing_steps{count:1 step:'a'} failing_steps{count:2 step:'b'} failing_steps{count:3 step:'c'} "
             "failing_steps{count:4 step:'d'} failing_steps{count:5 step:'e'} failing_steps{count:6 step:'f'} "
             "failing_steps{count:7 step:'g'} "
             "failing_steps{count:8 step:'h'} failing_steps{count:8 step:'i'} failing_steps{count:9 step:'j'}} "
             "loops{failing_steps{step:'k'} "
             "failing_steps{count:19 step:'l'} failing_steps{count:1 step:'m'}}")},
     0},
    {"top --timeout 4s",
     {STATUS("loops{sagas_started:1}"), STATUS("loops{sagas_started:7}"), STATUS("loops{sagas_started:9}")},
     0},
    {"top --timeout 3s", {STATUS("loops{sagas_started:1}"), STATUS("loops{sagas_started:7}")}, 0},
    {"top --timeout 4s -o json", {STATUS("loops{}"), REFUSES("Status", 14, SAGA_REASON_UNREACHABLE, "gone")}, 0},
    {"top --once", {REFUSES("Status", 14, SAGA_REASON_UNREACHABLE, "Connection refused"), NOBODY}, 0},
    {"slo -o json", {PROMISES("objectives{kind:FRESHNESS}")}, 0},
    {"slo", {PROMISES("")}, 0},
    {"slo rules",
     {PROMISES("objectives{definition:'check-out' kind:SYNTHETIC_SUCCESS promised:0.999} "
               "objectives{definition:'check-out' kind:SYNTHETIC_SUCCESS promised:0.999 loop:1} "
               "objectives{definition:'a' journal:'b'} ")},
     0},
    {"slo rules", {PROMISES("objectives{definition:'azAZ09-_.@[`{/:' promised:0.5}")}, 0},
    {"slo rule", {NOBODY}, 0},
    {"slo",
     {PROMISES(
         "objectives{definition:'a' kind:SUCCESS promised:1 windows{all:9 bad:9}} objectives{definition:'b' "
         "kind:SUCCESS promised:0.9 "
         "windows{all:10 bad:1} windows{} windows{all:100 bad:60} windows{} windows{all:10 bad:6} windows{} "
         "windows{all:10 bad:1} "
         "windows{all:100 bad:10}} objectives{definition:'c' kind:99 promised:0.9 windows{all:1} windows{} windows{} "
         "windows{} windows{} "
         "windows{} windows{} windows{all:1000 bad:76} windows{all:7 bad:7}}")},
     0},
    {"bulk -o json --fleet", {BULKS("jobs{id:'j1' state:FAILED act:RESOLVE}")}, 0},
    {"bulk j1 --journal 'shop b'", {BULKS("")}, 0},
    {"bulk", {BULKS("")}, 0},
    {"bulk j1 pause", {BULKS("jobs{id:'j1' state:PAUSED}")}, 0},
    {"bulk j1 resume --fleet", {BULKS("jobs{id:'j1' state:RUNNING act:99}")}, 0},
    {"bulk j1 stop", {NOBODY}, 0},
    {"bulk j1 cancel", {REFUSES("ChangeBulk", 9, "BULK_ENDED", "it has ended"), NOBODY}, 0},
    {"bulk j1 --wait",
     {BULKS("jobs{id:'j1' state:RUNNING}"),
      BULKS("jobs{id:'j1' state:DONE acted:3 started_at:-9 ended_at:1} jobs{id:'j2'}")},
     0},
    {"bulk j1 --wait",
     {BULKS("jobs{id:'j1' state:RUNNING started_at:-9}"), BULKS("jobs{id:'j1' state:CANCELLED started_at:-9}")},
     0},
    {"bulk j1 --wait -o json",
     {BULKS("jobs{id:'j1' state:FAILED error:'full'} jobs{id:'j1' state:RUNNING}"), NOBODY},
     0},
    {"bulk j1 --wait --timeout 2s --journal 'shop b'",
     {BULKS("jobs{id:'j1' state:RUNNING}"), BULKS("jobs{id:'j1' state:PAUSED}")},
     0},
    {"bulk j1 --wait", {BULKS("jobs{id:'j2' state:RUNNING}")}, 0},
    {"bulk j1", {BULKS("jobs{id:'j1' state:DONE per_second:1} jobs{id:'j1' state:CANCELLED loop:1 per_second:4}")}, 0},
    {"deadletters skip --where 'age > 3' --definition checkout --reason 'by hand' --rate 30/m --fleet --name j3 --wait",
     {BEGUN(""), BULKS("jobs{id:'j3' state:CANCELLED}")},
     0},
    {"deadletters resolve --where true --reason because --journal 'shop b' --name j4", {BEGUN("")}, 0},
    {"deadletters resolve --where true --reason because --name j4 -o json", {BEGUN("")}, 0},
    {"deadletters retry --where true", {BEGUN("")}, 0},
    {"deadletters retry --where true --dry-run", {LETTERS}, 0},
    {"deadletters retry --where true", {REFUSES("StartBulk", 3, "WHERE", "where: it is wrong"), NOBODY}, 0},
    {"rules -o json", {RULES("rules{name:'a'}")}, 0},
    {"rules", {RULES("")}, 0},
    {"fleet -o json", {JOURNALS("journals{name:'a'} next:'b'"), JOURNALS("journals{name:'c'}")}, 0},
    {"fleet", {JOURNALS("journals{name:'a'} next:'b'"), JOURNALS("next:'b'")}, 0},
    {"fleet", {JOURNALS("journals{name:'a' carrier:'b'} journals{name:'a-journal-of-a-longer-name'}")}, 0},
    {"fleet give shop-b --actor ben", {NOBODY}, 0},
    {"fleet give shop-b -o json", {NOBODY}, 0},
    {"fleet give", {NOBODY}, 0},
    {"fleet take shop-b", {NOBODY}, 0},
    {"audit --limit 2 --before 2026-05-04T10:20:30.5Z",
     {AUDIT("entries{time:-1 method:'a'} entries{time:-3 method:'b'} entries{time:-2 method:'c'} entries{time:-2 "
            "method:'d'}")},
     0},
    {"audit --limit 1 -o json", {AUDIT("entries{time:-2 method:'a'} entries{time:-1 method:'b'}")}, 0},
    {"audit", {AUDIT("")}, 0},
    {"verify", {VERIFY("journals{loop:2 first_frame:1 last_frame:1}")}, 0},
    {"verify -o json", {VERIFY("journals{loop:2 finding:'x'}")}, 0},
    {"verify -o json", {VERIFY("")}, 0},
    {"authz explain --as uid:9 --method Retry --definition checkout",
     {EXPLAIN("verdicts{method:'Retry' extent:OWN}")},
     0},
    {"authz explain --method Retry",
     {EXPLAIN("verdicts{method:'Retry' extent:DENIED} verdicts{payloads:1 extent:ALLOWED}")},
     0},
    {"authz explain -o json --method Retry", {EXPLAIN("verdicts{extent:TAGS}")}, 0},
    {"authz tell", {NOBODY}, 0},
    {"drill -o json", {FAULTS("faults{kind:99 until:-5}")}, 0},
    {"drill", {FAULTS("")}, 0},
    {"reload --actor ben -o json", {ANSWER("Reload", reload_response, "taken:'a'")}, 0},
    {"reload", {ANSWER("Reload", reload_response, "")}, 0},
    {"definitions -o json", {KNOWN("definitions{name:'a'} next_page_token:'t'"), KNOWN("definitions{name:'b'}")}, 0},
    {"definitions",
     {KNOWN("definitions{name:'a' steps:'" LONG "' steps:'" LONG "' steps:'" LONG "' steps:'" LONG "' steps:'" LONG
            "' steps:'" LONG "'}")},
     0},
    {"definitions", {KNOWN("")}, 0},
    {"definitions checkout -o json", {ANSWER("GetDefinition", definition, "name:'checkout' source:'a: 1'")}, 0},
    {"definitions checkout",
     {ANSWER("GetDefinition", definition, "source:'\xc2z \x85 \xc2\x9f \xc3\x9f \x01\n \r'")},
     0},
    {"definitions checkout", {REFUSES("GetDefinition", 5, "DEFINITION_UNKNOWN", "name: there is none")}, 0},
    {"definitions checkout", {ANSWER("GetDefinition", definition, "source:'a\r\nb\rc\td\x7f\xc2\x85\xc2\xa0\x01'")}, 0},
    {"schema list -o json", {SCHEMAS("schemas{name:'a'} next_page_token:'t'"), SCHEMAS("schemas{name:'b'}")}, 0},
    {"schema list", {SCHEMAS("")}, 0},
};

static void put_varied(FILE *out, const struct screen_row *rows, size_t count)
{
    screens_begin();
    setenv("COLUMNS", "120", 1);
    for (size_t i = 0; i < count; i++)
        screens_vary(out, &rows[i]);
}

static void put_sidecar(FILE *out)
{
    put_varied(out, sidecar, sizeof sidecar / sizeof *sidecar);
}

static void put_people(FILE *out)
{
    put_varied(out, people, sizeof people / sizeof *people);
}

static void put_lines(FILE *out)
{
    screens_begin();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        screens_put(out, &lines[i]);
    setenv("COLUMNS", "80", 1);
    fprintf(out, "\n---- columns: 80\n");
    for (size_t i = 0; i < sizeof sidecar / sizeof *sidecar; i++)
        screens_put(out, &sidecar[i]);
    for (size_t i = 0; i < sizeof people / sizeof *people; i++)
        screens_put(out, &people[i]);
}

START_TEST(screens__show_every_field_of_a_sidecar)
{
    kept_text_compare("tests/fixtures/sagactl/status.txt", put_sidecar);
    kept_text_compare("tests/fixtures/sagactl/tables.txt", put_people);
    kept_text_compare("tests/fixtures/sagactl/sidecar.txt", put_lines);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sagactl_screens_sidecar", screens__show_every_field_of_a_sidecar);
}
