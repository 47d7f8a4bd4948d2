// SPDX-License-Identifier: Apache-2.0
//
// A signature of an account as wallets write it, out of a request's body. Pure; any thread.
#pragma once

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/json/json_reader.h"

// 0x and 65 bytes r, s, v (v 27, 28, or 0, 1), or 64 bytes of EIP-2098. Out: with v 27 or 28.
//
// Returns: 0; -EINVAL, and signature is untouched.
int api_signature_parse(const char *text, uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]);

// The member "signature"; what is wrong with it is the reader's error.
void api_signature_read(struct json_reader *reader, uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]);
