// SPDX-License-Identifier: Apache-2.0
//
// The usage signers' keys: the one in force, and former ones, which still sign for the sessions whose
// creation named them. From files with mode 0600 (or keystores beside their password,
// evm_account.h); the one in force is made when there is none. Loop's thread.
#pragma once

#include "controlplane/chain/evm/evm_signer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTEST_KEYS_WHY_CAP 700
#define ATTEST_KEYS_FORMER_MAX 64

struct attest_keys;

// key_file: usage.signer_key_file, made if missing. former_dir: usage.former_signers_dir; every *.key
// in it is a former key; none need be there.
//
// Returns: 0; -errno with a sentence in why that names the file and the way out.
int attest_keys_open(
	struct attest_keys **ret,
	const char *key_file,
	const char *former_dir,
	char why[ATTEST_KEYS_WHY_CAP]
);
void attest_keys_close(struct attest_keys *keys);

const struct evm_signer *attest_keys_current(const struct attest_keys *keys);

// Returns: the signer with this address, or NULL.
const struct evm_signer *attest_keys_lookup(
	const struct attest_keys *keys, const uint8_t address[EVM_ADDRESS_SIZE]
);
