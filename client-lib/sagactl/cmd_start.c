/* cmd_start.c - start, wait. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/show.h"

#include "client-lib/src/request_id.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Gives the bytes of hexadecimal digits. */
static int read_hex(struct run *r, const char *text, char **data, size_t *size)
{
    *size = 0;
    *data = malloc(strlen(text) / 2 + 1);
    if (*data == NULL)
        return run_say(r, EXIT_REFUSED, "there is no memory for the input");
    for (size_t i = 0; text[i] != '\0';) {
        if (isspace((unsigned char)text[i]) || text[i] == ':') {
            i++;
            continue;
        }
        int high = digit(text[i]), low = high < 0 ? -1 : digit(text[i + 1]);
        if (low < 0) {
            free(*data);
            return run_say(r, EXIT_USAGE, "--input-hex: there are no two hexadecimal digits at place %zu", i + 1);
        }
        (*data)[(*size)++] = (char)(high << 4 | low);
        i += 2;
    }
    return EXIT_DONE;
}

/* Gives the input; *data is NULL when there is none. */
static int read_input(struct run *r, char **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    if (r->o.input_json != NULL && !run_is_json(r->o.input_json))
        return run_read_file(r, r->o.input_json, data, size);
    if (r->o.input != NULL && strcmp(r->o.input, "-") != 0 && access(r->o.input, F_OK) != 0 && errno == ENOENT)
        return run_say(r, EXIT_USAGE, "--input: there is no file %.400s; --input-text gives the text itself",
                       r->o.input);
    if (r->o.input != NULL)
        return run_read_file(r, r->o.input, data, size);
    if (r->o.input_hex != NULL)
        return read_hex(r, r->o.input_hex, data, size);
    const char *text = r->o.input_json != NULL ? r->o.input_json : r->o.input_text;
    if (text == NULL)
        return EXIT_DONE;
    *data = strdup(text);
    *size = strlen(text);
    return *data != NULL ? EXIT_DONE : run_say(r, EXIT_REFUSED, "there is no memory for the input");
}

/* Sends the request; gives *answer. */
static int send_start(struct run *r, const char *request_id, char *input, size_t size, Saga__V1__StartResponse **answer)
{
    const struct options *o = &r->o;
    Saga__V1__StartRequest request = SAGA__V1__START_REQUEST__INIT;
    Google__Protobuf__Duration deadline = GOOGLE__PROTOBUF__DURATION__INIT;
    request.definition = o->words[0];
    request.version = o->version != NULL ? (char *)(uintptr_t)o->version : request.version;
    request.request_id = (char *)(uintptr_t)request_id;
    if (o->input_json != NULL)
        request.input_json = input;
    else
        request.input = (ProtobufCBinaryData){.data = (uint8_t *)input, .len = size};
    deadline.seconds = o->deadline.us / 1000000;
    deadline.nanos = (int32_t)(o->deadline.us % 1000000) * 1000;
    request.deadline = o->deadline.us > 0 ? &deadline : NULL;
    request.priority = (Saga__V1__Priority)o->priority;
    return run_call(r, "/saga.v1.Coordinator/Start", &request.base, &saga__v1__start_response__descriptor, answer);
}

int command_start(struct run *r)
{
    Saga__V1__StartResponse *answer;
    char *input, id[256], made[SAGA_REQUEST_ID_SIZE];
    size_t size;
    int status = read_input(r, &input, &size);
    if (status != EXIT_DONE)
        return status;
    /* With an id of our own where none is given, so that what got no answer can be asked for again without starting it twice. */
    request_id_make(made);
    const char *request_id = r->o.request_id != NULL ? r->o.request_id : made;
    status = send_start(r, request_id, input, size, &answer);
    free(input);
    if (status != EXIT_DONE) {
        bool open = r->failure.code == SAGA_E_DEADLINE_EXCEEDED || strcmp(r->failure.reason, SAGA_REASON_LOST) == 0;
        if (open)
            run_note(r, "asked again with --request-id %s it is the same saga, and no second one", request_id);
        return status;
    }
    /* With --wait as JSON the saga itself is the one document. */
    if (r->o.json && !r->o.wait)
        status = run_json(r, &answer->base, false);
    else if (!r->o.json)
        fprintf(r->screen.out, "%s%s\n", screen_clean(&r->screen, answer->saga_id, id, sizeof id),
                answer->already_started && r->screen.terminal ? " (started before with this request id)" : "");
    fflush(r->screen.out);
    bool shown;
    if (status == EXIT_DONE && r->o.wait) {
        status = run_wait(r, answer->saga_id, true, &shown);
        /* It runs on: who asked must be able to ask again. */
        if (r->o.json && !shown)
            run_json(r, &answer->base, false);
    }
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

/* ---- wait ---- */

static int status_of_end(const Saga__V1__Saga *saga)
{
    switch (saga->state) {
    case SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED:
        return EXIT_DONE;
    case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED:
        return EXIT_COMPENSATED;
    case SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED:
        return EXIT_RESOLVED;
    case SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK:
        return EXIT_STUCK;
    default:
        return saga->answered ? EXIT_DONE : EXIT_REFUSED;
    }
}

int run_wait(struct run *r, const char *saga_id, bool was_there, bool *shown)
{
    Saga__V1__WaitRequest request = SAGA__V1__WAIT_REQUEST__INIT;
    Saga__V1__WaitResponse *answer;
    struct saga_error error;
    int64_t delay_ms = 0;
    bool told = false, ignored;
    shown = shown != NULL ? shown : &ignored;
    *shown = false;
    int status = run_connect(r);
    int64_t deadline = r->deadline;
    if (status != EXIT_DONE)
        return status;
    request.saga_id = (char *)(uintptr_t)saga_id;
    request.until_stuck = !r->o.past_stuck;
    request.until_answered = r->o.answered;
    /* Waiting for a connection makes each turn of this loop last until there is a sidecar again, or the time has
     * passed. */
    while (run_try(r, "/saga.v1.Coordinator/Wait", &request.base, &saga__v1__wait_response__descriptor, deadline,
                   was_there, &answer, &error) != SAGA_OK) {
        bool over = error.code == SAGA_E_DEADLINE_EXCEEDED || (was_there && wire_time_left_ms(deadline) == 0);
        bool never_there = !was_there && strcmp(error.reason, SAGA_REASON_UNREACHABLE) == 0;
        if (over)
            return run_say(r, EXIT_TIMEOUT, "the saga has not ended within the time given; it goes on");
        if (!run_lost(&error) || never_there)
            return run_failed(r, &error);
        if (!told)
            run_note(r, "the sidecar is gone; waiting until it is back");
        told = was_there = true;
        /* One that is stopping refuses at once, as often as it is asked. */
        run_pause(&delay_ms, deadline);
    }
    if (answer->saga == NULL) {
        status = run_say(r, EXIT_REFUSED, "the sidecar's answer holds no saga");
    } else {
        status = status_of_end(answer->saga);
        *shown = true;
        if (r->o.json && run_json(r, &answer->saga->base, false) != EXIT_DONE)
            status = EXIT_REFUSED;
        else if (!r->o.json)
            show_end(&r->screen, answer->saga);
    }
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

int command_wait(struct run *r)
{
    return run_wait(r, r->o.words[0], false, NULL);
}
