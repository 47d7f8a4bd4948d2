// SPDX-License-Identifier: Apache-2.0
//
// What settlement needs of a chain, whatever chain it is: one driver per configured chain and node,
// behind one table of functions. Everything blocks and belongs to the chain thread. Amounts are in
// the chain's native coin's smallest unit where they are about fees.
//
// All functions return 0 or a negative errno with a sentence in why:
//   -EIO       no endpoint gave a usable answer; nothing is known, ask again later
//   -EAGAIN    endpoints disagree, or the chain moved while it was asked; ask again later
//   -EINTR     shutting down
//   -ENOMEM
// and what the single function names.

#pragma once

#include "controlplane/chain/u256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_WHY_SIZE 400
#define CHAIN_ID_SIZE 32 // transactions, blocks and sessions
#define CHAIN_BATCH_MAX 100
#define CHAIN_TX_SIZE 32768 // a signed transaction with a full batch takes about 20 KB
// Of one block: the escrow is everybody's, so that whoever fills a block with its cheapest events
// (about 6,000 gas each, of 60 million) must not make one that cannot be read. A buffer of so many costs
// what is used of it.
#define CHAIN_EVENTS_MAX 16384

struct chain_head {
	uint64_t number;
	uint8_t hash[CHAIN_ID_SIZE];
	uint64_t timestamp_sec; // the block's own time: deadlines are judged by it
};

struct chain_account {
	uint64_t account_nonce; // of the next transaction, as mined so far
	struct u256 balance_wei;
};

// What a transaction offers for a unit of work. Both rise together when it is priced again.
struct chain_fees {
	struct u256 max_fee_wei;
	struct u256 max_priority_fee_wei;
};

// Stored by number: new ones at the end.
// id, name, help
#define CHAIN_CALL_LIST(X) \
	X(FINALIZE, "finalize", "settles at once, at what a voucher covers") \
	X(PROPOSE, "propose", "states the usage; stands for the window") \
	X(EXECUTE, "execute", "settles at the proposal, after its window") \
	X(CLAIM, "claim", "pays what a voucher covers; the session goes on") \
	X(FINALIZE_ATTESTED, "finalize_attested", "settles at once, by the attestor's word") \
	X(RESOLVE, "resolve", "settles a dispute, by the attestor's word")

#define CHAIN_CALL_ENUM(id, name, help) CHAIN_CALL_##id,
#define CHAIN_CALL_COUNT(id, name, help) +1
enum chain_call_kind { CHAIN_CALL_LIST(CHAIN_CALL_ENUM) };
#define CHAIN_N_CALL (0 CHAIN_CALL_LIST(CHAIN_CALL_COUNT))

// One session's part of a call. Signatures are as in EIP-2098; an all-zero one: there is none.
//   CLAIM                       session, voucher
//   FINALIZE                    session, bytes, root, voucher
//   PROPOSE, EXECUTE            session, bytes, root
//   FINALIZE_ATTESTED, RESOLVE  session, bytes, root, attestation of just these
struct chain_item {
	uint8_t session_id[CHAIN_ID_SIZE];
	uint64_t bytes_used;
	uint8_t checkpoints_root[32];
	uint64_t voucher_bytes;
	uint8_t voucher_r[32];
	uint8_t voucher_vs[32];
	uint8_t attestation_r[32];
	uint8_t attestation_vs[32];
};

struct chain_call {
	enum chain_call_kind kind;
	const struct chain_item *items;
	size_t n_items; // ≤ chain_call_items_max
};

/* Contracts settle many sessions at once; what a single signature moves goes alone. */
static inline size_t chain_call_items_max(enum chain_call_kind kind)
{
	switch (kind) {
	case CHAIN_CALL_FINALIZE:
	case CHAIN_CALL_PROPOSE:
	case CHAIN_CALL_EXECUTE:
		return CHAIN_BATCH_MAX;
	case CHAIN_CALL_CLAIM:
	case CHAIN_CALL_FINALIZE_ATTESTED:
	case CHAIN_CALL_RESOLVE:
		return 1;
	}
	return 1;
}

