/* What is said of each byte of a sealed journal that is not as it was written, by whoever reads there and by a look along its chains; of key files, cut
 * off anywhere and with each byte left out; and of rows of data keys. Kept in tests/fixtures/journal/sealed.txt;
 * `build/release/tests/unit/test_sealed_bits write` writes that anew, for its difference to be read. */
#include "sidecar/journal/sealed/sealed_inside.h"

#include "tests/support/frames.h"
#include "tests/support/kept_text.h"
#include "tests/support/memory_store.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { FRAMES = 4, BYTES_MAX = 512 };

static FILE *out;
static struct error_detail detail;
static struct store_state state;
static uint8_t chance_at;

static bool chance(void *self, uint8_t *at, size_t size)
{
    (void)self;
    for (size_t i = 0; i < size; i++)
        at[i] = chance_at++;
    return true;
}

/* ---- lines that say the same are one ---- */

static char from[48], to[48], said[400];

static void end_line(void)
{
    if (said[0] != '\0' && strcmp(from, to) == 0)
        fprintf(out, "%s: %s\n", from, said);
    else if (said[0] != '\0')
        fprintf(out, "%s to %s: %s\n", from, to, said);
    said[0] = '\0';
}

static void put(const char *where, const char *text)
{
    if (strcmp(said, text) != 0) {
        end_line();
        snprintf(from, sizeof from, "%s", where);
        snprintf(said, sizeof said, "%s", text);
    }
    snprintf(to, sizeof to, "%s", where);
}

static void put_at(const char *what, size_t at, const char *text)
{
    char where[48];
    snprintf(where, sizeof where, "%s %zu", what, at);
    put(where, text);
}

/* ---- key files ---- */

#define HEX_A "0123456789abcdefABCDEF0123456789aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char *keys_of(const char *text, size_t size)
{
    static char told[400];
    struct seal_keys keys;
    int code = seal_read_keys(bytes_of(text, size), "keys", &keys, &detail);
    if (code != 0) {
        snprintf(told, sizeof told, "%s: %s", detail.field, detail.text);
        ck_assert_uint_eq(keys.count, 0);
        return told;
    }
    size_t used = 0;
    for (size_t i = 0; i < keys.count; i++)
        used += (size_t)snprintf(told + used, sizeof told - used, "%s'%s' %02x%02x..%02x %08lx", i > 0 ? ", " : "",
                                 keys.keys[i].name, keys.keys[i].bytes[0], keys.keys[i].bytes[9],
                                 keys.keys[i].bytes[31], crc32(0, keys.keys[i].bytes, SEAL_KEY_SIZE));
    return told;
}

static void put_key_files(void)
{
    static const char file[] = "first " HEX_A " # in use\n\n#\t" HEX_B "\n\tsecond\t" HEX_B "\n";
    char copy[sizeof file + 1], many[SEAL_KEYS_MAX * 80 + 80] = "";
    for (size_t cut = 0; cut < sizeof file; cut++)
        put_at("cut at", cut, keys_of(file, cut));
    for (size_t i = 0; i + 1 < sizeof file; i++) {
        memcpy(copy, file, i);
        memcpy(copy + i, file + i + 1, sizeof file - i - 1);
        put_at("without", i, keys_of(copy, sizeof file - 2));
    }
    for (int place = 3; place <= 9; place += 6) /* in a name, and in a key */
        for (int c = 1; c < 256; c++) {
            memcpy(copy, file, sizeof file);
            copy[place] = (char)c;
            const char *told_of = keys_of(copy, sizeof file - 1);
            put_at(place == 3 ? "in a name" : "in a key", (size_t)c, told_of[0] == '\'' ? "is taken" : told_of);
        }
    end_line();
    for (int i = 0; i <= SEAL_KEYS_MAX; i++) {
        snprintf(many + strlen(many), 80, "k%d " HEX_B "\n", i);
        ck_assert((seal_read_keys(bytes_of_text(many), "", &(struct seal_keys){.count = 0}, &detail) == 0) ==
                  (i < SEAL_KEYS_MAX));
    }
    put("17 keys", detail.text);
    put("a name twice", keys_of("a " HEX_A "\na " HEX_B, 2 * 66 + 1));
    put("a name of 32", keys_of("abcdefghijklmnopqrstuvwxyzabcdef " HEX_A, 97));
    put("a name of 33", keys_of("abcdefghijklmnopqrstuvwxyzabcdefg " HEX_A, 98));
    put("carriage returns", keys_of("a " HEX_A "\r\n", 68));
    end_line();
}

/* ---- a journal, and what is read of it another way than it was written ---- */

static struct memory_disk *disk;
static struct store *inner, *store;
static struct store real; /* of inner */

