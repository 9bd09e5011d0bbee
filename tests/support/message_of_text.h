/* message_of_text.h - messages of the API written as text in a test, and each field of one changed in turn. */
#ifndef SAGA_TESTS_MESSAGE_OF_TEXT_H
#define SAGA_TESTS_MESSAGE_OF_TEXT_H

#include <protobuf-c/protobuf-c.h>

/* What times in such a text count from, in seconds since 1970: 2026-05-04 10:20:30 UTC. */
#define MESSAGE_NOW INT64_C(1777890030)

/* "id:'a' state:STUCK tags{name:'n' value:'v'} started_at:-90.5 every:30": fields by name, of which a repeated one stands once for each value. An
 * enum's value is a number, or its name without what all of its names begin with. A Timestamp is in seconds from MESSAGE_NOW, a Duration in
 * seconds. Bytes are a text, or @NAME: what is in that file. A text of N letters is
 * *N. Gives (protobuf_c_message_free_unpacked). Fails the test when the text is wrong. */
ProtobufCMessage *message_of_text(const ProtobufCMessageDescriptor *type, const char *text);

/* Each field of the message, and of those in it, is given other values in turn: none, every value of an enum, some numbers, a text that would
 * steer a terminal, fewer elements; in elements behind the first one other value. take is called each time, with the field's path and its value as a
 * text, and the message is then as before. */
void message_vary(ProtobufCMessage *message, void (*take)(void *self, const char *path, const char *value), void *self);

#endif
