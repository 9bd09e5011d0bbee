/* Functions of texts. Positions and lengths count code points. */
#include "sidecar/base/decimal.h"
#include "sidecar/base/utf8.h"
#include "sidecar/expression/regex.h"
#include "sidecar/expression/run_inside.h"
#include "sidecar/message/base64.h"

struct datum function_size(const struct call *c)
{
    const struct datum *v = &c->args[0];
    if (c->count != 1)
        return call_mismatch(c);
    switch (v->kind) {
    case DATUM_STRING:
        return charge(c->evaluation, cost_of_bytes(v->size)) ? datum_int(text_points(datum_bytes(v))) : call_memory(c);
    case DATUM_BYTES:
    case DATUM_LIST:
    case DATUM_MAP:
        return datum_int(v->size);
    default:
        return call_mismatch(c);
    }
}

/* Whether the first count arguments are strings. */
static bool are_strings(const struct call *c, uint32_t count)
{
    bool all = c->count >= count;
    for (uint32_t i = 0; i < count && all; i++)
        all = c->args[i].kind == DATUM_STRING;
    return all;
}

/* Where part is in text, from an offset on; the size of text + 1 when it is nowhere. */
static size_t find(struct evaluation *e, struct bytes text, struct bytes part, size_t from)
{
    uint64_t looked = 0;
    size_t found = text.size + 1;
    for (size_t i = from; i + part.size <= text.size; i++) {
        if (part.size > 0 && text.at[i] != part.at[0])
            continue;
        looked += 1 + part.size / 16;
        if (part.size == 0 || memcmp(text.at + i, part.at, part.size) == 0) {
            found = i;
            break;
        }
    }
    charge(e, looked / 4 + cost_of_bytes(text.size));
    return found;
}

struct datum function_contains(const struct call *c)
{
    if (c->count != 2 || !are_strings(c, 2))
        return call_mismatch(c);
    return datum_bool(find(c->evaluation, call_text(c, 0), call_text(c, 1), 0) <= c->args[0].size);
}

struct datum function_starts_with(const struct call *c)
{
    if (c->count != 2 || !are_strings(c, 2))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0), part = call_text(c, 1);
    return datum_bool(part.size <= text.size && bytes_equal(bytes_of(text.at, part.size), part));
}

struct datum function_ends_with(const struct call *c)
{
    if (c->count != 2 || !are_strings(c, 2))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0), part = call_text(c, 1);
    return datum_bool(part.size <= text.size &&
                      bytes_equal(bytes_of(text.at + text.size - part.size, part.size), part));
}

struct datum function_matches(const struct call *c)
{
    const char *wrong;
    if (c->count != 2 || !are_strings(c, 2))
        return call_mismatch(c);
    const struct regex *r = c->regex != NULL ? c->regex : regex_make(call_text(c, 1), c->evaluation->pool, &wrong);
    if (r == NULL)
        return wrong == regex_no_room ? call_memory(c) : call_fail(c, wrong);
    if (!charge(c->evaluation, 1 + (uint64_t)c->args[0].size * regex_states(r) / 8))
        return call_memory(c);
    int found = regex_matches(r, call_text(c, 0), c->evaluation->pool);
    return found < 0 ? call_memory(c) : datum_bool(found == 1);
}

static struct datum outside(const struct call *c, int64_t index)
{
    char digits[INTEGER_TEXT_SIZE];
    return fail_about(c->evaluation, c->position,
                      "index out of range: ", bytes_of(digits, decimal_write_int(index, digits)));
}

/* Argument i, which is a position in a text of so many code points, or behind its end. False: *failed. */
static bool position_in(const struct call *c, uint32_t i, uint32_t points, uint32_t *position, struct datum *failed)
{
    if (!call_is(c, i, DATUM_INT)) {
        *failed = call_mismatch(c);
        return false;
    }
    if (c->args[i].i < 0 || c->args[i].i > points) {
        *failed = outside(c, c->args[i].i);
        return false;
    }
    *position = (uint32_t)c->args[i].i;
    return true;
}

