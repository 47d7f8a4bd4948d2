// SPDX-License-Identifier: Apache-2.0
//
// A struct config back into text: for the log at start, and as YAML.
#pragma once

#include "config/config.h"

#include <stdio.h>

// Logs the configuration in force, one line a key.
void config_write_log(const struct config *config);

// Writes the configuration in force as YAML that loads again to the same.
//
// Returns: 0 or -errno.
int config_write_yaml(const struct config *config, FILE *out);
