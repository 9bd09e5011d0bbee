/* told_letters.h - dead letters to choose from, for a sidecar of told_sidecar.h to give. */
#ifndef SAGA_TESTS_TOLD_LETTERS_H
#define SAGA_TESTS_TOLD_LETTERS_H

#include "saga/v1/operator.pb-c.h"

#define TOLD_LETTERS 6

/* Of one kind are those of one definition that stand at one step with one status. A view until the next call. */
void told_letters(Saga__V1__ListDeadLettersResponse *answer);

#endif
