// SPDX-License-Identifier: Apache-2.0
//
// WireGuard keys of clients. A private key that the node made stands in a file of its own,
// <node.state_dir>/client-keys/<public key in hex>.key, mode 0600, until it is forgotten: never in the
// store, never in a log, wiped from memory after use. Loop's thread.
#pragma once

#include "controlplane/session/session.h"

// Makes a key pair, writes the private half to its file (temporary name, fsync, rename, fsync of the
// directory) and returns the public one.
//
// Returns: 0 or -errno with a sentence in err; no file stays on failure.
int session_key_generate(
	const char *state_dir, uint8_t ret_public_key[32], char *err, size_t err_len
);

// Returns: 0 with base64 in ret, which the caller wipes; -ENOENT; -EPERM when others may read the
//          file; -EBADMSG when it does not hold the private half of public_key.
int session_key_read(
	const char *state_dir,
	const uint8_t public_key[32],
	char ret[SESSION_KEY_TEXT_CAP],
	char *err,
	size_t err_len
);

// Deletes the file. Returns: 0, also when there is none; -errno.
int session_key_forget(const char *state_dir, const uint8_t public_key[32]);

// Calls is_known for each key file and deletes those that nobody knows, and half-written ones.
//
// Returns: how many were deleted, or -errno.
int session_key_sweep(
	const char *state_dir, bool (*is_known)(void *ctx, const uint8_t public_key[32]), void *ctx
);

// Returns: true for a public key that a handshake can be made with: no point of low order.
bool session_key_check_public(const uint8_t public_key[32]);
