/* told_letters.c - dead letters to choose from. */
#include "tests/support/told_letters.h"

#include <stdint.h>
#include <time.h>

static char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

void told_letters(Saga__V1__ListDeadLettersResponse *answer)
{
    static Saga__V1__Saga sagas[TOLD_LETTERS], *list[TOLD_LETTERS];
    static Saga__V1__Step steps[TOLD_LETTERS], *lists[TOLD_LETTERS];
    static Google__Protobuf__Timestamp started[TOLD_LETTERS];
    static const struct {
        const char *id, *definition, *step;
        int status;
        int64_t hours;
    } of[TOLD_LETTERS] = {{"9f03c1d2a4b7-1", "order", "charge", 14, 1},  {"9f03c1d2a4b7-2", "order", "charge", 14, 26},
                          {"9f03c1d2a4b7-3", "order", "charge", 14, 2},  {"9f03c1d2a4b7-4", "order", "charge", 9, 3},
                          {"9f03c1d2a4b7-5", "refund", "charge", 14, 5}, {"9f03c1d2a4b7-6", "order", "send", 0, 4}};
    saga__v1__list_dead_letters_response__init(answer);
    for (int i = 0; i < TOLD_LETTERS; i++) {
        saga__v1__saga__init(&sagas[i]);
        saga__v1__step__init(&steps[i]);
        google__protobuf__timestamp__init(&started[i]);
        list[i] = &sagas[i];
        lists[i] = &steps[i];
        started[i].seconds = time(NULL) - of[i].hours * 3600 - 60;
        sagas[i].id = text(of[i].id);
        sagas[i].definition = text(of[i].definition);
        sagas[i].state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
        sagas[i].stuck_step = text(of[i].step);
        sagas[i].started_at = &started[i];
        sagas[i].steps = &lists[i];
        sagas[i].n_steps = 1;
        steps[i].name = text(of[i].step);
        steps[i].last_status = of[i].status;
        steps[i].compensation_attempts = i == 4;
    }
    answer->sagas = list;
    answer->n_sagas = TOLD_LETTERS;
}
