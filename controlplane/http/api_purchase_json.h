// SPDX-License-Identifier: Apache-2.0
//
// How what a chain says of a session looks in JSON: its field names are an interface. Loop's thread.
#pragma once

#include "controlplane/control.h"
#include "controlplane/json/json.h"

// Writes one object: terms, vouchers and credit, what settles it, its outcome. null for a session that
// was not bought, and when the store cannot be read.
void api_purchase_json_put(
	struct json_writer *writer,
	const char *name,
	struct control *control,
	const struct session *session,
	uint64_t used_bytes
);
