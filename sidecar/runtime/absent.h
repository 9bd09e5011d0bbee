/* absent.h - targets that definitions or live sagas need, and that the configuration does not name. */
#ifndef SAGA_RUNTIME_ABSENT_H
#define SAGA_RUNTIME_ABSENT_H

#include "sidecar/runtime/sidecar_inside.h"

/* Says of each which it is, and how many sagas and definitions need it. Looks at every live saga: for the start. */
void absent_tell(const struct sidecar *sidecar);

#endif
