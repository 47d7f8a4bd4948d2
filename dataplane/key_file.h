// SPDX-License-Identifier: Apache-2.0
//
// Secret keys on disk: the node's WireGuard private key and sessions' preshared keys, one a file, as
// `wg genkey` writes them (base64 and a newline). A file that others can read is refused, never
// mended: whoever made it so may have read it. Start-up and slow path; keys go to the caller's locked
// memory and nowhere else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_FILE_BYTES 32
#define KEY_FILE_TEXT_CAP 45 // 44 characters of base64 and NUL

// Reads the private key; if there is no such file, makes a key and the file (0600, complete before it
// has its name).
//
// Returns: 0, or -errno with a sentence in err: path, what is wrong, the way out.
// Out: ret_key (locked memory), ret_is_new.
__attribute__((warn_unused_result)) int key_file_load_private(
	const char *path,
	uint8_t ret_key[static KEY_FILE_BYTES],
	bool *ret_is_new,
	char *err,
	size_t err_len
);

// Reads the preshared key of a peer: <dir>/<public key in hex>.
//
// Returns: as above; -ENOENT when there is none.
__attribute__((warn_unused_result)) int key_file_load_psk(
	const char *dir,
	const uint8_t public_key[static KEY_FILE_BYTES],
	uint8_t ret_key[static KEY_FILE_BYTES],
	char *err,
	size_t err_len
);

// Base64 of a key. No branch and no table index depends on the key's bytes.
void key_file_encode(
	char ret_text[static KEY_FILE_TEXT_CAP], const uint8_t key[static KEY_FILE_BYTES]
);

// Returns: true with the key in ret_key when text is the canonical base64 of 32 bytes: 43 characters
//          and one '='. Does not look beyond 44 characters.
__attribute__((warn_unused_result)) bool key_file_decode(
	uint8_t ret_key[static KEY_FILE_BYTES], const char text[static KEY_FILE_TEXT_CAP - 1]
);