static struct bend {
    bool audit;
    uint64_t number;
    uint8_t bytes[BYTES_MAX];
    size_t size; /* 0: nothing is bent */
} bend;

static int bent_read(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *why)
{
    int code = real.read_frame(s, frame, records, why);
    if (code == 0 && bend.size != 0 && !bend.audit && frame == bend.number)
        *records = bytes_of(bend.bytes, bend.size);
    return code;
}

struct taking {
    int (*frame)(void *self, uint64_t frame, struct bytes records);
    int (*audit)(void *self, const struct audit_row *row);
    void *self;
};

static int take_bent_frame(void *self, uint64_t frame, struct bytes records)
{
    struct taking *t = self;
    bool bent = bend.size != 0 && !bend.audit && frame == bend.number;
    return t->frame(t->self, frame, bent ? bytes_of(bend.bytes, bend.size) : records);
}

static int bent_scan(struct store *s, uint64_t first, int (*take)(void *self, uint64_t frame, struct bytes records),
                     void *self, struct error_detail *why)
{
    struct taking t = {.frame = take, .self = self};
    return real.scan(s, first, take_bent_frame, &t, why);
}

static int take_bent_audit(void *self, const struct audit_row *row)
{
    struct taking *t = self;
    struct audit_row bent = *row;
    if (bend.size != 0 && bend.audit && row->seq == bend.number)
        bent.body = bytes_of(bend.bytes, bend.size);
    return t->audit(t->self, &bent);
}

static int bent_scan_audit(struct store *s, uint64_t first, uint32_t rows_max,
                           int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *why)
{
    struct taking t = {.audit = take, .self = self};
    return real.scan_audit(s, first, rows_max, take_bent_audit, &t, why);
}

static int open_with(const char *encryption, const char *chain)
{
    struct seal_keys e = {.count = 0}, c = {.count = 0};
    const struct sealed_options options = {.encryption = &e, .chain = &c, .random = chance};
    if (encryption[0] != '\0')
        ck_assert_int_eq(seal_read_keys(bytes_of_text(encryption), "", &e, &detail), 0);
    if (chain[0] != '\0')
        ck_assert_int_eq(seal_read_keys(bytes_of_text(chain), "", &c, &detail), 0);
    ck_assert_int_eq(memory_store_open(disk, &inner, &state, &detail), 0);
    if (inner->read_frame != bent_read)
        real = *inner;
    inner->read_frame = bent_read;
    inner->scan = bent_scan;
    inner->scan_audit = bent_scan_audit;
    int code = sealed_store_open(&options, inner, &state, &store, &detail);
    if (code != 0)
        inner->close(inner);
    return code;
}

static void commit(uint64_t n)
{
    uint8_t bytes[1024];
    char body[16];
    snprintf(body, sizeof body, "by %u", (unsigned)n);
    const struct store_commit c = {.frame = n,
                                   .records = frame_make(bytes, n, 1, 10, (struct instant){.us = (int64_t)n * 1000}),
                                   .audit = {.seq = n, .at.us = (int64_t)n, .body = bytes_of_text(body)}};
    ck_assert_int_eq(store->commit(store, &c, &detail), 0);
}

static int take_nothing(void *self, const struct audit_row *row)
{
    (void)self, (void)row;
    return 0;
}

/* What the look finds, and what reading says. */
static const char *told(void)
{
    static char text[400];
    struct sealed_look look = {.known = NULL};
    struct bytes records;
    bool more = true;
    sealed_look_begin(store, &look);
    while (more)
        ck_assert_int_eq(sealed_look_on(store, &look, 3, &more, &detail), 0);
    int code = bend.audit ? store->scan_audit(store, bend.number, 1, take_nothing, NULL, &detail)
                          : store->read_frame(store, bend.number, &records, &detail);
    const char *cut = strstr(detail.text, "; keep these files");
    snprintf(text, sizeof text, "%s | %.*s", look.finding[0] == '\0' ? "nothing is found" : look.finding,
             code == 0 ? 7 : (int)(cut == NULL ? strlen(detail.text) : (size_t)(cut - detail.text)),
             code == 0 ? "is read" : detail.text);
    return text;
}

/* Its size and its checksum fit what it is now. */
static void make_fit(void)
{
    uint32_t size = (uint32_t)bend.size - 8, crc = (uint32_t)crc32(0, bend.bytes + 8, size);
    for (int i = 0; i < 4; i++) {
        bend.bytes[i] = (uint8_t)(size >> 8 * i);
        bend.bytes[4 + i] = (uint8_t)(crc >> 8 * i);
    }
}

static struct bytes kept;

static int keep_frame(void *self, uint64_t frame, struct bytes records)
{
    (void)self, (void)frame;
    ck_assert_uint_le(records.size, BYTES_MAX);
    memcpy(bend.bytes, records.at, bend.size = records.size);
    return 1;
}

