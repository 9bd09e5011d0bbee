/* base64.h - bytes as text (https://www.rfc-editor.org/rfc/rfc4648). Pure. */
#ifndef SAGA_MESSAGE_BASE64_H
#define SAGA_MESSAGE_BASE64_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* Room for the bytes of a text of this size. */
#define BASE64_BYTES_MAX(text_size) ((text_size) / 4 * 3 + 2)
#define BASE64_TEXT_SIZE(size)      (((size) + 2) / 3 * 4)

/* Reads the standard alphabet or that of URLs, with padding or without. False when the text is neither. */
bool base64_read(struct bytes text, uint8_t *to, size_t *size);

/* Writes the standard alphabet with padding, BASE64_TEXT_SIZE(bytes.size) bytes and no NUL. */
void base64_write(struct bytes bytes, uint8_t *to);

#endif
