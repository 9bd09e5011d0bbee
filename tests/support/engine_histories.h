/* engine_histories.h - sagas in every kind of state: how each is come to, in the lines of engine_play.h. What can be done to it there is the tests'. */
#ifndef SAGA_TESTS_ENGINE_HISTORIES_H
#define SAGA_TESTS_ENGINE_HISTORIES_H

#include "tests/support/engine_table.h"

#define TWICE   "retry: {maxAttempts: 2, initialBackoff: 100ms, maxBackoff: 1s, jitter: 0}"
#define ONCE    "retry: {maxAttempts: 1}"
#define PLAIN   "name: d\nversion: 1.0.0\n"
#define TYPED   "name: d\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\n"
#define CALL(m) "{method: /shapes.Shop/Old, " m "}"

/* a can be undone, p is the pivot, c comes after it and is sent what a answered. */
#define CHAIN(undo_of_p) \
    PLAIN "deadline: 30s\nsteps:\n" \
          "  - {name: a, target: t, action: {method: /p.S/A, " TWICE "},\n" \
          "     compensation: {method: /p.S/UndoA, request: own_output, " TWICE "}}\n" \
          "  - {name: p, after: [a], target: u, pivot: true, action: {method: /p.S/P, " TWICE "}" undo_of_p "}\n" \
          "  - {name: c, after: [p], target: t, action: {method: /p.S/C, request: {output: a}, " TWICE "}}\n"
static const char chain[] = CHAIN("");
static const char undoable_pivot[] = CHAIN(", compensation: {method: /p.S/UndoP, request: {constant: x}, " ONCE "}");

/* Two branches and what comes after both, undone side by side. */
static const char diamond[] = PLAIN "compensation_order: dependency\nsteps:\n"
                                    "  - {name: a, target: t, action: {method: /p.S/A, " ONCE "},\n"
                                    "     compensation: {method: /p.S/UndoA, " ONCE "}}\n"
                                    "  - {name: b, target: u, action: {method: /p.S/B, barrier: true, " ONCE "},\n"
                                    "     compensation: {method: /p.S/UndoB, " TWICE "}}\n"
                                    "  - {name: c, after: [a, b], target: t, action: {method: /p.S/C, " ONCE "},\n"
                                    "     compensation: {method: /p.S/UndoC, " ONCE "}}\n";

/* One that is passed over, one with everything that can stand in for it, and one that is sent what that gave. */
static const char yielding[] =
    PLAIN "steps:\n"
          "  - {name: o, optional: true, target: t, action: {method: /p.S/O, " ONCE "},\n"
          "     compensation: {method: /p.S/UndoO, " ONCE "}}\n"
          "  - name: f\n    after: [o]\n    target: t\n    action: {method: /p.S/F, " ONCE "}\n    compensation: none\n"
          "    fallback:\n      target: u\n      action: {method: /p.S/G, " ONCE "}\n"
          "      compensation: {method: /p.S/UndoG, request: own_output, " ONCE "}\n"
          "      fallback: {last_good: {key: k, max_age: 1m}, fallback: {value: {constant: v}}}\n"
          "  - {name: e, after: [f], target: t, action: {method: /p.S/E, request: {output: f}, " ONCE "}}\n";

/* None waits for a target that takes no calls, and a leaves something of the deadline to b. */
static const char hasty[] = PLAIN "deadline: 10s\npriority: high\nsteps:\n"
                                  "  - {name: a, target: t, reserve: 4s, action: {method: /p.S/A, " TWICE "},\n"
                                  "     unavailable: fallback, compensation: none, fallback: {value: input}}\n"
                                  "  - {name: b, after: [a], target: u, unavailable: refuse, action: {method: /p.S/B, "
                                  "timeout: 1s, " TWICE "}, compensation: none}\n"
                                  "  - {name: z, after: [b], target: t, action: {method: /p.S/Z, " ONCE "}}\n";

