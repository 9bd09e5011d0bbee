/* message_text.h - a message of protobuf-c as text, every field that is set in it by its name: what a part says can be kept and compared whole. */
#ifndef SAGA_TESTS_MESSAGE_TEXT_H
#define SAGA_TESTS_MESSAGE_TEXT_H

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

/* {name: "text", list: [1 2], inner: {...}}. Bytes are hex digits, enums their names; what has its default is not there. */
void message_text_put(FILE *out, const ProtobufCMessage *m);

#endif