struct datum function_char_at(const struct call *c)
{
    uint32_t at;
    struct datum failed;
    if (c->count != 2 || !are_strings(c, 1))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    if (!charge(c->evaluation, cost_of_bytes(text.size)) || !position_in(c, 1, text_points(text), &at, &failed))
        return c->evaluation->ended != NULL ? call_memory(c) : failed;
    size_t offset = text_offset(text, at);
    struct bytes rest = bytes_of(text.at + offset, text.size - offset);
    return datum_string(bytes_of(rest.at, rest.size == 0 ? 0 : utf8_sequence_size(rest)));
}

/* indexOf and lastIndexOf of a list. */
static struct datum index_in_list(const struct call *c, bool last)
{
    const struct datum *list = &c->args[0];
    int64_t found = -1;
    if (c->count != 2 || list->kind != DATUM_LIST)
        return call_mismatch(c);
    for (uint32_t i = 0; i < list->size && (found < 0 || last); i++) {
        struct datum failed;
        int same = datum_equal(c->evaluation, c->position, &list->items[i], &c->args[1], &failed);
        if (same < 0)
            return failed;
        found = same == 1 ? i : found;
    }
    return datum_int(found);
}

struct datum function_index_of(const struct call *c)
{
    uint32_t from = 0;
    struct datum failed;
    if (call_is(c, 0, DATUM_LIST))
        return index_in_list(c, false);
    if (c->count < 2 || c->count > 3 || !are_strings(c, 2))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    if (c->count == 3 && !position_in(c, 2, text_points(text), &from, &failed))
        return failed;
    size_t found = find(c->evaluation, text, call_text(c, 1), text_offset(text, from));
    return datum_int(found > text.size ? -1 : (int64_t)text_points(bytes_of(text.at, found)));
}

struct datum function_last_index_of(const struct call *c)
{
    struct datum failed;
    if (call_is(c, 0, DATUM_LIST))
        return index_in_list(c, true);
    if (c->count < 2 || c->count > 3 || !are_strings(c, 2))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0), part = call_text(c, 1);
    uint32_t points = text_points(text), from = points;
    if (c->count == 3 && !position_in(c, 2, points, &from, &failed))
        return failed;
    if (!charge(c->evaluation, cost_of_bytes(text.size) * (1 + part.size / 16)))
        return call_memory(c);
    if (part.size > text.size)
        return datum_int(-1);
    size_t at = text_offset(text, from);
    at = at < text.size - part.size ? at : text.size - part.size;
    for (;; at--) {
        /* A text that begins in the middle of a code point is not equal to one that does not. */
        bool whole = at == text.size || (text.at[at] & 0xc0) != 0x80;
        if (whole && bytes_equal(bytes_of(text.at + at, part.size), part))
            return datum_int((int64_t)text_points(bytes_of(text.at, at)));
        if (at == 0)
            return datum_int(-1);
    }
}

static struct datum changed_case(const struct call *c, uint8_t first)
{
    if (c->count != 1 || !are_strings(c, 1))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    uint8_t *out =
        charge(c->evaluation, cost_of_bytes(text.size)) ? pool_take(c->evaluation->pool, text.size + 1) : NULL;
    if (out == NULL)
        return call_memory(c);
    for (size_t i = 0; i < text.size; i++)
        out[i] = text.at[i] >= first && text.at[i] < first + 26 ? text.at[i] ^ 0x20 : text.at[i];
    return datum_string(bytes_of(out, text.size));
}

struct datum function_lower_ascii(const struct call *c)
{
    return changed_case(c, 'A');
}

struct datum function_upper_ascii(const struct call *c)
{
    return changed_case(c, 'a');
}

