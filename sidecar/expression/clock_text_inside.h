/* clock_text_inside.h - timestamps, durations and offsets as expressions write them. UTC and fixed offsets alone: which other zone had which offset when is
 * nothing that a saga should depend on.. */
#ifndef SAGA_EXPRESSION_CLOCK_TEXT_INSIDE_H
#define SAGA_EXPRESSION_CLOCK_TEXT_INSIDE_H

#include "sidecar/expression/expression.h"

/* RFC 3339: "2009-02-13T23:31:30.5Z", "...+01:00". */
struct datum read_timestamp(struct evaluation *e, uint32_t position, struct bytes text);
struct datum write_timestamp(struct evaluation *e, uint32_t position, const struct datum *timestamp);

/* "1h30m", "-1.5s", "250ms": numbers with the units h, m, s, ms, us, ns. Written in seconds: "5400s". */
struct datum read_duration(struct evaluation *e, uint32_t position, struct bytes text);
struct datum write_duration(struct evaluation *e, uint32_t position, const struct datum *duration);

/* "UTC", "Z", "+01:00", "-7:30" as seconds to add. False when the text is no such zone. */
bool read_offset(struct bytes text, int64_t *seconds);

#endif
