/* otlp.c - items are packed when they are made: then what waits is bytes, and who sends them only wraps them up. */
#include "sidecar/observe/otlp.h"

#include "sidecar/base/check.h"
#include "sidecar/base/error.h"
#include "sidecar/base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Of what is at its beginning as it will be, bytes from 1 to 127: nearly always all of it. Eight at a time: adding 127 to each byte sets the high bit of
 * all that are not 0, and carries nothing where none had it. */
static size_t plain_size(struct bytes text, size_t most)
{
    const uint64_t high = UINT64_C(0x8080808080808080), ones = UINT64_C(0x7f7f7f7f7f7f7f7f);
    size_t size = 0;
    most = text.size < most ? text.size : most;
    for (uint64_t word; size + sizeof word <= most; size += sizeof word) {
        memcpy(&word, text.at + size, sizeof word);
        if ((word & high) != 0 || ((word + ones) & high) != high)
            break;
    }
    while (size < most && text.at[size] > 0 && text.at[size] < 0x80)
        size++;
    return size;
}

char *otlp_text(struct bytes from, char *to, size_t room)
{
    size_t size = plain_size(from, room - 1);
    if (size > 0) {
        memcpy(to, from.at, size);
        from = bytes_of(from.at + size, from.size - size);
    }
    while (from.size > 0) {
        size_t sequence = from.at[0] == '\0' ? 0 : utf8_sequence_size(from);
        size_t taken = sequence == 0 ? 1 : sequence;
        if (size + taken > room - 1)
            break;
        if (sequence == 0)
            to[size] = '?';
        else
            memcpy(to + size, from.at, sequence);
        size += taken;
        from = bytes_of(from.at + taken, from.size - taken);
    }
    to[size] = '\0';
    return to;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool otlp_id(struct bytes hex, uint8_t *to, size_t size)
{
    uint8_t any = 0;
    if (hex.size != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit(hex.at[2 * i]), low = digit(hex.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
        any |= to[i];
    }
    return any != 0;
}

/* ---- attributes ---- */

static void begin(struct otlp_attribute *a, const char *name)
{
    otlp__key_value__init(&a->pair);
    otlp__any_value__init(&a->value);
    a->pair.key = (char *)(uintptr_t)name;
    a->pair.value = &a->value;
}

void otlp_say(struct otlp_attribute *a, const char *name, const char *text)
{
    begin(a, name);
    a->value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
    a->value.string_value = (char *)(uintptr_t)text;
}

void otlp_say_number(struct otlp_attribute *a, const char *name, int64_t number)
{
    begin(a, name);
    a->value.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
    a->value.int_value = number;
}

/* ---- batches ---- */

static bool make_room(struct otlp_batch *b, size_t size)
{
    size_t room = b->room == 0 ? 4096 : b->room;
    while (room < b->size + size)
        room *= 2;
    uint8_t *at = room == b->room ? b->at : realloc(b->at, room);
    if (at == NULL)
        return false;
    b->at = at;
    b->room = room;
    return true;
}

bool otlp_batch_add_small(struct otlp_batch *b, const ProtobufCMessage *item, size_t most, size_t bytes_max)
{
    uint32_t size;
    if (b->size > bytes_max - sizeof size || !make_room(b, sizeof size + most))
        return false;
    size = (uint32_t)protobuf_c_message_pack(item, b->at + b->size + sizeof size);
    CHECK(size <= most);
    if (size > bytes_max - b->size - sizeof size)
        return false;
    memcpy(b->at + b->size, &size, sizeof size);
    b->size += sizeof size + size;
    b->count++;
    return true;
}

bool otlp_batch_add(struct otlp_batch *b, const ProtobufCMessage *item, size_t bytes_max)
{
    uint32_t size = (uint32_t)protobuf_c_message_get_packed_size(item);
    size_t whole = sizeof size + size;
    if (whole > bytes_max || b->size > bytes_max - whole || !make_room(b, whole))
        return false;
    memcpy(b->at + b->size, &size, sizeof size);
    CHECK(protobuf_c_message_pack(item, b->at + b->size + sizeof size) == size);
    b->size += whole;
    b->count++;
    return true;
}

ProtobufCBinaryData *otlp_batch_list(const struct otlp_batch *b)
{
    ProtobufCBinaryData *list = calloc(b->count + 1, sizeof *list);
    uint8_t *at = b->at;
    for (size_t i = 0; list != NULL && i < b->count; i++) {
        uint32_t size;
        memcpy(&size, at, sizeof size);
        list[i] = (ProtobufCBinaryData){.len = size, .data = at + sizeof size};
        at += sizeof size + size;
    }
    CHECK(list == NULL || b->count == 0 || at == b->at + b->size);
    return list;
}

/* ---- the request and its answer ---- */

int otlp_request(const struct otlp_batch *batch, const char *instance, const char *version, struct bytes *out)
{
    struct otlp_attribute who[3];
    Otlp__KeyValue *list[3] = {&who[0].pair, &who[1].pair, &who[2].pair};
    Otlp__Resource resource = OTLP__RESOURCE__INIT;
    Otlp__Scope scope = OTLP__SCOPE__INIT;
    Otlp__ScopeItems said = OTLP__SCOPE_ITEMS__INIT, *said_list = &said;
    Otlp__ResourceItems by = OTLP__RESOURCE_ITEMS__INIT, *by_list = &by;
    Otlp__ExportRequest request = OTLP__EXPORT_REQUEST__INIT;
    otlp_say(&who[0], "service.name", "sagad");
    otlp_say(&who[1], "service.version", version);
    otlp_say(&who[2], "service.instance.id", instance);
    resource.attributes = list;
    resource.n_attributes = 3;
    scope.name = (char *)(uintptr_t) "sagad";
    scope.version = (char *)(uintptr_t)version;
    said.scope = &scope;
    said.items = otlp_batch_list(batch);
    said.n_items = batch->count;
    by.resource = &resource;
    by.scope_items = &said_list;
    by.n_scope_items = 1;
    request.resource_items = &by_list;
    request.n_resource_items = 1;
    if (said.items == NULL)
        return E_MEMORY;
    uint8_t *packed = malloc(protobuf_c_message_get_packed_size(&request.base));
    if (packed != NULL)
        *out = bytes_of(packed, protobuf_c_message_pack(&request.base, packed));
    free(said.items);
    return packed == NULL ? E_MEMORY : 0;
}

uint64_t otlp_rejected(struct bytes answer, uint64_t sent, char text[OTLP_TEXT_SIZE])
{
    Otlp__ExportResponse *read = otlp__export_response__unpack(NULL, answer.size, answer.at);
    const Otlp__PartialSuccess *partly = read == NULL ? NULL : read->partial_success;
    uint64_t rejected = partly == NULL || partly->rejected < 0 ? 0 : (uint64_t)partly->rejected;
    text[0] = '\0';
    if (partly != NULL)
        otlp_text(bytes_of_text(partly->error_message), text, OTLP_TEXT_SIZE);
    if (read != NULL)
        otlp__export_response__free_unpacked(read, NULL);
    return rejected > sent ? sent : rejected;
}
