// SPDX-License-Identifier: Apache-2.0
//
// A signature as wallets write it, out of a request's body: of an account, or whatever a wallet that is
// a contract calls one. Pure; any thread.
#pragma once

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/json/json_reader.h"

#define API_SIGNATURE_MAX 4096 // octets; many owners, or a passkey with its client data

struct api_signature {
	uint8_t bytes[API_SIGNATURE_MAX]; // as they came
	size_t len;
	bool is_account; // it may be an account's:
	uint8_t account[EVM_SIGNER_SIGNATURE_SIZE];
};

// 0x and 65 bytes r, s, v (v 27, 28, or 0, 1), or 64 bytes of EIP-2098. Out: with v 27 or 28.
//
// Returns: 0; -EINVAL, and signature is untouched.
int api_signature_parse(const char *text, uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]);

// The member "signature"; what is wrong with it is the reader's error.
void api_signature_read(struct json_reader *reader, uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]);

// The same; has_wallets: a contract can be asked, so that any octets may be a signature.
void api_signature_read_any(
	struct json_reader *reader, bool has_wallets, struct api_signature *ret
);
