/* engine_trace.h - exact traces of the engine: a text in which each line that begins with "> " is something that happens, and the lines
 * after it are every record and effect that the engine must answer it with, in order.
 *
 * What can happen (times in milliseconds; a saga is told by its serial):
 *   > at 1500                        the time becomes 1500
 *   > tick                           the time becomes that of the next timer, and it goes off
 *   > start r1                       a Start with request_id r1;  > start r1 deadline=500 in=text
 *                                    Of a typed definition a text stands for a shapes.Line with this sku; "damaged" is none
 *   > begin r1 lease=2000            and  deadline=  enlist=a (a step "a" is enlisted with it)
 *   > enlist 1 a settle=b:DONE       either part may be left out
 *   > commit 1, abort 1, keepalive 1 and  settle=a:DONE;  settle=a:UNKNOWN may_run=500 (for so long it may still take effect)
 *   > cancel 1, pause 1, resume 1, retry 1, skip 1 a, reject 1 a, resolve 1
 *   > answer 1 a OK                  the participant answers the call of step a that is out with this status; with  out=text
 *                                    pushback=200 as its output and pushback
 *   > shed 1 a UNAVAILABLE           the participant says so, and that it had not begun
 *   > lost 1 a                       that call ends at its deadline without an answer;  > lost 1 a UNAVAILABLE  now
 *   > unsent 1 a                     it never left;  > unreached 1 a  because its target could not be reached
 *   > reachable t                    target t can be reached again
 *   > trip t, hold t, reset t        a person opens the target's breaker for 5 s, holds it open, or closes it
 *   > configure t 2                  target t has so many places from now on; 0: the configuration no longer names it; with  pending=500
 *                                    (its pending_timeout)  crowd=1 (max_pending_calls)  budget=10 (percent; one retry a second at least)
 *   > crash                          everything but the records is gone; they are read back from bytes, and the sagas go on;
 *                                    > crash u  and the configuration no longer names target u
 *   > upgrade this that              a crash, and the version that comes after it reads `that` where the definition says `this` first */
#ifndef TESTS_SUPPORT_ENGINE_TRACE_H
#define TESTS_SUPPORT_ENGINE_TRACE_H

/* Runs the text with one definition (YAML, or NULL), and targets "t" and "u" of bulkhead places and a timeout of 2 s. Fails the test at the
 * first difference, with both texts. */
void engine_trace_run(const char *definition, unsigned bulkhead, const char *text);

#endif
