// SPDX-License-Identifier: Apache-2.0
//
// From a file named in the configuration to a signer: a keystore with its password in a second
// file, or a file with the key's 64 hex digits. Both must be readable by their owner alone. A key
// never comes from an argument or the environment. Start-up only, main thread.

#pragma once

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/chain/secret_file.h"

#define EVM_ACCOUNT_FILE_MAX 16384
#define EVM_ACCOUNT_PASSWORD_MAX 1024

/* path is a keystore when it begins with '{' and a hex key otherwise; password_path may be NULL for
 * a hex key only.
 * Returns: 0; -errno, and why names the file, the reason and the way out. */
int evm_account_open(
	struct evm_signer **ret,
	const char *path,
	const char *password_path,
	struct secret_file_why *why
) __attribute__((warn_unused_result));
