/* run.c - one run: from the command line to the exit status, and the calls in between. */
#include "client-lib/sagactl/run.h"

#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/times.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- saying things ---- */

static bool is(const struct saga_error *error, const char *reason)
{
    return strcmp(error->reason, reason) == 0;
}

bool run_lost(const struct saga_error *error)
{
    return error->code == SAGA_E_UNAVAILABLE;
}

static int status_of(const struct saga_error *error)
{
    switch (error->code) {
    case SAGA_E_UNAVAILABLE:
        return EXIT_UNREACHABLE;
    case SAGA_E_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case SAGA_E_DEADLINE_EXCEEDED:
        return EXIT_TIMEOUT;
    default:
        return is(error, SAGA_REASON_ARGUMENT) && strcmp(error->field, "address") == 0 ? EXIT_USAGE : EXIT_REFUSED;
    }
}

/* The sidecar names the field of the request that is at fault; of those that stand on the command line the person knows
 * which. */
static const char *without_field(const char *message)
{
    static const char *const fields[] = {"saga_id: ", "name: ", "definition: ", "step: "};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strncmp(message, fields[i], strlen(fields[i])) == 0)
            return message + strlen(fields[i]);
    return message;
}

static void put_error(const struct run *r, const struct saga_error *error)
{
    struct screen plain = r->screen;
    char message[1200], address[600];
    plain.out = r->err;
    screen_clean(&plain, without_field(error->message), message, sizeof message);
    if (is(error, SAGA_REASON_UNREACHABLE) && r->wire != NULL) {
        screen_clean(&plain, wire_address(r->wire), address, sizeof address);
        fprintf(r->err, "sagactl: no sidecar answers at %s: is sagad running? Start it with: sagad\n", address);
        return;
    }
    fprintf(r->err, "sagactl: %s", message);
    if (error->reason[0] != '\0' && error->code != SAGA_E_DEADLINE_EXCEEDED)
        fprintf(r->err, " (%s)", screen_clean(&plain, error->reason, address, sizeof address));
    fputc('\n', r->err);
    if (error->retry_delay_ms >= 0) {
        char span[TIMES_TEXT_SIZE];
        fprintf(r->err, "It may work when tried again in %s.\n",
                times_write_span((struct span){.us = error->retry_delay_ms * 1000}, span));
    }
}

int run_failed(struct run *r, const struct saga_error *error)
{
    if (!r->o.json || json_put(r->err, json_of_error(error), true) != 0)
        put_error(r, error);
    return status_of(error);
}

int run_say(struct run *r, int status, const char *format, ...)
{
    static const int codes[] = {[EXIT_DONE] = SAGA_OK,
                                [EXIT_REFUSED] = SAGA_E_FAILED_PRECONDITION,
                                [EXIT_USAGE] = SAGA_E_INVALID_ARGUMENT,
                                [EXIT_UNREACHABLE] = SAGA_E_UNAVAILABLE,
                                [EXIT_NOT_FOUND] = SAGA_E_NOT_FOUND,
                                [EXIT_TIMEOUT] = SAGA_E_DEADLINE_EXCEEDED};
    struct saga_error error;
    char said[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    saga_error_set(&error, codes[status <= EXIT_TIMEOUT ? status : EXIT_REFUSED], "SAGACTL", "", said);
    if (!r->o.json || json_put(r->err, json_of_error(&error), true) != 0) {
        char clean[1200];
        fprintf(r->err, "sagactl: %s\n", screen_clean(&r->screen, said, clean, sizeof clean));
    }
    return status;
}

int run_json(struct run *r, const ProtobufCMessage *message, bool one_line)
{
    if (json_put(r->screen.out, json_of_message(message), one_line) == 0)
        return EXIT_DONE;
    return run_say(r, EXIT_REFUSED, "the answer cannot be written: no memory, or no room where it goes");
}

/* ---- calls ---- */

int run_connect(struct run *r)
{
    struct saga_error error;
    if (r->wire != NULL)
        return EXIT_DONE;
    struct wire_options options = {.address = r->o.address, .message_bytes_max = 4 * RUN_FILE_BYTES_MAX};
    return wire_open(&options, &r->wire, &error) == SAGA_OK ? EXIT_DONE : run_failed(r, &error);
}

int run_try(struct run *r, const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
            int64_t deadline, bool wait_for_ready, void *response, struct saga_error *error)
{
    struct wire_call call = {
        .method = method,
        .request = request,
        .response_type = type,
        .deadline = deadline,
        .wait_for_ready = wait_for_ready,
    };
    int code = wire_call(r->wire, &call, error);
    if (code == SAGA_OK)
        *(ProtobufCMessage **)response = call.response;
    return code;
}

int run_call(struct run *r, const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
             void *response)
{
    struct saga_error error;
    int status = run_connect(r);
    if (status != EXIT_DONE)
        return status;
    /* With --wait the time that is given is for the waiting too: the start alone has never more than its default. */
    bool given = r->o.timeout_ms >= 0 && (!r->o.wait || r->o.timeout_ms < RUN_TIMEOUT_DEFAULT_MS);
    int64_t deadline = wire_deadline(given ? r->o.timeout_ms : RUN_TIMEOUT_DEFAULT_MS);
    return run_try(r, method, request, type, deadline, false, response, &error) == SAGA_OK ? EXIT_DONE
                                                                                           : run_failed(r, &error);
}

/* ---- files ---- */

int run_read_file(struct run *r, const char *path, char **data, size_t *size)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");
    size_t room = 65536, used = 0, got;
    char *text = NULL;
    if (file == NULL)
        return run_say(r, EXIT_USAGE, "%.400s: %s", path, strerror(errno));
    for (;;) {
        char *more = realloc(text, room);
        if (more == NULL)
            break;
        text = more;
        errno = 0;
        while (used + 1 < room && (got = fread(text + used, 1, room - used - 1, file)) > 0)
            used += got;
        if (used + 1 < room || used > RUN_FILE_BYTES_MAX)
            break;
        room *= 2;
    }
    int failed = ferror(file) != 0 ? errno : text == NULL || used + 1 >= room ? ENOMEM : 0;
    if (!standard)
        fclose(file);
    if (used > RUN_FILE_BYTES_MAX || failed != 0) {
        free(text);
        return run_say(r, EXIT_USAGE, "%.400s: %s", standard ? "standard input" : path,
                       used > RUN_FILE_BYTES_MAX ? "holds more than 16 MiB" : strerror(failed));
    }
    text[used] = '\0';
    *data = text;
    *size = used;
    return EXIT_DONE;
}

/* ---- the whole ---- */

int run_main(int argc, char **argv, FILE *out, FILE *err)
{
    struct run r = {.err = err};
    int status;
    setlocale(LC_CTYPE, "");
    if (options_read(&r.o, argc, argv, out, err, &status)) {
        screen_init(&r.screen, out, r.o.color, r.o.utc);
        r.screen.now = times_now();
        status = r.o.command->run(&r);
    }
    wire_close(r.wire);
    if ((fflush(out) != 0 || ferror(out)) && status == EXIT_DONE) {
        fprintf(err, "sagactl: the output cannot be written\n");
        status = EXIT_REFUSED;
    }
    return status;
}
