/* pack.h - moves a definition whose parts lie anywhere into one allocation. */
#ifndef SAGA_DEFINITION_PACK_H
#define SAGA_DEFINITION_PACK_H

#include "sidecar/definition/model.h"

/* Copies draft with its steps, texts, constants and source; a mapping is shared. The caller gives the result to definition_destroy. NULL
 * when no memory is left. */
struct definition *definition_pack(const struct definition *draft);

#endif
