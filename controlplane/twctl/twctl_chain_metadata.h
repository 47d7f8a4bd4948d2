// SPDX-License-Identifier: Apache-2.0
//
// The document that says where a node stands and where its load is told: JSON with the members country,
// city, latitude, longitude and load, all texts. The registry keeps the Keccak-256 hash of its octets;
// the document itself is published elsewhere, unchanged.
#pragma once

#include "twctl.h"

// Reads the file that an option names, and hashes it. Returns: 0, also with ret unchanged when the
// option was not given; else an exit code with the message out.
int twctl_chain_metadata_hash(const struct twctl *twctl, const char *option, uint8_t ret[32]);
