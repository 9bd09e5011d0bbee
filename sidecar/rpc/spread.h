/* spread.h - which of a target's addresses is called next, and which of them should have a connection. Pure: it is told what each is like.
 *
 * The policies are those of gRPC's service config (loadBalancingConfig). */
#ifndef SAGA_RPC_SPREAD_H
#define SAGA_RPC_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

enum spread_policy {
    SPREAD_ROUND_ROBIN, /* all that can be reached are called in turn */
    SPREAD_PICK_FIRST,  /* one is called, and another once that cannot be reached */
};

/* What an address is like. */
enum spread_state {
    SPREAD_IDLE,    /* without a connection, and nobody has found that there can be none */
    SPREAD_READY,   /* it has one */
    SPREAD_FAILING, /* it cannot be reached; it is tried again and again */
};

/* Whose turn it is of count addresses, or -1 when none is READY. *turn is the policy's, anything at first. */
int spread_next(enum spread_policy policy, const uint8_t *states, unsigned count, unsigned *turn);

/* Whether this one should have a connection, or be tried for one. */
bool spread_wants(enum spread_policy policy, const uint8_t *states, unsigned count, unsigned which);

/* Whether all of them cannot be reached. */
bool spread_hopeless(const uint8_t *states, unsigned count);

#endif
