/* payload.h - payloads whose type is known: checked, and as JSON. */
#ifndef SAGA_API_PAYLOAD_H
#define SAGA_API_PAYLOAD_H

#include "sidecar/base/error.h"
#include "sidecar/core/arena.h"
#include "sidecar/message/schema.h"

/* Whether wire is a message of this type, and nothing more: unknown fields are refused. Returns 0 or E_ARGUMENT; the field is "input" and the path
 * within it. */
int payload_check(const struct message_type *type, struct bytes wire, struct error_detail *detail);

/* A message from JSON; *wire lies in the arena. At most 256 KiB. Fails as json_read does; the field is "input_json" and the path within it. */
int payload_read_json(struct arena *a, const struct schema *schema, const struct message_type *type, struct bytes json,
                      struct bytes *wire, struct error_detail *detail);

/* A message as JSON in the arena; NULL when it has no such form, or no memory is left. */
char *payload_write_json(struct arena *a, const struct schema *schema, const struct message_type *type,
                         struct bytes wire);

#endif
