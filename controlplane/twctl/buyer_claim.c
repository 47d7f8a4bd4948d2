// SPDX-License-Identifier: Apache-2.0
//
// See buyer_claim.h. Pure.
#include "buyer_claim.h"

#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_hex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int buyer_claim_write(
	const struct evm_signer *signer,
	const uint8_t separator[32],
	const uint8_t session_id[32],
	uint64_t cumulative_bytes,
	char **ret
)
{
	uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];
	char hex[EVM_HEX_SIZE(EVM_SIGNER_SIGNATURE_SIZE)];
	struct json_writer w;
	int r;

	evm_escrow_voucher_digest(separator, session_id, cumulative_bytes, digest);
	r = evm_signer_sign(signer, digest, signature);
	if (r < 0)
		return r;
	evm_hex_format(signature, sizeof(signature), hex);
	json_writer_init(&w);
	json_begin_object(&w, NULL);
	json_put_count(&w, "cumulative_bytes", cumulative_bytes);
	json_put_string(&w, "signature", hex);
	json_end(&w);
	return json_writer_finish(&w, false, ret);
}

static int get_count(
	const struct json_value *reply, const char *name, uint64_t *ret, char why[BUYER_CLAIM_WHY]
)
{
	if (json_count(json_member(reply, name), ret) == 0)
		return 0;
	snprintf(why, BUYER_CLAIM_WHY, "the node's answer has no count '%s'", name);
	return -EBADMSG;
}

int buyer_claim_read(
	const struct json_value *reply, struct buyer_claim *ret, char why[BUYER_CLAIM_WHY]
)
{
	const char *state = json_string(json_member(reply, "state"));
	struct buyer_claim claim = {0};
	int r;

	if (state == NULL || strlen(state) >= sizeof(claim.state)) {
		snprintf(why, BUYER_CLAIM_WHY, "the node's answer has no state");
		return -EBADMSG;
	}
	strcpy(claim.state, state);
	r = get_count(reply, "cumulative_bytes", &claim.voucher_bytes, why);
	if (r == 0)
		r = get_count(reply, "limit_bytes", &claim.limit_bytes, why);
	// A session that never passed a packet has no usage.
	if (r == 0 && !json_is_null(json_member(reply, "used_bytes")))
		r = get_count(reply, "used_bytes", &claim.used_bytes, why);
	if (r == 0 &&
	    json_bool(json_member(reply, "is_waiting_for_voucher"), &claim.is_waiting) < 0) {
		snprintf(why, BUYER_CLAIM_WHY, "the node's answer has no 'is_waiting_for_voucher'");
		r = -EBADMSG;
	}
	if (r == 0)
		*ret = claim;
	return r;
}

bool buyer_claim_check_final(const struct buyer_claim *claim)
{
	static const char *const states[] = {"settling", "settled", "refunded", "disputed", "void"};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(claim->state, states[i]) == 0)
			return true;
	}
	return false;
}
