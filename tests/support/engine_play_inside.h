/* engine_play_inside.h - what the files of engine_play share. */
#ifndef SAGA_TESTS_ENGINE_PLAY_INSIDE_H
#define SAGA_TESTS_ENGINE_PLAY_INSIDE_H

#include "tests/support/engine_play.h"

#include "sidecar/engine/engine_inside.h"

#define CALLS_MAX    64
#define JOURNAL_MAX  65536
#define WORDS_MAX    16
#define WORD_SIZE    80
#define TOGETHER_MAX 14
#define VALUE_MAX    1024

struct out_call {
    bool out;
    struct call_effect call;
    struct instant left_at;
};

struct play {
    struct engine *engine;
    struct definition *definition;
    unsigned places;
    const char *gone;
    FILE *out;
    struct instant now;
    uint64_t token;
    uint64_t released; /* bit n: saga n was */
    struct memory memory;
    size_t taken; /* and not given back */
    struct out_call calls[CALLS_MAX];
    uint8_t journal[JOURNAL_MAX];
    size_t journal_size;
    /* Of the line at hand. */
    char words[WORDS_MAX][WORD_SIZE];
    unsigned count;
    uint8_t in[VALUE_MAX], answer[VALUE_MAX];
    struct enlistment enlist[TOGETHER_MAX];
    struct settlement settle[TOGETHER_MAX];
};

/* ---- engine_play_line.c: the words of a line, and the event that they tell of ---- */
void play_split(struct play *p, const char *line, size_t size);
/* The value of name=value among them, or NULL; likewise as a number (0: there is none), and as so many milliseconds. */
const char *play_value(const struct play *p, const char *name);
int64_t play_number(const struct play *p, const char *name);
struct span play_span(const struct play *p, const char *name);
void play_set_request(struct play *p, struct event *event);
/* False: no such call is out. */
bool play_set_answer(struct play *p, struct event *event);

#endif