static int keep_audit(void *self, const struct audit_row *row)
{
    return keep_frame(self, row->seq, row->body);
}

static void take_kept(bool audit, uint64_t number)
{
    bend = (struct bend){.audit = audit, .number = number};
    if (audit)
        real.scan_audit(inner, number, 1, keep_audit, NULL, &detail);
    else
        real.scan(inner, number, keep_frame, NULL, &detail);
    kept = bytes_of(bend.bytes, bend.size);
}

static void put_bytes(const char *what, bool audit, uint64_t number)
{
    static uint8_t whole[BYTES_MAX];
    take_kept(audit, number);
    size_t size = bend.size;
    memcpy(whole, bend.bytes, size);
    end_line();
    fprintf(out, "== %s, %s %u of %zu bytes: %s\n", what, audit ? "row" : "frame", (unsigned)number, size, told());
    for (int fits = 0; fits < 2; fits++)
        for (size_t at = fits ? 8 : 0; at < size; at++)
            for (int high = 0; high < 2; high++) {
                bend.bytes[at] ^= high ? 0x80 : 1;
                if (fits)
                    make_fit();
                put_at(fits ? "fitting byte" : "byte", at, told());
                memcpy(bend.bytes, whole, size);
            }
    for (size_t cut = size - 1; cut > 8; cut--) {
        bend.size = cut;
        make_fit();
        put_at("cut to", cut, told());
    }
    memcpy(bend.bytes, whole, bend.size = size);
    bend.bytes[bend.size++] = 0;
    make_fit();
    put("one byte more", told());
    /* Another in its place. */
    take_kept(audit, number - 1);
    bend.number = number;
    put("the one before in its place", told());
    bend = (struct bend){.number = 0};
    end_line();
}

static void put_journals(void)
{
    static const struct {
        const char *what, *encryption, *chain;
    } kinds[] = {
        {"encrypted and chained", "a " HEX_A, "x " HEX_B}, {"encrypted", "a " HEX_A, ""}, {"chained", "", "x " HEX_B}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        disk = memory_disk_create();
        ck_assert_int_eq(open_with(kinds[k].encryption, kinds[k].chain), 0);
        for (uint64_t n = 1; n <= FRAMES; n++)
            commit(n);
        put_bytes(kinds[k].what, false, 2);
        put_bytes(kinds[k].what, false, FRAMES);
        put_bytes(kinds[k].what, true, 3);
        store->close(store);
        *inner = real;
        memory_disk_destroy(disk);
    }
}

/* ---- looks along the chains ---- */

/* In pieces of so many, with a head that is known; what is given back is what was found, and how much was looked at. */
static void put_look(const char *what, const char *known, uint32_t piece)
{
    struct sealed_look look;
    unsigned pieces = 0;
    char where[48], text[400];
    memset(&look, 0xff, sizeof look);
    sealed_look_begin(store, &look);
    look.known = known;
    for (bool more = true; more; pieces++)
        ck_assert_int_eq(sealed_look_on(store, &look, piece, &more, &detail), 0);
    snprintf(where, sizeof where, "%s by %u", what, (unsigned)piece);
    snprintf(text, sizeof text, "%u pieces, frames %llu and rows %llu of the chains, %s%s", pieces,
             (unsigned long long)look.frames.chained, (unsigned long long)look.audit.chained,
             look.frames.head_seen ? "the head is seen, " : "",
             look.finding[0] == '\0' ? "nothing is found" : look.finding);
    put(where, text);
}

