/* screen_files.h - files for screens (tests/support/screens.h): definitions, good and bad, policies, configurations, contracts, descriptors and drills, in a
 * folder of their own. */
#ifndef SAGA_TESTS_SCREEN_FILES_H
#define SAGA_TESTS_SCREEN_FILES_H

#include "client-lib/sagactl/schema_files.h"
#include "tests/support/screens.h"
#include "tests/support/shapes.h"
#include "tests/support/trades.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FAN_HEAD         "name: fan\nversion: 1.0.0\n"
#define STEP(name, more) "  - {name: " name ", target: bank, action: /p.S/A, compensation: none" more "}\n"
#define DRILL(steps)     "name: d\nreason: why not\nsteps:\n" steps

static const struct {
    const char *name, *text;
} files[] = {
    {"fan.yaml", FAN_HEAD
     "steps:\n"
     "  - {name: a-long-name-of-a-step, target: bank, action: /p.S/A, compensation: /p.S/UndoA}\n"
     "  - {name: b, target: mail, after: [a-long-name-of-a-step], action: /p.S/B, compensation: none, optional: true}\n"
     "  - {name: c, target: mail, after: [a-long-name-of-a-step], action: /p.S/B, compensation: /p.S/UndoC}\n"
     "  - {name: d, target: post, after: [b, c], action: /p.S/B, compensation: none, pivot: true}\n"
     "  - {name: e, target: post, after: [d], action: /p.S/B}\n"},
    {"loop.yaml", FAN_HEAD "schema: trades\ninput: trades.v1.Trip\nsteps:\n"
                           "  - {name: a, target: 'bank', for_each: input.x, max_items: 7, when: \"input.total > 5\", "
                           "action: /p.S/A, compensation: none}\n"
                           "  - {name: b, target: {oneof: [mail-eu, mail-us], by: input.eu}, "
                           "after: [a], action: /p.S/B, compensation: /p.S/Undo}\n"},
    {"broken.yaml", FAN_HEAD "steps:\n  - {name: a, target: bank}\n"},
    {"a b~.yaml", FAN_HEAD "steps:\n" STEP("a", "")},
    {"empty.yaml", ""},
    {"warned.yaml",
     FAN_HEAD "deadline: 1s\nsteps:\n" STEP("a", ", timeout: 5s") STEP("b", ", retry: {maxAttempts: 1}")},
    {"policy.yaml", "rules:\n  - {id: short, that: size(step.name) > 3, else: names are long}\n  - {id: slow, "
                    "severity: warning, that: has(definition.deadline), else: it ends}\n"},
    {"bad-policy.yaml", "rules: 7\n"},
    {"sagad.yaml", "targets:\n  bank: {address: 127.0.0.1:1, timeout: 3s}\n"},
    {"bad-sagad.yaml", "targets: 7\n"},
    {"contract.json", "{\"contract\": 1, \"definitions\": [{\"source\": \"x: [\"}]}"},
    {"later.json", "{\"contract\": 2}"},
    {"none.json", "[]"},
    {"sourceless.json", "{\"contract\": 1, \"definitions\": [{}]}"},
    {"lost.json", "{\"contract\": 1, \"definitions\": [{\"source\": \"name: a\", \"schema\": \"abc\"}]}"},
    {"bad.binpb", "\x0a\xff"},
    {"input.json", "{\"orderId\": \"o\"}"},
    {"drill.yaml",
     DRILL("  - faults: [{kind: abort, target: bank, status: UNAVAILABLE, percent: 30, for: 2m}]\n"
           "  - faults:\n    - {kind: delay, definition: a, delay: 250ms, percent: 0.5, for: 1h, calls: actions}\n"
           "    - {kind: drop-answer, tag: t=v, percent: 100, for: 1s, calls: compensations}\n"
           "  - start: {definition: a, count: 2, json: '{}'}\n  - start: {definition: b, version: 1.0.0, input: text}\n"
           "  - pause: 1500ms\n  - kill: true\n  - wait: 5m\n  - expect: state == COMMITTED // all\n")},
    {"plain.yaml", "steps:\n  - start: {definition: a}\n"},
    {"wait.yaml", DRILL("  - wait: 150ms\n  - expect: 'true'\n")},
    {"expect.yaml", DRILL("  - start: {definition: a, count: 3}\n  - expect: age > 3\n")},
    {"drill-1.yaml", ""},
    {"drill-2.yaml", "steps: 7\n"},
    {"drill-3.yaml", "name: [x]\nsteps: []\n"},
    {"drill-4.yaml", "name: {x: y}\nsteps: []\n"},
    {"drill-5.yaml", DRILL("  - {wait: 5m, pause: 1s}\n")},
    {"drill-6.yaml", DRILL("  - kill: true\n")},
    {"drill-7.yaml", DRILL("  - 7\n")},
    {"drill-8.yaml", DRILL("  - start: {count: 2}\n")},
    {"drill-9.yaml", DRILL("  - start: {definition: a, count: 0}\n")},
    {"drill-10.yaml", DRILL("  - start: {definition: a, count: 10001}\n")},
    {"drill-11.yaml", DRILL("  - start: {definition: [a]}\n")},
    {"drill-12.yaml", DRILL("  - start: {definition: a, input: [a]}\n")},
    {"drill-13.yaml", DRILL("  - start: {definition: a, version: {a: b}}\n")},
    {"drill-14.yaml", DRILL("  - start: {definition: a, json: [x]}\n")},
    {"drill-15.yaml", DRILL("  - wait: 25h\n")},
    {"drill-16.yaml", DRILL("  - wait: 0s\n")},
    {"drill-17.yaml", DRILL("  - pause: 61m\n")},
    {"drill-18.yaml", DRILL("  - expect: [x]\n")},
    {"drill-19.yaml", DRILL("  - expect: ''\n")},
    {"drill-20.yaml", DRILL("  - faults: [{kind: delay}]\n")},
    {"drill-21.yaml", DRILL("  - faults: 7\n")},
    {"drill-22.yaml", "what: x\nsteps: []\n"},
    {"drill-23.yaml", "reason: x\n"},
    {"drill-24.yaml", "reason: [x]\nsteps: []\n"},
    {"drill-25.yaml", DRILL("  - start: {definition: a, size: 2}\n")},
    {"drill-26.yaml", DRILL("  []\n")},
};

