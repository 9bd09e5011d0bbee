/* config_text.h - a configuration as lines of text, one for each of its values: what two of them differ in can be read. */
#ifndef SAGA_TESTS_CONFIG_TEXT_H
#define SAGA_TESTS_CONFIG_TEXT_H

#include "sidecar/config/config.h"

#include <stdio.h>

/* Every value of it, lists entry by entry, and what definitions are read with. */
void config_text_write(const struct config *c, FILE *out);

#endif
