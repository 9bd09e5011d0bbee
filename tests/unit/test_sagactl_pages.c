/* What sagactl puts together of several pages: each is asked for by the token of the one before it, and a list that breaks off is none. */
#include "tests/support/told_sidecar.h"

#define RESPONSE(name) &saga__v1__##name##_response__descriptor
#define REQUEST(name)  &saga__v1__##name##_request__descriptor

static const struct {
    const char *words, *method;
    const ProtobufCMessageDescriptor *request, *response;
    bool shows; /* each page as it comes */
} lists[] = {
    {"list --all", "List", REQUEST(list), RESPONSE(list), true},
    {"list", "List", REQUEST(list), RESPONSE(list), true}, /* goes on, since the first page is empty */
    {"deadletters --all", "ListDeadLetters", REQUEST(list_dead_letters), RESPONSE(list_dead_letters), true},
    {"deadletters --summary", "ListDeadLetters", REQUEST(list_dead_letters), RESPONSE(list_dead_letters), false},
    {"retry --all", "ListDeadLetters", REQUEST(list_dead_letters), RESPONSE(list_dead_letters), false},
    {"definitions", "ListDefinitions", REQUEST(list_definitions), RESPONSE(list_definitions), false},
    {"definitions -o json", "ListDefinitions", REQUEST(list_definitions), RESPONSE(list_definitions), false},
    {"contract export --target a", "ListDefinitions", REQUEST(list_definitions), RESPONSE(list_definitions), false},
    {"schema list", "ListSchemas", REQUEST(list_schemas), RESPONSE(list_schemas), true},
    {"get 9f03c1d2a4b7-2a", "Get", REQUEST(get), RESPONSE(get), false},
};

/* A page in which nothing is, and behind which there is another. */
static void tell_page(size_t row, ProtobufCMessage *room, const char *token)
{
    protobuf_c_message_init(lists[row].response, room);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(lists[row].response, "next_page_token");
    ck_assert_ptr_nonnull(field);
    *(char **)(void *)((char *)room + field->offset) = text(token);
    tell(lists[row].method, room);
}

static void assert_token(size_t row, unsigned call, const char *token)
{
    ProtobufCMessage *request =
        protobuf_c_message_unpack(lists[row].request, NULL, asked_sizes[call], asked_bytes[call]);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(lists[row].request, "page_token");
    ck_assert_str_eq(*(char **)(void *)((char *)request + field->offset), token);
    protobuf_c_message_free_unpacked(request, NULL);
}

START_TEST(pages__a_list_that_breaks_off_is_none)
{
    ProtobufCMessage *room[2] = {malloc(lists[_i].response->sizeof_message),
                                 malloc(lists[_i].response->sizeof_message)};
    ck_assert(room[0] != NULL && room[1] != NULL);
    tell_page(_i, room[0], "t1");
    tell_page(_i, room[1], "t2");
    tell(lists[_i].method, NULL);
    told[2].code = SAGA_E_PERMISSION_DENIED;
    ck_assert_int_eq(sagactl(lists[_i].words), EXIT_REFUSED);
    ck_assert_msg(strstr(complained, "it is refused") != NULL, "%s", complained);
    ck_assert_msg(lists[_i].shows || said[0] == '\0', "%s", said);
    assert_token(_i, 0, "");
    assert_token(_i, 1, "t1");
    assert_token(_i, 2, "t2");
    /* Nor is one whose pages have no end. */
    anew();
    tell_page(_i, room[0], "t1");
    tell_page(_i, room[1], "t1");
    ck_assert_int_eq(sagactl(lists[_i].words), EXIT_REFUSED);
    ck_assert_msg(strstr(complained, "the sidecar's token for the next page cannot be used") != NULL, "%s", complained);
    ck_assert_msg(lists[_i].shows || said[0] == '\0', "%s", said);
    free(room[0]);
    free(room[1]);
}
END_TEST

/* The longest token that a command takes is passed on, and a longer one is told of. */
START_TEST(pages__tokens_have_a_bound)
{
    ProtobufCMessage *room[2] = {malloc(lists[_i].response->sizeof_message),
                                 malloc(lists[_i].response->sizeof_message)};
    char *token = malloc(TOKEN_SIZE + 1);
    ck_assert(room[0] != NULL && room[1] != NULL && token != NULL);
    memset(token, 't', TOKEN_SIZE);
    token[TOKEN_SIZE - 1] = '\0';
    tell_page(_i, room[0], token);
    tell_page(_i, room[1], "");
    ck_assert_msg(sagactl(lists[_i].words) == EXIT_DONE, "%s", complained);
    assert_token(_i, 1, token);
    token[TOKEN_SIZE - 1] = 't';
    token[TOKEN_SIZE] = '\0';
    anew();
    tell_page(_i, room[0], token);
    ck_assert_int_eq(sagactl(lists[_i].words), EXIT_REFUSED);
    ck_assert_msg(strstr(complained, "the sidecar's token for the next page cannot be used") != NULL, "%s", complained);
    free(token);
    free(room[0]);
    free(room[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_pages");
    TCase *tc = tcase_create("pages");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, pages__a_list_that_breaks_off_is_none, 0, sizeof lists / sizeof lists[0]);
    tcase_add_loop_test(tc, pages__tokens_have_a_bound, 0, 3); /* those that propose the next page, with its token */
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
