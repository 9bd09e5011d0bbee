/* command.c - the tables of commands and options. */
#include "client-lib/sagactl/command.h"

#include "sidecar/base/nearest.h"

#include <string.h>

static const char *const outputs[] = {"text", "json", "sarif", "mermaid", "dot", "svg", NULL};
static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const authz_actions[] = {"explain", NULL};
static const char *const priorities[] = {"low", "normal", "high", NULL}; /* as in saga.v1.Priority, from 1 */
static const char *const schema_actions[] = {"register", "reflect", "list", "show", NULL};
static const char *const contract_actions[] = {"check", "export", NULL};
static const char *const rule_words[] = {"arm", "undo", NULL};
static const char *const breaker_acts[] = {"trip", "hold", "reset", NULL};
static const char *const letter_acts[] = {"retry", "skip", "resolve", NULL};
static const char *const fleet_acts[] = {"give", NULL};
static const char *const slo_words[] = {"rules", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};
static const char *const states[] = {"running",  "committed", "compensating", "compensated", "stuck",
                                     "resolved", "live",      "ended",        "paused",      NULL};

const struct option_row option_rows[OPTION_COUNT] = {
    [OPTION_ADDRESS] = {"address", 'a', "ADDRESS", NULL, COMPLETE_NOTHING,
                        "Where the sidecar listens: unix:PATH or HOST:PORT. Without it $SAGAD_ADDRESS, else "
                        "unix:./sagad-data/sagad.sock when that exists, else 127.0.0.1:7240."},
    [OPTION_OUTPUT] = {"output", 'o', "FORMAT", outputs, COMPLETE_VALUES,
                       "text (the default) for people, json for programs. Errors then are JSON too, on standard error. "
                       "sarif, of lint, rehearse and contract check, is for "
                       "those who show findings beside the code; mermaid, dot and svg are forms of graph."},
    [OPTION_TIMEOUT] = {"timeout", 't', "TIME", NULL, COMPLETE_NOTHING,
                        "How long to wait for an answer, as in 500ms, 30s or 5m: 10s unless said. For wait, watch and "
                        "start --wait how long to wait in all: without an end unless said."},
    [OPTION_COLOR] = {"color", '\0', "WHEN", colors, COMPLETE_VALUES,
                      "auto (the default) colours on a terminal unless $NO_COLOR is set; always or never decide it."},
    [OPTION_UTC] = {"utc", '\0', NULL, NULL, COMPLETE_NOTHING,
                    "Show times in UTC rather than in local time, and read those without a zone so."},
    [OPTION_TLS_CERTIFICATE] = {"tls-certificate", '\0', "FILE", NULL, COMPLETE_FILE,
                                "By which you prove who you are, PEM. Without it $SAGAD_TLS_CERTIFICATE, else none."},
    [OPTION_TLS_KEY] = {"tls-key", '\0', "FILE", NULL, COMPLETE_FILE,
                        "The key of that certificate. Without it $SAGAD_TLS_KEY."},
    [OPTION_TLS_ROOTS] = {"tls-roots", '\0', "FILE", NULL, COMPLETE_FILE,
                          "Who may name the sidecar, PEM. Without it $SAGAD_TLS_ROOTS, else whom the system trusts."},
    [OPTION_TLS_IDENTITY] =
        {"tls-identity", '\0', "NAME", NULL, COMPLETE_NOTHING,
         "Who must be at the other end: a SPIFFE id, the beginning of many (spiffe://...*), or a name. "
         "Without it $SAGAD_TLS_IDENTITY, else the host of the address."},
    [OPTION_HELP] = {"help", 'h', NULL, NULL, COMPLETE_NOTHING, "Say how the command is used, and exit."},
    [OPTION_SHOW_VERSION] = {"version", 'V', NULL, NULL, COMPLETE_NOTHING, "Print the version, and exit."},
    [OPTION_DRY_RUN] = {"dry-run", 'n', NULL, NULL, COMPLETE_NOTHING,
                        "Do nothing: register checks the file here, and then lets the sidecar check it if one answers; "
                        "deadletters shows "
                        "what would be acted on."},
    [OPTION_VERSION] = {"version", 'v', "VERSION", NULL, COMPLETE_NOTHING,
                        "The version of the definition. Without it the highest one that is no pre-release."},
    [OPTION_INPUT] = {"input", 'i', "FILE", NULL, COMPLETE_FILE,
                      "Read the saga's input from FILE, or from standard input for -."},
    [OPTION_INPUT_TEXT] = {"input-text", '\0', "TEXT", NULL, COMPLETE_NOTHING, "The saga's input is TEXT."},
    [OPTION_INPUT_HEX] = {"input-hex", '\0', "DIGITS", NULL, COMPLETE_NOTHING,
                          "The saga's input in hexadecimal digits; white space and ':' between bytes do not count."},
    [OPTION_JSON] =
        {"json", 'j', "JSON", NULL, COMPLETE_FILE,
         "The saga's input as JSON, for a definition that says its type: the JSON itself, a file of it, or - for "
         "standard input. sagactl input prints one to fill in."},
    [OPTION_NAME] = {"name", '\0', "NAME", NULL, COMPLETE_NOTHING,
                     "The schema's name; without it that of the file, without its end. Or the bulk job's."},
    [OPTION_REQUEST_ID] = {"request-id", 'r', "ID", NULL, COMPLETE_NOTHING,
                           "Your own key of a start, at most 128 bytes: repeated, it answers with the same saga "
                           "rather than starting another; get finds the saga by it."},
    [OPTION_DEADLINE] = {"deadline", 'd', "TIME", NULL, COMPLETE_NOTHING,
                         "How long the saga may take before it is undone, in place of what the definition says."},
    [OPTION_PRIORITY] = {"priority", '\0', "PRIORITY", priorities, COMPLETE_VALUES,
                         "Of the saga's calls, where many wait for a target: low, normal or high, in place of what the "
                         "definition says."},
    [OPTION_WAIT] = {"wait", 'w', NULL, NULL, COMPLETE_NOTHING, "Then wait for its end, as wait does."},
    [OPTION_PAYLOADS] =
        {"payloads", 'p', NULL, NULL, COMPLETE_NOTHING,
         "Show the saga's input and its steps' outputs too. They may hold what is not for everybody's eyes."},
    [OPTION_STATE] = {"state", 's', "STATE", states, COMPLETE_VALUES,
                      "Only sagas in this state; several with commas between, or the option repeated. live is running, "
                      "compensating and stuck; ended is committed, compensated and resolved; paused is those of the "
                      "others that are paused."},
    [OPTION_DEFINITION] = {"definition", 'd', "NAME", NULL, COMPLETE_DEFINITION, "Only sagas of this definition."},
    [OPTION_TAG] = {"tag", '\0', "NAME=VALUE", NULL, COMPLETE_NOTHING, "Only sagas with this tag."},
    [OPTION_SINCE] =
        {"since", '\0', "TIME", NULL, COMPLETE_NOTHING,
         "Only sagas started at that time or later: 2026-05-04, 2026-05-04T10:20, 2026-05-04T10:20:30Z, or "
         "a length of time ago, as in 2h or 1d."},
    [OPTION_BEFORE] = {"before", '\0', "TIME", NULL, COMPLETE_NOTHING, "Only sagas started before that time."},
    [OPTION_LIMIT] = {"limit", 'l', "COUNT", NULL, COMPLETE_NOTHING,
                      "At most so many on a page, 1 to 1000: 50 unless said."},
    [OPTION_PAGE] =
        {"page", '\0', "TOKEN", NULL, COMPLETE_NOTHING,
         "The next page, by the token that the page before ended with. The other options must stay the same."},
    [OPTION_ALL] = {"all", 'A', NULL, NULL, COMPLETE_NOTHING, "All pages. As JSON, then, one document a line."},
    [OPTION_FROM] = {"from", '\0', "CURSOR", NULL, COMPLETE_NOTHING,
                     "Go on after the event with this cursor, as -o json shows it."},
    [OPTION_PAST_STUCK] = {"past-stuck", '\0', NULL, NULL, COMPLETE_NOTHING,
                           "Go on waiting when the saga is stuck, until an operator has helped it to its end."},
    [OPTION_ANSWERED] =
        {"answered", '\0', NULL, NULL, COMPLETE_NOTHING,
         "Wait no longer than until nothing but deferred steps is left: the saga's output is final then."},
    [OPTION_KILL] =
        {"kill", '\0', "COMMAND", NULL, COMPLETE_NOTHING,
         "What a step kill of a drill does: a shell command that ends the sidecar with SIGKILL and starts it again."},
    [OPTION_REASON] = {"reason", 'm', "TEXT", NULL, COMPLETE_NOTHING, "Why, in a sentence that stays in the timeline."},
    [OPTION_ACTOR] = {"actor", '\0', "NAME", NULL, COMPLETE_NOTHING,
                      "Who does this, for the timeline: your login name and host unless said."},
    [OPTION_SUMMARY] =
        {"summary", '\0', NULL, NULL, COMPLETE_NOTHING,
         "Rather than each: how many there are of each definition, step and status, and how to try those again."},
    [OPTION_STEP] = {"step", '\0', "STEP", NULL, COMPLETE_NOTHING, "Only dead letters that are stuck at this step."},
    [OPTION_STATUS] = {"status", '\0', "STATUS", NULL, COMPLETE_NOTHING,
                       "Only dead letters whose last attempt ended with this gRPC status, as in UNAVAILABLE."},
    [OPTION_SCHEMA] =
        {"schema", '\0', "FILE", NULL, COMPLETE_FILE,
         "A set of descriptors as protoc and buf make them, or a folder of *.binpb: each is a schema by its file's "
         "name."},
    [OPTION_POLICY] = {"policy", '\0', "FILE", NULL, COMPLETE_FILE,
                       "A policy: rules of your own that definitions must keep, with waivers."},
    [OPTION_CONFIG] = {"config", '\0', "FILE", NULL, COMPLETE_FILE,
                       "The sidecar's configuration, sagad.yaml: its targets with their timeouts, its bounds and its "
                       "default retries are then those that count."},
    [OPTION_ONCE] = {"once", '\0', NULL, NULL, COMPLETE_NOTHING, "Show it once, after a second."},
    [OPTION_CONTRACT] = {"contract", '\0', "FILE", NULL, COMPLETE_FILE,
                         "A contract that contract export wrote: then no sidecar is asked."},
    [OPTION_TARGET] = {"target", '\0', "NAME", NULL, COMPLETE_NOTHING,
                       "Only what is called of this target, a participant as definitions name it."},
    [OPTION_WHERE] =
        {"where", '\0', "QUESTION", NULL, COMPLETE_NOTHING,
         "Only sagas of which this expression is true, as in \"state == STUCK && step == 'charge' && age > "
         "duration('1h') && tags.tenant == 'acme'\"."},
    [OPTION_REFLECT] =
        {"reflect", '\0', NULL, NULL, COMPLETE_NOTHING,
         "First register, as the definition's schema, what its targets tell of their messages: the sidecar asks "
         "them, by gRPC's reflection."},
    [OPTION_RATE] = {"rate", '\0', "RATE", NULL, COMPLETE_NOTHING,
                     "At most so many, as in 10/s (which it is unless said) or 30/m."},
    [OPTION_SEEDS] = {"seeds", '\0', "COUNT", NULL, COMPLETE_NOTHING,
                      "Rather than every outcome in small scope so many runs, in each of which any call may end in any "
                      "way, by chance: for "
                      "definitions with many steps."},
    [OPTION_AS] =
        {"as", '\0', "WHO", NULL, COMPLETE_NOTHING,
         "Whom it is about, as rules name callers: uid:N, gid:N, plaintext, unix, tls, spiffe://... or dns:NAME. "
         "Without it yourself."},
    [OPTION_METHOD] = {"method", '\0', "METHOD", NULL, COMPLETE_NOTHING,
                       "Of one method, as in Retry; the exit status is 1 when it is denied."},
    [OPTION_FLEET] = {"fleet", '\0', NULL, NULL, COMPLETE_NOTHING,
                      "Of every journal of the sidecar's fleet; the exit status is 6 when one of them is missing."},
    [OPTION_JOURNAL] = {"journal", '\0', "NAME", NULL, COMPLETE_NOTHING,
                        "Of this journal of the fleet alone, wherever it is (fleet tells their names)."},
    [OPTION_EXPLAIN] = {"explain", '\0', "RULE", NULL, COMPLETE_NOTHING,
                        "Say what a rule means, with an example; all lists them."},
};

