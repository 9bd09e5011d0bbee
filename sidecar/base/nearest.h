/* nearest.h - which valid name somebody meant when writing one that is not. */
#ifndef SAGA_BASE_NEAREST_H
#define SAGA_BASE_NEAREST_H

#include "sidecar/base/bytes.h"

/* The one of names that `wrong` was most likely meant to be, or NULL when none is near. Letter case, '_' and '-' do not
 * count, so that max_attempts finds maxAttempts. The first of equally near ones is given. */
const char *nearest_name(struct bytes wrong, const char *const *names, size_t count);

#endif
