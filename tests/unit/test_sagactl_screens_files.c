/* What sagactl makes of files, without a sidecar and before one that answers: graphs, lint, rehearsals, contracts, schemas and drills. It is kept in
 * tests/fixtures/sagactl; `build/release/tests/unit/test_sagactl_screens_files write` writes that anew, for its difference to be read. */
#include "tests/support/kept_text.h"
#include "tests/support/screen_files.h"
#include "tests/support/screen_texts.h"
#include "tests/support/screens.h"

#include <unistd.h>

#define NOBODY \
    { \
        NULL, NULL, NULL, 0, NULL \
    }
#define GET(text)     ANSWER("Get", get_response, text)
#define KNOWN(text)   ANSWER("ListDefinitions", list_definitions_response, text)
#define DEFINED(text) ANSWER("GetDefinition", definition, text)
#define SCHEMA(text)  ANSWER("GetSchema", schema, text)
#define TAKEN(text)   ANSWER("RegisterDefinition", register_definition_response, text)
#define STORED(text)  ANSWER("RegisterSchema", register_schema_response, text)
#define REFLECTION    "ServerReflectionInfo"
#define TELLS(text) \
    { \
        REFLECTION, &grpc__reflection__v1__server_reflection_response__descriptor, text, 0, NULL \
    }
#define LIST(text) ANSWER("List", list_response, text)

/* What a drill does beside calls: nothing, but it is told. */
int __wrap_usleep(useconds_t us);
unsigned __wrap_sleep(unsigned seconds);
int __wrap_system(const char *command);
pid_t __wrap_getpid(void);

int __wrap_usleep(useconds_t us)
{
    fprintf(asked, "? usleep %u\n", (unsigned)us);
    no_pause_ns += us * 1000;
    return 0;
}

unsigned __wrap_sleep(unsigned seconds)
{
    fprintf(asked, "? sleep %u\n", seconds);
    return 0;
}

int __wrap_system(const char *command)
{
    fprintf(asked, "? system %s\n", command);
    return strcmp(command, "false") == 0;
}

pid_t __wrap_getpid(void)
{
    return 7;
}

/* ---- lines ---- */

static const struct screen_row varied[] = {
    {"graph " SAGA,
     {GET("saga{mode:ORCHESTRATED definition:'fan' version:'1.0.0' state:COMPENSATING "
          "steps{name:'a-long-name-of-a-step' action:DONE compensation:OWED target:'bank-eu'} "
          "steps{name:'b[0]' action:DONE compensation:DONE} steps{name:'b[1]' action:UNKNOWN target:'x<y>'} "
          "steps{name:'d' action:PENDING compensation:NONE}}"),
      DEFINED("source:@fan.yaml")},
     1},
    {"register fan.yaml",
     {TAKEN("name:'fan' version:'1.0.0' already_registered:0 findings{rule:'late' warning:1 line:3 column:5 "
            "field:'steps[0]' message:'it is late'} findings{rule:'odd' message:'it is odd'}")},
     0},
    {"schema register trades.binpb --name t", {STORED("hash:'0123456789abcdef'")}, 0},
    {"schema show trades", {SCHEMA("name:'trades' descriptors:@shapes.binpb")}, 0},
};

