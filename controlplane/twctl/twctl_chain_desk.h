// SPDX-License-Identifier: Apache-2.0
//
// What `twctl chain` commands about a node's entry share: the chain, its registry behind chain_admin.h's
// table, and the node.
#pragma once

#include "twctl_chain.h"

#include "controlplane/chain/chain_admin.h"
#include "controlplane/chain/evm/evm_registry.h"

#define TWCTL_CHAIN_DESK_PAD (32 - EVM_ADDRESS_SIZE) // an address ends its 32 octets

#define TWCTL_CHAIN_DESK_OPTIONS \
	{"--escrow", \
	 "ADDRESS", \
	 "the escrow, which names its registry; default the configured one"}, \
	{ \
		"--registry", "ADDRESS", "the NodeRegistry; default the escrow's" \
	}
#define TWCTL_CHAIN_DESK_NODE_OPTION \
	{ \
		"--node", "ID", "the node's id; default the configured one" \
	}

// A chain, its registry, and the node that a command is about.
struct twctl_chain_desk {
	struct twctl_chain chain;
	struct evm_registry registry;
	struct chain_admin admin;
	struct u256 node_id;
};

/* By --chain, --escrow or --registry. Returns: 0, its chain to be closed; else an exit code. */
int twctl_chain_desk_open(struct twctl *twctl, struct twctl_chain_desk *desk);

/* The same with the node of --node, or the configured one. */
int twctl_chain_desk_open_node(struct twctl *twctl, struct twctl_chain_desk *desk);

/* What was done, for people; with --json node, transaction and block. Returns: an exit code. */
int twctl_chain_desk_print(
	struct twctl *twctl, const struct chain_admin_result *result, const char *what
);

/* An optional address, left-padded; ret stays as it is without it. */
int twctl_chain_desk_account(const struct twctl *twctl, const char *option, uint8_t ret[32]);
