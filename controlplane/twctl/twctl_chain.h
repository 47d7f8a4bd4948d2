// SPDX-License-Identifier: Apache-2.0
//
// What the files of `twctl chain` share: a chain, an account and one-off transactions, by options.
#pragma once

#include "twctl.h"

#include "config/config.h"
#include "controlplane/chain/evm/evm_admin.h"
#include "controlplane/chain/evm/evm_json.h"

// The options of every `twctl chain` command.
#define TWCTL_CHAIN_OPTIONS \
	{"--chain", \
	 "NAME", \
	 "a chain of the configuration: its endpoints, id, escrow and key; the only one by " \
	 "default"}, \
		{"--rpc", \
		 "URL[,URL...]", \
		 "JSON-RPC endpoints, http or https; the first that works is used"}, \
		{"--chain-id", "N", "id of the chain; an endpoint of another chain is refused"}, \
		{"--key-file", \
		 "FILE", \
		 "the operator's key: a geth keystore or 64 hex digits, mode 0600"}, \
	{ \
		"--password-file", "FILE", "password of the keystore, mode 0600" \
	}

// How requests leave this host where its default route must not be taken, see http_client_conf.
struct twctl_chain_way {
	uint32_t mark;
	const char *device; // outlives the chain
};

struct twctl_chain {
	const struct config_chain *conf; // its entry in the YAML; NULL: by options alone
	struct evm_signer *signer;
	struct evm_driver *driver;
	struct evm_admin admin;
	uint8_t account[EVM_ADDRESS_SIZE];
};

// Returns: 0, to be closed; else an exit code, and the message is out.
int twctl_chain_open(struct twctl *twctl, struct twctl_chain *ret);
void twctl_chain_close(struct twctl_chain *chain);

// The same with the URLs (commas between) and the chain named by the caller. With is_signing the key of
// --key-file is opened; without it the chain can be read only. way NULL: by the host's routes.
int twctl_chain_connect_by(
	struct twctl *twctl,
	const char *urls,
	uint64_t chain_id,
	bool is_signing,
	const struct twctl_chain_way *way,
	struct twctl_chain *ret
);

static inline int twctl_chain_connect(
	struct twctl *twctl,
	const char *urls,
	uint64_t chain_id,
	bool is_signing,
	struct twctl_chain *ret
)
{
	return twctl_chain_connect_by(twctl, urls, chain_id, is_signing, NULL, ret);
}

// Address options. An optional one that was not given leaves ret as it is.
//
// Returns: 0, or TWCTL_EXIT_USAGE with the message out.
int twctl_chain_address(
	const struct twctl *twctl,
	const char *option,
	bool is_required,
	uint8_t ret[EVM_ADDRESS_SIZE]
);

// --escrow, or the configured one. Returns: 0, or an exit code with the message out.
int twctl_chain_escrow(
	struct twctl *twctl, const struct twctl_chain *chain, uint8_t ret[EVM_ADDRESS_SIZE]
);

#define TWCTL_CHAIN_COIN_DECIMALS 18

// A price per GB, such as 0.001, exact to the smallest unit of an asset with so many decimals: above 0
// and within what the contracts keep. Required.
int twctl_chain_price(
	const struct twctl *twctl, const char *option, unsigned int decimals, struct u256 *ret
);

// The amount in smallest units, and in coins under name_coins.
void twctl_chain_put_coins(
	struct json_writer *writer, const char *name, const char *name_coins, struct u256 wei
);
