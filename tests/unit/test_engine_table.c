/* What the engine does about everything that can happen to a saga, in each of the states that it can be in: every request of services and people, every
 * answer to what is out, the passing of time, and an end of the sidecar. What it answers, records and sends, and all that is different behind it, is kept in
 * tests/fixtures/engine/table.txt; `build/release/tests/unit/test_engine_table write` writes that anew, for its difference to be read. */
#include "tests/support/engine_histories.h"
#include "tests/support/kept_text.h"

static const char path[] = "tests/fixtures/engine/table.txt";

static const char *const requests[] = {
    "cancel 1 who=bob",
    "pause 1 who=bob",
    "resume 1 who=bob",
    "retry 1 who=bob",
    "retry 1 %s who=bob",
    "skip 1 %s who=bob",
    "reject 1 %s who=bob",
    "resolve 1 who=bob",
    "commit 1 who=bob",
    "abort 1 who=bob",
    "keepalive 1",
    "enlist 1 enlist=z",
    "start r1",
    "begin r1 id=r1",
    "renew",
    "tick",
    "crash",
    "hold",
    "reachable t",
    "reachable u",
    "hold-open t",
    "reset t",
    "set t places=1",
    "set t places=0",
    NULL,
};

/* The first five also where such a call has been answered in all these ways before. */
static const char *const answers[] = {
    "OK out=yes took=10",
    "OK out=*65",
    "UNAVAILABLE reach=maybe",
    "UNAVAILABLE reach=unreached",
    "FAILED_PRECONDITION",
    "UNAVAILABLE said=gone",
    "UNAVAILABLE reach=none",
    "UNAVAILABLE reach=not-begun",
    "RESOURCE_EXHAUSTED pushback=-1",
    "RESOURCE_EXHAUSTED reach=not-begun pushback=-1",
    "UNIMPLEMENTED reach=not-begun",
    "NOT_FOUND said=*300",
    "RESOURCE_EXHAUSTED pushback=7000",
    "RESOURCE_EXHAUSTED pushback=400000",
    NULL,
};

static void put_all(FILE *out)
{
    engine_table_put(out, histories, HISTORY_COUNT, &(struct probes){requests, answers});
}

START_TEST(engine_table__everything_that_happens_in_every_state)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "engine_table", engine_table__everything_that_happens_in_every_state);
}