/* Where the next match of old is, from an offset on: of an empty one before every code point and at the end. */
static size_t next_match(struct evaluation *e, struct bytes text, struct bytes old, size_t from)
{
    if (old.size > 0)
        return find(e, text, old, from);
    return from;
}

struct datum function_replace(const struct call *c)
{
    if (c->count < 3 || c->count > 4 || !are_strings(c, 3) || (c->count == 4 && !call_is(c, 3, DATUM_INT)))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0), old = call_text(c, 1), new = call_text(c, 2);
    int64_t left = c->count == 4 ? c->args[3].i : -1;
    struct text out = {.evaluation = c->evaluation};
    size_t at = 0;
    while (left != 0 && at <= text.size && !out.failed && c->evaluation->ended == NULL) {
        size_t found = next_match(c->evaluation, text, old, at);
        if (found > text.size)
            break;
        text_add(&out, bytes_of(text.at + at, found - at));
        text_add(&out, new);
        at = found + old.size;
        left--;
        if (old.size == 0) {
            size_t one = at == text.size ? 0 : utf8_sequence_size(bytes_of(text.at + at, text.size - at));
            text_add(&out, bytes_of(text.at + at, one));
            at += one;
            if (one == 0)
                break;
        }
    }
    text_add(&out, bytes_of(text.at + at, text.size - at));
    return text_finish(&out, DATUM_STRING, c->position);
}

/* The next piece of a text that is split; an empty separator gives single code points. */
static struct bytes next_piece(struct evaluation *e, struct bytes text, struct bytes separator, size_t *at)
{
    size_t first = *at, end;
    struct bytes rest = bytes_of(text.at + first, text.size - first);
    if (separator.size == 0) {
        end = first + utf8_sequence_size(rest);
        *at = end;
    } else {
        end = find(e, text, separator, first);
        *at = end > text.size ? text.size + 1 : end + separator.size;
        end = end > text.size ? text.size : end;
    }
    return bytes_of(text.at + first, end - first);
}

struct datum function_split(const struct call *c)
{
    if (c->count < 2 || c->count > 3 || !are_strings(c, 2) || (c->count == 3 && !call_is(c, 2, DATUM_INT)))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0), separator = call_text(c, 1);
    int64_t limit = c->count == 3 ? c->args[2].i : -1;
    struct datum *items = NULL;
    uint32_t count = 0, room = 0;
    size_t at = 0;
    bool more = limit != 0 && (separator.size > 0 || text.size > 0);
    while (more && c->evaluation->ended == NULL) {
        if (count == room) {
            uint32_t larger = room == 0 ? 8 : 2 * room;
            items = charge(c->evaluation, larger)
                        ? pool_grow(c->evaluation->pool, items, room * sizeof *items, larger * sizeof *items)
                        : NULL;
            if (items == NULL)
                return call_memory(c);
            room = larger;
        }
        bool rest = limit > 0 && count + 1 == limit;
        size_t first = at;
        struct bytes piece = next_piece(c->evaluation, text, separator, &at);
        if (rest)
            piece = bytes_of(text.at + first, text.size - first);
        items[count++] = datum_string(piece);
        more = !rest && (separator.size == 0 ? at < text.size : at <= text.size);
    }
    return c->evaluation->ended != NULL ? call_memory(c) : datum_list(items, count);
}

struct datum function_substring(const struct call *c)
{
    uint32_t first, end;
    struct datum failed;
    if (c->count < 2 || c->count > 3 || !are_strings(c, 1))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    if (!charge(c->evaluation, cost_of_bytes(text.size)))
        return call_memory(c);
    uint32_t points = end = text_points(text);
    if (!position_in(c, 1, points, &first, &failed) || (c->count == 3 && !position_in(c, 2, points, &end, &failed)))
        return failed;
    if (first > end)
        return call_fail(c, "invalid substring range: it ends before it begins");
    size_t from = text_offset(text, first);
    struct bytes rest = bytes_of(text.at + from, text.size - from);
    return datum_string(bytes_of(rest.at, text_offset(rest, end - first)));
}

