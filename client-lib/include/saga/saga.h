/* saga.h - libsaga: sagas from C and C++. This header brings in all of the library.
 *
 *   client.h       start sagas, run enlisted ones, wait for them, watch them
 *   async.h        the same without waiting: callbacks, or an event loop with an eventfd
 *   participant.h  serve actions and compensations
 *
 * The barrier's database adapters are libraries of their own: <saga/sqlite.h> (libsaga-sqlite) and <saga/pq.h> (libsaga-pq).
 *
 * Ownership is told in five words. A function *borrows* an argument for the length of the call, *copies* it, or *takes* it (on success; on
 * failure it stays with the caller). It *gives* what the caller must destroy, and returns a *view* of what stays the library's until the
 * named next call. An argument about which nothing is said is borrowed. */
#ifndef SAGA_SAGA_H
#define SAGA_SAGA_H

#include <saga/async.h>
#include <saga/client.h>
#include <saga/error.h>
#include <saga/participant.h>
#include <saga/version.h>

#endif
