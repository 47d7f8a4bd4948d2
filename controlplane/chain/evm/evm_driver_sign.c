// SPDX-License-Identifier: Apache-2.0
//
// What the escrow is called with: encoding, the gas that it takes, signing, and the signatures that
// a call carries. Chain thread; encoding and verifying talk to nobody.

#include "evm_driver_private.h"
#include "evm_hex.h"
#include "evm_tx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A batch's share of gas that does not depend on what the estimate saw: other transactions may come
// first and warm or cool its slots.
#define EVM_DRIVER_GAS_MARGIN_PERCENT 25
// And what is up to others: a buyer's contract takes its refund cheaply while that is estimated, and
// burns afterwards all that a push gives it (EscrowPayouts.sol: 100,000 for a token, 30,000 for the
// native coin); a credit that is withdrawn in between costs 17,100 more. Paid only when used.
#define EVM_DRIVER_GAS_OTHERS 140000
// An endpoint's estimate outside these bounds is refused.
#define EVM_DRIVER_GAS_TX 21000 // EIP-2028: the floor, with the next two for each octet of data
#define EVM_DRIVER_GAS_ZERO 4
#define EVM_DRIVER_GAS_NONZERO 16
#define EVM_DRIVER_GAS_MAX (1u << 24) // EIP-7825: no transaction may have more

static void evm_driver_take_item(const struct chain_item *from, struct evm_escrow_item *to)
{
	memcpy(to->session_id, from->session_id, 32);
	to->bytes_used = from->bytes_used;
	memcpy(to->checkpoints_root, from->checkpoints_root, 32);
	to->voucher.cumulative_bytes = from->voucher_bytes;
	memcpy(to->voucher.r, from->voucher_r, 32);
	memcpy(to->voucher.vs, from->voucher_vs, 32);
	memcpy(to->attestation.r, from->attestation_r, 32);
	memcpy(to->attestation.vs, from->attestation_vs, 32);
}

static int evm_driver_encode_call(
	const struct evm_driver *driver,
	const struct chain_call *call,
	uint8_t *buf,
	size_t cap,
	size_t *ret_len
)
{
	struct evm_escrow_item items[CHAIN_BATCH_MAX];
	struct evm_abi_writer w;
	int r;

	if (call->n_items == 0 || call->n_items > chain_call_items_max(call->kind))
		return -EINVAL;
	for (size_t i = 0; i < call->n_items; i++)
		evm_driver_take_item(&call->items[i], &items[i]);
	evm_abi_writer_init(&w, buf, cap);
	switch (call->kind) {
	// A session alone: these two push the refund, so that the buyer need not draw it.
	case CHAIN_CALL_FINALIZE:
		if (call->n_items == 1)
			evm_escrow_put_finalize(&w, &items[0]);
		else
			evm_escrow_put_finalize_batch(
				&w, driver->conf.node_id, items, call->n_items
			);
		break;
	case CHAIN_CALL_PROPOSE:
		evm_escrow_put_propose_batch(&w, driver->conf.node_id, items, call->n_items);
		break;
	case CHAIN_CALL_EXECUTE:
		if (call->n_items == 1)
			evm_escrow_put_execute(&w, items[0].session_id);
		else
			evm_escrow_put_execute_batch(
				&w, driver->conf.node_id, items, call->n_items
			);
		break;
	case CHAIN_CALL_CLAIM:
		evm_escrow_put_claim(&w, &items[0]);
		break;
	case CHAIN_CALL_FINALIZE_ATTESTED:
		evm_escrow_put_finalize_attested(&w, &items[0]);
		break;
	case CHAIN_CALL_RESOLVE:
		evm_escrow_put_resolve(&w, &items[0]);
		break;
	}
	r = evm_abi_finish(&w);
	if (r == 0)
		*ret_len = w.len;
	return r;
}

