/* message_text.h - a message of the API as one line of text, with every field that is set. */
#ifndef SAGA_TESTS_MESSAGE_TEXT_H
#define SAGA_TESTS_MESSAGE_TEXT_H

#include "sidecar/base/bytes.h"

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

/* Writes "saga:{id:'9f03-1' state:RUNNING started_at:1000.5s}": fields by their names and in their order, lists as often as they have something,
 * enums without what all their names begin with. Of a text sixteen equal bytes and more are
 * counted; of one that is longer than 120 bytes the rest is a size and a sum. */
void message_text_put(FILE *out, const ProtobufCMessage *m);

/* The same of one that is packed. Fails the test when it cannot be read. */
void message_text_put_packed(FILE *out, const ProtobufCMessageDescriptor *type, struct bytes packed);

/* Bytes in quotes, with what is no ASCII letter as \xx; cut likewise. */
void message_text_put_bytes(FILE *out, struct bytes bytes);

#endif
