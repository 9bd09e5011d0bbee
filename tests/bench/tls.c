/* tls.c - credentials, by the environment. */
#include "tests/bench/tls.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_SIZE_MAX 65536

static char *read_file(const char *name)
{
    char path[1024];
    char *text = calloc(1, FILE_SIZE_MAX);
    snprintf(path, sizeof path, "%s/%s", getenv("BENCH_TLS"), name);
    FILE *file = fopen(path, "rb");
    if (text == NULL || file == NULL || fread(text, 1, FILE_SIZE_MAX - 1, file) == 0) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    fclose(file);
    return text;
}

grpc_channel_credentials *tls_channel(void)
{
    if (getenv("BENCH_TLS") == NULL)
        return grpc_insecure_credentials_create();
    grpc_ssl_pem_key_cert_pair own = {.private_key = read_file("end.key"), .cert_chain = read_file("end.pem")};
    return grpc_ssl_credentials_create(read_file("ca.pem"), &own, NULL, NULL);
}

grpc_server_credentials *tls_server(void)
{
    if (getenv("BENCH_TLS") == NULL)
        return grpc_insecure_server_credentials_create();
    grpc_ssl_pem_key_cert_pair own = {.private_key = read_file("end.key"), .cert_chain = read_file("end.pem")};
    return grpc_ssl_server_credentials_create_ex(read_file("ca.pem"), &own, 1,
                                                 GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, NULL);
}
