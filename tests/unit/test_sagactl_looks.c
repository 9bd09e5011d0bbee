/* What sagactl asks for when it looks, starts or registers: each option of a command line is in the request, and nothing that was not typed. */
#include "tests/support/told_files.h"

#include "grpc/health/v1/health.pb-c.h"

static const char order[] =
    "name: a\nversion: 1.0.0\nsteps:\n  - {name: s, target: t, action: /p.S/A, compensation: none}\n";
#define ORDER_64 \
    "bmFtZTogYQp2ZXJzaW9uOiAxLjAuMApzdGVwczoKICAtIHtuYW1lOiBzLCB0YXJnZXQ6IHQsIGFjdGlvbjogL3AuUy9BLCBjb21wZW5zYXRpb246" \
    "IG5vbmV9Cg=="

#define ID "9f03c1d2a4b7-2a"

#define REQUEST(name)  &saga__v1__##name##_request__descriptor
#define RESPONSE(name) &saga__v1__##name##_response__descriptor

static const struct {
    const char *words;
    int status;
    struct {
        const char *method;
        const ProtobufCMessageDescriptor *request, *response;
        const char *asked;
    } calls[2];
} cases[] = {
    {"list", EXIT_DONE, {{"List", REQUEST(list), RESPONSE(list), "{'page_size':50}"}}},
    {"list --all", EXIT_DONE, {{"List", REQUEST(list), RESPONSE(list), "{'page_size':1000}"}}},
    {"list --all --limit 7", EXIT_DONE, {{"List", REQUEST(list), RESPONSE(list), "{'page_size':7}"}}},
    {"list -s stuck,running -d order --tag a=b=c --where x --page p --limit 7 --fleet --journal j",
     EXIT_DONE,
     {{"List", REQUEST(list), RESPONSE(list),
       "{'definition':'order','fleet':true,'journal':'j','page_size':7,'page_token':'p','states':['SAGA_STATE_RUNNING',"
       "'SAGA_STATE_STUCK'],'tags':[{'name':'a','value':'b=c'}],'where':'x'}"}}},
    {"list --utc --since 2023-11-14T22:13:20Z --before 2023-11-14T22:14:20.5Z",
     EXIT_DONE,
     {{"List", REQUEST(list), RESPONSE(list),
       "{'page_size':50,'started_before':'2023-11-14T22:14:20.500Z','started_from':'2023-11-14T22:13:20Z'}"}}},
    {"list -s paused",
     EXIT_DONE,
     {{"List", REQUEST(list), RESPONSE(list),
       "{'page_size':50,'states':['SAGA_STATE_RUNNING','SAGA_STATE_COMPENSATING','SAGA_STATE_STUCK']}"}}},
    {"list --request-id r",
     EXIT_REFUSED,
     {{"Find", REQUEST(find), RESPONSE(find), "{'request_id':'r'}"},
      {"Get", REQUEST(get), RESPONSE(get), "{'page_size':1}"}}},
    {"deadletters",
     EXIT_DONE,
     {{"ListDeadLetters", REQUEST(list_dead_letters), RESPONSE(list_dead_letters), "{'page_size':50}"}}},
    {"deadletters -d order --where x --page p --limit 7 --fleet --journal j",
     EXIT_DONE,
     {{"ListDeadLetters", REQUEST(list_dead_letters), RESPONSE(list_dead_letters),
       "{'definition':'order','fleet':true,'journal':'j','page_size':7,'page_token':'p','where':'x'}"}}},
    {"deadletters --summary -d order --where x --fleet --journal j",
     EXIT_DONE,
     {{"ListDeadLetters", REQUEST(list_dead_letters), RESPONSE(list_dead_letters),
       "{'definition':'order','fleet':true,'journal':'j','page_size':1000,'where':'x'}"}}},
    {"deadletters skip -d order --where x --rate 30/m --name n --actor ann --reason r --fleet --journal j",
     EXIT_DONE,
     {{"StartBulk", REQUEST(start_bulk), RESPONSE(start_bulk),
       "{'act':'BULK_ACT_SKIP','actor':'ann','definition':'order','fleet':true,'id':'n','journal':'j','per_second':0.5,"
       "'reason':'r','where':'x'}"}}},
    {"deadletters retry --where x --name n --actor ann",
     EXIT_DONE,
     {{"StartBulk", REQUEST(start_bulk), RESPONSE(start_bulk),
       "{'act':'BULK_ACT_RETRY','actor':'ann','id':'n','where':'x'}"}}},
    {"deadletters resolve --where x --name n --actor ann --reason r",
     EXIT_DONE,
     {{"StartBulk", REQUEST(start_bulk), RESPONSE(start_bulk),
       "{'act':'BULK_ACT_RESOLVE','actor':'ann','id':'n','reason':'r','where':'x'}"}}},
    {"bulk --fleet --journal j",
     EXIT_DONE,
     {{"ListBulks", REQUEST(list_bulks), RESPONSE(list_bulks), "{'fleet':true,'journal':'j'}"}}},
    {"bulk n", EXIT_NOT_FOUND, {{"ListBulks", REQUEST(list_bulks), RESPONSE(list_bulks), "{'id':'n'}"}}},
    {"rules arm r --actor ann --reason x",
     EXIT_DONE,
     {{"ChangeRule", REQUEST(change_rule), RESPONSE(change_rule),
       "{'actor':'ann','change':'RULE_CHANGE_ARM','name':'r','reason':'x'}"}}},
    {"rules undo r --actor ann",
     EXIT_DONE,
     {{"ChangeRule", REQUEST(change_rule), RESPONSE(change_rule),
       "{'actor':'ann','change':'RULE_CHANGE_UNDO','name':'r'}"}}},
    {"start order -v 2.0.0 -r id --priority high --deadline 1500ms --input-text book",
     EXIT_DONE,
     {{"Start", REQUEST(start), RESPONSE(start),
       "{'deadline':'1.500s','definition':'order','input':'Ym9vaw==','priority':'PRIORITY_HIGH','request_id':'id','"
       "version':'2.0.0'}"}}},
    {"start order -r id --json {\"a\":1}",
     EXIT_DONE,
     {{"Start", REQUEST(start), RESPONSE(start),
       "{'definition':'order','input_json':'{\\'a\\':1}','request_id':'id'}"}}},
    {"start order -r id --json file.json",
     EXIT_DONE,
     {{"Start", REQUEST(start), RESPONSE(start), "{'definition':'order','input_json':'[2]','request_id':'id'}"}}},
    {"start order -r id --input file.json --priority low",
     EXIT_DONE,
     {{"Start", REQUEST(start), RESPONSE(start),
       "{'definition':'order','input':'WzJd','priority':'PRIORITY_LOW','request_id':'id'}"}}},
    {"get " ID, EXIT_REFUSED, {{"Get", REQUEST(get), RESPONSE(get), "{'page_size':5000,'saga_id':'" ID "'}"}}},
    {"get " ID " -p",
     EXIT_REFUSED,
     {{"Get", REQUEST(get), RESPONSE(get),
       "{'include_payloads':true,'page_size':5000,'payloads_as_json':true,'saga_id':'" ID "'}"}}},
    {"get --request-id r",
     EXIT_REFUSED,
     {{"Find", REQUEST(find), RESPONSE(find), "{'request_id':'r'}"},
      {"Get", REQUEST(get), RESPONSE(get), "{'page_size':5000}"}}},
    {"graph " ID, EXIT_REFUSED, {{"Get", REQUEST(get), RESPONSE(get), "{'saga_id':'" ID "'}"}}},
    {"status",
     EXIT_DONE,
     {{"Check", &grpc__health__v1__health_check_request__descriptor,
       &grpc__health__v1__health_check_response__descriptor, "{'service':'saga.v1.Coordinator'}"},
      {"Status", REQUEST(status), RESPONSE(status), "{}"}}},
    {"audit --limit 7", EXIT_DONE, {{"ListAudit", REQUEST(list_audit), RESPONSE(list_audit), "{'page_size':7}"}}},
    {"authz explain --as uid:1 --definition order",
     EXIT_DONE,
     {{"Explain", REQUEST(explain), RESPONSE(explain), "{'as':'uid:1','definition':'order'}"}}},
    {"authz explain --method Retry",
     EXIT_REFUSED,
     {{"Explain", REQUEST(explain), RESPONSE(explain), "{'method':'Retry'}"}}},
    {"schema register file.json",
     EXIT_DONE,
     {{"RegisterSchema", REQUEST(register_schema), RESPONSE(register_schema), "{'descriptors':'WzJd','name':'file'}"}}},
    {"schema register file.json --name shop --dry-run",
     EXIT_DONE,
     {{"RegisterSchema", REQUEST(register_schema), RESPONSE(register_schema),
       "{'descriptors':'WzJd','dry_run':true,'name':'shop'}"}}},
    {"schema show shop",
     EXIT_REFUSED,
     {{"GetSchema", REQUEST(get_schema), &saga__v1__schema__descriptor, "{'name':'shop'}"}}},
    {"input order --version 2.0.0",
     EXIT_REFUSED,
     {{"GetDefinition", REQUEST(get_definition), &saga__v1__definition__descriptor,
       "{'name':'order','version':'2.0.0'}"}}},
    {"input order",
     EXIT_REFUSED,
     {{"GetDefinition", REQUEST(get_definition), &saga__v1__definition__descriptor, "{'name':'order'}"}}},
    {"register order.yaml",
     EXIT_DONE,
     {{"RegisterDefinition", REQUEST(register_definition), RESPONSE(register_definition),
       "{'source':'" ORDER_64 "'}"}}},
    {"register order.yaml --dry-run",
     EXIT_DONE,
     {{"RegisterDefinition", REQUEST(register_definition), RESPONSE(register_definition),
       "{'dry_run':true,'source':'" ORDER_64 "'}"}}},
};

START_TEST(looks__ask_for_what_was_typed)
{
    ProtobufCMessage *answers[2] = {NULL, NULL};
    unsigned count = cases[_i].calls[1].method != NULL ? 2 : 1;
    put_text("file.json", "[2]");
    put_text("order.yaml", order);
    for (unsigned i = 0; i < count; i++) {
        answers[i] = malloc(cases[_i].calls[i].response->sizeof_message);
        protobuf_c_message_init(cases[_i].calls[i].response, answers[i]);
        tell(cases[_i].calls[i].method, answers[i]);
    }
    int status = sagactl(cases[_i].words);
    ck_assert_msg(status == cases[_i].status, "%s: %d: %s", cases[_i].words, status, complained);
    for (unsigned i = 0; i < count; i++) {
        assert_asked(i, cases[_i].calls[i].request, cases[_i].calls[i].asked);
        free(answers[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_looks");
    TCase *tc = tcase_create("looks");
    tcase_add_checked_fixture(tc, files_setup, files_teardown);
    tcase_add_loop_test(tc, looks__ask_for_what_was_typed, 0, sizeof cases / sizeof cases[0]);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
