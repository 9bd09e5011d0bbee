/* What is found of a write-ahead log of which any bit is not as it was written, or which ends anywhere: as kept in tests/fixtures/journal/logs.txt;
 * `build/release/tests/unit/test_log_check write` writes that anew, for its difference to be read. The logs are made here, by SQLite's description of
 * them, so that they are the same each time. */
#include "sidecar/journal/sqlite/sqlite_inside.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 32, FRAME_HEAD = 24, LOG_MAX = 8 * (FRAME_HEAD + 65536) };

static FILE *out;
static char dir[64], database[96], log_path[104];

/* ---- a log ---- */

static uint8_t bytes[LOG_MAX];
static size_t size, page_size;
static bool big;
static uint32_t sums[2], salts[2];

static void put_word(uint8_t *at, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(word >> (24 - 8 * i));
}

static void add_to_sums(const uint8_t *at, size_t count)
{
    for (size_t i = 0; i < count; i += 4) {
        uint32_t word = 0;
        for (int k = 0; k < 4; k++)
            word |= (uint32_t)at[i + (size_t)k] << (big ? 24 - 8 * k : 8 * k);
        sums[i / 4 % 2] += word + sums[1 - i / 4 % 2];
    }
}

static void begin(size_t pages_of, bool big_endian)
{
    page_size = pages_of;
    big = big_endian;
    sums[0] = sums[1] = 0;
    salts[0] = 0x11111111;
    salts[1] = 0x22222222;
    put_word(bytes, big ? 0x377f0683 : 0x377f0682);
    put_word(bytes + 4, 3007000);
    put_word(bytes + 8, (uint32_t)page_size);
    put_word(bytes + 12, 7);
    put_word(bytes + 16, salts[0]);
    put_word(bytes + 20, salts[1]);
    add_to_sums(bytes, 24);
    put_word(bytes + 24, sums[0]);
    put_word(bytes + 28, sums[1]);
    size = HEADER;
}

/* pages: of the database, with the last frame of a commit; 0 within one. */
static void add_frame(uint32_t page, uint32_t pages)
{
    uint8_t *frame = bytes + size;
    put_word(frame, page);
    put_word(frame + 4, pages);
    put_word(frame + 8, salts[0]);
    put_word(frame + 12, salts[1]);
    for (size_t i = 0; i < page_size; i++)
        frame[FRAME_HEAD + i] = (uint8_t)(page * 37 + i * 11 + i / 256);
    add_to_sums(frame, 8);
    add_to_sums(frame + FRAME_HEAD, page_size);
    put_word(frame + 16, sums[0]);
    put_word(frame + 20, sums[1]);
    size += FRAME_HEAD + page_size;
}

/* Three commits: of one frame, of two, and of two. */
static void three_commits(size_t pages_of, bool big_endian)
{
    begin(pages_of, big_endian);
    add_frame(1, 1);
    add_frame(2, 0);
    add_frame(3, 3);
    add_frame(1, 0);
    add_frame(4, 4);
}

static void write_file(const char *path, const void *at, size_t count)
{
    FILE *f = fopen(path, "w");
    ck_assert(f != NULL && fwrite(at, 1, count, f) == count && fclose(f) == 0);
}

static uint64_t dropped;

static const char *look(void)
{
    static char text[160];
    const char *found;
    int rc = log_check(NULL, database, &found, &dropped);
    snprintf(text, sizeof text, "%s%s; drops %llu", rc == SQLITE_OK ? "" : sqlite3_errstr(rc),
             found == NULL ? "nothing" : found, (unsigned long long)dropped);
    return text;
}

/* ---- lines that say the same are one ---- */

static char from[64], to[64], said[160];

