/* regex.h - regular expressions in RE2's syntax (https://github.com/google/re2/wiki/Syntax), matched in a time that grows with the pattern times the
 * text and never faster. What of the syntax there is not is refused by name. Pure. */
#ifndef SAGA_EXPRESSION_REGEX_H
#define SAGA_EXPRESSION_REGEX_H

#include "sidecar/base/pool.h"

#define REGEX_BYTES_MAX  1024 /* of the pattern */
#define REGEX_STATES_MAX 2000 /* of what is made of it; a{100} counts a hundred times */

struct regex;

/* Reads a pattern (borrowed for the call; valid UTF-8). NULL: *wrong says what is wrong in one sentence; regex_no_room when the pool has none. */
const struct regex *regex_make(struct bytes pattern, struct pool *pool, const char **wrong);

extern const char regex_no_room[];

/* Work that one code point of text costs at most. */
uint32_t regex_states(const struct regex *r);

/* Whether some part of the text (valid UTF-8) matches: 1 or 0; -1 when the pool has no room. */
int regex_matches(const struct regex *r, struct bytes text, struct pool *pool);

#endif
