// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for RLP and transactions: whatever decodes must encode to the very same bytes,
// because a hash stands for one encoding.

#include "controlplane/chain/evm/evm_rlp.h"
#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/chain/evm/evm_tx.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int recode(struct evm_rlp_cursor *c, struct evm_rlp_writer *w, int depth)
{
	while (c->left > 0) {
		struct evm_rlp_cursor inner;
		struct evm_rlp_item item;
		size_t mark;

		evm_rlp_get_item(c, &item);
		if (c->error < 0 || depth == DEPTH_MAX)
			return -1;
		if (!item.is_list) {
			evm_rlp_put_bytes(w, item.data, item.len);
			continue;
		}
		mark = evm_rlp_list_begin(w);
		evm_rlp_cursor_init(&inner, item.data, item.len);
		if (recode(&inner, w, depth + 1) < 0)
			return -1;
		evm_rlp_list_end(w, mark);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cap = size + 1024, len;
	uint8_t *again = malloc(cap), sender[EVM_ADDRESS_SIZE];
	struct evm_rlp_cursor c;
	struct evm_rlp_writer w;
	struct evm_tx tx;

	evm_rlp_cursor_init(&c, data, size);
	evm_rlp_writer_init(&w, again, cap);
	if (recode(&c, &w, 0) == 0 && (w.error < 0 || w.len != size || memcmp(again, data, size)))
		abort();
	evm_rlp_cursor_init(&c, data, size);
	(void)evm_rlp_get_u64(&c);
	(void)evm_rlp_get_u256(&c);
	(void)evm_rlp_verify_end(&c);
	if (evm_tx_decode(&tx, data, size) == 0) {
		if (evm_tx_encode(&tx, again, cap, &len) < 0 || len != size ||
		    memcmp(again, data, size) != 0)
			abort();
		(void)evm_signer_recover_tx(&tx, again, cap, sender);
	}
	free(again);
	return 0;
}
