// SPDX-License-Identifier: Apache-2.0
//
// See config_proof.h.
#include "config_proof.h"

#include "controlplane/chain/evm/evm_hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_covered(const char *line, size_t len)
{
	static const char private_key[] = "PrivateKey";

	return len > 0 && line[0] != '#' && strncmp(line, private_key, strlen(private_key)) != 0;
}

int config_proof_text(const struct config_proof *proof, char *dst, size_t cap)
{
	char escrow[EVM_ADDRESS_TEXT_SIZE], node[EVM_HEX_SIZE(32)], session[EVM_HEX_SIZE(32)];
	size_t at;
	int n;

	evm_address_format(proof->escrow, escrow);
	evm_hex_format(proof->node_id, 32, node);
	evm_hex_format(proof->session_id, 32, session);
	n = snprintf(
		dst,
		cap,
		"This WireGuard configuration belongs to a tollwire session.\n"
		"\n"
		"Chain ID: %" PRIu64 "\n"
		"Escrow: %s\n"
		"Node: %s\n"
		"Session: %s\n"
		"\n",
		proof->chain_id,
		escrow,
		node,
		session
	);
	if (n < 0 || (size_t)n >= cap)
		return -ENOSPC;
	at = (size_t)n;
	for (const char *line = proof->config; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (is_covered(line, len)) {
			if (len + 2 > cap - at)
				return -ENOSPC;
			memcpy(dst + at, line, len);
			at += len;
			dst[at++] = '\n';
		}
		line += len;
		line += *line == '\n';
	}
	dst[at] = '\0';
	return (int)at;
}
