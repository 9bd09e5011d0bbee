/* config_faults.h - one fault of a drill, as sagad.yaml and scenario files write it. */
#ifndef SAGA_CONFIG_CONFIG_FAULTS_H
#define SAGA_CONFIG_CONFIG_FAULTS_H

#include "sidecar/config/config.h"
#include "sidecar/definition/yaml_value.h"

/* Reads one; its texts are the tree's. Returns 0, or an error with detail. */
int config_read_fault(const struct yaml_node *n, struct config_fault *fault, struct error_detail *detail);

#endif