/* ---- the folder ---- */

static char folder[] = "/tmp/saga-screens-XXXXXX";

static void put_file(const char *name, const void *content, size_t size)
{
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(content, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* Makes the files and stands among them; they are gone before the text is compared. */
static inline void among_files(FILE *out, void (*put)(FILE *out))
{
    char *definitions = realpath("client-lib/examples/definitions", NULL);
    char name[32];
    int before = open(".", O_RDONLY | O_DIRECTORY);
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert(mkdtemp(folder) != NULL && chdir(folder) == 0 && symlink(definitions, "defs") == 0);
    ck_assert(mkdir("sets", 0700) == 0 && mkdir("none", 0700) == 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put_file(files[i].name, files[i].text, strlen(files[i].text));
    put_file("trades.binpb", trades, trades_size);
    put_file("shapes.binpb", shapes, shapes_size);
    uint8_t *changed = malloc(trades_size);
    ck_assert_ptr_nonnull(changed);
    memcpy(changed, trades, trades_size);
    /* A text becomes a number: in a descriptor a field's name, its number and its label stand before its type. */
    uint8_t *field = changed, *end = changed + trades_size;
    while ((field = memmem(field, (size_t)(end - field), "\x07subject", 8)) != NULL) {
        field += 8;
        if (field[0] == 0x18 && field[4] == 0x28)
            field[5] = 3;
    }
    put_file("changed.binpb", changed, trades_size);
    free(changed);
    put_file("sets/trades.binpb", trades, trades_size);
    put_file("sets/shapes.binpb", shapes, shapes_size);
    put_file("sets/other", "x", 1);
    char *large = calloc(1, 131072);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', 131071);
    large[65534] = 'y';
    put_file("large.txt", large, 65535);
    put_file("larger.txt", large, 131071);
    free(large);
    char *text;
    size_t size;
    FILE *findings = open_memstream(&text, &size); /* two for each step are more than are shown */
    fprintf(findings, FAN_HEAD "deadline: 1s\nsteps:\n");
    for (unsigned i = 0; i < 60; i++)
        fprintf(findings, "  - {name: s%u, target: bank, action: /p.S/A, compensation: none, timeout: 5s}\n", i);
    fclose(findings);
    put_file("findings.yaml", text, size);
    free(text);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "live.sock"};
    int served = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(served, (const struct sockaddr *)&address, sizeof address), 0);
    close(served);
    put_file("largest.txt", "", 0);
    ck_assert_int_eq(truncate("largest.txt", RUN_FILE_BYTES_MAX), 0);
    put_file("huge.txt", "", 0);
    ck_assert(truncate("huge.txt", RUN_FILE_BYTES_MAX + 1) == 0 && mkdir("many", 0700) == 0);
    for (unsigned i = 0; i <= SCHEMA_FILES_MAX; i++) {
        snprintf(name, sizeof name, "many/s%u.binpb", i);
        put_file(name,
                 "\x0a\x0b\x0a\x01"
                 "ab\x06proto3",
                 13);
    }
    screens_begin();
    put(out);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i].name);
    static const char *const others[] = {"live.sock",    "findings.yaml",     "largest.txt",       "huge.txt",
                                         "large.txt",    "larger.txt",        "changed.binpb",     "trades.binpb",
                                         "shapes.binpb", "sets/trades.binpb", "sets/shapes.binpb", "sets/other",
                                         "defs"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        unlink(others[i]);
    for (unsigned i = 0; i <= SCHEMA_FILES_MAX; i++) {
        snprintf(name, sizeof name, "many/s%u.binpb", i);
        unlink(name);
    }
    ck_assert(rmdir("many") == 0 && rmdir("sets") == 0 && rmdir("none") == 0 && fchdir(before) == 0 &&
              rmdir(folder) == 0);
    close(before);
    free(definitions);
}

#endif
