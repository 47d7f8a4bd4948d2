// SPDX-License-Identifier: Apache-2.0
//
// How a session looks in JSON: its field names are an interface. Loop's thread.
#pragma once

#include "controlplane/control.h"
#include "controlplane/json/json.h"

// Writes one object; name as for json_begin_object(). Usage that cannot be read spoils nothing: the
// member "usage" is then null.
void api_session_json_put(
	struct json_writer *writer,
	const char *name,
	struct control *control,
	const struct session *session
);

// The member "used_bytes" alone.
void api_session_json_put_used(
	struct json_writer *writer, struct control *control, const struct session *session
);
