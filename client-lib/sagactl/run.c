/* run.c - one run: from the command line to the exit status, and the calls in between. */
#include "client-lib/sagactl/run.h"

#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/times.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>

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

#define CLOSES \
    "It may speak TLS only (on this machine it is spoken to tls://HOST:PORT alone), or want a certificate " \
    "(--tls-roots, --tls-certificate, --tls-key), or be another program's address."

/* What hinders a connection, in C core's words and in ours, and what a person may do about it. The first that fits. */
static const struct cause {
    const char *sign; /* in the text of the error */
    bool socket;      /* only of addresses that are paths */
    const char *words, *hint;
} causes[] = {
    {"No such file", true, "there is no socket at this path",
     "A sidecar has it in its data directory while it runs. --address says where to look; when none runs yet: sagad"},
    {"Connection refused", true, "nobody serves this socket",
     "A sidecar has been there and is gone: see whether it is being restarted, and its log, before another is "
     "started."},
    {"Permission denied", true, "you may not use this socket",
     "A sidecar may well be running: look at the socket's owner and mode."},
    {"Connection refused", false, "nothing listens there", "Is sagad running, and does it listen at this address?"},
    {"certificate verify failed", false, "its certificate is by none whom you trust, or out of date",
     "--tls-roots names who may have signed it; without it the system does."},
    {"of somebody else", false, "its certificate is of somebody else",
     "--tls-identity says who must be there; without it the host of the address."},
    {"wrong version number", false, "what answers there does not speak TLS",
     "Is it the address of another program, or one without tls://?"},
    {"http1", false, "what answers there does not speak gRPC", "It is another program's address."},
    {"parsing HTTP/2", false, "what answers there does not speak gRPC", "It is another program's address."},
    {"SETTINGS", false, "what answers there does not speak gRPC", "It is another program's address."},
    {"Socket closed", false, "it closes every connection at once", CLOSES},
    {"Connection reset", false, "it closes every connection at once", CLOSES},
    {"DNS resolution failed", false, "there is no such host", "--address takes HOST:PORT or unix:PATH."},
    {"no connection in time", false, "something takes connections there and says nothing",
     "It is another program's address, or the sidecar is stopped or overloaded: do not start a second one."},
};

/* Or nothing, which is told by the error. */
static bool is_socket(const char *path)
{
    struct stat s;
    return stat(path, &s) != 0 || S_ISSOCK(s.st_mode);
}

/* The error as a person needs it told. *hint is NULL when there is none. */
static void reword(const struct run *r, struct saga_error *error, const char **hint)
{
    char text[sizeof error->message];
    *hint = NULL;
    const char *address = r->wire != NULL ? wire_address(r->wire) : "";
    if (error->code == SAGA_E_UNIMPLEMENTED && error->reason[0] == '\0') {
        snprintf(text, sizeof text, "what answers at %.120s is a gRPC server, but no sidecar that knows this command",
                 address);
        *hint = "It is another program's address, or the sidecar is older than this sagactl.";
    } else if (is(error, SAGA_REASON_LOST)) {
        snprintf(text, sizeof text, "the connection was lost before the answer came: it may have been carried out");
    } else if (is(error, SAGA_REASON_UNREACHABLE)) {
        const char *words = NULL;
        bool socket = strncmp(address, "unix:", 5) == 0;
        if (socket && !is_socket(address + strlen("unix:")))
            words = "what is at this path is no socket";
        for (size_t i = 0; i < sizeof causes / sizeof causes[0] && words == NULL; i++) {
            if (strstr(error->message, causes[i].sign) == NULL || (causes[i].socket && !socket))
                continue;
            words = causes[i].words;
            *hint = causes[i].hint;
        }
        if (words == NULL)
            return;
        snprintf(text, sizeof text, "no sidecar answers at %.120s: %s", address, words);
    } else {
        return;
    }
    memcpy(error->message, text, sizeof text);
}

static void put_error(const struct run *r, const struct saga_error *error, const char *hint)
{
    struct screen plain = r->screen;
    char message[1200], reason[200];
    plain.out = r->err;
    screen_clean(&plain, without_field(error->message), message, sizeof message);
    fprintf(r->err, "sagactl: %s", message);
    bool told =
        is(error, SAGA_REASON_UNREACHABLE) || is(error, SAGA_REASON_LOST) || error->code == SAGA_E_DEADLINE_EXCEEDED;
    if (error->reason[0] != '\0' && !told)
        fprintf(r->err, " (%s)", screen_clean(&plain, error->reason, reason, sizeof reason));
    fputc('\n', r->err);
    if (hint != NULL)
        fprintf(r->err, "%s\n", hint);
    if (error->retry_delay_ms >= 0) {
        char span[TIMES_TEXT_SIZE];
        fprintf(r->err, "It may work when tried again in %s.\n",
                times_write_span((struct span){.us = error->retry_delay_ms * 1000}, span));
    }
}

