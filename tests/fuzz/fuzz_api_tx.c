// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for the bodies of POST /api/v1/tx/…: what is taken can be encoded, and is given out
// as JSON whose transactions go to the escrow for what was asked; what is refused says why with a 4xx.
// First octet: which of the five; the rest is the body.
#include "controlplane/http/api_tx.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_ID 31337
#define ESCROW "0x00000000000000000000000000000000000000e5"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_transactions(const struct api_tx *tx)
{
	struct http_reply reply = {0};
	const struct json_value *last = NULL;
	struct json_value *doc;
	uint8_t to[EVM_ADDRESS_SIZE];

	api_tx_reply(tx, &reply);
	if (reply.status != 200 || json_parse(reply.body, reply.body_len, &doc) < 0)
		abort();
	for (const struct json_value *v = json_first(json_member(doc, "transactions")); v != NULL;
	     v = json_next(v))
		last = v;
	if (json_string(json_member(last, "to")) == NULL ||
	    evm_address_parse(json_string(json_member(last, "to")), to) < 0 ||
	    memcmp(to, tx->chain.escrow, sizeof(to)) != 0)
		abort();
	json_free(doc);
	http_reply_fini(&reply);
}

static void check_order(const struct api_tx *tx)
{
	if (tx->chain.chain_id != CHAIN_ID)
		abort();
	if (tx->kind == API_TX_CREATE &&
	    (tx->order.data_gb == 0 || tx->order.data_gb > UINT32_MAX ||
	     tx->order.duration_sec == 0 ||
	     tx->order.duration_sec > EVM_PURCHASE_DURATION_MAX_SEC ||
	     evm_address_is_zero(tx->from) ||
	     (tx->order.mode == EVM_PURCHASE_VOUCHER &&
	      evm_address_is_zero(tx->order.voucher_signer)) ||
	     (tx->order.mode == EVM_PURCHASE_ATTESTED && evm_address_is_zero(tx->order.attestor))))
		abort();
	if (tx->kind == API_TX_TOP_UP && (tx->order.data_gb == 0 || tx->order.data_gb > UINT32_MAX))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config = {
		.n_chains = 1, .chains = {{.id = CHAIN_ID, .escrow = ESCROW, .node_id = 7}}};
	static char ask; // never asked: only that there is one counts
	struct control control = {.config = &config, .ask = (struct chain_ask *)&ask};
	struct api_tx tx = {.head = {.control = &control}};
	struct http_request request = {0};
	struct http_reply reply = {0};
	struct json_value *body;
	char err[160];

	if (size == 0 ||
	    json_parse_limited(
		    &body, (const char *)data + 1, size - 1, &json_limits_request, err, sizeof(err)
	    ) < 0)
		return 0;
	tx.kind = (enum api_tx_kind)(data[0] % API_TX_N_KIND);
	request.body = body;
	if (api_tx_read(&tx, &request, &reply)) {
		check_order(&tx);
		tx.cost = u256_from_u64(tx.order.data_gb);
		tx.is_approval_needed = !evm_address_is_zero(tx.asset);
		if (api_tx_encode(&tx) < 0)
			abort();
		check_transactions(&tx);
	} else if (reply.status < 400 || reply.status > 499 || reply.body_len == 0) {
		abort();
	}
	http_reply_fini(&reply);
	json_free(body);
	return 0;
}
