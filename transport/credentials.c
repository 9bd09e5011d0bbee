/* credentials.c - C core's credentials for both sides. */
#include "transport/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <grpc/support/alloc.h>
#include <grpc/support/string_util.h>

const struct transport_credentials transport_plaintext = {.security = TRANSPORT_PLAINTEXT};

/* ---- a listener ---- */

/* C core asks this before each handshake. */
static grpc_ssl_certificate_config_reload_status fetch(void *self, grpc_ssl_server_certificate_config **config)
{
    struct certificates_pem pem;
    if (!certificates_follow_up(self, &pem))
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    grpc_ssl_pem_key_cert_pair pair = {.private_key = pem.key, .cert_chain = pem.certificate};
    /* C core ends the process when there are no roots. Where no client is asked for a certificate, any will do. */
    *config = grpc_ssl_server_certificate_config_create(pem.roots != NULL ? pem.roots : pem.certificate, &pair, 1);
    certificates_pem_free(&pem);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

static grpc_server_credentials *server_tls(const struct transport_credentials *credentials)
{
    struct certificates_pem pem;
    struct certificates_follower *follower = certificates_follow(credentials->certificates);
    if (follower == NULL || certificates_copy(credentials->certificates, &pem) == 0)
        return NULL;
    grpc_ssl_client_certificate_request_type asks = pem.roots != NULL
                                                        ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                        : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    certificates_pem_free(&pem);
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(asks, fetch, follower));
}

grpc_server_credentials *transport_server_credentials(const struct transport_credentials *credentials)
{
    switch (credentials->security) {
    case TRANSPORT_PLAINTEXT:
        return grpc_insecure_server_credentials_create();
    case TRANSPORT_TLS:
        return server_tls(credentials);
    }
    return NULL;
}

/* ---- a channel ---- */

static bool name_matches(const char *expected, const char *name)
{
    size_t size = strlen(expected);
    if (strncmp(expected, "spiffe://", 9) == 0)
        return expected[size - 1] == '*' ? strncmp(expected, name, size - 1) == 0 : strcmp(expected, name) == 0;
    if (strncmp(name, "*.", 2) == 0) {
        const char *rest = strchr(expected, '.');
        return rest != NULL && rest > expected && strcasecmp(rest, name + 1) == 0;
    }
    return strcasecmp(expected, name) == 0;
}

bool transport_name_matches(const char *expected, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (name_matches(expected, names[i]))
            return true;
    return false;
}

/* Whoever the chain of certificates proves is asked for by name. self is a text, ours. */
static int verify(void *self, grpc_tls_custom_verification_check_request *request,
                  grpc_tls_on_custom_verification_check_done_cb callback, void *argument, grpc_status_code *status,
                  char **details)
{
    const char *expected = self;
    bool spiffe = strncmp(expected, "spiffe://", 9) == 0;
    (void)callback;
    (void)argument;
    bool good = spiffe
                    ? transport_name_matches(expected, (const char *const *)request->peer_info.san_names.uri_names,
                                             request->peer_info.san_names.uri_names_size)
                    : transport_name_matches(expected, (const char *const *)request->peer_info.san_names.dns_names,
                                             request->peer_info.san_names.dns_names_size) ||
                          transport_name_matches(expected, (const char *const *)request->peer_info.san_names.ip_names,
                                                 request->peer_info.san_names.ip_names_size);
    *status = good ? GRPC_STATUS_OK : GRPC_STATUS_UNAUTHENTICATED;
    if (!good)
        *details = gpr_strdup("the certificate is of somebody else");
    return 1; /* done already */
}

static void cancel(void *self, grpc_tls_custom_verification_check_request *request)
{
    (void)self;
    (void)request;
}

struct verifier {
    grpc_tls_certificate_verifier_external external;
    char expected[];
};

static void destruct(void *self)
{
    free((char *)self - offsetof(struct verifier, expected));
}

static grpc_tls_certificate_verifier *verifier_of(const char *expected)
{
    size_t size = strlen(expected) + 1;
    struct verifier *v = calloc(1, sizeof *v + size);
    if (v == NULL)
        return NULL;
    memcpy(v->expected, expected, size);
    v->external = (grpc_tls_certificate_verifier_external){
        .user_data = v->expected, .verify = verify, .cancel = cancel, .destruct = destruct};
    return grpc_tls_certificate_verifier_external_create(&v->external);
}

static grpc_channel_credentials *channel_tls(const struct transport_credentials *credentials, const char *host)
{
    struct certificates_pem pem = {0};
    grpc_tls_identity_pairs *pairs = NULL;
    grpc_tls_certificate_verifier *verifier = verifier_of(credentials->expected != NULL ? credentials->expected : host);
    if (verifier == NULL ||
        (credentials->certificates != NULL && certificates_copy(credentials->certificates, &pem) == 0)) {
        if (verifier != NULL)
            grpc_tls_certificate_verifier_release(verifier);
        return NULL;
    }
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    if (pem.certificate != NULL) {
        pairs = grpc_tls_identity_pairs_create();
        grpc_tls_identity_pairs_add_pair(pairs, pem.key, pem.certificate);
    }
    if (pem.roots != NULL || pairs != NULL) {
        grpc_tls_certificate_provider *provider = grpc_tls_certificate_provider_static_data_create(pem.roots, pairs);
        grpc_tls_credentials_options_set_certificate_provider(options, provider);
        grpc_tls_certificate_provider_release(provider);
        if (pem.roots != NULL)
            grpc_tls_credentials_options_watch_root_certs(options);
        if (pem.certificate != NULL)
            grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    }
    certificates_pem_free(&pem);
    grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
    grpc_tls_certificate_verifier_release(verifier);
    grpc_tls_credentials_options_set_check_call_host(options, 0); /* the verifier knows better what is expected */
    return grpc_tls_credentials_create(options);
}

grpc_channel_credentials *transport_channel_credentials(const struct transport_credentials *credentials,
                                                        const char *host)
{
    switch (credentials->security) {
    case TRANSPORT_PLAINTEXT:
        return grpc_insecure_credentials_create();
    case TRANSPORT_TLS:
        return channel_tls(credentials, host);
    }
    return NULL;
}
