/* config_text.h - a configuration as lines of text, one for each of its values: what two of them differ in can be read. */
#ifndef SAGA_TESTS_CONFIG_TEXT_H
#define SAGA_TESTS_CONFIG_TEXT_H

#include "sidecar/config/config.h"

/* Every value of it, lists entry by entry, and what definitions are read with; with a newline before the first. To be freed. */
char *config_text(const struct config *c);

/* What is said of a file, or the lines that it has other than `base_text`, which is config_text of base, and the options that are other. */
#define CONFIG_TEXT_RESULT_SIZE 4096
void config_text_result(const char *text, const struct config *base, const char *base_text, char *result);

#endif