enum chain_event_kind {
	CHAIN_EVENT_CREATED,
	CHAIN_EVENT_TOPPED_UP,
	CHAIN_EVENT_CLOSED,
	CHAIN_EVENT_CLAIMED,
	CHAIN_EVENT_PROPOSED,
	CHAIN_EVENT_DISPUTED,
	CHAIN_EVENT_SETTLED,
	CHAIN_EVENT_SKIPPED,
};

// Something that the contract said about a session. Fields that a kind does not have are zero.
struct chain_event {
	enum chain_event_kind kind;
	uint8_t session_id[CHAIN_ID_SIZE];
	uint8_t tx_id[CHAIN_ID_SIZE];
	uint64_t block_number;
	uint64_t block_time_sec; // 0 in a transaction's own events
	uint64_t log_index;
	uint64_t bytes; // bought, claimed, proposed, accepted or used in all
	uint64_t deadline_sec; // expiry, reclaim, end of window or of the attestor's time
	struct u256 operator_amount;
	struct u256 fee_amount;
	struct u256 buyer_amount; // deposit, payment or refund
	const char *reason; // of SKIPPED; static text
	// CREATED only:
	uint8_t buyer[32]; // left-padded
	uint8_t voucher_signer[32];
	uint8_t asset[32];
	uint8_t wg_public_key[32];
	uint8_t usage_signer[32];
	uint8_t attestor[32];
	uint64_t grace_sec; // from the end to the buyer's reclaim
	uint8_t mode; // 0 voucher, 1 attested, 2 optimistic
	struct u256 price_per_gb;
	struct u256 node_id;
};

// Where a transaction stands.
struct chain_tx_status {
	bool is_mined;
	bool is_success; // when mined
	uint64_t block_number;
	uint8_t block_hash[CHAIN_ID_SIZE];
	struct chain_event *events; // caller's memory for CHAIN_EVENTS_MAX; NULL: not wanted
	size_t n_events;
};

// How far a chain was read. Stored by the consumer together with what the events caused; opaque to
// it but for next_block. Zero with next_block set starts there.
#define CHAIN_CURSOR_RECENT 32
struct chain_cursor {
	uint64_t next_block;
	uint64_t read_time_sec; // time of the newest block that was read; 0: not known
	uint32_t n_recent;
	uint32_t reserved;
	struct {
		uint64_t number;
		uint8_t hash[CHAIN_ID_SIZE];
	} recent[CHAIN_CURSOR_RECENT]; // ascending; what was read stood on these blocks
};

struct chain_step {
	struct chain_cursor cursor; // to store when the rest is done
	bool is_unwound; // blocks above unwound_to are gone: undo what their events did; no events then
	uint64_t unwound_to;
	bool has_more; // ask again at once
	struct chain_event *events; // caller's memory for CHAIN_EVENTS_MAX
	size_t n_events; // in the order of the chain
	// The head that it read below; number 0: it did not come so far.
	uint64_t head_number;
	uint64_t head_time_sec;
};

// A read-only call of a contract, in the chain's own encoding; with a caller and a value it says what
// a transaction of that account would meet.
struct chain_query {
	const uint8_t *contract; // 32 octets, left-padded
	const uint8_t *from; // likewise; NULL: nobody
	struct u256 value;
	const uint8_t *data;
	size_t len;
	uint64_t work_max; // units of work that it may use; 0: as the endpoint likes
};

struct chain_driver_ops {
	int (*head)(void *driver, struct chain_head *ret, char why[CHAIN_WHY_SIZE]);

	/* The head as an endpoint sees it that did not answer head() last. -ENOENT: there is none that
	 * answers. For judging how deep a block is; a little behind is no fault. */
	int (*second_head)(void *driver, struct chain_head *ret, char why[CHAIN_WHY_SIZE]);

	/* Whether the block of that number and hash, which was the chain's once, still is: 0. -ENOENT: it
	 * was replaced, as far as endpoints tell; one that is behind is no witness, and then the answer
	 * is -EAGAIN. */
	int (*check_block
	)(void *driver, uint64_t number, const uint8_t hash[CHAIN_ID_SIZE], char why[CHAIN_WHY_SIZE]
	);

