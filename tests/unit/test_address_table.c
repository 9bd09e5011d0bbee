/* What each text is as an address: where somebody listens, and what is called; each cut off anywhere, with each byte left out, and with every byte that
 * there is. Kept in tests/fixtures/transport/addresses.txt; `build/release/tests/unit/test_address_table write` writes that anew, for its difference
 * to be read. */
#include "tests/support/kept_text.h"
#include "transport/address.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static FILE *out;

static const char *const texts[] = {
    "localhost:7240",
    "tls://shop.example.org:443",
    "plaintext://10.1.2.3:80",
    "[2001:db8::1]:65535",
    "unix:/run/sagad/a b.sock",
    "unix:///run/shop.sock",
    "dns:///shop:50051",
    "dns://9.9.9.9:53/shop:1",
    "dns:shop:65536",
    "ipv4:127.0.0.1:1,127.255.0.9:2",
    "ipv4:127.0.0.1:1,128.0.0.1:2,127.0.0.2:3",
    "ipv6:[::1]:1,[::2]:2",
    "ipv4:10.0.0.1:1,shop:2",
    "ipv4:10.0.0.1:1,10.0.0.2:0",
    "tls://ipv4:10.0.0.1:1,10.0.0.2:2",
    "[::ffff:127.0.0.1]:1",
    "127.1:80",
    "127.0.0.1:00080",
    "::1:7240",
    "xds:///shop:1",
    "tls://unix:/run/s",
};

/* One line of what it is: in the way of who listens, or of who calls. */
static void describe(const char *text, bool called, char *line, size_t room)
{
    static const char *const securities[] = {"unsaid", "plaintext", "tls"};
    struct address a;
    char name[ADDRESS_NAME_SIZE];
    const char *wrong = called ? address_read_target(text, &a) : address_read(text, &a);
    if (wrong != NULL) {
        snprintf(line, room, "%s", wrong);
        return;
    }
    int used = a.path != NULL ? snprintf(line, room, "path '%s'", a.path)
                              : snprintf(line, room, "%s%s%s port %u", a.bracketed ? "[" : "", a.host,
                                         a.bracketed ? "]" : "", (unsigned)a.port);
    used += snprintf(line + used, room - (size_t)used, "%s%s, %s", address_is_near(&a) ? ", near" : "",
                     a.path == NULL && address_is_number(&a) ? ", a number" : "", securities[a.security]);
    for (int with = 0; with < 2; with++)
        used += snprintf(line + used, room - (size_t)used, "/%s", securities[address_security_of(&a, with)]);
    if (a.authority != NULL)
        used += snprintf(line + used, room - (size_t)used, ", asked of '%.*s'", (int)a.authority_size, a.authority);
    /* A path that is relative is completed with the folder that this runs in. */
    if (address_target_name(&a, name) && (a.path == NULL || a.path[0] == '/'))
        used += snprintf(line + used, room - (size_t)used, ", %s", name);
    while (address_next(&a))
        used += snprintf(line + used, room - (size_t)used, ", then %s%s:%u", a.host, address_is_number(&a) ? "#" : "",
                         (unsigned)a.port);
}

static void put_both(const char *what, const char *text)
{
    char listens[2048], calls[2048];
    describe(text, false, listens, sizeof listens);
    describe(text, true, calls, sizeof calls);
    if (strcmp(listens, calls) == 0)
        fprintf(out, "%s'%s': %s\n", what, text, listens);
    else
        fprintf(out, "%s'%s': %s\n    called: %s\n", what, text, listens, calls);
}

static void put_text(const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size + 1), line[2048], last[2048] = "";
    put_both("", text);
    for (int without = 0; without < 2; without++)
        for (size_t i = 0; i < size; i++) {
            if (i > 0 && isalnum(text[i]) && isalnum(text[i - 1])) /* within a word */
                continue;
            memcpy(copy, text, i);
            copy[i] = '\0';
            if (without)
                strcpy(copy + i, text + i + 1);
            describe(copy, true, line, sizeof line);
            if (strcmp(line, last) != 0)
                fprintf(out, "  %s %zu: %s\n", without ? "without" : "cut at", i, line);
            memcpy(last, line, sizeof last);
        }
    free(copy);
}

/* Every byte in a host, in a port and in a path; those of which the same is said stand together. */
static void put_bytes(const char *before, const char *after, bool called)
{
    char text[64], line[2048], last[2048] = "";
    fprintf(out, "%s%s?%s\n", called ? "called " : "", before, after);
    for (int c = 1; c < 256; c++) {
        char self[4], encoded[8];
        snprintf(text, sizeof text, "%s%c%s", before, c, after);
        describe(text, called, line, sizeof line);
        snprintf(self, sizeof self, "a%cb", c);
        snprintf(encoded, sizeof encoded, "a%%%02Xb", (unsigned)c);
        /* It is told without it, so that those that are alike are one line. */
        for (char *at = line; (at = strstr(at, self)) != NULL; at++)
            at[1] = '~';
        for (char *at = line; (at = strstr(at, encoded)) != NULL; at++)
            at[2] = at[3] = 'h';
        if (strcmp(line, last) != 0)
            fprintf(out, "  from %02x: %s\n", (unsigned)c, line);
        memcpy(last, line, sizeof last);
    }
}

/* To the longest, and one more. */
static void put_lengths(void)
{
    static const char *const shapes[][2] = {{"", ":1"},
                                            {"[", "]:1"},
                                            {"unix:/", ""},
                                            {"unix:///", ""},
                                            {"dns:///", ":1"},
                                            {"ipv4:", ":1,10.0.0.1:1"},
                                            {"dns://", "/shop:1"},
                                            {"ipv4:10.0.0.1:1,", ":1"}};
    static const size_t lengths[] = {1, 106, 107, 253, 254, 300, 1020};
    char text[1200], line[2048];
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            struct address a;
            char name[ADDRESS_NAME_SIZE];
            size_t before = strlen(shapes[s][0]);
            memcpy(text, shapes[s][0], before);
            memset(text + before, 'x', lengths[l]);
            strcpy(text + before + lengths[l], shapes[s][1]);
            const char *wrong = address_read_target(text, &a);
            snprintf(line, sizeof line, "%s",
                     wrong != NULL                   ? wrong
                     : address_target_name(&a, name) ? "has a name"
                                                     : "is taken, and its name has no room");
            fprintf(out, "%s%zu times x%s: %s\n", shapes[s][0], lengths[l], shapes[s][1], line);
        }
    char path[128] = "unix:/"; /* each byte of which takes three in a name */
    memset(path + 6, ' ', 106);
    put_both("", path);
}

static void put_all(FILE *to)
{
    out = to;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        put_text(texts[i]);
    for (int called = 0; called < 2; called++) {
        put_bytes("a", "b:1", called);
        put_bytes("a:1", "2", called);
        put_bytes("unix:/a", "b", called);
    }
    put_lengths();
}

START_TEST(address_table__what_each_text_is)
{
    kept_text_compare("tests/fixtures/transport/addresses.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "address_table", address_table__what_each_text_is);
}
