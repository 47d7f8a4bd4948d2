// SPDX-License-Identifier: Apache-2.0
//
// The outbox of one chain and one signing account:
//
//	item:  queued → batched → done          (skipped → queued, and after too many skips → held)
//	tx:    intent → signed → sent → mined → done      (→ dropped: its items are queued again)
//
// Each arrow is one committed transaction of the store, made before the next thing that anybody
// outside could see. A kill between any two of them resumes: what was signed is sent again as the
// same bytes, what was sent is looked for by its hash. Going back is an arrow too: a receipt that
// disappears makes "mined" and even "done" into "sent" again.
//
// At most one transaction is on its way to be mined; the next is formed when it stands in a block.
// What an intent carries is chosen anew each round until it is signed (it may have to wait for the fee
// or the balance), so that an item near its deadline never waits behind those that have time.
// An item is done when its own event stands in a final receipt, never because the transaction
// succeeded. The outbox reads no wall clock: ages and deadlines are block time, the pace of sending
// again and pricing again is the monotonic clock. Chain thread; settle_queue may run on any thread,
// in its caller's transaction.

#pragma once

#include "common/clock.h"
#include "controlplane/settle/settle_batch.h"
#include "controlplane/settle/settle_record.h"

// id, name, help
#define SETTLE_ALERT_LIST(X) \
	X(NEEDS_REVIEW, "needs_review", "a transaction is not final after many polls") \
	X(LOW_BALANCE, "low_balance", "the account does not cover the next transaction") \
	X(FEE_CEILING, "fee_ceiling", "the chain asks for more than the configured ceiling") \
	X(ATTEMPTS, "attempts", "a transaction has been priced as often as can be") \
	X(REORGANISED, "reorganised", "a block with one of our transactions is gone") \
	X(NONCE_TAKEN, "nonce_taken", "somebody else uses the account's key") \
	X(NONCE_GAP, "nonce_gap", "an account nonce before a transaction's own is nobody's") \
	X(REVERTED, "reverted", "a transaction failed as a whole") \
	X(REFUSED, "refused", "the chain refuses a call or a transaction") \
	X(ITEM_HELD, "item_held", "a session was skipped too often") \
	X(ENDPOINTS, "endpoints", "no endpoint answers, or they disagree") \
	X(STORE, "store", "the store refused a write; nothing was sent")

#define SETTLE_ALERT_ENUM(id, name, help) SETTLE_ALERT_##id,
enum settle_alert { SETTLE_ALERT_LIST(SETTLE_ALERT_ENUM) SETTLE_N_ALERT };

const char *settle_alert_name(unsigned int alert);

struct settle_outbox_conf {
	struct db *db;
	struct chain_driver chain;
	const struct clock *clock; // monotonic time only
	struct settle_batch_limits batch;
	uint32_t confirmations; // confirmations.settle
	uint32_t watch_blocks; // how long a done transaction's block is still looked at
	uint32_t resend_ms; // a transaction that nobody mined is sent again
	uint32_t reprice_ms; // and offered more
	uint32_t review_polls; // polls without finality that raise needs_review
	uint32_t skips_max; // an item skipped so often is held
	uint32_t skip_wait_sec; // chain time before it is tried again, times the skips
	struct u256 fee_ceiling_wei; // per unit of gas
	struct u256 balance_alarm_wei; // 0 = only when a transaction is not covered
	// An alert begins, or ends (is_set false); text is a sentence with names and numbers.
	void (*on_alert)(void *ctx, enum settle_alert alert, bool is_set, const char *text);
	void *on_alert_ctx;
};

struct settle_outbox;

/* Returns: 0; -EINVAL; -ENOMEM. */
int settle_outbox_create(struct settle_outbox **ret, const struct settle_outbox_conf *conf);
void settle_outbox_destroy(struct settle_outbox *outbox);

/* One round: looks at what is under way, then forms the next batch. Called every poll interval.
 * Returns: 0; -EIO or -EAGAIN (the chain), a store error, -EINTR; all are tried again next round. */
int settle_outbox_poll(struct settle_outbox *outbox);

// id, name, help
#define SETTLE_REFUSAL_LIST(X) \
	X(NO_ID, "no_id", "a session id of zeros") \
	X(BYTES_ABOVE_VOUCHER, "bytes_above_voucher", "more bytes than the voucher covers") \
	X(BAD_VOUCHER, "bad_voucher", "a voucher of another signer, session, chain or contract") \
	X(CHANGED, "changed", "the session was queued before with another content") \
	X(BAD_KIND, "bad_kind", "no such way to settle") \
	X(NOT_PROPOSED, "not_proposed", "an execution before its proposal stands") \
	X(NO_VOUCHER, "no_voucher", "a claim without a voucher, or for no bytes") \
	X(BAD_ATTESTATION, "bad_attestation", "an attestation of another attestor or usage") \
	X(OVER, "over", "the session is settled")

#define SETTLE_REFUSAL_ENUM(id, name, help) SETTLE_REFUSAL_##id,
enum settle_refusal { SETTLE_REFUSAL_LIST(SETTLE_REFUSAL_ENUM) SETTLE_N_REFUSAL };

const char *settle_refusal_name(unsigned int refusal);

/* How often each was refused since the process began. Any thread. */
uint64_t settle_refusal_count(enum settle_refusal refusal);

struct settle_request {
	enum chain_call_kind kind;
	struct chain_item item; // what the kind has (chain.h)
	uint8_t voucher_signer[32]; // of the session, as its creation said; left-padded
	uint8_t attestor[32]; // likewise; needed by FINALIZE_ATTESTED and RESOLVE
	uint8_t asset[32]; // likewise; zero: the native coin
	struct u256 value; // in the asset's smallest unit
	uint64_t deadline_sec;
};

/* Puts a step of a session's settlement into the outbox, in the caller's transaction, so that the
 * session's own change of state and this are one. The same request again is success and changes
 * nothing. What may follow what:
 *   CLAIM              any time before the end is done; a newer voucher takes the place of one that
 *                      is not under way, and is a further claim else; an older one changes nothing
 *   PROPOSE            once, while nothing of the end was queued
 *   EXECUTE            when the proposal is done, or was never queued here
 *   FINALIZE           while no proposal is under way or done; withdraws one that waits
 *   FINALIZE_ATTESTED  any time; withdraws a proposal that waits
 *   RESOLVE            any time
 * An end that is queued or held takes the form of a newer request: of another kind, with a newer
 * voucher, or with another attestation. One that is under way or done does not.
 * Returns: 0, or a negative errno that is left in txn too, with a sentence in txn->why:
 * -EINVAL (refused, see the list), -EBADMSG (a signature), -EEXIST (changed content, wrong order,
 * over), store errors. ret_id may be NULL. */
int settle_queue(
	struct db_txn *txn,
	const struct chain_driver *chain,
	const struct settle_request *request,
	uint64_t *ret_id
) __attribute__((warn_unused_result));

/* A held item, or one that waits, is tried in the next batch. -ENOENT; -EPERM (done or under way). */
int settle_retry(struct db_txn *txn, uint64_t item_id) __attribute__((warn_unused_result));
