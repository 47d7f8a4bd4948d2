// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for what endpoints answer: the envelope of one call and of a batch, and blocks,
// receipts, logs and events in its results. A fault always comes with a name and a sentence, and
// without results.

#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_reply.h"
#include "controlplane/chain/evm/evm_rpc_wire.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_result(const struct json_value *result)
{
	struct evm_escrow_event event;
	struct evm_receipt receipt;
	struct evm_block block;
	struct evm_log log;

	(void)!evm_reply_block(result, &block);
	if (evm_reply_receipt(result, &receipt) == 0)
		result = receipt.logs;
	for (const struct json_value *v = json_first(result); v != NULL; v = json_next(v)) {
		if (evm_reply_log(v, &log) == 0)
			(void)!evm_escrow_decode(&log, &event);
	}
	if (evm_reply_log(result, &log) == 0)
		(void)!evm_escrow_decode(&log, &event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t n = 1; n <= 2; n++) {
		struct evm_rpc_call calls[2] = {0};
		enum evm_rpc_fault fault = EVM_RPC_N_FAULT;
		char why[EVM_RPC_WIRE_WHY_SIZE] = "";
		int r = evm_rpc_wire_parse(calls, n, 1, (const char *)data, size, &fault, why);

		if (r == -EIO && (fault >= EVM_RPC_N_FAULT || why[0] == '\0'))
			abort();
		for (size_t i = 0; i < n; i++) {
			if (r < 0 && calls[i].result != NULL)
				abort();
			read_result(calls[i].result);
		}
		evm_rpc_call_fini(&calls[0]);
	}
	return 0;
}
