/* advice.c - the choices of an operator. */
#include "client-lib/sagactl/advice.h"

#include "client-lib/sagactl/words.h"

#include <string.h>

#define FIELD       256  /* bytes of a short text, cleaned */
#define SENTENCE    1024 /* of a long one */
#define STEP_SHOWN  80   /* of a step's name, in a list of them */
#define STUCK_SHOWN 4    /* stuck steps for which commands are spelt out */

struct advice {
    const struct screen *s;
    const char *same; /* as of run_same_sidecar */
    char id[64];
};

static void put_command(const struct advice *a, const char *command, const char *step, const char *tail)
{
    char name[FIELD], word[FIELD];
    fputs("      ", a->s->out);
    if (step != NULL)
        screen_shell_word(screen_clean(a->s, step, name, sizeof name), word, sizeof word);
    screen_put(a->s, PAINT_STRONG, "sagactl%s %s %s%s%s%s", a->same, command, a->id, step ? " " : "", step ? word : "",
               tail);
    fputc('\n', a->s->out);
}

/* The steps that an operator can retry or skip: the one that the saga names, and others whose compensation has failed.
 */
static size_t stuck_steps(const Saga__V1__Saga *saga, const Saga__V1__Step *found[STUCK_SHOWN])
{
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < saga->n_steps && count < STUCK_SHOWN; i++) {
            const Saga__V1__Step *step = saga->steps[i];
            bool named = strcmp(step->name, saga->stuck_step) == 0;
            bool failed = step->compensation == SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_FAILED;
            if (pass == 0 ? named : failed && !named)
                found[count++] = step;
        }
    }
    return count;
}

static void advise_stuck(const struct advice *a, const Saga__V1__Saga *saga)
{
    const Saga__V1__Step *steps[STUCK_SHOWN];
    char name[FIELD], text[SENTENCE];
    size_t count = stuck_steps(saga, steps);
    if (saga->stuck_step[0] != '\0') {
        snprintf(text, sizeof text, "Step %s %s", screen_clean(a->s, saga->stuck_step, name, sizeof name),
                 words_stuck(saga->stuck_reason));
        screen_wrap(a->s, PAINT_NONE, text, 2, 0);
    }
    screen_wrap(a->s, PAINT_NONE, "The saga waits for one of these decisions:", 2, 0);
    screen_wrap(a->s, PAINT_NONE, "The cause is mended: try again.", 4, 0);
    for (size_t i = 0; i < count; i++)
        put_command(a, "retry", steps[i]->name, "");
    if (count == 0)
        put_command(a, "retry", NULL, "");
    if (count > 0)
        screen_wrap(a->s, PAINT_NONE, "The step was done by hand: go on without it.", 4, 0);
    for (size_t i = 0; i < count; i++)
        put_command(a, "skip", steps[i]->name, " --reason 'WHY'");
    if (saga->stuck_reason == SAGA__V1__REASON__REASON_PIVOT_UNKNOWN && saga->stuck_step[0] != '\0') {
        screen_wrap(a->s, PAINT_NONE, "It certainly did not happen: turn the saga back.", 4, 0);
        put_command(a, "reject", saga->stuck_step, " --reason 'HOW YOU KNOW'");
    }
    screen_wrap(a->s, PAINT_NONE, "All that is still owed was settled outside: end the saga, for good.", 4, 0);
    put_command(a, "resolve", NULL, " --reason 'WHAT WAS DONE'");
}

static void begin(struct advice *a, const struct screen *s, const Saga__V1__Saga *saga, const char *same)
{
    *a = (struct advice){.s = s, .same = same};
    screen_clean(s, saga->id, a->id, sizeof a->id);
}

void advice_write(const struct screen *s, const Saga__V1__Saga *saga, const char *same)
{
    struct advice a;
    bool stuck = saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
    if (!stuck && !saga->paused)
        return;
    begin(&a, s, saga, same);
    screen_put(s, PAINT_STRONG, "\nwhat now\n");
    if (stuck)
        advise_stuck(&a, saga);
    if (saga->paused) {
        screen_wrap(s, PAINT_NONE, "The saga is paused: no call leaves for it until it is resumed.", 2, 0);
        put_command(&a, "resume", NULL, "");
    }
}

/* ---- every choice, and what it does ---- */

#define ACTION(name) SAGA__V1__ACTION_STATE__ACTION_STATE_##name
#define UNDO(name)   SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_##name
#define STATE(name)  SAGA__V1__SAGA_STATE__SAGA_STATE_##name

/* What was carried out, or may have been: to be undone when the saga turns back now. A call that waits for its target has never left. */
static bool happened(const Saga__V1__Step *step)
{
    bool never_left = step->action_attempts == 0 && strncmp(step->waiting_for, "target ", 7) == 0;
    return step->action == ACTION(DONE) || step->action == ACTION(UNKNOWN) ||
           (step->action == ACTION(STARTED) && !never_left);
}

static bool undo_is_open(const Saga__V1__Step *step)
{
    return step->compensation == UNDO(OWED) || step->compensation == UNDO(STARTED) ||
           step->compensation == UNDO(FAILED);
}

static bool is_to_come(const Saga__V1__Step *step)
{
    return step->action == ACTION(PENDING) || step->action == ACTION(STARTED);
}

static bool is_not_settled(const Saga__V1__Step *step)
{
    return is_to_come(step) || step->action == ACTION(UNKNOWN);
}