static void put_looks(void)
{
    char heads[FRAMES][SEALED_HEAD_SIZE], audit[SEALED_HEAD_SIZE], other[SEALED_HEAD_SIZE];
    bool more;
    fprintf(out, "== Looks\n");
    disk = memory_disk_create();
    ck_assert_int_eq(open_with("", ""), 0);
    sealed_store_heads(store, other, audit);
    put("the heads of nothing", other);
    put("of rows", audit);
    commit(1); /* before there was a chain */
    put_look("without a chain", NULL, 9);
    put_look("and a head", "1:00", 9);
    store->close(store);
    ck_assert_int_eq(open_with("a " HEX_A, "x " HEX_B), 0);
    for (uint64_t n = 2; n <= FRAMES; n++) {
        commit(n);
        sealed_store_heads(store, heads[n - 1], audit);
        put_at("head of frames", n, heads[n - 1]);
        put_at("head of rows", n, audit);
    }
    for (uint32_t piece = 1; piece <= FRAMES + 1; piece++)
        put_look("all", NULL, piece);
    for (uint64_t n = 2; n <= FRAMES; n++) {
        put_look("with a head", heads[n - 1], 2);
        snprintf(other, sizeof other, "%s", heads[n - 1]);
        other[strlen(other) - 1] ^= 1;
        put_look("with another head", other, 2);
    }
    put_look("with a head that is to come", "9:00000000000000000000000000000000", 2);
    put_look("with none", "", 2);
    /* Another chain, of the same frames and keys. */
    take_kept(false, 3);
    struct bend third = bend;
    bend.size = 0;
    store->close(store);
    ck_assert_int_eq(open_with("a " HEX_A, "y " HEX_A "\nx " HEX_B), 0);
    commit(FRAMES + 1); /* with the key that came */
    put_look("with two keys", heads[FRAMES - 1], 2);
    bend = third;
    bend.number = FRAMES;
    put_look("an earlier one in its place", NULL, 9);
    bend.size = 0;
    ck_assert_int_eq(store->drop(store, (struct instant){.us = 3500}, 4, 9, &more, &detail), 0);
    put_look("what retention left", NULL, 2);
    put_look("and a head that is gone", heads[1], 2);
    put_look("and one that is left", heads[FRAMES - 1], 2);
    store->close(store);
    ck_assert_int_eq(open_with("a " HEX_A, "y " HEX_A), 0);
    put_look("without the older key", NULL, 2);
    store->close(store);
    end_line();
    *inner = real;
    memory_disk_destroy(disk);
}

/* ---- data keys ---- */

static uint8_t key_row[DATA_KEY_VALUE_MAX];
static size_t key_row_size;

static int keep_key(void *self, const struct subject_row *row)
{
    (void)self;
    memcpy(key_row, row->value.at, key_row_size = row->value.size);
    return 0;
}

/* A row of the data key of the first start, as it is given. */
static void put_key(const char *what, size_t at, const char *name, uint64_t version, struct bytes value)
{
    char text[400];
    const struct subject_row row = {
        .kind = SUBJECT_DATA_KEY, .name = bytes_of_text(name), .version = version, .value = value};
    struct memory_disk *whole = disk;
    struct bytes records;
    disk = memory_disk_copy(whole);
    ck_assert_int_eq(memory_store_open(disk, &inner, &state, &detail), 0);
    ck_assert_int_eq(real.commit(inner, &(struct store_commit){.subjects = &row, .subject_count = 1}, &detail), 0);
    inner->close(inner);
    *text = '\0';
    int code = open_with("b " HEX_B "\na " HEX_A, "");
    if (code == 0) {
        unsigned old = sealed_store_old_keys(store);
        code = store->read_frame(store, 1, &records, &detail);
        snprintf(text, sizeof text, "opens, %u to take over, ", old);
        store->close(store);
    }
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s", code == 0 ? "is read" : detail.field,
             code == 0 || detail.field[0] == 0 ? "" : ": ", code == 0 ? "" : detail.text);
    put_at(what, at, text);
    memory_disk_destroy(disk);
    disk = whole;
}

static void put_data_keys(void)
{
    disk = memory_disk_create();
    ck_assert_int_eq(open_with("a " HEX_A, ""), 0);
    commit(1);
    store->close(store);
    ck_assert_int_eq(memory_store_open(disk, &inner, &state, &detail), 0);
    ck_assert_int_eq(real.scan_subjects(inner, SUBJECT_DATA_KEY, keep_key, NULL, &detail), 0);
    inner->close(inner);
    fprintf(out, "== The row of a data key, of %zu bytes\n", key_row_size);
    put_key("as it was", 0, "1", 1, bytes_of(key_row, key_row_size));
    for (size_t at = 0; at < key_row_size; at++) {
        key_row[at] ^= 1;
        put_key("byte", at, "1", 1, bytes_of(key_row, key_row_size));
        key_row[at] ^= 1;
    }
    put_key("one byte less", 0, "1", 1, bytes_of(key_row, key_row_size - 1));
    put_key("one byte more", 0, "1", 1, bytes_of(key_row, key_row_size + 1));
    put_key("nothing", 0, "1", 1, bytes_of(NULL, 0));
    put_key("another version", 2, "1", 2, bytes_of(key_row, key_row_size));
    put_key("of another slot", 2, "2", 1, bytes_of(key_row, key_row_size));
    put_key("with a long name", 16, "1234567890123456", 1, bytes_of(key_row, key_row_size));
    end_line();
    memory_disk_destroy(disk);
}

static void put_all(FILE *to_file)
{
    out = to_file;
    chance_at = 0;
    fprintf(out, "== Key files\n");
    put_key_files();
    put_journals();
    put_looks();
    put_data_keys();
}

START_TEST(sealed_bits__what_is_said_of_each_that_is_changed)
{
    kept_text_compare("tests/fixtures/journal/sealed.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sealed_bits", sealed_bits__what_is_said_of_each_that_is_changed);
}
