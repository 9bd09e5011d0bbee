/* config_same.h - what has changed between two configurations, option by option. */
#ifndef SAGA_CONFIG_CONFIG_SAME_H
#define SAGA_CONFIG_CONFIG_SAME_H

#include "sidecar/config/config.h"
#include "sidecar/config/config_options.h"

/* Whether the option says the same in both. */
bool config_same(const struct config *a, const struct config *b, enum option_index index);
/* Whether two targets, of the same name, are the same in all that is said of them. */
bool config_same_target(const struct config_target *a, const struct config_target *b);
bool config_same_remedy(const struct config_remedy *x, const struct config_remedy *y);

#endif
