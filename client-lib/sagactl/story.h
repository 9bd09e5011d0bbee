/* story.h - a saga's events in words, and its timeline in two columns: what was done on the left, what was undone on
 * the right. */
#ifndef SAGACTL_STORY_H
#define SAGACTL_STORY_H

#include "client-lib/sagactl/screen.h"

#include "saga/v1/coordinator.pb-c.h"

enum story_side { STORY_ACTION, STORY_COMPENSATION, STORY_WHOLE };

/* An event as it is shown. Its text is clean. */
struct story_line {
    enum story_side side;
    enum paint paint;
    char text[1024];
};

/* Tells one event (borrowed). */
void story_tell(const struct screen *s, const Saga__V1__Event *event, struct story_line *line);

/* Writes a timeline: times since origin, two columns, long texts over several lines. */
void story_write(const struct screen *s, struct instant origin, Saga__V1__Event *const *events, size_t count);

/* Writes one event on one line, as watch does: the time of day, the saga when with_saga, the side by a mark. */
void story_write_line(const struct screen *s, const Saga__V1__Event *event, bool with_saga);

/* "UNAVAILABLE: connection refused", from a gRPC status and what was said; "" when there is neither. Clean. Returns
 * text. */
char *story_answer(const struct screen *s, int status, const char *message, char *text, size_t size);

#endif
