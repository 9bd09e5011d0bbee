/* journal_fixture.c - writes a journal of the schema that this tree has, for `make journal-fixture` to keep when the schema is new. */
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "tests/support/fixture_journal.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct store *store;
    struct store_state state;
    struct error_detail detail;
    if (argc != 2) {
        fprintf(stderr, "usage: journal_fixture FILE\n");
        return 2;
    }
    struct sqlite_store_options options = {.path = argv[1]};
    if (sqlite_store_open(&options, &store, &state, &detail) != 0 || fixture_journal_write(store) != 0) {
        fprintf(stderr, "journal_fixture: %s\n", detail.text);
        return 1;
    }
    store->close(store);
    return 0;
}
