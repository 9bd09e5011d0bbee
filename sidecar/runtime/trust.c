/* trust.c - from the configuration's words to credentials. */
#include "sidecar/runtime/trust.h"

#include "sidecar/base/check.h"
#include "sidecar/observe/log.h"
#include "transport/address.h"

static const char *given(const char *path)
{
    return path[0] == '\0' ? NULL : path;
}

int trust_open(const struct config *config, struct certificates **out, struct error_detail *detail)
{
    char why[CERTIFICATES_WHY_SIZE];
    const struct certificates_files files = {.certificate = given(config->tls_certificate),
                                             .key = given(config->tls_key),
                                             .roots = given(config->tls_roots)};
    *out = NULL;
    if (!config_has_certificates(config) || certificates_create(&files, out, why))
        return 0;
    return error_set(detail, E_SYSTEM, files.certificate != NULL ? "tls_certificate" : "tls_roots", why);
}

void trust_look(struct certificates *certificates)
{
    char why[CERTIFICATES_WHY_SIZE];
    if (certificates == NULL)
        return;
    switch (certificates_look(certificates, why)) {
    case CERTIFICATES_SAME:
        break;
    case CERTIFICATES_NEW:
        log_event(LOG_LEVEL_INFO, "new certificates are in force", LOG_TEXT("file", why));
        break;
    case CERTIFICATES_BAD:
        log_event(LOG_LEVEL_ERROR, "the certificates have changed and cannot be used; the ones before stay in force",
                  LOG_TEXT("why", why));
        break;
    case CERTIFICATES_EXPIRING:
        log_event(LOG_LEVEL_WARN, "a certificate is about to expire", LOG_TEXT("which", why));
        break;
    case CERTIFICATES_EXPIRED:
        log_event(LOG_LEVEL_ERROR, "a certificate has expired: over TLS nobody comes in, and no target is reached",
                  LOG_TEXT("which", why));
        break;
    }
}

static struct transport_credentials credentials_of(const struct address *address, struct certificates *certificates,
                                                   const char *expected)
{
    enum address_security security = address_security_of(address, certificates != NULL);
    CHECK(security != ADDRESS_UNSAID); /* the configuration was checked */
    if (security == ADDRESS_PLAINTEXT)
        return transport_plaintext;
    return (struct transport_credentials){
        .security = TRANSPORT_TLS, .certificates = certificates, .expected = expected};
}

struct transport_credentials trust_of_listener(const char *text, struct certificates *certificates)
{
    struct address address;
    CHECK(address_read(text, &address) == NULL);
    return credentials_of(&address, certificates, NULL);
}

struct transport_credentials trust_of_target(const struct config_target *target, struct certificates *certificates)
{
    struct address address;
    CHECK(address_read_target(target->address, &address) == NULL);
    return credentials_of(&address, certificates, given(target->identity));
}

struct transport_credentials trust_of_sidecars(const struct config *config, struct certificates *certificates)
{
    if (certificates == NULL)
        return transport_plaintext;
    return (struct transport_credentials){
        .security = TRANSPORT_TLS, .certificates = certificates, .expected = given(config->fleet_identity)};
}
