/* core.h - C core, taken up. */
#ifndef SAGA_TRANSPORT_CORE_H
#define SAGA_TRANSPORT_CORE_H

/* To be called before anything of C core is used; as often as one likes, by any thread. It stays up until the process ends: its own shutdown
 * waits, for up to ten seconds, for a thread of its that sleeps in a poll, when a connection with much to write was cut off. */
void transport_core(void);

/* So does OpenSSL, which C core's threads may be in the middle of when the process ends: its own way is to give back what they use. To be called
 * before anything of OpenSSL is used; transport_core() does. */
void transport_crypto(void);

#endif
