/* tls.h - credentials of what the benchmarks run: plaintext, or mutual TLS with the files in the folder that the variable BENCH_TLS names
 * (ca.pem, end.pem, end.key; one certificate for all). */
#ifndef SAGA_TESTS_BENCH_TLS_H
#define SAGA_TESTS_BENCH_TLS_H

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

/* Both end the process when the files cannot be read. */
grpc_channel_credentials *tls_channel(void);
grpc_server_credentials *tls_server(void);

#endif
