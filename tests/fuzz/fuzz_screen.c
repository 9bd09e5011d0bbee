/* fuzz_screen.c - what a participant, a client or a definition may say, on its way to a person's terminal: nothing of it steers one. */
#include "client-lib/sagactl/screen.h"
#include "sidecar/base/check.h"
#include "sidecar/base/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void assert_harmless(const char *text)
{
    size_t size = strlen(text);
    CHECK(utf8_valid(bytes_of_text(text)));
    for (size_t i = 0; i < size; i++) {
        const unsigned char *c = (const unsigned char *)text + i;
        CHECK(c[0] >= 0x20 && c[0] != 0x7f);                               /* C0, and delete */
        CHECK(c[0] != 0xc2 || c[1] >= 0xa0);                               /* C1 */
        CHECK(c[0] != 0xe2 || c[1] != 0x80 || c[2] < 0xaa || c[2] > 0xae); /* other directions of writing */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct screen screens[] = {{.utf8 = true, .width = SCREEN_WIDTH_DEFAULT},
                               {.utf8 = false, .width = SCREEN_WIDTH_DEFAULT}};
    char *text = malloc(size + 1), clean[600];
    CHECK(text != NULL);
    memcpy(text, at, size);
    text[size] = '\0';
    for (size_t i = 0; i < 2; i++)
        for (size_t room = 8; room <= sizeof clean; room += 197) {
            CHECK(screen_clean(&screens[i], text, clean, room) == clean && strlen(clean) < room);
            assert_harmless(clean);
            for (const char *c = clean; !screens[i].utf8 && *c != '\0'; c++)
                CHECK((unsigned char)*c < 0x80);
        }
    free(text);
    return 0;
}
