/* config_docs.h - the table of options as documents: sagad.yaml(5) and the tables in docs/configuration.md. `make
 * docs-options` writes them; a test sees that the committed ones are those of the table. */
#ifndef SAGA_CONFIG_CONFIG_DOCS_H
#define SAGA_CONFIG_CONFIG_DOCS_H

#include <stdio.h>

/* Between these lines stand the tables in a document of more. */
#define CONFIG_DOCS_BEGIN "<!-- options: from sidecar/config/options.def by `make docs-options`; do not edit -->\n"
#define CONFIG_DOCS_END   "<!-- options: end -->\n"

/* A whole manual page, for man(7). */
void config_docs_man(FILE *out);

/* Markdown: a heading and a table for each group, without the lines above. */
void config_docs_markdown(FILE *out);

#endif