/* Unicode's White_Space. */
static bool is_space(uint32_t p)
{
    return (p >= '\t' && p <= '\r') || p == ' ' || p == 0x85 || p == 0xa0 || p == 0x1680 ||
           (p >= 0x2000 && p <= 0x200a) || p == 0x2028 || p == 0x2029 || p == 0x202f || p == 0x205f || p == 0x3000;
}

struct datum function_trim(const struct call *c)
{
    if (c->count != 1 || !are_strings(c, 1))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    size_t first = text.size, end = 0;
    charge(c->evaluation, cost_of_bytes(text.size));
    for (size_t at = 0; at < text.size;) {
        size_t size = utf8_sequence_size(bytes_of(text.at + at, text.size - at));
        if (!is_space(utf8_decode(text.at + at, size))) {
            first = first < at ? first : at;
            end = at + size;
        }
        at += size;
    }
    return datum_string(end == 0 ? bytes_of(text.at, 0) : bytes_of(text.at + first, end - first));
}

struct datum function_reverse(const struct call *c)
{
    if (c->count != 1 || !are_strings(c, 1))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    uint8_t *out =
        charge(c->evaluation, cost_of_bytes(text.size)) ? pool_take(c->evaluation->pool, text.size + 1) : NULL;
    if (out == NULL)
        return call_memory(c);
    for (size_t at = 0; at < text.size;) {
        size_t size = utf8_sequence_size(bytes_of(text.at + at, text.size - at));
        memcpy(out + text.size - at - size, text.at + at, size);
        at += size;
    }
    return datum_string(bytes_of(out, text.size));
}

struct datum function_join(const struct call *c)
{
    const struct datum *list = &c->args[0];
    if (c->count < 1 || c->count > 2 || list->kind != DATUM_LIST || (c->count == 2 && !call_is(c, 1, DATUM_STRING)))
        return call_mismatch(c);
    struct text out = {.evaluation = c->evaluation};
    for (uint32_t i = 0; i < list->size && !out.failed; i++) {
        if (list->items[i].kind != DATUM_STRING)
            return call_mismatch(c);
        if (i > 0 && c->count == 2)
            text_add(&out, call_text(c, 1));
        text_add(&out, datum_bytes(&list->items[i]));
    }
    return text_finish(&out, DATUM_STRING, c->position);
}

struct datum function_quote(const struct call *c)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    if (c->count != 1 || !are_strings(c, 1))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    struct text out = {.evaluation = c->evaluation};
    text_add(&out, bytes_of_text("\""));
    for (size_t i = 0; i < text.size && !out.failed; i++) {
        const char *found = text.at[i] == 0 ? NULL : memchr(from, text.at[i], sizeof from - 1);
        if (found != NULL) {
            const uint8_t escape[] = {'\\', (uint8_t)to[found - from]};
            text_add(&out, bytes_of(escape, 2));
        } else {
            text_add(&out, bytes_of(text.at + i, 1));
        }
    }
    text_add(&out, bytes_of_text("\""));
    return text_finish(&out, DATUM_STRING, c->position);
}

struct datum function_base64_encode(const struct call *c)
{
    if (c->count != 1 || !call_is(c, 0, DATUM_BYTES))
        return call_mismatch(c);
    return bytes_as_text(c->evaluation, c->position, call_text(c, 0));
}

struct datum function_base64_decode(const struct call *c)
{
    if (c->count != 1 || !are_strings(c, 1))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    size_t size;
    uint8_t *out = charge(c->evaluation, cost_of_bytes(text.size))
                       ? pool_take(c->evaluation->pool, BASE64_BYTES_MAX(text.size))
                       : NULL;
    if (out == NULL)
        return call_memory(c);
    if (!base64_read(text, out, &size))
        return call_fail(c, "the text is no base64");
    return datum_text(DATUM_BYTES, bytes_of(out, size));
}
