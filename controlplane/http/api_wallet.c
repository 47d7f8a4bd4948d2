// SPDX-License-Identifier: Apache-2.0
//
// See api_wallet.h.
#include "api_wallet.h"

#include "controlplane/chain/evm/evm_erc1271.h"

#include <errno.h>

int api_wallet_ask(
	struct api_chain_job *job,
	const struct api_wallet_question *question,
	struct http_reply *reply
)
{
	uint8_t call[API_SIGNATURE_MAX + 256];
	struct evm_abi_writer w;

	evm_abi_writer_init(&w, call, sizeof(call));
	evm_erc1271_put_call(
		&w, question->digest, question->signature->bytes, question->signature->len
	);
	return api_chain_ask(
		job,
		&(struct api_chain_question){
			.chain_id = question->chain_id,
			.contract = question->address,
			.call = &w,
			.gas_max = EVM_ERC1271_GAS_MAX,
			.answer_max = EVM_ABI_WORD,
		},
		reply
	);
}

int api_wallet_verify(const struct chain_ask_answer *answer)
{
	if (answer->error == -EREMOTEIO || answer->error == -ENOEXEC || answer->error == -ENOSPC)
		return -EBADMSG; // it reverts, runs out of gas, or talks too much
	if (answer->error != 0)
		return -EIO;
	return evm_erc1271_check_answer(answer->data, answer->len) ? 0 : -EBADMSG;
}