static const struct screen_row lines[] = {
    {"graph fan.yaml --color always", {NOBODY}, 0},
    {"graph ./fan.yaml -o mermaid", {NOBODY}, 0},
    {"graph fan.yaml -o dot", {NOBODY}, 0},
    {"graph fan.yaml -o svg", {NOBODY}, 0},
    {"graph fan.yaml -o json", {NOBODY}, 0},
    {"graph loop.yaml", {NOBODY}, 0},
    {"graph loop.yaml -o mermaid", {NOBODY}, 0},
    {"graph loop.yaml -o dot", {NOBODY}, 0},
    {"graph loop.yaml -o svg", {NOBODY}, 0},
    {"graph loop.yaml -o json", {NOBODY}, 0},
    {"graph broken.yaml", {NOBODY}, 0},
    {"graph no/such", {NOBODY}, 0},
    {"graph fan --version 1.0.0", {DEFINED("source:@broken.yaml")}, 0},
    {"graph fan", {REFUSES("GetDefinition", 5, "DEFINITION_UNKNOWN", "name: there is none")}, 0},
    {"graph " SAGA " -o svg",
     {GET(
         "saga{mode:ENLISTED definition:'x\"y' state:STUCK steps{name:'a' action:REJECTED} steps{name:'b' action:DONE} "
         "steps{name:'c'}}")},
     0},
    {"graph " SAGA " -o dot",
     {GET("saga{mode:ENLISTED definition:'x' state:STUCK steps{name:'a' action:REJECTED} steps{name:'b' action:DONE "
          "compensation:DONE}}")},
     0},
    {"graph " SAGA " -o mermaid",
     {GET("saga{mode:ORCHESTRATED definition:'fan' steps{name:'d' action:DONE} steps{name:'z'}}"),
      DEFINED("source:@fan.yaml")},
     0},
    {"graph " SAGA, {GET("saga{steps{name:'azAZ09-_. |[]'} steps{name:'@`{~/:\"<>&;^}'}}")}, 0},
    {"graph " SAGA, {REFUSES("Get", 5, "SAGA_UNKNOWN", "saga_id: there is none")}, 0},
    {"graph " SAGA, {GET("")}, 0},
    {"graph " SAGA, {GET("saga{mode:ORCHESTRATED}"), REFUSES("GetDefinition", 7, "DENIED", "it is denied")}, 0},
    {"lint fan.yaml warned.yaml broken.yaml", {NOBODY}, 0},
    {"lint warned.yaml fan.yaml --policy policy.yaml -o json", {NOBODY}, 0},
    {"lint 'defs/trip.yaml' warned.yaml --policy policy.yaml --config sagad.yaml", {NOBODY}, 0},
    {"lint fan.yaml empty.yaml -o json", {NOBODY}, 0},
    {"lint warned.yaml -o json", {NOBODY}, 0},
    {"lint warned.yaml --policy policy.yaml --config sagad.yaml --color always", {NOBODY}, 0},
    {"lint warned.yaml --policy bad-policy.yaml", {NOBODY}, 0},
    {"lint warned.yaml --config bad-sagad.yaml", {NOBODY}, 0},
    {"lint warned.yaml no-such.yaml fan.yaml", {NOBODY}, 0},
    {"lint no-such.yaml -o sarif", {NOBODY}, 0},
    {"lint fan.yaml --config bad-sagad.yaml --schema trades.binpb", {NOBODY}, 0},
    {"lint fan.yaml --schema bad.binpb --policy policy.yaml", {NOBODY}, 0},
    {"lint findings.yaml", {NOBODY}, 0},
    {"lint fan.yaml --schema 'a b~.yaml'", {NOBODY}, 0},
    {"lint no-such.yaml", {NOBODY}, 0},
    {"lint", {NOBODY}, 0},
    {"lint --explain expression-cut", {NOBODY}, 0},
    {"lint --explain nothing", {NOBODY}, 0},
    {"lint defs/trip.yaml", {NOBODY}, 0},
    {"lint defs/trip.yaml defs/loan.yaml defs/seats.yaml --schema trades.binpb", {NOBODY}, 0},
    {"lint defs/trip.yaml --schema bad.binpb", {NOBODY}, 0},
    {"lint defs/trip.yaml --schema sets", {NOBODY}, 0},
    {"lint defs/trip.yaml --schema none", {NOBODY}, 0},
    {"rehearse defs/trip.yaml --schema trades.binpb --seeds 40", {NOBODY}, 0},
    {"rehearse defs/transfer.yaml --schema trades.binpb -o json", {NOBODY}, 0},
    {"rehearse fan.yaml --seeds 30 --config sagad.yaml", {NOBODY}, 0},
    {"rehearse fan.yaml --input fan.yaml --seeds 3", {NOBODY}, 0},
    {"rehearse fan.yaml --json {} --seeds 3", {NOBODY}, 0},
    {"rehearse defs/trip.yaml --json '{\"tripId\": 7}' --schema trades.binpb", {NOBODY}, 0},
    {"rehearse defs/trip.yaml --json '{\"tripId\": \"7\"}' --schema trades.binpb --seeds 2", {NOBODY}, 0},
    {"rehearse defs/trip.yaml --json input.json --schema trades.binpb", {NOBODY}, 0},
    {"rehearse defs/trip.yaml --json none.txt --schema trades.binpb", {NOBODY}, 0},
    {"rehearse defs/trip.yaml", {NOBODY}, 0},
    {"rehearse broken.yaml", {NOBODY}, 0},
    {"rehearse broken.yaml -o json", {NOBODY}, 0},
    {"rehearse defs/trip.yaml -o sarif", {NOBODY}, 0},
    {"lint fan.yaml --schema many", {NOBODY}, 0},
    {"graph largest.txt", {NOBODY}, 0},
    {"graph huge.txt", {NOBODY}, 0},
    {"rehearse no-such.yaml", {NOBODY}, 0},
    {"rehearse fan.yaml --config bad-sagad.yaml", {NOBODY}, 0},
    {"contract check", {NOBODY}, 0},
    {"contract check --schema sets", {NOBODY}, 0},
    {"contract check --schema trades.binpb --contract contract.json", {NOBODY}, 0},
    {"contract check --schema trades.binpb --contract later.json", {NOBODY}, 0},
    {"contract check --schema trades.binpb --contract none.json", {NOBODY}, 0},
    {"contract check --schema trades.binpb --contract sourceless.json", {NOBODY}, 0},
    {"contract check --schema trades.binpb --contract lost.json", {NOBODY}, 0},
    {"contract check --schema trades.binpb",
     {KNOWN("definitions{name:'trip' version:'1'} definitions{name:'fan' version:'2'}"),
      DEFINED("name:'trip' version:'1' schema_hash:'h' source:@defs/trip.yaml"),
      DEFINED("name:'fan' version:'2' source:@fan.yaml"), SCHEMA("descriptors:@trades.binpb")},
     0},
    {"contract check --schema shapes.binpb --target cars",
     {KNOWN("definitions{name:'trip' version:'1'} definitions{name:'fan' version:'2'}"),
      DEFINED("name:'trip' version:'1' schema_hash:'h' source:@defs/trip.yaml"),
      DEFINED("name:'fan' version:'2' source:@fan.yaml"), SCHEMA("descriptors:@trades.binpb")},
     0},
    {"contract check --schema shapes.binpb --definition trip -o json",
     {KNOWN("definitions{name:'trip' version:'1'} definitions{name:'fan'}"),
      DEFINED("name:'trip' version:'1' schema_hash:'h' source:@defs/trip.yaml"), SCHEMA("descriptors:@trades.binpb")},
     0},
    {"contract check --schema changed.binpb",
     {KNOWN("definitions{name:'trip' version:'1'}"),
      DEFINED("name:'trip' version:'1' schema_hash:'h' source:@defs/trip.yaml"), SCHEMA("descriptors:@trades.binpb")},
     0},
    {"contract check --schema changed.binpb -o json",
     {KNOWN("definitions{name:'trip' version:'1'}"),
      DEFINED("name:'trip' version:'1' schema_hash:'h' source:@defs/trip.yaml"), SCHEMA("descriptors:@trades.binpb")},
     0},
    {"contract check --schema trades.binpb", {KNOWN("")}, 0},
    {"contract export --target mail",
     {KNOWN("definitions{name:'fan' version:'2'} definitions{name:'x'}"),
      DEFINED("name:'fan' version:'2' source:@fan.yaml"), DEFINED("name:'x' source:@warned.yaml")},
     0},
    {"contract export --target nobody", {KNOWN("definitions{name:'fan' version:'2'}"), DEFINED("source:@fan.yaml")}, 0},
    {"contract export --target mail",
     {KNOWN("definitions{name:'fan' version:'2'}"), DEFINED("name:'fan' source:'\xff'")},
     0},
    {"contract export --target mail",
     {KNOWN("definitions{name:'fan' version:'2'}"), DEFINED("name:'fan' source:@broken.yaml")},
     0},
    {"contract export --target mail",
     {KNOWN("definitions{name:'fan' version:'2'}"), DEFINED("source:@fan.yaml schema_hash:'h'"),
      REFUSES("GetSchema", 5, "SCHEMA_UNKNOWN", "there is none")},
     0},
    {"contract export", {NOBODY}, 0},
    {"contract write", {NOBODY}, 0},
    {"schema", {NOBODY}, 0},
    {"schema write", {NOBODY}, 0},
    {"schema list x", {NOBODY}, 0},
    {"schema show", {NOBODY}, 0},
    {"schema show a b", {NOBODY}, 0},
    {"schema show a", {SCHEMA("descriptors:@bad.binpb")}, 0},
    {"schema register", {NOBODY}, 0},
    {"schema register a.binpb b.binpb --name c", {NOBODY}, 0},
    {"schema register trades.binpb bad.binpb", {STORED("hash:'h' already_registered:1"), STORED("hash:'k'")}, 0},
    {"schema register trades.binpb bad.binpb -o json --dry-run", {STORED("hash:'h'"), STORED("hash:'k'")}, 0},
    {"schema register trades.binpb --dry-run", {STORED("hash:'h' already_registered:1")}, 0},
    {"schema show a -o json",
     {SCHEMA("name:'a' services:'b' descriptors:'\x0a\x0b\x0a\x01"
             "ab\x06proto3'")},
     0},
    {"schema show a -o json", {REFUSES("GetSchema", 5, "SCHEMA_UNKNOWN", "name: there is none")}, 0},
    {"schema register 'a b.binpb'", {NOBODY}, 0},
    {"schema register -", {NOBODY}, 0},
    {"schema register no.binpb", {NOBODY}, 0},
    {"schema register trades.binpb bad.binpb",
     {REFUSES("RegisterSchema", 3, "SCHEMA_INVALID", "descriptors: they are broken")},
     0},
    {"schema reflect", {NOBODY}, 0},
    {"schema reflect 'a b' c", {NOBODY}, 0},
    {"schema reflect a", {NOBODY}, 0},
    {"schema reflect t bank:5 --timeout 2s",
     {TELLS("list_services_response{service{name:'a.B'} service{name:'grpc.health.v1.Health'} "
            "service{name:'grpc.reflection.v1.X'}}"),
      TELLS("file_descriptor_response{file_descriptor_proto:'\x0a\x01"
            "a\x1a\x01"
            "b' file_descriptor_proto:'\x0a\x01"
            "a'}"),
      TELLS("file_descriptor_response{file_descriptor_proto:'\x0a\x01"
            "b'}"),
      STORED("hash:'h'")},
     0},
    {"schema reflect t a:5 b:6",
     {TELLS("list_services_response{service{name:'a.A'}}"),
      TELLS("file_descriptor_response{file_descriptor_proto:'\x0a\x01"
            "a'}"),
      TELLS("list_services_response{service{name:'b.B'}}"),
      TELLS("file_descriptor_response{file_descriptor_proto:'\x0a\x01"
            "b'}"),
      STORED("hash:'h'")},
     0},
    {"schema reflect t a:5", {TELLS("file_descriptor_response{file_descriptor_proto:'a'}")}, 0},
    {"schema reflect t a:5", {TELLS("error_response{error_code:5 error_message:'no such thing'}")}, 0},
    {"schema reflect t a:5",
     {TELLS("list_services_response{service{name:'a.A'}}"), TELLS("list_services_response{}")},
     0},
    {"schema reflect t a:5",
     {TELLS("list_services_response{service{name:'a.A'} service{name:'a.B'}}"),
      TELLS("error_response{error_message:'it is gone'}")},
     0},
    {"schema reflect t a:5",
     {TELLS("list_services_response{service{name:'a.A'}}"),
      TELLS("file_descriptor_response{file_descriptor_proto:'\x0a\x01"
            "a\x1a\x01"
            "b\x1a\x01"
            "c'}"),
      REFUSES(REFLECTION, 13, "", "it broke")},
     0},
    {"schema reflect t a:5",
     {REFUSES(REFLECTION, 12, "", "unknown"), TELLS("list_services_response{service{name:'a.A'}}"),
      TELLS("file_descriptor_response{file_descriptor_proto:'\x0a\x01"
            "a'}"),
      STORED("hash:'h'")},
     0},
    {"schema reflect t a:5", {REFUSES(REFLECTION, 12, "", "unknown"), REFUSES(REFLECTION, 12, "", "unknown")}, 0},
    {"schema reflect t a:5", {REFUSES(REFLECTION, 14, SAGA_REASON_UNREACHABLE, "refused")}, 0},
    {"schema reflect t a:5 b:6", {REFUSES(REFLECTION, 4, "", "too late")}, 0},
    {"schema reflect t a:5 b:6", {REFUSES(REFLECTION, 7, "", "denied")}, 0},
    {"input trip --version 1.0.0",
     {DEFINED("input:'trades.v1.Trip' schema_hash:'h'"), SCHEMA("descriptors:@trades.binpb")},
     0},
    {"input trip", {DEFINED("input:'trades.v1.None' schema_hash:'h'"), SCHEMA("descriptors:@trades.binpb")}, 0},
    {"input trip", {DEFINED("schema_hash:'h'")}, 0},
    {"input trip", {DEFINED("input:'a'"), REFUSES("GetSchema", 5, "SCHEMA_UNKNOWN", "there is none")}, 0},
    {"register fan.yaml warned.yaml",
     {TAKEN("name:'fan'"), TAKEN("name:'warned'"), TAKEN("name:'fan'"), TAKEN("name:'warned' already_registered:1")},
     0},
    {"register fan.yaml warned.yaml -o json", {TAKEN(""), TAKEN(""), TAKEN("name:'fan'"), TAKEN("name:'warned'")}, 0},
    {"register fan.yaml warned.yaml",
     {REFUSES("RegisterDefinition", 6, "DEFINITION_EXISTS", "it is another text"), TAKEN("")},
     0},
    {"register fan.yaml broken.yaml --dry-run", {NOBODY}, 0},
    {"register fan.yaml broken.yaml --dry-run -o json", {NOBODY}, 0},
    {"register fan.yaml --dry-run", {TAKEN("name:'fan' already_registered:1")}, 0},
    {"register fan.yaml --dry-run",
     {REFUSES("RegisterDefinition", 14, SAGA_REASON_UNREACHABLE, "Connection refused")},
     0},
    {"register fan.yaml", {REFUSES("RegisterDefinition", 14, SAGA_REASON_UNREACHABLE, "Connection refused")}, 0},
    {"register empty.yaml --dry-run", {NOBODY}, 0},
    {"register defs/transfer.yaml --reflect",
     {ANSWER("Reflect", reflect_response,
             "descriptors:'\x10\x07\x0a\x02"
             "ab\x12\x01"
             "c'"),
      STORED("hash:'h'")},
     0},
    {"register no.yaml", {NOBODY}, 0},
    {"register fan.yaml --reflect", {NOBODY}, 0},
    {"register defs/trip.yaml --reflect --timeout 3s",
     {ANSWER("Reflect", reflect_response, "descriptors:@trades.binpb"), STORED("hash:'h'"), TAKEN("name:'trip'")},
     0},
    {"register defs/trip.yaml --reflect -o json",
     {ANSWER("Reflect", reflect_response, "descriptors:@trades.binpb"), STORED("hash:'h'"), TAKEN("name:'trip'")},
     0},
    {"start a --request-id r --input large.txt", {NOBODY}, 0},
    {"start a --request-id r --input larger.txt", {NOBODY}, 0},
    {"start a --request-id r --json large.txt", {NOBODY}, 0},
    {"register defs/trip.yaml --reflect", {REFUSES("Reflect", 5, "TARGET_UNKNOWN", "there is none")}, 0},
    {"drill drill.yaml --kill now",
     {LIST(""), LIST("sagas{id:'a'} sagas{id:'b'} next_page_token:'t'"), LIST("sagas{id:'c'}"), LIST("")},
     0},
    {"drill drill.yaml --kill false", {NOBODY}, 0},
    {"drill drill.yaml", {NOBODY}, 0},
    {"drill drill.yaml --kill now", {REFUSES("InjectFaults", 9, "DRILLS_OFF", "it must be allowed")}, 0},
    {"drill drill.yaml --kill now", {REFUSES("InjectFaults", 14, SAGA_REASON_LOST, "lost")}, 0},
    {"drill drill.yaml --kill now", {REFUSES("Start", 5, "DEFINITION_UNKNOWN", "there is none")}, 0},
    {"drill plain.yaml", {NOBODY}, 0},
    {"drill wait.yaml", {LIST("sagas{id:'a'}"), LIST("sagas{id:'b'} sagas{id:'c'}"), LIST("sagas{id:'d'}")}, 0},
    {"drill expect.yaml", {LIST("sagas{id:'a'} sagas{id:'b'}")}, 0},
    {"drill expect.yaml", {LIST("sagas{id:'a'} sagas{id:'b'} sagas{id:'c'}"), LIST("sagas{id:'b'}")}, 0},
    {"drill expect.yaml", {LIST("next_page_token:'t'"), LIST("next_page_token:'t'")}, 0},
    {"drill expect.yaml", {REFUSES("List", 3, "WHERE", "it is wrong")}, 0},
    {"pause " SAGA " --address unix:live.sock",
     {REFUSES("Pause", 14, SAGA_REASON_UNREACHABLE, "Connection refused")},
     0},
    {"pause " SAGA " --address unix:fan.yaml",
     {REFUSES("Pause", 14, SAGA_REASON_UNREACHABLE, "Connection refused")},
     0},
    {"drill no.yaml", {NOBODY}, 0},
};