static const char forward[] = PLAIN "forward_only: true\nsteps:\n"
                                    "  - {name: a, target: t, action: {method: /p.S/A, " ONCE "}}\n"
                                    "  - {name: b, after: [a], target: u, action: {method: /p.S/B, " ONCE "}}\n"
                                    "  - {name: w, after: [a], target: u, action: {method: /p.S/W, " ONCE "}}\n"
                                    "  - {name: l, after: [a], deferred: true, target: t, action: {method: /p.S/L, "
                                    "request: {output: a}, " ONCE "}}\n";

/* What computes: conditions, tags, requests, what is expected, a target that is chosen, and an output. */
static const char computing[] =
    TYPED "require: [{that: \"input.sku != 'bad'\", else: nothing bad}]\n"
          "tags: {sku: =input.sku, kind: fixed}\nfair_by: sku\n"
          "output: {sku: \"='made ' + steps.b.output.sku.split('!')[0] + string(1 / (size(input.sku) - "
          "4))\"}\n"
          "output_type: shapes.Line\nsteps:\n"
          "  - {name: a, target: {oneof: [t, u], by: \"input.sku == 'lost' ? 'x' : input.sku == 'err' ? "
          "input.sku.split('-')[5] : input.sku == 'u' ? "
          "'u' : 't'\"},\n"
          "     metadata: {x-sku: =input.sku}, action: " CALL(
              "request: {sku: \"=input.sku + '-a'\"}, " TWICE) ",\n"
                                                               "     expect: [{that: action.output.sku "
                                                               "!= 'no', else: it says no, undo: "
                                                               "false},\n"
                                                               "              {that: action.output.sku "
                                                               "!= 'undo', else: it is to be undone},\n"
                                                               "              {that: \"action.output.sku "
                                                               "!= 'oops' || "
                                                               "action.output.sku.split('?')[1] == ''\", "
                                                               "else: never}],\n"
                                                               "     compensation: " CALL(
                                                                   "request: {sku: \"='undo ' + "
                                                                   "action.output.sku.substring(1)\"},"
                                                                   " " TWICE) "}\n"
                                                                              "  - {name: w, after: [a], "
                                                                              "when: "
                                                                              "\"steps.a.output.sku."
                                                                              "split('w').size() > 1 || "
                                                                              "int(steps.a.output.sku) > "
                                                                              "0\",\n"
                                                                              "     target: t, "
                                                                              "action: " CALL(ONCE) ", compensation: "
                                                                                                    "none}\n"
                                                                                                    "  - {name: b, "
                                                                                                    "after: [w], "
                                                                                                    "target: u, "
                                                                                                    "action: " CALL(
                                                                                                        "request: "
                                                                                                        "{sku: "
                                                                                                        "=steps.w."
                                                                                                        "outcome},"
                                                                                                        " " ONCE) ", "
                                                                                                                  "co"
                                                                                                                  "mp"
                                                                                                                  "en"
                                                                                                                  "sa"
                                                                                                                  "ti"
                                                                                                                  "on"
                                                                                                                  ": "
                                                                                                                  "no"
                                                                                                                  "ne"
                                                                                                                  "}"
                                                                                                                  "\n";

/* A loop whose instances can be undone, and one that is the pivot. */
static const char looping[] = TYPED
    "compensation_order: dependency\nsteps:\n"
    "  - {name: a, for_each: \"input.sku.split('')\", max_items: 3, max_parallel: 2, target: t,\n"
    "     action: " CALL("request: {sku: =item}, " ONCE) ", compensation: " CALL(
        ONCE) "}\n"
              "  - {name: p, after: [a], pivot: true, for_each: \"input.sku.split('')\", max_items: 3, max_parallel: "
              "2, target: u,\n"
              "     action: " CALL("request: {sku: =item}, " ONCE) "}\n"
                                                                   "  - {name: c, after: [p], target: t, action: " CALL(
                                                                       ONCE) "}\n";

