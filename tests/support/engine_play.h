/* engine_play.h - an engine that is played with, line by line, and says in full what it answers (engine_words.h). Two targets, t and u, of so many
 * places, and a timeout of 2 s. Time stands still but for `at` and `tick`.
 *
 *   at 1500 | tick | hold | renew | release 1
 *                                   the time is; it becomes that of the next timer, which goes off; no attempt leaves any more; all leases begin anew;
 *                                   an end is told
 *   crash                           what was recorded is read back from bytes by another engine, which goes on; crash gone=u: without that target
 *   start|begin|enlist|commit|abort|keepalive|cancel|pause|resume|retry|skip|reject|resolve SAGA [STEP]
 *                                   and  id= in= deadline= lease= priority= trace= version= synthetic=yes who= scoped=yes actor= reason= room= tags= tag=
 *                                   name=  enlist=a,b (with an undo at t; target= method= sends= timeout= tries= backoff= of them all; undo=no)
 *                                   settle=a:DONE,b:UNKNOWN  out= may_run= as_request=yes. A value *300 is as many x, ** is none.
 *   answer SAGA STEP STATUS         and  reach=answered|maybe|none|unreached|not-begun  out= said= pushback= took=
 *   set t                           and  places= adaptive=yes rate= budget= crowd= pending= breaker=yes timeout= barrier=yes
 *   reachable t | trip t | hold-open t | reset t | drill 4 (a rule of this kind: target= phase= status= delay=) | limit d live= starts= */
#ifndef SAGA_TESTS_ENGINE_PLAY_H
#define SAGA_TESTS_ENGINE_PLAY_H

#include "sidecar/definition/model.h"
#include "tests/support/engine_words.h"

struct play;
struct record;

/* A new engine; definition (borrowed; NULL: none) is what is started. What is said goes to out, "; " before each thing. */
struct play *play_open(struct definition *definition, unsigned places, FILE *out);
void play_close(struct play *p);

/* One of the lines above, size bytes of it. Returns whether it could be done: an answer to a call that is not out, a tick where no timer is set, cannot. */
bool play_do(struct play *p, const char *line, size_t size);

/* What is said from now on goes there. */
void play_say_to(struct play *p, FILE *out);
struct engine *play_engine(struct play *p);
struct instant play_now(const struct play *p);

/* Everything that was recorded, and the records of it one after another; false: that was the last. */
struct bytes play_journal(const struct play *p);
bool play_next_record(struct bytes *rest, struct record *r);

/* The definition of this text, resolved nowhere yet; ends the test when it cannot be read. */
struct definition *play_definition(const char *text);

#endif
