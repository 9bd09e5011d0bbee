/* What sagactl shows of one saga, for answers in which every field is set, and then has other values, one field after another. It is kept in
 * tests/fixtures/sagactl; `build/release/tests/unit/test_sagactl_screens_sagas write` writes that anew, for its difference to be read. */
#include "tests/support/kept_text.h"
#include "tests/support/screen_texts.h"
#include "tests/support/screens.h"

#define GET(text) ANSWER("Get", get_response, text)
#define STATUS    ANSWER("Status", status_response, "loops{" LOOP "} " OTHER_LOOPS)

static const struct screen_row
    got[] =
        {
            {"get " SAGA " --payloads --utc", {GET("saga{" STUCK_SAGA "} " EVENTS)}, 0},
            {"get " SAGA " --address unix:other.sock", {GET("saga{" RUNNING_SAGA "}")}, 0},
},
    explained[] = {
        {"why " SAGA, {GET("saga{" RUNNING_SAGA "} " EVENTS), STATUS}, 1},
        {"why " SAGA " --address unix:other.sock",
         {GET("saga{id:'" SAGA
              "' state:STUCK stuck_step:'reserve' stuck_reason:PIVOT_UNKNOWN started_at:-60 " STUCK_STEPS
              "steps{name:'ship' action:UNKNOWN} steps{name:'mail' action:PENDING}} " EVENTS)},
         0},
};

/* The same on other terminals. */
static const struct screen_row faces[] = {
    {"get " SAGA " --payloads -o json", {GET("saga{" STUCK_SAGA "} " EVENTS)}, 0},
    {"get " SAGA " --color always", {GET("saga{" STUCK_SAGA "} " EVENTS)}, 0},
    {"why " SAGA " --color always", {GET("saga{" RUNNING_SAGA "} " EVENTS), STATUS}, 0},
    {"why " SAGA " -o json", {GET("saga{" RUNNING_SAGA "}"), STATUS}, 0},
    {"get --request-id r-1", {ANSWER("Find", find_response, "saga_id:'" SAGA "'"), GET("saga{" RUNNING_SAGA "}")}, 0},
    {"get " SAGA,
     {GET("saga{lacks{step:'" LONG "'} lacks{step:'" LONG "'} lacks{step:'" LONG "'} lacks{step:'" LONG
          "'} lacks{step:'" LONG "'} lacks{step:'" LONG "'}}")},
     0},
    {"why " SAGA,
     {GET("saga{state:COMPENSATING steps{name:'a' action:DONE compensation:OWED waiting_for:'its turn'} "
          "steps{name:'b' action:DONE compensation:STARTED compensation_attempts:1 waiting_for:'an answer'}} "
          "timeline{at:-200 type:ACTION_ENDED step:'b'} "
          "timeline{at:-100 type:ACTION_ENDED step:'a'} timeline{at:-50 type:TURNED_BACK} timeline{at:-40 "
          "type:RESUMED}")},
     0},
    {"get " SAGA, {GET("saga{id:'a' input:*511 output:*512}")}, 0},
    {"get --request-id r-1 " SAGA, {{NULL, NULL, NULL, 0, NULL}}, 0},
    {"get", {{NULL, NULL, NULL, 0, NULL}}, 0},
    {"get " SAGA,
     {GET("saga{id:'a'} timeline{at:-3 type:ANSWERED} next_page_token:'t2'"),
      GET("timeline{at:-4 type:RESUMED} timeline_truncated:1 next_page_token:'t1'"),
      GET("timeline{at:-5 type:PAUSED}")},
     0},
    {"get " SAGA, {GET("saga{id:'a'} next_page_token:'t'"), GET("next_page_token:'t'")}, 0},
    {"get " SAGA,
     {GET("saga{id:'a'} next_page_token:'t'"), REFUSES("Get", 5, "SAGA_UNKNOWN", "saga_id: it is gone")},
     0},
    {"get " SAGA, {GET("")}, 0},
    {"why " SAGA, {GET("")}, 0},
    {"why " SAGA " --timeout 3s", {GET("saga{" RUNNING_SAGA "}"), REFUSES("Status", 7, "DENIED", "it is denied")}, 0},
    {"why " SAGA, {GET("saga{" RUNNING_SAGA "}"), REFUSES("Status", 13, "BROKEN", "it is broken")}, 0},
};

static void put_sagas(FILE *out, const struct screen_row *rows, size_t count)
{
    screens_begin();
    for (size_t i = 0; i < count; i++)
        screens_vary(out, &rows[i]);
}

static void put_got(FILE *out)
{
    put_sagas(out, got, sizeof got / sizeof *got);
}

static void put_explained(FILE *out)
{
    put_sagas(out, explained, sizeof explained / sizeof *explained);
}

static void put_faces(FILE *out)
{
    static const char *const widths[] = {NULL, "80", "200"};
    screens_begin();
    for (size_t w = 0; w < 3; w++) {
        if (w > 0)
            setenv("COLUMNS", widths[w], 1);
        fprintf(out, "\n---- columns: %s\n", w > 0 ? widths[w] : "not known");
        for (size_t i = 0; i < (w == 0 ? sizeof faces / sizeof *faces : 3); i++)
            screens_put(out, &faces[i]);
    }
    setenv("LC_ALL", "C", 1);
    fprintf(out, "\n---- ASCII alone\n");
    screens_put(out, &faces[1]);
}

START_TEST(screens__show_every_field_of_a_saga)
{
    kept_text_compare("tests/fixtures/sagactl/get.txt", put_got);
    kept_text_compare("tests/fixtures/sagactl/why.txt", put_explained);
    kept_text_compare("tests/fixtures/sagactl/sagas.txt", put_faces);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sagactl_screens_sagas", screens__show_every_field_of_a_saga);
}
