/* yaml_retry.h - a retry policy as it stands in a definition and in sagad.yaml: the names of a gRPC service config's
 * retryPolicy (https://github.com/grpc/proposal/blob/master/A6-client-retries.md), with jitter beside them. */
#ifndef SAGA_DEFINITION_YAML_RETRY_H
#define SAGA_DEFINITION_YAML_RETRY_H

#include "sidecar/definition/model.h"
#include "sidecar/definition/yaml_value.h"

/* Lays what n says over *policy; what it does not say stays. A compensation is retried on every status, so its policy
 * lists none. */
int yaml_read_retry(const struct yaml_node *n, bool of_compensation, struct retry_policy *policy,
                    struct error_detail *detail);

/* A list of gRPC status codes, by name or number, none of them OK: bit n of *codes is set for each status n. */
int yaml_read_status_codes(const struct yaml_node *n, uint32_t *codes, struct error_detail *detail);

#endif