/* As the chain, told from its end: the pivot is the first, and what comes before it the last. */
static const char turned[] = PLAIN
    "steps:\n"
    "  - {name: p, after: [a], target: u, pivot: true, action: {method: /p.S/P, " ONCE "}}\n"
    "  - {name: c, after: [p], target: t, action: {method: /p.S/C, " ONCE "}}\n"
    "  - {name: a, target: t, action: {method: /p.S/A, " ONCE "}, compensation: {method: /p.S/UndoA, " ONCE "}}\n";

/* What stands in cannot be told: neither the key of an earlier answer, nor a value. */
static const char failing[] =
    TYPED "steps:\n"
          "  - {name: a, target: t, action: " CALL(
              ONCE) ", compensation: none,\n"
                    "     fallback: {last_good: {key: \"=input.sku.split('-')[1]\", max_age: 1m}}}\n"
                    "  - {name: b, after: [a], target: u, action: " CALL(
                        ONCE) ", compensation: none,\n"
                              "     fallback: {value: {sku: \"=input.sku.split('-')[2]\"}}}\n";

/* Those who wait are given its output before all is done. */
static const char answering[] =
    TYPED "forward_only: true\noutput: {sku: =steps.a.output.sku + '!'}\noutput_type: shapes.Line\nsteps:\n"
          "  - {name: a, target: t, action: " CALL(
              ONCE) "}\n"
                    "  - {name: l, after: [a], deferred: true, target: u, action: " CALL(ONCE) "}\n";

