/* sealed_look.c - whether the chains are whole: every frame, and every row of the audit trail, is as it was written, and where it was. */
#include "sidecar/journal/sealed/sealed_inside.h"

#include "sidecar/base/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void write_head(bool chained, uint64_t number, const uint8_t mac[SEAL_MAC_SIZE], char out[SEALED_HEAD_SIZE])
{
    int size = chained && number != 0 ? snprintf(out, SEALED_HEAD_SIZE, "%" PRIx64 ":", number) : 0;
    out[size] = '\0';
    for (int i = 0; i < SEAL_MAC_SIZE && size > 0; i++)
        snprintf(out + size + 2 * i, 3, "%02x", mac[i]);
}

void sealed_store_heads(const struct store *store, char frames[SEALED_HEAD_SIZE], char audit[SEALED_HEAD_SIZE])
{
    const struct sealed_store *s = sealed_of(store);
    write_head(s->frame_chained, s->last_frame, s->frame_mac, frames);
    write_head(s->audit_chained, s->last_audit, s->audit_mac, audit);
}

void sealed_look_begin(const struct store *store, struct sealed_look *look)
{
    const struct sealed_store *s = sealed_of(store);
    const char *known = look->known;
    memset(look, 0, sizeof *look);
    look->known = known;
    look->frames.last = s->last_frame;
    look->audit.last = s->last_audit;
}

struct looking {
    struct sealed_store *s;
    struct sealed_look *look;
    struct sealed_chain *chain;
    char kind;
    uint32_t left;
    bool first; /* of this piece */
    struct error_detail *detail;
};

/* What a look stops at, and nothing that a store says. */
#define LOOK_ENDS 16

static int found(struct looking *l, uint64_t number, const char *what)
{
    snprintf(l->look->finding, sizeof l->look->finding, "%s %" PRIu64 " %s",
             l->kind == KIND_FRAME ? "frame" : "row of the audit trail", number, what);
    return LOOK_ENDS;
}

/* With which of the keys it was made; keys are changed forwards, and any of them is ours. */
static bool mac_fits(struct sealed_store *s, char kind, uint64_t number, const struct envelope *e, struct bytes content)
{
    uint8_t head[ENVELOPE_BOUND_SIZE + SEAL_MAC_SIZE], mac[SEAL_MAC_SIZE];
    struct envelope bare = *e;
    bare.sealed = false;
    envelope_bound(&bare, kind, number, head);
    memcpy(head + ENVELOPE_BOUND_SIZE, e->previous, SEAL_MAC_SIZE);
    for (size_t i = 0; i < s->chain.count; i++)
        if (seal_mac(s->macs[i], bytes_of(head, sizeof head), content, mac) && seal_mac_equal(mac, e->mac))
            return true;
    return false;
}

/* One link. */
static int look_at(struct looking *l, uint64_t number, struct bytes kept)
{
    static const uint8_t none[SEAL_MAC_SIZE];
    struct sealed_chain *chain = l->chain;
    struct envelope e = {.chained = false};
    struct bytes content;
    char head[SEALED_HEAD_SIZE];
    if (l->first && number > chain->next) {
        chain->first = 0; /* retention has dropped what is before it meanwhile */
        chain->begun = false;
    }
    l->first = false;
    bool first = chain->first == 0;
    if (first)
        chain->first = number;
    chain->next = number + 1;
    if (envelope_is(kept) && !envelope_read(kept, &e))
        return found(l, number, "is damaged");
    if (!e.chained) {
        if (chain->begun)
            return found(l, number,
                         "is not in the chain that the one before it is in: it was written without "
                         "audit_key_file, or put in its place");
        return 0;
    }
    int code = sealed_open(l->s, l->kind, number, kept, &content, l->detail);
    if (code == E_JOURNAL_CORRUPT)
        return found(l, number, "cannot be opened: it was changed, or moved");
    if (code != 0)
        return code;
    if (!mac_fits(l->s, l->kind, number, &e, content))
        return found(l, number, "is not what was written there: it was changed, or made with another key");
    bool begins = seal_mac_equal(e.previous, none);
    if (chain->begun ? begins || !seal_mac_equal(e.previous, chain->mac) : !begins && !first)
        return found(l, number, "does not follow the one before it");
    chain->begun = true;
    chain->chained++;
    memcpy(chain->mac, e.mac, SEAL_MAC_SIZE);
    if (l->kind == KIND_FRAME && l->look->known != NULL) {
        write_head(true, number, e.mac, head);
        size_t to = strcspn(head, ":");
        if (strncmp(head, l->look->known, to + 1) == 0) {
            if (strcmp(head, l->look->known) != 0)
                return found(l, number, "is another than the head that was given: the journal was written anew since");
            chain->head_seen = true;
        }
    }
    return 0;
}

static int take_frame(void *self, uint64_t frame, struct bytes kept)
{
    struct looking *l = self;
    if (l->left == 0 || frame > l->chain->last)
        return LOOK_ENDS;
    l->left--;
    return look_at(l, frame, kept);
}

static int take_audit(void *self, const struct audit_row *row)
{
    struct looking *l = self;
    CHECK(l->left > 0); /* no more is given than was asked for */
    if (row->seq > l->chain->last)
        return LOOK_ENDS;
    l->left--;
    return look_at(l, row->seq, row->body);
}

int sealed_look_on(struct store *store, struct sealed_look *look, uint32_t rows_max, bool *more,
                   struct error_detail *detail)
{
    struct sealed_store *s = sealed_of(store);
    struct looking l = {.s = s, .look = look, .left = rows_max, .first = true, .detail = detail};
    int code = 0;
    CHECK(rows_max > 0 && look->finding[0] == '\0');                                /* a look ends with what it finds */
    CHECK(look->frames.last <= s->last_frame && look->audit.last <= s->last_audit); /* it is of this store */
    *more = false;
    if (look->frames.last != 0 && look->frames.next <= look->frames.last) {
        l.kind = KIND_FRAME;
        l.chain = &look->frames;
        code = s->inner->scan(s->inner, look->frames.next, take_frame, &l, detail);
        *more = l.left < rows_max;
    } else if (look->audit.last != 0 && look->audit.next <= look->audit.last) {
        l.kind = KIND_AUDIT;
        l.chain = &look->audit;
        code = s->inner->scan_audit(s->inner, look->audit.next, rows_max, take_audit, &l, detail);
        *more = l.left < rows_max;
    } else if (look->known != NULL && look->known[0] != '\0' && !look->frames.head_seen) {
        snprintf(look->finding, sizeof look->finding,
                 "the head that was given is not in the chain: retention has dropped it, or the journal was cut off or "
                 "replaced");
    }
    if (code == E_JOURNAL_CORRUPT && look->finding[0] == '\0')
        snprintf(look->finding, sizeof look->finding, "%.150s", detail->text); /* a gap is the inner store's to tell */
    *more |= code == STORE_PENDING;                                            /* it was not looked at yet */
    if (code == LOOK_ENDS || code == STORE_PENDING || look->finding[0] != '\0')
        code = 0;
    if (look->finding[0] != '\0')
        *more = false;
    return code;
}