#define BIT(name) OPTION_BIT(OPTION_##name)
#define ACT       (BIT(ACTOR))
#define WHOSE     (BIT(FLEET) | BIT(JOURNAL))

const struct command_row command_rows[] = {
    {"start", "DEFINITION", 1, 1, NULL, COMPLETE_DEFINITION,
     BIT(VERSION) | BIT(JSON) | BIT(INPUT) | BIT(INPUT_TEXT) | BIT(INPUT_HEX) | BIT(REQUEST_ID) | BIT(DEADLINE) |
         BIT(PRIORITY) | BIT(WAIT),
     "start a saga of a definition and print its id",
     "Once the id is printed the saga is durable and will end. Without an input option the input is empty.",
     command_start},
    {"input", "DEFINITION", 1, 1, NULL, COMPLETE_DEFINITION, BIT(VERSION),
     "print an input of a definition to fill in, as JSON",
     "With every field of the input's type. Fill it in and hand it to start --json; fields may be left out.",
     command_input},
    {"get", "[SAGA-ID]", 0, 1, NULL, COMPLETE_SAGA, BIT(PAYLOADS) | BIT(REQUEST_ID),
     "show one saga: where it is, its timeline, its steps",
     "The timeline has what was done on the left and what was undone on the right, with times since the saga's start. "
     "Of a "
     "saga that is stuck or paused it tells what to do. With --request-id and no SAGA-ID that which was started so.",
     command_get},
    {"why", "SAGA-ID", 1, 1, NULL, COMPLETE_SAGA, 0, "say why a saga is where it is, and what you can do about it",
     "What it waits for and since when, what was tried, what the participant said, how the target is to all sagas, and "
     "what each thing that you can do would do.",
     command_why},
    {"list", "", 0, 0, NULL, COMPLETE_NOTHING,
     BIT(WHERE) | BIT(STATE) | BIT(DEFINITION) | BIT(TAG) | BIT(REQUEST_ID) | BIT(SINCE) | BIT(BEFORE) | BIT(LIMIT) |
         BIT(PAGE) | BIT(ALL) | WHOSE,
     "list sagas, the newest first",
     "A page at a time; the last line tells how to get the next one. With --request-id, alone, the one that was "
     "started so. A saga of which an "
     "operator skipped a step says so, committed too.",
     command_list},
    {"watch", "[SAGA-ID]", 0, 1, NULL, COMPLETE_SAGA, BIT(FROM) | BIT(JOURNAL),
     "follow the events of one saga, or of all, as they happen",
     "Of one saga from its start to its end; of all from now on. A connection that is lost is taken up again where it "
     "broke off.",
     command_watch},
    {"wait", "SAGA-ID", 1, 1, NULL, COMPLETE_SAGA, BIT(PAST_STUCK) | BIT(ANSWERED), "wait for the end of a saga",
     "The exit status tells how it ended: 0 committed, 10 compensated, 11 resolved by an operator, 12 stuck. A sidecar "
     "that restarts meanwhile is waited for.",
     command_wait},
    {"cancel", "SAGA-ID", 1, 1, NULL, COMPLETE_SAGA, BIT(REASON) | ACT,
     "turn a running saga back: what was done is undone",
     "Refused once the saga's pivot has been started, or when it has ended.", command_cancel},
    {"pause", "SAGA-ID", 1, 1, NULL, COMPLETE_SAGA, BIT(REASON) | ACT, "hold a saga: no further call leaves for it",
     "Answers to calls in flight are still recorded, and its deadline goes on.", command_pause},
    {"resume", "SAGA-ID", 1, 1, NULL, COMPLETE_SAGA, ACT, "let a paused saga go on", "", command_resume},
    {"reload", "", 0, 0, NULL, COMPLETE_NOTHING, ACT, "have the sidecar read its configuration again",
     "Targets, definitions, schemas and the log's level are taken at once; options that need a restart are named. A "
     "file "
     "that is wrong changes nothing.",
     command_reload},
    {"audit", "", 0, 0, NULL, COMPLETE_NOTHING, BIT(LIMIT) | BIT(BEFORE), "show what people did, and who they were",
     "What an operator did to a saga, what was registered, reloads; the newest first. The identity is what the "
     "connection "
     "proved, beside what was claimed.",
     command_audit},
    {"verify", "[HEAD...]", 0, 64, NULL, COMPLETE_NOTHING, 0, "look whether anybody has changed the journal",
     "Walks along the chains that audit_key_file makes: a frame that was changed, or cut out of the middle, is found. "
     "A HEAD "
     "that was written down outside (this command and the log tell it) must be in its chain. Exits with 1 when "
     "anything "
     "was changed.",
     command_verify},
    {"authz", "ACTION", 1, 1, authz_actions, COMPLETE_NOTHING, BIT(AS) | BIT(METHOD) | BIT(DEFINITION),
     "say what you, or another, may do by the rules that are in force",
     "explain tells of each method whether it is allowed, of what, and by which rules. About others whoever may read "
     "the audit trail may ask.",
     command_authz},
    {"targets", "[TARGET]", 0, 1, NULL, COMPLETE_NOTHING, 0, "say how each target is, or this one",
     "Whether it can be reached, its breaker, the calls that are out and those that wait, and how attempts of the last "
     "five minutes ended.",
     command_targets},
    {"breaker", "ACT TARGET", 2, 2, breaker_acts, COMPLETE_VALUES, ACT | BIT(REASON),
     "open a target's breaker, hold it open, or close it",
     "ACT is trip (open it now, for its usual time), hold (open it until it is reset) or reset (close it). While it is "
     "open no call of the target "
     "leaves, and what needs it waits. Every loop of the sidecar does the same.",
     command_breaker},
    {"hold", "DEFINITION", 1, 1, NULL, COMPLETE_DEFINITION, ACT | BIT(REASON),
     "refuse new sagas of a definition for now",
     "Of all its versions, or of a name given to Begin. What has begun goes on, and so do heartbeats. It stays so over "
     "a restart.",
     command_hold},
    {"release", "DEFINITION", 1, 1, NULL, COMPLETE_DEFINITION, ACT | BIT(REASON), "let a definition go that is held",
     "Sagas of it are started again.", command_release},
    {"forget", "NAME KEY", 2, 2, NULL, COMPLETE_NOTHING, ACT | BIT(REASON),
     "have the last good answer under a key forgotten",
     "NAME is DEFINITION/STEP, or the name that last_good gives; KEY is what its key is for a person, a tenant, a "
     "currency. No fallback takes it any more; what sagas have answered or taken stays in their records until "
     "retention drops these. The key is told neither in the audit trail nor in the log.",
     command_forget},
    {"rules", "[ACT RULE]", 0, 2, rule_words, COMPLETE_VALUES, ACT | BIT(REASON),
     "show what the sidecar does by itself; arm a rule, or take back what it did",
     "Without arguments each rule of remediation: what it does, when, how it is and what it did last. ACT is arm (a "
     "rule that has stopped itself, or "
     "was disarmed, goes on) or undo (a definition is released, a breaker closed, a bulk job cancelled; the rule is "
     "disarmed).",
     command_rules},
    {"drill", "[FILE]", 0, 1, NULL, COMPLETE_FILE, ACT | BIT(KILL),
     "run a drill: faults on purpose, and what must hold all the same",
     "FILE says which faults are injected, which sagas are started, what is waited for, and what must hold of these "
     "sagas in the end. "
     "Each step is told as it is done; the first that does not hold ends the drill, and its faults end with it. "
     "Without FILE the faults that are "
     "injected now. The sidecar must allow it (fault_injection: true).",
     command_drill},
    {"status", "", 0, 0, NULL, COMPLETE_NOTHING, 0, "say how the sidecar is and what it has in hand",
     "Whether it serves, and how many sagas are running, going back, stuck and paused.", command_status},
    {"fleet", "[give JOURNAL]", 0, 2, fleet_acts, COMPLETE_VALUES, ACT,
     "show the journals of the fleet and which sidecar has each",
     "An orphan is one that nobody has although sagas live in it. FORM is what a sagad must be able to read to take "
     "it, "
     "SAGAD the version of the one that has it, older that of one that does not tell. With give whoever has it beside "
     "its own gives it up, "
     "for its own sidecar or another, "
     "and one that has ended three of those who took it may be taken again.",
     command_fleet},
    {"slo", "[rules]", 0, 1, slo_words, COMPLETE_VALUES, 0, "show what is promised of definitions, and how it is kept",
     "How much of what may go wrong in the window is left, and how fast it is used up: 1 is just as fast as it may be. "
     "With "
     "rules it prints recording rules and alerts for Prometheus.",
     command_slo},
    {"top", "", 0, 0, NULL, COMPLETE_NOTHING, BIT(ONCE), "show what goes on, again and again",
     "Rates, how calls of each target end, the steps that fail, the dead letters; anew every two seconds, until it is "
     "interrupted or --timeout is over. Shares and lengths are those of the last five minutes.",
     command_top},
    {"deadletters", "[ACT]", 0, 1, letter_acts, COMPLETE_VALUES,
     BIT(RATE) | BIT(DRY_RUN) | BIT(NAME) | BIT(WAIT) | BIT(REASON) | ACT | BIT(WHERE) | BIT(DEFINITION) | BIT(LIMIT) |
         BIT(PAGE) | BIT(ALL) | BIT(SUMMARY) | BIT(STEP) | BIT(STATUS) | WHOSE,
     "show the sagas that are stuck and why, the oldest first",
     "Each needs retry, skip, reject or resolve; get tells more. With ACT a bulk job does that, at --rate, to all that "
     "are there now and that --where lets through: durable, so that it goes on after a restart and acts on none twice. "
     "--dry-run shows which they are; --name names the job; with --wait it is followed to its end.",
     command_deadletters},
    {"bulk", "[JOB [pause|resume|cancel]]", 0, 2, NULL, COMPLETE_NOTHING, BIT(WAIT) | ACT | WHOSE,
     "show bulk jobs and how far they are, or halt one",
     "What deadletters ACT has begun. Without JOB those that go on and the latest that have ended. Of a job of the "
     "whole "
     "fleet (--fleet) what all its journals have done, together.",
     command_bulk},
    {"retry", "SAGA-ID [STEP]", 0, 2, NULL, COMPLETE_STUCK,
     ACT | BIT(ALL) | BIT(DEFINITION) | BIT(STEP) | BIT(STATUS) | WHOSE,
     "try a stuck step again, its attempts counted anew",
     "Without STEP every stuck step of the saga; where none is stuck, every one that waits for its next attempt. With "
     "--all and no SAGA-ID "
     "every dead letter that --definition, --step and --status let through.",
     command_retry},
    {"skip", "SAGA-ID STEP", 2, 2, NULL, COMPLETE_STUCK, BIT(REASON) | ACT,
     "go on as if a stuck step needed no more doing",
     "For what was done by hand. The step stays marked SKIPPED. --reason is needed.", command_skip},
    {"reject", "SAGA-ID STEP", 2, 2, NULL, COMPLETE_STUCK, BIT(REASON) | ACT,
     "say that a stuck action of unknown outcome did not happen: the saga is undone",
     "For a pivot whose outcome nobody could tell, when you have looked. Past the pivot the step stays stuck, and a "
     "retry is another "
     "action. --reason is needed.",
     command_reject},
    {"resolve", "SAGA-ID", 1, 1, NULL, COMPLETE_STUCK, BIT(REASON) | ACT,
     "end a stuck saga: what is still owed was settled outside",
     "Final: nothing of this saga is called again. --reason is needed.", command_resolve},
    {"register", "FILE...", 1, 64, NULL, COMPLETE_FILE, BIT(DRY_RUN) | BIT(REFLECT),
     "register definitions from YAML files",
     "A name and version are immutable: the same text again is fine, another text is refused. - is standard input.",
     command_register},
    {"lint", "FILE...", 0, 64, NULL, COMPLETE_FILE, BIT(SCHEMA) | BIT(CONFIG) | BIT(POLICY) | BIT(EXPLAIN),
     "judge definitions without a sidecar",
     "Says file, line and column of what is wrong or likely to be, by which rule, and what to write instead. With "
     "--schema "
     "messages are looked at, too. - is standard input. The bounds are those of a sidecar without configuration, "
     "unless "
     "--config names one.",
     command_lint},
    {"rehearse", "FILE", 1, 1, NULL, COMPLETE_FILE, BIT(SCHEMA) | BIT(CONFIG) | BIT(JSON) | BIT(INPUT) | BIT(SEEDS),
     "try a definition in a made-up world: which ends there are, what is left behind",
     "The real engine, and participants that are made up: nothing is called. Shows each call with its request, and "
     "then lets every "
     "call end in every way, one after another and several at once. Without --json the input is an example of its "
     "type.",
     command_rehearse},
    {"graph", "WHAT", 1, 1, NULL, COMPLETE_FILE, BIT(VERSION), "show the steps of a definition or of a saga as a graph",
     "WHAT is a file, a registered definition's name, or a saga's id: then with the states of its steps. -o mermaid, "
     "-o dot "
     "and -o svg are for documents.",
     command_graph},
    {"definitions", "[NAME [VERSION]]", 0, 2, NULL, COMPLETE_DEFINITION, 0,
     "list the registered definitions, or print one",
     "With NAME its YAML text, of the highest version that is no pre-release unless VERSION is given.",
     command_definitions},
    {"schema", "ACTION [ARGUMENT...]", 1, 65, schema_actions, COMPLETE_FILE, BIT(NAME) | BIT(DRY_RUN),
     "register types of messages, list or show them",
     "register FILE... takes sets of descriptors as protoc --include_imports --descriptor_set_out and buf build write "
     "them; reflect NAME ADDRESS... asks servers for theirs, by gRPC's reflection; list shows what is registered; show "
     "NAME prints services, messages and enums.",
     command_schema},
    {"contract", "ACTION", 1, 1, contract_actions, COMPLETE_NOTHING,
     BIT(SCHEMA) | BIT(CONTRACT) | BIT(TARGET) | BIT(DEFINITION),
     "say what a participant's change of messages would break",
     "check --schema FILE compares the participant's new descriptors with what registered definitions use, and says "
     "which step of "
     "which would fail; export --target NAME writes a file by which the participant's own tests can do so without a "
     "sidecar, with check --contract FILE --schema FILE.",
     command_contract},
    {"runbook", "[ALERT]", 0, 1, NULL, COMPLETE_NOTHING, 0, "say what an alert means, how things are, and what to do",
     "Without ALERT the names of all. The alerts are those of deploy/prometheus/sagad.rules.yaml; where the runbook "
     "names a "
     "command to look with, its output stands there.",
     command_runbook},
    {"completion", "SHELL", 1, 1, shells, COMPLETE_VALUES, 0, "print the completions for bash, zsh or fish",
     "For bash: source <(sagactl completion bash). For zsh: write it to a file _sagactl in a folder of $fpath. For "
     "fish: "
     "sagactl completion fish | source.",
     command_completion},
    {"version", "", 0, 0, NULL, COMPLETE_NOTHING, 0, "print the version", "", command_version},
    {"help", "[COMMAND]", 0, 1, NULL, COMPLETE_NOTHING, 0, "say how sagactl, or a command of it, is used", "",
     command_help},
};

const size_t command_count = sizeof command_rows / sizeof command_rows[0];

const struct command_row *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(command_rows[i].name, name) == 0)
            return &command_rows[i];
    return NULL;
}

const char *command_nearest(const char *wrong)
{
    const char *names[sizeof command_rows / sizeof command_rows[0]];
    for (size_t i = 0; i < command_count; i++)
        names[i] = command_rows[i].name;
    return nearest_name(bytes_of_text(wrong), names, command_count);
}

const char *option_nearest(const char *wrong, uint64_t mask)
{
    const char *names[OPTION_COUNT];
    size_t count = 0;
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if ((mask & OPTION_BIT(i)) != 0)
            names[count++] = option_rows[i].name;
    return nearest_name(bytes_of(wrong, strcspn(wrong, "=")), names, count);
}