static const struct history histories[] = {
    {"before anything", chain, 8, .lines = ""},
    {"the first attempt is out", chain, 8,
     .lines = "start r1 trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 who=ann"},
    {"a second attempt is to come", chain, 8, .lines = "start r1\nat 10\nanswer 1 a RESOURCE_EXHAUSTED said=full"},
    {"a second attempt is out that may be the second execution", chain, 8,
     .lines = "start r1\nat 10\nanswer 1 a UNAVAILABLE reach=maybe\ntick"},
    {"the pivot is out", chain, 8, .lines = "start r1 who=ann\nat 5\nanswer 1 a OK out=A"},
    {"the pivot may have been executed and is asked again", chain, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p UNAVAILABLE reach=maybe"},
    {"nobody knows of the pivot", chain, 8, .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p OK out=*65"},
    {"the unknown pivot is asked again", chain, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p OK out=*65\nretry 1"},
    {"nobody knows of the pivot, which can be undone", undoable_pivot, 8,
     .lines =
         "start r1\nanswer 1 a OK out=A\nanswer 1 p UNAVAILABLE reach=maybe\ntick\nanswer 1 p UNAVAILABLE reach=maybe"},
    {"after the pivot", chain, 8, .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p OK out=P"},
    {"what comes after the pivot was refused", chain, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p OK\nanswer 1 c FAILED_PRECONDITION said=never"},
    {"it is tried anew under another key", chain, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p OK\nanswer 1 c FAILED_PRECONDITION\nat 50\nretry 1 c who=bob"},
    {"what comes after the pivot cannot be reached", chain, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p OK\nanswer 1 c UNAVAILABLE reach=unreached"},
    {"an undo is out", chain, 8, .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p NOT_FOUND said=no"},
    {"an undo is to come again", chain, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p NOT_FOUND\nanswer 1 a INTERNAL said=oh"},
    {"an undo has failed", chain, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p NOT_FOUND\nanswer 1 a INTERNAL\ntick\nanswer 1 a INTERNAL"},
    {"an undo waits until its action is quiet", chain, 8,
     .lines = "start r1\nanswer 1 a UNAVAILABLE reach=maybe\ntick\nanswer 1 a UNAVAILABLE reach=maybe"},
    {"an undo cannot reach its target", chain, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p NOT_FOUND\nanswer 1 a UNAVAILABLE reach=unreached"},
    {"it turns back while its action is out", chain, 8, .lines = "start r1 who=ann\ncancel 1 who=bob"},
    {"its deadline has passed while it waits", chain, 8,
     .lines = "start r1\nset t places=0\nanswer 1 a UNAVAILABLE\nat 30000\ntick"},
    {"its deadline has passed and nobody has looked", chain, 8, .lines = "start r1\nat 31000"},
    {"the pivot is out and little time is left", chain, 8, .lines = "start r1\nanswer 1 a OK out=A\nat 29950"},
    {"committed", chain, 8, .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 p OK\nanswer 1 c OK"},
    {"compensated", chain, 8, .lines = "start r1 who=ann\nanswer 1 a NOT_FOUND"},
    {"resolved", chain, 8, .lines = "start r1\nanswer 1 a OK\nanswer 1 p OK out=*65\nresolve 1 who=bob"},
    {"told and gone", chain, 8, .lines = "start r1\nanswer 1 a NOT_FOUND\nrelease 1"},
    {"paused", chain, 8, .lines = "start r1\npause 1 who=bob\nanswer 1 a OK out=A"},
    {"paused on the way back", chain, 8, .lines = "start r1\ncancel 1\npause 1\nanswer 1 a OK out=A"},
    {"it waits behind another", chain, 1,
     .lines = "start r0\nstart r1 priority=high\nstart r2 synthetic=yes priority=low\nat 20"},
    {"a retry waits for its budget", chain, 1,
     .lines = "set t budget=10\nstart r1\nanswer 1 a UNAVAILABLE said=one\ntick\nstart r2\nat 200"},
    {"its target cannot be reached", chain, 8,
     .lines = "start r1\nanswer 1 a UNAVAILABLE reach=unreached\nstart r2\nat 7000", "start r9"},
    {"its target is down for long", chain, 8,
     .lines = "start r1 deadline=200000\nanswer 1 a UNAVAILABLE reach=unreached\ntick\nanswer 1 a UNAVAILABLE "
              "reach=unreached"},
    {"its participant had not begun", chain, 8,
     .lines = "start r1\nanswer 1 a UNAVAILABLE reach=not-begun said=busy\nat 40"},
    {"its participant has not begun for long", chain, 8,
     .lines = "start r1 deadline=200000\nanswer 1 a UNAVAILABLE reach=not-begun said=busy\nat 60000\ntick"},
    {"its breaker is held open", chain, 8, .lines = "hold-open t\nstart r1\nat 30"},
    {"its breaker has opened", chain, 8,
     .lines = "set t breaker=yes\nstart r1\nstart r2\nanswer 1 a UNAVAILABLE\nanswer 2 a UNAVAILABLE\ntick\nat 2000"},
    {"a rate lets one leave a second", chain, 8, .lines = "set t rate=1\nstart r1\nstart r2\nat 300", "start r9"},
    {"as many wait as may", chain, 1, .lines = "set t crowd=1 pending=3000\nstart r0\nstart r1\nat 100",
     "start r9\nset t crowd=4"},
    {"an undo waits for its turn", chain, 1,
     .lines = "set t pending=3000 places=1\nstart r1\nanswer 1 a OK out=A\nstart r2\nat 50\nanswer 1 p NOT_FOUND"},
    {"its target is not configured any more", chain, 8, .lines = "start r1\nanswer 1 a OK out=A\ncrash gone=u"},
    {"a drill delays its call", chain, 8, .lines = "drill 1 target=t delay=70 phase=1\nstart r1",
     "start r9\ndrill 0\ndrill 2 status=14 target=t\ndrill 3 phase=2"},
    {"no more sagas of it may live", chain, 8, .lines = "limit d live=1\nstart r1\nat 100"},
    {"all places for sagas are taken", chain, 8, .lines = "start r1\nstart r2\nstart r3\nstart r4\nstart r5"},

    {"enlisted, without a step", NULL, 8, .lines = "begin r1 who=ann id=r1 lease=2000 deadline=9000 name=n"},
    {"enlisted, with one step open", NULL, 8,
     .lines = "begin r1 id=r1 enlist=a timeout=700 sends=text tries=3 backoff=50 who=ann\nat 9"},
    {"enlisted, one of two done", NULL, 8, .lines = "begin r1 id=r1 enlist=a,b\nenlist 1 settle=a:DONE out=A\nat 100"},
    {"enlisted, one refused", NULL, 8, .lines = "begin r1 id=r1 enlist=a,b\nenlist 1 settle=a:REJECTED who=bob",
     "begin r1 id=r1 enlist=a,b\nenlist 1 enlist=a\nenlist 1 enlist=b,c"},
    {"enlisted, nobody knows of one", NULL, 8,
     .lines = "begin r1 id=r1 enlist=a,b\nenlist 1 settle=a:UNKNOWN may_run=3000\nenlist 1 settle=b:DONE out=B "
              "as_request=yes"},
    {"enlisted, all settled", NULL, 8,
     .lines = "begin r1 id=r1 enlist=a\nenlist 1 undo=no enlist=b\nenlist 1 settle=a:DONE,b:DONE"},
    {"enlisted and committed", NULL, 8, .lines = "begin r1 id=r1 enlist=a\ncommit 1 settle=a:DONE who=bob"},
    {"enlisted and aborted", NULL, 1, .lines = "begin r1 id=r1 enlist=a,b who=ann\nabort 1 settle=a:DONE who=bob"},
    {"enlisted, its lease is over", NULL, 8, .lines = "begin r1 id=r1 enlist=a\ntick"},
    {"enlisted, its lease is over and nobody has looked", NULL, 8, .lines = "begin r1 id=r1 enlist=a\nat 6000"},
    {"enlisted and cancelled while its owner may act", NULL, 8, .lines = "begin r1 id=r1 enlist=a\nat 1000\ncancel 1"},
    {"enlisted and paused", NULL, 8, .lines = "begin r1 id=r1 enlist=a\nat 1000\npause 1"},
    {"enlisted, its undo has failed", NULL, 8,
     .lines = "begin r1 id=r1 enlist=a tries=1 backoff=10\nabort 1 settle=a:DONE\nanswer 1 a NOT_FOUND said=gone"},

    {"two branches are out", diamond, 8, .lines = "start r1"},
    {"one branch has failed and the other is out", diamond, 8, .lines = "start r1\nanswer 1 a NOT_FOUND"},
    {"both branches are undone at once", diamond, 8,
     .lines = "start r1\nanswer 1 a OK\nanswer 1 b OK\nanswer 1 c NOT_FOUND"},
    {"one undo has failed and the other goes on", diamond, 8,
     .lines = "start r1\nanswer 1 a OK\nanswer 1 b OK\nanswer 1 c NOT_FOUND\nanswer 1 a INTERNAL"},
    {"one undo has failed and the other is to come again", diamond, 8,
     .lines = "start r1\nanswer 1 a OK\nanswer 1 b OK\nanswer 1 c NOT_FOUND\nanswer 1 a INTERNAL\nanswer 1 b INTERNAL"},
    {"both undos have failed", diamond, 8,
     .lines = "start r1\nanswer 1 a OK\nanswer 1 b OK\nanswer 1 c NOT_FOUND\nanswer 1 a INTERNAL\nanswer 1 b "
              "INTERNAL\ntick\n"
              "answer 1 b INTERNAL"},

    {"what is optional is out", yielding, 8, .lines = "start r1"},
    {"what is optional is unknown and undone first", yielding, 8, .lines = "start r1\nanswer 1 o INTERNAL"},
    {"what is optional may still run", yielding, 8, .lines = "start r1\nanswer 1 o DEADLINE_EXCEEDED reach=maybe"},
    {"the undo of what is optional has failed", yielding, 8,
     .lines = "start r1\nanswer 1 o INTERNAL\nanswer 1 o NOT_FOUND"},
    {"what has a fallback is out", yielding, 8, .lines = "start r1\nanswer 1 o NOT_FOUND"},
    {"the fallback is out", yielding, 8, .lines = "start r1\nanswer 1 o OK\nanswer 1 f NOT_FOUND"},
    {"nobody knows of the fallback", yielding, 8,
     .lines = "start r1\nanswer 1 o OK\nanswer 1 f NOT_FOUND\nanswer 1 f.fallback INTERNAL out=G"},
    {"an earlier answer is at hand", yielding, 8,
     .lines = "start r0\nanswer 1 o OK\nat 1000\nanswer 1 f OK out=good\nanswer 1 e OK\nrelease 1\nat 31000\nstart "
              "r1\nanswer 2 "
              "o OK\n"
              "answer 2 f NOT_FOUND"},
    {"an earlier answer stands in", yielding, 8,
     .lines = "start r0\nanswer 1 o OK\nat 1000\nanswer 1 f OK out=good\nanswer 1 e OK\nrelease 1\nat 31000\nstart "
              "r1\nanswer 2 "
              "o OK\n"
              "answer 2 f NOT_FOUND\nanswer 2 f.fallback NOT_FOUND"},
    {"an earlier answer of the fallback stands in", yielding, 8,
     .lines = "start r0\nanswer 1 o OK\nanswer 1 f NOT_FOUND\nat 1000\nanswer 1 f.fallback OK out=good\nanswer 1 e "
              "OK\nrelease 1\nat 31000\nstart r1\nanswer 2 o OK\nanswer 2 f NOT_FOUND\nanswer 2 f.fallback "
              "NOT_FOUND"},
    {"the earlier answer is too old", yielding, 8,
     .lines = "start r0\nanswer 1 o OK\nat 1000\nanswer 1 f OK out=good\nanswer 1 e OK\nrelease 1\nat 61001\nstart "
              "r1\nanswer 2 "
              "o OK\n"
              "answer 2 f NOT_FOUND\nanswer 2 f.fallback NOT_FOUND"},

    {"in haste, and nobody is there", hasty, 8, .lines = "set t places=0\nstart r1"},
    {"in haste, behind another", hasty, 1, .lines = "start r0\nstart r1\nat 5000", "start r9"},
    {"in haste, to be tried again", hasty, 8, .lines = "start r1\nat 5950\nanswer 1 a RESOURCE_EXHAUSTED"},
    {"in haste, with no fallback", hasty, 8, .lines = "start r1\nhold-open u\nanswer 1 a OK"},
    {"answers take long", hasty, 8,
     .lines =
         "start r1\nanswer 1 a OK took=1500\nat 100\nstart r2 deadline=4700\nat 3900\nanswer 1 b OK took=900\nat 4000"},

    {"only forward", forward, 8, .lines = "start r1"},
    {"only forward, and one waits while another is out", forward, 1, .lines = "start r1\nanswer 1 a OK out=A"},
    {"only forward, and nobody knows", forward, 1, .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 b INTERNAL out=x"},
    {"it has answered and something is left", forward, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 b OK\nanswer 1 w OK"},
    {"what was left is refused", forward, 8,
     .lines = "start r1\nanswer 1 a OK out=A\nanswer 1 b OK\nanswer 1 w OK\nanswer 1 l NOT_FOUND"},

    {"what it sends is computed", computing, 8, .lines = "start r1 in=thing"},
    {"another target is chosen", computing, 8, .lines = "start r1 in=u"},
    {"no target can be chosen", computing, 8, .lines = "start r1 in=lost"},
    {"it answers what is not expected", computing, 8, .lines = "start r1 in=thing said=x",
     "answer 1 a OK out=no\nanswer 1 a OK out=undo\nanswer 1 a OK out=oops\nanswer 1 a OK out=9\nanswer 1 a OK "
     "out=damaged\n"
     "answer 1 a OK out="},
    {"what undoes cannot be computed", computing, 8, .lines = "start r1 in=thing\nanswer 1 a OK out=*65"},
    {"a condition holds", computing, 8, .lines = "start r1 in=u\nanswer 1 a OK out=ow"},
    {"a condition holds not", computing, 8, .lines = "start r1 in=thing\nanswer 1 a OK out=-5"},
    {"its output cannot be computed", computing, 8,
     .lines = "start r1 in=four\nanswer 1 a OK out=-5\nanswer 1 b OK out=B!"},

    {"instances of a loop are out", looping, 8, .lines = "start r1 in=xyz"},
    {"instances of the pivot are out", looping, 8,
     .lines = "start r1 in=xyz\nanswer 1 a[0] OK\nanswer 1 a[1] OK\nanswer 1 a[2] OK\nanswer 1 p[1] UNAVAILABLE "
              "reach=maybe"},
    {"an instance of the pivot is done and one unknown", looping, 8,
     .lines = "start r1 in=xy\nanswer 1 a[0] OK\nanswer 1 a[1] OK\nanswer 1 p[1] OK\nanswer 1 p[0] INTERNAL"},
    {"two instances of the pivot are unknown", looping, 8,
     .lines =
         "start r1 in=xy\nanswer 1 a[0] OK\nanswer 1 a[1] OK\nanswer 1 p[1] UNAVAILABLE reach=maybe\nanswer 1 p[0] OK "
         "out=*65"},
    {"a loop is undone", looping, 8, .lines = "start r1 in=xy\nanswer 1 a[0] OK\nanswer 1 a[1] NOT_FOUND"},
    {"a loop of nothing", looping, 8, .lines = "start r1 in="},

    {"its pivot is told first, and is out", turned, 8, .lines = "start r1\nanswer 1 a OK"},
    {"its pivot is told first, and unknown", turned, 8, .lines = "start r1\nanswer 1 a OK\nanswer 1 p INTERNAL"},
    {"no key can be told", failing, 8, .lines = "start r1 in=x"},
    {"a key can be told, and nothing is kept under it", failing, 8, .lines = "start r1 in=x-y"},
    {"a value cannot be told", failing, 8, .lines = "start r1 in=x-y\nanswer 1 a OK out=z"},
    {"it answers before its end", answering, 8, .lines = "start r1\nanswer 1 a OK out=A"},
    {"its participant has a barrier", chain, 8, .lines = "set t barrier=yes\nstart r1"},
    {"little time is left", chain, 8, .lines = "start r1\nat 29950",
     "answer 1 a UNAVAILABLE reach=not-begun\nanswer 1 a UNAVAILABLE reach=none"},
    {"three in haste wait", hasty, 1, .lines = "start r0\nstart r1\nstart r2\nstart r3\nat 100",
     "cancel 2\ncancel 3\ncancel 4\ntrip t\nset u budget=10\nset t pending=50"},
    {"a retry waits for its target", chain, 8,
     .lines = "set t budget=10\nstart r1\nanswer 1 a RESOURCE_EXHAUSTED\nat 20\nstart r2\nanswer 2 a UNAVAILABLE "
              "reach=unreached\n"
              "at 100\ntick"},
    {"a retry waits for its budget, and then for its target", chain, 8,
     .lines = "set t budget=10\nstart r1\nstart r2\nanswer 1 a UNAVAILABLE\ntick\nanswer 2 a UNAVAILABLE "
              "reach=unreached\nat 300"},
    {"the undo of the fallback has failed", yielding, 8,
     .lines = "start r1\nanswer 1 o OK\nanswer 1 f NOT_FOUND\nanswer 1 f.fallback INTERNAL out=G\nanswer 1 f.fallback "
              "NOT_FOUND"},
    {"too little time was left for another attempt", hasty, 8,
     .lines = "start r1\nanswer 1 a OK\nat 100\nstart r2 deadline=4700\nanswer 2 a OK\nat 3900\nanswer 1 b OK "
              "took=900\nat 4000\n"
              "answer 2 b RESOURCE_EXHAUSTED\ntick"},
    {"one undo has failed and the other waits", diamond, 8,
     .lines = "start r1\nanswer 1 a OK\nanswer 1 b OK\nhold-open u\nanswer 1 c NOT_FOUND\nanswer 1 a INTERNAL"},
};

#define HISTORY_COUNT (sizeof histories / sizeof *histories)

#endif
