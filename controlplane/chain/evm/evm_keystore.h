// SPDX-License-Identifier: Apache-2.0
//
// geth-style keystores: Web3 Secret Storage, version 3, with scrypt, AES-128-CTR and a Keccak MAC;
// the one user of libcrypto's scrypt and AES. Text in, key out, and back; files are evm_account's.
// What it does not do: PBKDF2 keystores, older versions. Any thread; secrets are wiped on every
// exit.

#pragma once

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/chain/secret_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bounds of what a keystore may cost us: geth's default (n 2^18, r 8, p 1) takes 256 MiB.
#define EVM_KEYSTORE_MEMORY_MAX_BYTES (512ull << 20)
#define EVM_KEYSTORE_WORK_MAX (1ull << 24) // n * r * p

struct evm_keystore_key {
	uint8_t key[EVM_SIGNER_KEY_SIZE];
	bool has_address; // the keystore names its address; it is not authenticated by the MAC
	uint8_t address[EVM_ADDRESS_SIZE];
};

/* Opens a keystore's text.
 * Returns: 0; -EBADMSG when the MAC does not match (wrong password or damaged file); -EINVAL when it
 * is no such keystore; -ENOTSUP for another version, cipher or KDF; -ENOMEM. why is set on failure,
 * without a path; ret is wiped. */
int evm_keystore_open_sealed(
	const char *text,
	size_t len,
	const char *password,
	size_t password_len,
	struct evm_keystore_key *ret,
	struct secret_file_why *why
) __attribute__((warn_unused_result));

/* Writes a keystore's text for key, with fresh salt and iv; free it with json_free_text().
 * log2_n is scrypt's cost, 18 as geth does; r = 8 and p = 1.
 * Returns: 0; -EINVAL for log2_n outside 1..18; -EIO; -ENOMEM. */
int evm_keystore_seal(
	const uint8_t key[EVM_SIGNER_KEY_SIZE],
	const uint8_t address[EVM_ADDRESS_SIZE],
	const char *password,
	size_t password_len,
	unsigned int log2_n,
	char **ret_text
) __attribute__((warn_unused_result));
