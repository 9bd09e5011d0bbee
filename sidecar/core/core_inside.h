/* core_inside.h - what the files of the core share with one another, and with nobody else. */
#ifndef SAGA_CORE_CORE_INSIDE_H
#define SAGA_CORE_CORE_INSIDE_H

#include "sidecar/core/core.h"

struct held_effect {
    struct effect effect;
    struct error_detail *detail; /* owned; NULL when there is none */
};

/* What has been decided and is not durable. */
struct batch {
    uint8_t *records;
    size_t size, room;
    struct held_effect *effects;
    size_t effect_count, effect_room;
    struct ended_row *ended;
    size_t ended_count, ended_room;
    struct definition_row *definitions;
    size_t definition_count, definition_room;
};

struct core {
    struct core_options options;
    struct memory memory;
    struct store *store;
    struct catalog *catalog;
    struct core_world world;
    struct engine *engine;
    struct engine_out out;
    struct batch batch;
    struct call_effect *orphans; /* calls let out to no target; answered at the next submit */
    size_t orphan_count, orphan_room;
    uint64_t frame;             /* number of the next one */
    uint64_t oldest_live_frame; /* as the store was last told */
    uint64_t needed_from; /* no live saga has a durable record before this frame; what is only decided does not count */
    struct instant latest; /* of the records that recovery saw */
    bool holding;
    struct instant full_since;
    int failed; /* not 0: the batch could not be built; the owner must stop */
};

/* ---- core.c ---- */
/* Where the engine puts what it decides: into the batch. */
struct engine_out core_out(struct core *c);
/* Appends one record to the batch. Returns 0 or E_MEMORY. */
int core_append(struct core *c, const struct record *r, uint64_t previous);
/* The frame from which the journal is needed, as memory has it: the batch included. */
uint64_t core_oldest_live_frame(const struct core *c);
/* 0, or with detail why the batch could not be built. */
int core_failed(const struct core *c, struct error_detail *detail);

#endif
