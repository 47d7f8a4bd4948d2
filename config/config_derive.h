// SPDX-License-Identifier: Apache-2.0
//
// The defaults that depend on other keys. Pure.
#pragma once

#include "config/config.h"

// Finds the ports by their roles: tunnel_port_idx and internet_port_idx.
//
// Returns: whether there is exactly one port for each side.
bool config_derive_roles(struct config *config);

// Fills in what is empty (no text, n_ == 0, port 0) and makes relative paths absolute. After
// config_derive_roles().
//
// Returns: the path of a key whose absolute path is too long, or NULL.
const char *config_derive_defaults(struct config *config);
