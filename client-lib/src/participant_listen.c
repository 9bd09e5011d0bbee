/* participant_listen.c - the gRPC server and where it listens.
 *
 * What other machines can reach speaks TLS, unless plaintext is asked for in words (plaintext_network, plaintext://). */
#include "client-lib/src/participant_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "transport/address.h"
#include "transport/core.h"
#include "transport/credentials.h"
#include "transport/settings.h"
#include "transport/unix_socket.h"

#define ADDRESS_BYTES_MAX 256
#define KEEPALIVE_MS      60000 /* after which a silent connection is asked whether its peer is still there */
#define PING_MS_MIN       5000  /* between two pings of a peer that has no calls; faster ones are taken for an attack */

static int refuse(struct saga_error *error, const char *text)
{
    return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "address", text);
}

/* C core would remove a socket that is somebody's and take its place without a word. */
static int check_path(const char *path, struct saga_error *error)
{
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return refuse(error, "there is a file at the path that is no socket");
    if (unix_socket_knock(path) == 0)
        return saga_error_set(error, SAGA_E_UNAVAILABLE, SAGA_REASON_SYSTEM, "address",
                              "another process serves at this socket");
    return SAGA_OK;
}

/* What was given, or else what the environment says; an empty text is none. */
static const char *given_or(const char *given, const char *variable)
{
    const char *text = given != NULL ? given : getenv(variable);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static int take_identity(saga_participant *p, const char *identity, struct saga_error *error)
{
    if (identity != NULL && (p->caller = strdup(identity)) == NULL)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    return SAGA_OK;
}

/* Reads the address into at and text, which C core is given, and says how it is spoken to. */
static int take_address(saga_participant *p, const char **text_of, struct saga_error *error)
{
    const char *address = p->options.address;
    struct address at;
    char why[CERTIFICATES_WHY_SIZE];
    const struct certificates_files files = {.certificate =
                                                 given_or(p->options.tls_certificate, "SAGAD_TLS_CERTIFICATE"),
                                             .key = given_or(p->options.tls_key, "SAGAD_TLS_KEY"),
                                             .roots = given_or(p->options.tls_roots, "SAGAD_TLS_ROOTS"),
                                             .followers_look = true};
    const char *identity = given_or(p->options.tls_identity, "SAGAD_TLS_IDENTITY");
    char text[256];
    const char *wrong = address_read(address, &at);
    if (wrong != NULL) {
        snprintf(text, sizeof text, "the address %s", wrong);
        return refuse(error, text);
    }
    if (at.path != NULL)
        return check_path(at.path, error);
    enum address_security security = address_security_of(&at, files.certificate != NULL);
    if (security == ADDRESS_UNSAID && !p->options.plaintext_network)
        return refuse(error,
                      "other machines can reach this address: give tls_certificate, tls_key and tls_roots, or set "
                      "plaintext_network");
    if (at.security != ADDRESS_UNSAID)
        *text_of = strstr(address, "://") + strlen("://");
    if (security != ADDRESS_TLS && p->options.tls_identity != NULL)
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "tls_identity",
                              "nobody proves who it is where the address speaks no TLS");
    if (security != ADDRESS_TLS)
        return SAGA_OK;
    if (files.certificate == NULL)
        return refuse(error, "the address speaks TLS: give tls_certificate, tls_key and tls_roots");
    if (identity != NULL && files.roots == NULL)
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "tls_identity",
                              "nobody is asked for a certificate without tls_roots");
    if (!certificates_create(&files, &p->credentials.certificates, why))
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "tls_certificate", why);
    p->credentials.security = TRANSPORT_TLS;
    return take_identity(p, identity, error);
}

static grpc_server *create_server(const saga_participant *p)
{
    const struct transport_setting settings[] = {
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)p->options.request_bytes_max},
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, (int)p->options.answer_bytes_max},
        {GRPC_ARG_MAX_CONCURRENT_STREAMS, (int)p->options.connection_calls_max},
        {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, (int)p->options.handshake_timeout_ms},
        {GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS},
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
        {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_MS_MIN},
        /* Two processes must not share a port by accident. */
        {GRPC_ARG_ALLOW_REUSEPORT, 0},
        /* Identity alone: a small compressed message could be of any size. */
        {GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1},
    };
    enum { COUNT = sizeof settings / sizeof settings[0] };
    grpc_arg arguments[COUNT];
    transport_settings(settings, COUNT, arguments);
    grpc_channel_args list = {.num_args = COUNT, .args = arguments};
    return grpc_server_create(&list, NULL);
}

/* The address with the port that was found. */
static char *found_address(const char *address, int port)
{
    size_t size = strlen(address) + sizeof ":65535";
    char *found = malloc(size);
    if (found == NULL)
        return NULL;
    if (strncmp(address, "unix:", 5) == 0)
        snprintf(found, size, "%s", address);
    else
        snprintf(found, size, "%.*s%d", (int)(strrchr(address, ':') + 1 - address), address, port);
    return found;
}

int participant_listen(saga_participant *p, struct saga_error *error)
{
    const char *address = p->options.address;
    if (strlen(address) > ADDRESS_BYTES_MAX)
        return refuse(error, "the address is too long");
    int code = take_address(p, &address, error);
    if (code != SAGA_OK)
        return code;

    /* C core's own threads must not take the program's signals. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    transport_core();
    p->queue = grpc_completion_queue_create_for_next(NULL);
    p->server = create_server(p);
    grpc_server_register_completion_queue(p->server, p->queue, NULL);
    grpc_server_credentials *credentials = transport_server_credentials(&p->credentials);
    int port = credentials == NULL ? 0 : grpc_server_add_http2_port(p->server, address, credentials);
    grpc_server_credentials_release(credentials);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    p->address = port > 0 ? found_address(p->options.address, port) : NULL;
    if (p->address != NULL)
        return SAGA_OK;
    participant_unlisten(p);
    if (port > 0)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    char text[ADDRESS_BYTES_MAX + 64];
    snprintf(text, sizeof text, "cannot listen at %s: it is in use, or not this machine's", address);
    return saga_error_set(error, SAGA_E_UNAVAILABLE, SAGA_REASON_SYSTEM, "address", text);
}

void participant_unlisten(saga_participant *p)
{
    grpc_server_shutdown_and_notify(p->server, p->queue, NULL);
    grpc_completion_queue_shutdown(p->queue);
    while (grpc_completion_queue_next(p->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type != GRPC_QUEUE_SHUTDOWN)
        ;
    participant_free_server(p);
}

void participant_free_server(saga_participant *p)
{
    grpc_server_destroy(p->server);
    grpc_completion_queue_destroy(p->queue);
    p->server = NULL;
    p->queue = NULL;
}