	/* Of the signing account. */
	int (*account)(void *driver, struct chain_account *ret, char why[CHAIN_WHY_SIZE]);

	/* What a transaction should offer now to be mined soon: max_fee_wei is the priority fee and
	 * twice what a block asks beside it now. Where a second endpoint asks for much
	 * less, the lower: one that is too low is priced again, one that is too high is paid. */
	int (*fees)(void *driver, struct chain_fees *ret, char why[CHAIN_WHY_SIZE]);

	/* Work units that the call needs, with a margin. -EREMOTEIO: the chain refuses the call, why is
	 * its reason; -EPERM: it refuses the signing account, whatever the items. */
	int (*gas
	)(void *driver, const struct chain_call *call, uint64_t *ret, char why[CHAIN_WHY_SIZE]);

	/* Encodes and signs; talks to nobody. -ENOSPC, -EIO. */
	int (*sign
	)(void *driver,
	  const struct chain_call *call,
	  uint64_t account_nonce,
	  uint64_t gas_limit,
	  const struct chain_fees *fees,
	  uint8_t raw[CHAIN_TX_SIZE],
	  size_t *ret_len,
	  uint8_t tx_id[CHAIN_ID_SIZE],
	  char why[CHAIN_WHY_SIZE]);

	/* Gives a signed transaction to the network; one that is known already is success.
	 * -ESTALE: its account nonce was used; -EDQUOT: the balance does not cover it;
	 * -EREMOTEIO: refused for another reason. */
	int (*broadcast)(void *driver, const uint8_t *raw, size_t len, char why[CHAIN_WHY_SIZE]);

	/* is_sure asks a second endpoint too, where there is one: for the last look before "done". */
	int (*status
	)(void *driver,
	  const uint8_t tx_id[CHAIN_ID_SIZE],
	  bool is_sure,
	  struct chain_tx_status *ret,
	  char why[CHAIN_WHY_SIZE]);

	/* The last event of these kinds (1u << kind, or-ed) that tells of a session, by whomever it was
	 * caused, up to this block. A second endpoint, where there is one, must show the same.
	 * -ENOENT: there is none. */
	int (*find_event
	)(void *driver,
	  const uint8_t session_id[CHAIN_ID_SIZE],
	  unsigned int kinds,
	  uint64_t up_to_block,
	  struct chain_event *ret,
	  char why[CHAIN_WHY_SIZE]);

	/* That the item's voucher is by this signer (left-padded), for this session, chain and
	 * contract, and not malleable. -EBADMSG. */
	int (*verify_voucher
	)(void *driver,
	  const struct chain_item *item,
	  const uint8_t signer[32],
	  char why[CHAIN_WHY_SIZE]);

	/* That the item's attestation is by this attestor (left-padded), for its session, bytes and
	 * root, this chain and contract, and not malleable. -EBADMSG. Talks to nobody. */
	int (*verify_attestation
	)(void *driver,
	  const struct chain_item *item,
	  const uint8_t attestor[32],
	  char why[CHAIN_WHY_SIZE]);

	/* Reads on from the cursor, up to `confirmations` below the head. Purchases at other nodes are
	 * left out; what else the contract says about sessions that nobody here knows is not, since
	 * only the reader knows which those are. */
	int (*watch
	)(void *driver,
	  const struct chain_cursor *cursor,
	  uint32_t confirmations,
	  struct chain_step *ret,
	  char why[CHAIN_WHY_SIZE]);

	/* What a contract answers at the head. -EREMOTEIO: it refuses, and why names its error;
	 * -ENOEXEC: it fails otherwise; -ENOSPC: more than cap octets. */
	int (*call
	)(void *driver,
	  const struct chain_query *query,
	  uint8_t *buf,
	  size_t cap,
	  size_t *ret_len,
	  char why[CHAIN_WHY_SIZE]);
};

struct chain_driver {
	const struct chain_driver_ops *ops;
	void *driver;
	uint64_t chain_id;
};