static void end_line(void)
{
    if (said[0] != '\0')
        fprintf(out, strcmp(from, to) == 0 ? "%s: %s\n" : "%s to %s: %s\n", from, strcmp(from, to) == 0 ? said : to,
                said);
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

static void begin_table(const char *name)
{
    end_line();
    fprintf(out, "== %s\n", name);
}

static void name_place(size_t at, unsigned bits, char where[64])
{
    if (at < HEADER)
        snprintf(where, 64, "header %zu.%02x", at, bits);
    else
        snprintf(where, 64, "frame %zu, %zu.%02x", (at - HEADER) / (FRAME_HEAD + page_size),
                 (at - HEADER) % (FRAME_HEAD + page_size), bits);
}

/* Every byte of what is around pages, and of pages those at their ends and a few between. */
static bool is_looked_at(size_t at)
{
    size_t within = at < HEADER ? 0 : (at - HEADER) % (FRAME_HEAD + page_size);
    return within < FRAME_HEAD + 9 || within >= FRAME_HEAD + page_size - 9 || within % (page_size / 8 + 5) == 0;
}

static void put_changes(const unsigned *masks, size_t count)
{
    char where[64];
    write_file(log_path, bytes, size);
    FILE *f = fopen(log_path, "r+");
    ck_assert_ptr_nonnull(f);
    setvbuf(f, NULL, _IONBF, 0);
    for (size_t at = 0; at < size; at++)
        for (size_t m = 0; is_looked_at(at) && m < count; m++) {
            name_place(at, masks[m], where);
            ck_assert(fseek(f, (long)at, SEEK_SET) == 0 && fputc(bytes[at] ^ (int)masks[m], f) != EOF);
            put(where, look());
            ck_assert(fseek(f, (long)at, SEEK_SET) == 0 && fputc(bytes[at], f) != EOF);
        }
    ck_assert_int_eq(fclose(f), 0);
    put("as it was written", look());
}

static void put_ends(void)
{
    char where[64], text[64];
    for (size_t end = 0; end <= size; end++) {
        size_t within = end < HEADER ? 2 : (end - HEADER) % (FRAME_HEAD + page_size);
        if (!is_looked_at(end) || (end > HEADER && within > 1 && within < FRAME_HEAD - 1))
            continue;
        name_place(end, 0, where);
        write_file(log_path, bytes, end);
        ck_assert_ptr_nonnull(strstr(look(), "nothing"));
        snprintf(text, sizeof text, dropped == 0 ? "drops nothing" : "drops all but %zu bytes", end - (size_t)dropped);
        put(where, text);
    }
}

/* What may be there after a crash. */
static void put_others(void)
{
    static const uint8_t nothing[2 * (FRAME_HEAD + 4096)];
    unlink(log_path);
    put("no log", look());
    three_commits(4096, false);
    size_t first = size;
    write_file(log_path, bytes, size);
    unlink(database);
    put("no database", look());
    write_file(database, "", 0);
    put("an empty database", look());
    write_file(database, "x", 1);
    memset(bytes + HEADER, 0, 8);
    memset(bytes, 0, 4);
    write_file(log_path, bytes, size);
    put("a header that was being written, before frames of its own", look());
    three_commits(4096, false);
    for (int salt = 0; salt < 3; salt++) {
        bytes[0] ^= 1;
        bytes[16] ^= salt != 1;
        bytes[20] ^= salt != 0;
        write_file(log_path, bytes, size);
        put(salt == 0   ? "an unsound header, of another first salt"
            : salt == 1 ? "of another second salt"
                        : "of both others",
            look());
        three_commits(4096, false);
    }
    /* Written over from its start, after it was copied: what is behind belongs to the round before. */
    begin(4096, false);
    salts[0]++;
    put_word(bytes + 16, salts[0]);
    sums[0] = sums[1] = 0;
    add_to_sums(bytes, 24);
    put_word(bytes + 24, sums[0]);
    put_word(bytes + 28, sums[1]);
    for (uint32_t frames = 0; frames < 4; frames++) {
        char where[64];
        snprintf(where, sizeof where, "written over by %u frames", (unsigned)frames);
        write_file(log_path, bytes, first);
        put(where, look());
        add_frame(frames + 1, frames % 2 == 0 ? 0 : frames + 1);
    }
    three_commits(4096, false);
    memcpy(bytes + size, nothing, sizeof nothing);
    write_file(log_path, bytes, size + sizeof nothing);
    put("zeros behind its end", look());
    add_frame(9, 0);
    write_file(log_path, bytes, size);
    put("a commit without its end", look());
    write_file(log_path, bytes, size - 1);
    put("and without its last byte", look());
    add_frame(10, 0);
    write_file(log_path, bytes, size);
    put("two frames of a commit without its end", look());
    memset(bytes + HEADER + 5 * (FRAME_HEAD + 4096) + FRAME_HEAD, 0xff, 4096);
    write_file(log_path, bytes, size);
    put("of which the first is garbage", look());
    memset(bytes + HEADER + 3 * (FRAME_HEAD + 4096) + FRAME_HEAD, 0xff, 4096);
    write_file(log_path, bytes, size);
    put("as is one of the commit before", look());
}

static void put_all(FILE *to_file)
{
    static const unsigned bits[] = {1, 2, 4, 8, 16, 32, 64, 128}, several[] = {3, 0x18, 0x81, 0xff};
    static const struct {
        const char *name;
        size_t page;
        bool big;
    } kinds[] = {{"pages of 4096 bytes", 4096, false},
                 {"words that are summed the other way round", 4096, true},
                 {"small pages", 512, false},
                 {"the largest pages", 65536, true}};
    char name[128];
    out = to_file;
    write_file(database, "x", 1);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        three_commits(kinds[k].page, kinds[k].big);
        snprintf(name, sizeof name, "A bit that flipped, %s", kinds[k].name);
        begin_table(name);
        put_changes(bits, k == 0 ? 8 : k == 3 ? 1 : 2);
        snprintf(name, sizeof name, "Where it ends, %s", kinds[k].name);
        begin_table(name);
        put_ends();
    }
    three_commits(4096, false);
    begin_table("Several bits of a byte");
    put_changes(several, 4);
    for (uint32_t pages = 256; pages <= 131072; pages *= 2) {
        snprintf(name, sizeof name, "pages of %u bytes", (unsigned)pages);
        begin(pages, false);
        if (pages <= 65536)
            add_frame(1, 1);
        write_file(log_path, bytes, size);
        put(name, look());
    }
    begin_table("What a crash may leave");
    put_others();
    end_line();
}

START_TEST(log_check__what_is_found_of_each_change)
{
    snprintf(dir, sizeof dir, "%s/log-check-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(database, sizeof database, "%s/journal.db", dir);
    snprintf(log_path, sizeof log_path, "%s-wal", database);
    kept_text_compare("tests/fixtures/journal/logs.txt", put_all);
    unlink(database);
    unlink(log_path);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "log_check", log_check__what_is_found_of_each_change);
}
