// SPDX-License-Identifier: Apache-2.0
//
// What the evm_driver_*.c files share; nobody else includes it.

#pragma once

#include "controlplane/chain/evm/evm_driver.h"
#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_reply.h"

struct evm_driver {
	struct evm_driver_conf conf;
	struct evm_rpc *rpc;
	const struct evm_signer *signer;
	uint8_t account[EVM_ADDRESS_SIZE];
	uint64_t heads[EVM_RPC_ENDPOINTS_MAX]; // highest head that each endpoint has shown
	size_t head_endpoint; // who told the last one
	uint32_t range_blocks; // of the next request for logs; halved when it is too large
	bool is_clock_skewed;
	char why[CHAIN_WHY_SIZE]; // of the last question for logs
};

/* -EREMOTEIO from a question that has no business failing is the endpoint's fault: blamed, -EIO. */
int evm_driver_ask(
	struct evm_driver *driver,
	struct evm_rpc_call *call,
	size_t *ret_endpoint,
	char why[CHAIN_WHY_SIZE]
) __attribute__((warn_unused_result));

/* Two endpoints contradict each other, and nobody knows which one is right. */
void evm_driver_blame_both(
	struct evm_driver *driver, size_t first, size_t second, const char *about
);

/* tag is a quantity or "latest". -ENOENT: the endpoint has no such block. */
int evm_driver_get_block(
	struct evm_driver *driver,
	const char *tag,
	struct evm_block *ret,
	size_t *ret_endpoint,
	char why[CHAIN_WHY_SIZE]
) __attribute__((warn_unused_result));

int evm_driver_check_block(
	void *ctx, uint64_t number, const uint8_t hash[CHAIN_ID_SIZE], char why[CHAIN_WHY_SIZE]
) __attribute__((warn_unused_result));

/* Returns: 0; -ENOENT for an event of no interest; -EBADMSG. */
int evm_driver_event(const struct evm_log *log, struct chain_event *ret)
	__attribute__((warn_unused_result));

/* A result that is not what the method returns: the endpoint is blamed. Returns: -EIO. */
int evm_driver_bad_result(
	struct evm_driver *driver, size_t endpoint, const char *method, char why[CHAIN_WHY_SIZE]
);

struct evm_driver_logs {
	struct evm_log *logs; // CHAIN_EVENTS_MAX
	size_t n_logs;
	uint8_t digest[EVM_KECCAK_SIZE]; // of what and where, for comparing two endpoints
	uint8_t last_hash[32]; // of the range's last block, as told in the same answer
};

/* The escrow's logs in a range of blocks, with these topics (JSON text, NULL: all). scratch takes the
 * second endpoint's. Returns: 0; -EAGAIN when the range was too large (driver->range_blocks is
 * smaller then), or a list was wrong or another than the second one's, and the endpoint is blamed;
 * and what evm_rpc_ask returns. */
#define EVM_DRIVER_TOPICS_SIZE 768
int evm_driver_get_logs(
	struct evm_driver *driver,
	const char *topics,
	uint64_t from,
	uint64_t to,
	struct evm_driver_logs *ret,
	struct evm_driver_logs *scratch,
	char why[CHAIN_WHY_SIZE]
) __attribute__((warn_unused_result));

// The topics of events of these kinds (bits of enum chain_event_kind): [[kind, …], session].
// session_id NULL: of all sessions.
void evm_driver_format_topics(
	const uint8_t *session_id, unsigned int kinds, char topics[EVM_DRIVER_TOPICS_SIZE]
);

int evm_driver_gas(
	void *ctx, const struct chain_call *call, uint64_t *ret, char why[CHAIN_WHY_SIZE]
);
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
);
int evm_driver_verify_voucher(
	void *ctx, const struct chain_item *item, const uint8_t signer[32], char why[CHAIN_WHY_SIZE]
);
int evm_driver_verify_attestation(
	void *ctx,
	const struct chain_item *item,
	const uint8_t attestor[32],
	char why[CHAIN_WHY_SIZE]
);
int evm_driver_broadcast(void *ctx, const uint8_t *raw, size_t len, char why[CHAIN_WHY_SIZE]);
int evm_driver_status(
	void *ctx,
	const uint8_t tx_id[CHAIN_ID_SIZE],
	bool is_sure,
	struct chain_tx_status *ret,
	char why[CHAIN_WHY_SIZE]
);
int evm_driver_find_event(
	void *ctx,
	const uint8_t session_id[CHAIN_ID_SIZE],
	unsigned int kinds,
	uint64_t up_to_block,
	struct chain_event *ret,
	char why[CHAIN_WHY_SIZE]
);
int evm_driver_watch(
	void *ctx,
	const struct chain_cursor *cursor,
	uint32_t confirmations,
	struct chain_step *ret,
	char why[CHAIN_WHY_SIZE]
);
int evm_driver_call(
	void *ctx,
	const struct chain_query *query,
	uint8_t *buf,
	size_t cap,
	size_t *ret_len,
	char why[CHAIN_WHY_SIZE]
);
