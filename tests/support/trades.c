#include "tests/support/trades.h"

#include "sidecar/core/heap.h"

#include <check.h>
#include <string.h>

static struct schema *schema;

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)self;
    *hash = "cafe";
    return strcmp(name, "trades") == 0 ? schema : NULL;
}

struct definition_schemas trades_schemas(void)
{
    struct error_detail detail;
    if (schema == NULL && schema_read(bytes_of(trades, trades_size), &heap, &schema, &detail) != 0)
        ck_abort_msg("%s: %s", detail.field, detail.text);
    /* The distribution's protoc does not know the option debug_redact yet. */
    const struct message_type *order = schema_message(schema, bytes_of_text("trades.v1.Order"));
    ((struct field *)(uintptr_t)message_field_by_name(order, bytes_of_text("card")))->redacted = true;
    return (struct definition_schemas){.find = find};
}