// The contract's error by name, where the refusal carries one. -EPERM: it is the account that may not.
static int evm_driver_explain(const struct evm_rpc_error *error, char why[CHAIN_WHY_SIZE])
{
	uint8_t data[sizeof(error->data) / 2];
	const char *name;
	size_t len;

	if (evm_hex_parse_bytes(error->data, data, sizeof(data), &len) < 0 ||
	    len < EVM_ABI_SELECTOR) {
		snprintf(why, CHAIN_WHY_SIZE, "%s", error->message);
		return -EREMOTEIO;
	}
	name = evm_escrow_error_name(data);
	if (strcmp(name, "NotOperatorOrSettler") == 0) {
		snprintf(why, CHAIN_WHY_SIZE, "the escrow refuses the account: %s", name);
		return -EPERM;
	}
	snprintf(why, CHAIN_WHY_SIZE, "%s", name);
	return -EREMOTEIO;
}

// An estimate was refused. Only the contract's own refusal is one, and only if a second endpoint
// does not know better: a session must not pay for an endpoint that is broken or lies.
static int evm_driver_gas_refused(
	struct evm_driver *driver,
	struct evm_rpc_call *ask,
	size_t endpoint,
	char why[CHAIN_WHY_SIZE]
)
{
	int other = evm_rpc_other(driver->rpc, endpoint);
	struct evm_rpc_call again = {.method = ask->method, .params = ask->params};
	char other_why[CHAIN_WHY_SIZE];
	int r;

	if (strcasestr(ask->error.message, "revert") == NULL) {
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_BAD_RESULT,
			"%s: %s",
			ask->method,
			ask->error.message
		);
		return -EIO;
	}
	if (other < 0)
		return -EREMOTEIO;
	r = evm_rpc_ask_at(driver->rpc, (size_t)other, &again, other_why);
	evm_rpc_call_fini(&again);
	if (r != 0)
		return r == -EINTR || r == -ENOMEM ? r : -EREMOTEIO;
	evm_rpc_blame(
		driver->rpc, endpoint, EVM_RPC_DISAGREES, "refuses a call that another one takes"
	);
	snprintf(why, CHAIN_WHY_SIZE, "two endpoints disagree about a call");
	return -EAGAIN;
}

// What any transaction with this data takes before it does anything.
static uint64_t evm_driver_gas_floor(const uint8_t *data, size_t len)
{
	uint64_t gas = EVM_DRIVER_GAS_TX;

	for (size_t i = 0; i < len; i++)
		gas += data[i] == 0 ? EVM_DRIVER_GAS_ZERO : EVM_DRIVER_GAS_NONZERO;
	return gas;
}

static int evm_driver_absurd_gas(
	struct evm_driver *driver, size_t endpoint, uint64_t gas, char why[CHAIN_WHY_SIZE]
)
{
	snprintf(why, CHAIN_WHY_SIZE, "an absurd estimate of %" PRIu64 " gas", gas);
	evm_rpc_blame(driver->rpc, endpoint, EVM_RPC_BAD_RESULT, "%s", why);
	return -EIO;
}

static uint64_t evm_driver_add_margin(uint64_t gas)
{
	uint64_t with_margin =
		gas + gas * EVM_DRIVER_GAS_MARGIN_PERCENT / 100 + EVM_DRIVER_GAS_OTHERS;

	return with_margin < EVM_DRIVER_GAS_MAX ? with_margin : EVM_DRIVER_GAS_MAX;
}

