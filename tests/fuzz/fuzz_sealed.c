/* fuzz_sealed.c - any bytes as a sealed frame, as a row of the audit trail, as the row of a data key, and as a file of keys: refused, or read within
 * their bounds; no key is ever told. */
#include "sidecar/base/check.h"
#include "sidecar/journal/sealed/envelope.h"
#include "sidecar/journal/sealed/sealed_store.h"

#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void read_envelope(struct bytes frame)
{
    struct envelope e;
    uint8_t bound[ENVELOPE_BOUND_SIZE];
    if (!envelope_is(frame) || !envelope_read(frame, &e))
        return;
    CHECK(e.content.size > 0 && e.content.at >= frame.at && e.content.at + e.content.size == frame.at + frame.size);
    CHECK(envelope_bound(&e, 'f', 7, bound).size == sizeof bound);
    /* It is written as it was read, but for bytes that mean nothing. */
    uint8_t *again = malloc(e.content.size + ENVELOPE_SIZE_MAX);
    CHECK(again != NULL);
    memcpy(envelope_begin(&e, again), e.content.at, e.content.size);
    CHECK(envelope_end(&e, again) == frame.size);
    free(again);
}

/* ---- a journal that holds nothing but what was made up ---- */

static struct bytes made_up;

static int give_subject(struct store *s, uint32_t kind, int (*take)(void *self, const struct subject_row *row),
                        void *self, struct error_detail *detail)
{
    static const char *const names[] = {"1", "", "4294967296", "fifteen letters"};
    (void)s;
    (void)detail;
    const struct subject_row row = {.kind = kind,
                                    .name = bytes_of_text(names[made_up.size % 4]),
                                    .version = made_up.size % 7 == 0 ? 2 : 1,
                                    .value = made_up};
    return take(self, &row);
}

static int give_audit(struct store *s, uint64_t from, uint32_t rows_max,
                      int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *detail)
{
    (void)s;
    (void)rows_max;
    (void)detail;
    const struct audit_row row = {.seq = from == 0 ? 1 : from, .body = made_up};
    return from > 1 ? 0 : take(self, &row);
}

static int give_frame(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                      void *self, struct error_detail *detail)
{
    (void)s;
    (void)detail;
    return from > 1 ? 0 : take(self, 1, made_up);
}

static void close_nothing(struct store *s)
{
    (void)s;
}

static bool no_chance(void *self, uint8_t *at, size_t size)
{
    (void)self;
    memset(at, 7, size);
    return true;
}

static int take_row(void *self, const struct audit_row *row)
{
    *(size_t *)self += row->body.size;
    return 0;
}

static int take_records(void *self, uint64_t frame, struct bytes records)
{
    (void)frame;
    *(size_t *)self += records.size;
    return 0;
}

static void open_journal(const struct seal_keys *encryption, const struct seal_keys *chain)
{
    static struct store inner = {
        .scan = give_frame, .scan_subjects = give_subject, .scan_audit = give_audit, .close = close_nothing};
    const struct sealed_options options = {.encryption = encryption, .chain = chain, .random = no_chance};
    const struct store_state state = {.first_frame = 1, .last_frame = 1, .audit_last = 1};
    struct error_detail detail = {.text = ""};
    struct store *s;
    int code = sealed_store_open(&options, &inner, &state, &s, &detail);
    if (code != 0) {
        CHECK(detail.text[0] != '\0' && strstr(detail.text, "0000000000") == NULL); /* a word why, and no key */
        return;
    }
    size_t seen = 0;
    struct sealed_look look = {.known = "1:00"};
    bool more = true;
    (void)s->scan_audit(s, 1, 10, take_row, &seen, &detail);
    (void)s->scan(s, 1, take_records, &seen, &detail);
    CHECK(seen <= 2 * made_up.size);
    sealed_look_begin(s, &look);
    while (more)
        CHECK(sealed_look_on(s, &look, 3, &more, &detail) == 0);
    s->close(s);
}

/* The row of a data key is read when the journal is opened, and what it opens by whoever looks. */
static void read_journal(struct bytes at)
{
    static const char known[] = "k 00000000000000000000000000000000000000000000000000000000000000aa\n";
    struct seal_keys keys, none = {.count = 0};
    struct error_detail detail;
    CHECK(seal_read_keys(bytes_of_text(known), "option", &keys, &detail) == 0);
    made_up = at;
    open_journal(&keys, &none);
    open_journal(&none, &keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct seal_keys keys;
    struct error_detail detail;
    read_envelope(bytes_of(at, size));
    read_journal(bytes_of(at, size));
    if (size > 8) {
        uint8_t *fitting = malloc(size);
        CHECK(fitting != NULL);
        memcpy(fitting, at, size);
        uint32_t body = (uint32_t)(size - 8), sum = (uint32_t)crc32(0, at + 8, body);
        for (int i = 0; i < 4; i++) {
            fitting[i] = (uint8_t)(body >> 8 * i);
            fitting[4 + i] = (uint8_t)(sum >> 8 * i);
        }
        read_envelope(bytes_of(fitting, size));
        read_journal(bytes_of(fitting, size));
        free(fitting);
    }
    int code = seal_read_keys(bytes_of(at, size), "option", &keys, &detail);
    CHECK(code == 0 ? keys.count > 0 && keys.count <= SEAL_KEYS_MAX : detail.text[0] != '\0');
    for (size_t i = 0; code == 0 && i < keys.count; i++)
        CHECK(seal_find_key(&keys, bytes_of_text(keys.keys[i].name)) == &keys.keys[i]);
    return 0;
}