int run_failed(struct run *r, const struct saga_error *error)
{
    struct saga_error told = *error;
    const char *hint;
    reword(r, &told, &hint);
    r->failure = *error;
    if (!r->o.json || json_put(r->err, json_of_error(&told), true) != 0)
        put_error(r, &told, hint);
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

void run_note(struct run *r, const char *format, ...)
{
    char said[1024], clean[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    if (!r->o.json || json_put(r->err, json_pack("{s{so}}", "note", "message", json_of_text(said)), true) != 0)
        fprintf(r->err, "sagactl: %s\n", screen_clean(&r->screen, said, clean, sizeof clean));
}

int run_next_page(struct run *r, char token[TOKEN_SIZE], const char *next)
{
    size_t size = strlen(next);
    if (size >= TOKEN_SIZE || (size > 0 && strcmp(token, next) == 0))
        return run_say(r, EXIT_REFUSED, "the sidecar's token for the next page cannot be used");
    memcpy(token, next, size + 1);
    return EXIT_DONE;
}

void run_put_option(const struct run *r, const char *option, const char *value)
{
    static char clean[TOKEN_SIZE], word[TOKEN_SIZE + 64];
    if (value != NULL)
        fprintf(r->screen.out, " --%s %s", option,
                screen_shell_word(screen_clean(&r->screen, value, clean, sizeof clean), word, sizeof word));
}

/* Of one of its options, cleaned or quoted, of which the longest has 4000 bytes: five of them are less than a token. */
#define SIDECAR_WORD_SIZE (3 * 4096)

const char *run_same_sidecar(const struct run *r)
{
    static char text[TOKEN_SIZE];
    char clean[SIDECAR_WORD_SIZE], word[SIDECAR_WORD_SIZE];
    struct option_given given[OPTIONS_OF_SIDECAR];
    size_t used = 0;
    options_of_sidecar(&r->o, given);
    text[0] = '\0';
    for (size_t i = 0; i < OPTIONS_OF_SIDECAR; i++)
        if (given[i].value != NULL)
            used += (size_t)snprintf(
                text + used, sizeof text - used, " --%s %s", given[i].name,
                screen_shell_word(screen_clean(&r->screen, given[i].value, clean, sizeof clean), word, sizeof word));
    return text;
}

void run_absent(struct run *r, Saga__V1__Absent *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Saga__V1__Absent *m = all[i];
        bool told = false;
        for (size_t k = 0; k < r->absent_count; k++)
            told = told || strcmp(r->absent[k], m->journal) == 0;
        if (told)
            continue;
        void *more = realloc(r->absent, (r->absent_count + 1) * sizeof *r->absent);
        if (more != NULL) {
            r->absent = more;
            snprintf(r->absent[r->absent_count++], sizeof *r->absent, "%s", m->journal);
        }
        run_note(r, "not in this: the journal %.128s%s%.128s%s: %.220s", m->journal,
                 m->carrier[0] != '\0' ? " (at " : "", m->carrier, m->carrier[0] != '\0' ? ")" : "", m->why);
    }
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
    r->deadline = wire_deadline(r->o.timeout_ms);
    struct wire_options options = {.address = r->o.address,
                                   .tls = {.certificate = r->o.tls_certificate,
                                           .key = r->o.tls_key,
                                           .roots = r->o.tls_roots,
                                           .identity = r->o.tls_identity},
                                   .message_bytes_max = 4 * RUN_FILE_BYTES_MAX};
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

void run_pause(int64_t *delay_ms, int64_t deadline)
{
    int64_t pause = wire_backoff(delay_ms), left = deadline == WIRE_FOREVER ? pause : deadline - wire_now();
    pause = left < pause ? left : pause;
    if (pause > 0)
        nanosleep(&(struct timespec){.tv_sec = pause / 1000000000, .tv_nsec = pause % 1000000000}, NULL);
}

int run_call(struct run *r, const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
             void *response)
{
    struct saga_error error;
    int status = run_connect(r);
    if (status != EXIT_DONE)
        return status;
    /* With --wait the time that is given is for the waiting too: the start alone has never more than its default. */
    int64_t deadline = wire_deadline(RUN_TIMEOUT_DEFAULT_MS);
    if (r->o.timeout_ms >= 0 && (!r->o.wait || r->deadline < deadline))
        deadline = r->deadline;
    return run_try(r, method, request, type, deadline, false, response, &error) == SAGA_OK ? EXIT_DONE
                                                                                           : run_failed(r, &error);
}

/* ---- files ---- */

bool run_is_json(const char *text)
{
    text += strspn(text, " \t\r\n");
    return text[0] == '{' || text[0] == '[' || text[0] == '"';
}

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
    if (status == EXIT_DONE && r.absent_count > 0)
        status = EXIT_INCOMPLETE;
    free(r.absent);
    wire_close(r.wire);
    /* Those say how something is, and not that it went wrong. */
    bool well = status == EXIT_DONE || status >= EXIT_INCOMPLETE;
    if ((fflush(out) != 0 || ferror(out)) && well)
        status = run_say(&r, EXIT_REFUSED, "the output cannot be written");
    return status;
}
