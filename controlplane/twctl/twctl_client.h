// SPDX-License-Identifier: Apache-2.0
//
// Asks tollwire-control over its UNIX socket, through the one HTTP client. Blocks until the answer is
// there, for at most ten seconds.
#pragma once

#include "controlplane/json/json.h"

#include <stddef.h>

struct twctl_client_reply {
	long status;
	char *text; // as it came, NUL-terminated
	size_t len;
	struct json_value *json; // NULL when the reply has no body
};

// body: JSON text, NULL for none. path: with query, segments escaped.
//
// Returns: 0 with any status; -EIO when there was no answer or no JSON, with a sentence in err: which
//          socket, what happened, the way out. On 0 the caller calls twctl_client_fini().
int twctl_client_ask(
	struct twctl_client_reply *ret,
	const char *socket_path,
	const char *method,
	const char *path,
	const char *body,
	char err[512]
);

// Wipes and frees.
void twctl_client_fini(struct twctl_client_reply *reply);

// Percent-encodes one path segment. Returns: 0, -ENOSPC.
int twctl_client_escape(char *dst, size_t cap, const char *segment);