/* ---- the texts ---- */

/* Those with -o sarif, of which the rules of sagactl itself are left out: they are those of lint.def. */
static void put_sarif(FILE *out, const char *line)
{
    struct screen_row row = {.line = line};
    char *text;
    size_t size;
    FILE *whole = open_memstream(&text, &size);
    screens_put(whole, &row);
    fclose(whole);
    static const char mark[] = "\"defaultConfiguration\"";
    const char *rules = strstr(text, "\"rules\""), *marks[3] = {rules, rules, rules};
    for (const char *at = rules; at != NULL && (at = strstr(at + 1, mark)) != NULL;) {
        marks[0] = marks[1];
        marks[1] = marks[2];
        marks[2] = at;
    }
    ck_assert_msg(rules != NULL, "%s", text);
    fprintf(out, "\n$ sagactl %s\n...\n%s", line, marks[0]);
    free(text);
}

static void put_all_varied(FILE *out)
{
    for (size_t i = 0; i < sizeof varied / sizeof *varied; i++)
        screens_vary(out, &varied[i]);
}

static void put_all_lines(FILE *out)
{
    char line[64];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        screens_put(out, &lines[i]);
    put_sarif(out, "lint warned.yaml fan.yaml --policy policy.yaml -o sarif");
    put_sarif(out, "lint 'a b~.yaml' --policy policy.yaml -o sarif");
    put_sarif(out, "rehearse broken.yaml -o sarif");
    put_sarif(out, "rehearse fan.yaml --seeds 9 -o sarif");
    for (unsigned i = 1; i <= 26; i++) {
        snprintf(line, sizeof line, "drill drill-%u.yaml", i);
        screens_put_line(out, line);
    }
}

static void put_varied(FILE *out)
{
    among_files(out, put_all_varied);
}

static void put_lines(FILE *out)
{
    among_files(out, put_all_lines);
}

START_TEST(screens__show_what_is_made_of_files)
{
    kept_text_compare("tests/fixtures/sagactl/made.txt", put_varied);
    kept_text_compare("tests/fixtures/sagactl/files.txt", put_lines);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sagactl_screens_files", screens__show_what_is_made_of_files);
}
