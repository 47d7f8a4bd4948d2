// SPDX-License-Identifier: Apache-2.0
//
// A session as bytes in the store. Every field has its place and its bounds; what does not read back
// to a possible session is refused. Pure.
#pragma once

#include "controlplane/session/session.h"

#define SESSION_RECORD_CAP 512
#define SESSION_IDENTITY_BYTES 73

// Returns: bytes written to dst.
size_t session_record_encode(uint8_t dst[SESSION_RECORD_CAP], const struct session *session);

// Returns: 0; -EBADMSG for bytes that are no session of this version. ret untouched on failure.
int session_record_decode(struct session *ret, const void *data, size_t len)
	__attribute__((warn_unused_result));

// The identity's key in the store.
struct db_key session_record_identity_dbkey(const struct session_identity *identity);

// Returns: 0; -EINVAL for anything but 1..63 of [A-Za-z0-9._-] that does not start with '-' or '.' and
//          is not all digits.
int session_record_check_name(const char *name);
