// SPDX-License-Identifier: Apache-2.0
//
// A struct config back into text: for the log at start, and as YAML.
#pragma once

#include "config/config.h"

#include <stdio.h>

// Logs the configuration in force, one line a value: `worker.cores[1] = 3`.
void config_write_log(const struct config *config);

// Writes the configuration in force as YAML that loads again to the same.
//
// Returns: 0, -ENOMEM, or -EIO when out takes no more.
int config_write_yaml(const struct config *config, FILE *out) __attribute__((warn_unused_result));