/* "reserve, charge", the latest first when back is set; "nothing" when none is. */
static char *names_of(const struct screen *s, const Saga__V1__Saga *saga, bool (*wanted)(const Saga__V1__Step *step),
                      bool back, char text[SENTENCE])
{
    char name[FIELD];
    text[0] = '\0';
    for (size_t k = 0; k < saga->n_steps; k++) {
        const Saga__V1__Step *step = saga->steps[back ? saga->n_steps - 1 - k : k];
        size_t used = strlen(text);
        if (!wanted(step))
            continue;
        if (used + STEP_SHOWN > SENTENCE) {
            snprintf(text + used, SENTENCE - used, ", ...");
            break;
        }
        snprintf(text + used, SENTENCE - used, "%s%s", used > 0 ? ", " : "",
                 screen_clean(s, step->name, name, STEP_SHOWN - 8));
    }
    return text[0] == '\0' ? strcpy(text, "nothing") : text;
}

static void put_choice(const struct advice *a, const char *command, const char *step, const char *tail,
                       const char *does)
{
    put_command(a, command, step, tail);
    screen_wrap(a->s, PAINT_NONE, does, 10, 0);
}

static void choices_of_stuck(const struct advice *a, const Saga__V1__Saga *saga)
{
    const Saga__V1__Step *found[STUCK_SHOWN];
    size_t count = stuck_steps(saga, found);
    char names[SENTENCE], does[SENTENCE + FIELD];
    bool back = saga->reason != SAGA__V1__REASON__REASON_UNSPECIFIED;
    names_of(a->s, saga, back ? undo_is_open : is_to_come, back, names);
    put_choice(a, "retry", count == 1 ? found[0]->name : NULL, "",
               "Calls it again under the same key, its attempts counted anew: for when the cause is mended.");
    for (size_t i = 0; i < count; i++) {
        snprintf(does, sizeof does, "Calls it no more, and goes on %s. Still open: %s.",
                 back ? "undoing the others" : "with the steps that come after it", names);
        put_choice(a, "skip", found[i]->name, " --reason 'WHY'", does);
    }
    if (saga->stuck_step[0] != '\0' && !back) {
        snprintf(does, sizeof does, "Takes your word that it did not happen%s.",
                 saga->stuck_reason == SAGA__V1__REASON__REASON_PIVOT_UNKNOWN
                     ? ", and undoes what came before it"
                     : "; refused unless its outcome is unknown");
        put_choice(a, "reject", saga->stuck_step, " --reason 'HOW YOU KNOW'", does);
    }
    snprintf(does, sizeof does, "Ends it for good: nothing of it is called any more. Left as it is: %s.",
             names_of(a->s, saga, back ? undo_is_open : is_not_settled, back, names));
    put_choice(a, "resolve", NULL, " --reason 'WHAT WAS DONE'", does);
}

/* For its target, without an end. */
static bool waits_for_ever(const Saga__V1__Step *step)
{
    return strncmp(step->waiting_for, "target ", 7) == 0 && step->waits_until == NULL;
}

/* Where a step of it waits for a breaker to let calls leave: once for each target. */
static void choices_of_breakers(const struct advice *a, const Saga__V1__Saga *saga)
{
    char name[FIELD], word[FIELD];
    for (size_t i = 0; i < saga->n_steps; i++) {
        bool waits = strstr(saga->steps[i]->waiting_for, "whose breaker") != NULL;
        for (size_t k = 0; k < i && waits; k++)
            waits = strcmp(saga->steps[k]->waiting_for, saga->steps[i]->waiting_for) != 0;
        if (!waits)
            continue;
        screen_shell_word(screen_clean(a->s, saga->steps[i]->target, name, sizeof name), word, sizeof word);
        screen_put(a->s, PAINT_STRONG, "      sagactl%s breaker reset %s --reason 'WHY'\n", a->same, word);
        screen_wrap(a->s, PAINT_NONE,
                    "Closes it for all sagas: their calls leave now, and it opens again if most of them fail.", 10, 0);
    }
}

static void choices_on_the_way(const struct advice *a, const Saga__V1__Saga *saga)
{
    char names[SENTENCE], does[SENTENCE + FIELD];
    if (saga->state == STATE(RUNNING) && !saga->pivot_started) {
        snprintf(does, sizeof does, "Turns it back. To be undone, where there is a compensation: %s.",
                 names_of(a->s, saga, happened, true, names));
        put_choice(a, "cancel", NULL, " --reason 'WHY'", does);
    }
    for (size_t i = 0; i < saga->n_steps; i++) {
        const Saga__V1__Step *step = saga->steps[i];
        if (strstr(step->waiting_for, "its next attempt") != NULL)
            put_choice(a, "retry", step->name, "", "Makes the next attempt now rather than when its backoff is over.");
        else if ((undo_is_open(step) || saga->pivot_started) && waits_for_ever(step))
            put_choice(a, "skip", step->name, " --reason 'WHY'", "Goes on without it, though it may be owed.");
    }
    choices_of_breakers(a, saga);
    if (!saga->paused)
        put_choice(a, "pause", NULL, " --reason 'WHY'",
                   saga->deadline != NULL && !saga->pivot_started && saga->state == STATE(RUNNING)
                       ? "Holds it: no further call leaves for it until it is resumed. Its deadline goes on."
                       : "Holds it: no further call leaves for it until it is resumed.");
}

void advice_choices(const struct screen *s, const Saga__V1__Saga *saga, const char *same)
{
    struct advice a;
    begin(&a, s, saga, same);
    if (saga->paused)
        put_choice(&a, "resume", NULL, "", "Lets its calls leave again.");
    if (saga->state == STATE(STUCK))
        choices_of_stuck(&a, saga);
    else
        choices_on_the_way(&a, saga);
}
