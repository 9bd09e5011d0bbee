/* first_saga.c - registers a definition, starts a saga, waits for its end:  first_saga DEFINITION.yaml [INPUT]
 * cc first_saga.c $(pkg-config --cflags --libs libsaga) */
#include <saga/saga.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *what, const struct saga_error *error)
{
    fprintf(stderr, "%s: %s: %s\n", what, saga_status_name(error->code), error->message);
    return 1;
}

int main(int argc, char **argv)
{
    static char yaml[65536];
    struct saga_error error;
    struct saga_registration definition;
    struct saga_started started;
    struct saga_info saga;
    saga_client *client;
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!file)
        return fprintf(stderr, "usage: first_saga DEFINITION.yaml [INPUT]\n"), 2;
    size_t size = fread(yaml, 1, sizeof yaml, file);
    fclose(file);
    if (saga_client_open(NULL, &client, &error) != SAGA_OK)
        return failed("open", &error);
    if (saga_register_definition(client, yaml, size, false, &definition, &error) != SAGA_OK)
        return failed("register", &error);
    struct saga_start_options options = {
        .definition = definition.name, .input = argv[2], .input_size = argv[2] ? strlen(argv[2]) : 0};
    if (saga_start(client, &options, &started, &error) != SAGA_OK)
        return failed("start", &error);
    if (saga_wait(client, started.saga_id, SAGA_WAIT_UNTIL_STUCK, 60000, &saga, &error) != SAGA_OK)
        return failed("wait", &error);
    printf("%s %s: %s\n", saga.definition, saga.saga_id, saga_state_name(saga.state));
    saga_client_close(client);
    return saga.state == SAGA_STATE_COMMITTED ? 0 : 1;
}
