// SPDX-License-Identifier: Apache-2.0
//
// chain_admin.h at a NodeRegistry of an EVM chain. Blocking; command line.
#pragma once

#include "controlplane/chain/chain_admin.h"
#include "controlplane/chain/evm/evm_admin.h"

struct evm_registry {
	struct evm_admin admin;
	uint8_t address[EVM_ADDRESS_SIZE];
};

/* The registry must outlive what is returned. */
struct chain_admin evm_registry_admin(struct evm_registry *registry);
