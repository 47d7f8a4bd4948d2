// SPDX-License-Identifier: Apache-2.0
//
// Asks the node to end a session: no transaction, no gas. The chain's closeSession remains for a node that
// does not.
#pragma once

#include "controlplane/twctl/buyer_file.h"
#include "controlplane/twctl/twctl_chain.h"

// signer: the buyer's. Prints the state that the node answers with. Returns: an exit code.
int buyer_end_at_node(
	struct twctl *twctl,
	const struct buyer_file *file,
	const struct evm_signer *signer,
	const struct twctl_chain_way *way
);