int evm_driver_gas(
	void *ctx, const struct chain_call *call, uint64_t *ret, char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	uint8_t data[CHAIN_TX_SIZE];
	char *params = malloc(EVM_HEX_SIZE(sizeof(data)) + 256), *at;
	char from[EVM_ADDRESS_TEXT_SIZE], to[EVM_ADDRESS_TEXT_SIZE];
	struct evm_rpc_call ask = {.method = "eth_estimateGas", .params = params};
	size_t len, endpoint;
	uint64_t gas;
	int r;

	if (params == NULL)
		return -ENOMEM;
	r = evm_driver_encode_call(driver, call, data, sizeof(data), &len);
	if (r == 0) {
		evm_address_format(driver->account, from);
		evm_address_format(driver->conf.escrow, to);
		at = params +
			sprintf(params, "[{\"from\":\"%s\",\"to\":\"%s\",\"data\":\"", from, to);
		evm_hex_format(data, len, at);
		strcat(at, "\"}]");
		r = evm_rpc_ask(driver->rpc, &ask, &endpoint, why);
		if (r == -EREMOTEIO)
			r = evm_driver_gas_refused(driver, &ask, endpoint, why);
	}
	free(params);
	if (r < 0) {
		if (r == -EREMOTEIO)
			r = evm_driver_explain(&ask.error, why);
		evm_rpc_call_fini(&ask);
		return r;
	}
	if (evm_reply_u64(ask.result, &gas) < 0)
		r = evm_driver_bad_result(driver, endpoint, ask.method, why);
	else if (gas < evm_driver_gas_floor(data, len) || gas > EVM_DRIVER_GAS_MAX)
		r = evm_driver_absurd_gas(driver, endpoint, gas, why);
	else
		*ret = evm_driver_add_margin(gas);
	evm_rpc_call_fini(&ask);
	return r;
}

int evm_driver_sign(
	void *ctx,
	const struct chain_call *call,
	uint64_t account_nonce,
	uint64_t gas_limit,
	const struct chain_fees *fees,
	uint8_t raw[CHAIN_TX_SIZE],
	size_t *ret_len,
	uint8_t tx_id[CHAIN_ID_SIZE],
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	uint8_t data[CHAIN_TX_SIZE];
	struct evm_tx tx = {
		.type = EVM_TX_DYNAMIC_FEE,
		.chain_id = driver->conf.rpc.chain_id,
		.account_nonce = account_nonce,
		.max_priority_fee_per_gas_wei = fees->max_priority_fee_wei,
		.max_fee_per_gas_wei = fees->max_fee_wei,
		.gas_limit = gas_limit,
		.data = data,
	};
	int r;

	memcpy(tx.to, driver->conf.escrow, EVM_ADDRESS_SIZE);
	r = evm_driver_encode_call(driver, call, data, sizeof(data), &tx.data_len);
	if (r == 0)
		r = evm_signer_sign_tx(driver->signer, &tx, raw, CHAIN_TX_SIZE, ret_len);
	if (r < 0) {
		snprintf(why, CHAIN_WHY_SIZE, "cannot sign the transaction: %s", strerror(-r));
		return r;
	}
	evm_tx_hash(raw, *ret_len, tx_id);
	return 0;
}

int evm_driver_verify_voucher(
	void *ctx, const struct chain_item *item, const uint8_t signer[32], char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	struct evm_escrow_voucher voucher = {.cumulative_bytes = item->voucher_bytes};
	uint8_t separator[EVM_KECCAK_SIZE];
	int r;

	memcpy(voucher.r, item->voucher_r, 32);
	memcpy(voucher.vs, item->voucher_vs, 32);
	evm_escrow_domain(driver->conf.rpc.chain_id, driver->conf.escrow, separator);
	r = evm_escrow_verify_voucher(
		separator, item->session_id, signer + 32 - EVM_ADDRESS_SIZE, &voucher
	);
	if (r < 0)
		snprintf(
			why,
			CHAIN_WHY_SIZE,
			"the voucher is not by the session's signer, for this session, chain and "
			"contract"
		);
	return r;
}

int evm_driver_verify_attestation(
	void *ctx,
	const struct chain_item *item,
	const uint8_t attestor[32],
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	uint8_t separator[EVM_KECCAK_SIZE];
	struct evm_escrow_item signed_item;
	int r;

	evm_driver_take_item(item, &signed_item);
	evm_escrow_domain(driver->conf.rpc.chain_id, driver->conf.escrow, separator);
	r = evm_escrow_verify_attestation(
		separator, &signed_item, attestor + 32 - EVM_ADDRESS_SIZE
	);
	if (r < 0)
		snprintf(
			why,
			CHAIN_WHY_SIZE,
			"the attestation is not by the session's attestor, for this session, "
			"bytes, root, chain and contract"
		);
	return r;
}
