#include "sidecar/expression/run_inside.h"

#include "sidecar/base/utf8.h"
#include "sidecar/message/base64.h"

const char no_such_overload[] = "no such overload: the operation is not for values of these types";
const char out_of_range[] = "the result is out of range";

const struct datum datum_absent = {.kind = DATUM_FAILURE, .failure = NULL};

static const struct failure memory_failure = {
    .text = {.at = (const uint8_t *)"the evaluation needs more memory than it may have", .size = 49}, .fatal = true};
static const struct failure cost_failure = {
    .text = {.at = (const uint8_t *)"the evaluation costs more than it may", .size = 37}, .fatal = true};

static struct datum failed(const struct failure *failure)
{
    return (struct datum){.kind = DATUM_FAILURE, .failure = failure};
}

struct datum fail_memory(struct evaluation *e, uint32_t position)
{
    struct failure *f = pool_take(e->pool, sizeof *f);
    if (e->ended != NULL)
        return failed(e->ended);
    e->ended = &memory_failure;
    if (f != NULL) {
        *f = memory_failure;
        f->position = position;
        e->ended = f;
    }
    return failed(e->ended);
}

static struct failure *make(struct evaluation *e, uint32_t position, struct bytes text)
{
    struct failure *f = pool_take(e->pool, sizeof *f);
    if (f != NULL)
        *f = (struct failure){.text = text, .position = position};
    return f;
}

struct datum fail(struct evaluation *e, uint32_t position, const char *text)
{
    if (e->ended != NULL)
        return failed(e->ended);
    const struct failure *f = make(e, position, bytes_of_text(text));
    return f == NULL ? fail_memory(e, position) : failed(f);
}

/* Longer texts of others are cut in a sentence. */
#define ABOUT_BYTES_MAX 64

struct datum fail_about(struct evaluation *e, uint32_t position, const char *text, struct bytes about)
{
    size_t size = strlen(text), more = about.size < ABOUT_BYTES_MAX ? about.size : ABOUT_BYTES_MAX;
    while (more > 0 && more < about.size && (about.at[more] & 0xc0) == 0x80)
        more--;
    uint8_t *whole = pool_take(e->pool, size + more);
    if (whole == NULL)
        return fail_memory(e, position);
    memcpy(whole, text, size);
    if (more > 0)
        memcpy(whole + size, about.at, more);
    struct failure *f = make(e, position, bytes_of(whole, size + more));
    return e->ended != NULL ? failed(e->ended) : f == NULL ? fail_memory(e, position) : failed(f);
}

struct datum fail_bound(struct evaluation *e, uint32_t position, const char *text)
{
    if (e->ended != NULL)
        return failed(e->ended);
    struct failure *f = make(e, position, bytes_of_text(text));
    if (f == NULL)
        return fail_memory(e, position);
    f->fatal = true;
    e->ended = f;
    return failed(f);
}

bool charge(struct evaluation *e, uint64_t cost)
{
    e->cost += cost;
    if (e->cost > e->cost_max && e->ended == NULL)
        e->ended = &cost_failure;
    return e->ended == NULL;
}

void text_add(struct text *t, struct bytes more)
{
    if (t->failed || more.size == 0)
        return;
    if (more.size > t->room - t->size) {
        size_t room = t->size + more.size;
        room = room < 2 * t->room ? 2 * t->room : room < 32 ? 32 : room;
        uint8_t *at =
            charge(t->evaluation, cost_of_bytes(room)) ? pool_grow(t->evaluation->pool, t->at, t->room, room) : NULL;
        if (at == NULL || room > UINT32_MAX) {
            t->failed = true;
            return;
        }
        t->at = at;
        t->room = room;
    }
    memcpy(t->at + t->size, more.at, more.size);
    t->size += more.size;
}

void text_add_point(struct text *t, uint32_t point)
{
    uint8_t bytes[4];
    text_add(t, bytes_of(bytes, utf8_encode(point, bytes)));
}

struct datum text_finish(const struct text *t, enum datum_kind kind, uint32_t position)
{
    return t->failed ? fail_memory(t->evaluation, position) : datum_text(kind, bytes_of(t->at, t->size));
}

struct datum optional_of(struct evaluation *e, uint32_t position, struct datum value)
{
    if (datum_failed(&value))
        return value;
    struct datum *held = pool_take(e->pool, sizeof *held);
    if (held == NULL)
        return fail_memory(e, position);
    *held = value;
    return (struct datum){.kind = DATUM_OPTIONAL, .held = held};
}

bool datum_is_zero(const struct datum *d)
{
    switch (d->kind) {
    case DATUM_NULL:
        return true;
    case DATUM_BOOL:
        return !d->b;
    case DATUM_INT:
    case DATUM_UINT:
    case DATUM_DURATION:
        return d->u == 0;
    case DATUM_DOUBLE:
        return d->d == 0;
    case DATUM_STRING:
    case DATUM_BYTES:
    case DATUM_LIST:
    case DATUM_MAP:
        return d->size == 0;
    case DATUM_MESSAGE:
        return d->message->wire.size == 0;
    case DATUM_TIMESTAMP:
        return d->i == 0 && d->size == 0;
    case DATUM_OPTIONAL:
        return d->held == NULL;
    default:
        return false;
    }
}

uint32_t text_points(struct bytes text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.at[i] & 0xc0) != 0x80;
    return count;
}

size_t text_offset(struct bytes text, uint32_t point)
{
    size_t at = 0;
    for (; at < text.size; at++) {
        if ((text.at[at] & 0xc0) == 0x80)
            continue;
        if (point-- == 0)
            break;
    }
    return at;
}

struct datum bytes_as_text(struct evaluation *e, uint32_t position, struct bytes bytes)
{
    size_t size = BASE64_TEXT_SIZE(bytes.size);
    uint8_t *out = size <= UINT32_MAX && charge(e, cost_of_bytes(size)) ? pool_take(e->pool, size + 1) : NULL;
    if (out == NULL)
        return fail_memory(e, position);
    base64_write(bytes, out);
    return datum_string(bytes_of(out, size));
}
