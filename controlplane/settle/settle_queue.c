// SPDX-License-Identifier: Apache-2.0
//
// The way into the outbox: a request is checked, each refusal has a name and a counter, and each
// phase of a session has one item: its end is settled once for ever.

#include "settle_outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

static const char *const settle_queue_refusal_names[] = {
#define SETTLE_QUEUE_REFUSAL_NAME(id, name, help) name,
	SETTLE_REFUSAL_LIST(SETTLE_QUEUE_REFUSAL_NAME)};
static _Atomic uint64_t settle_queue_refusals[SETTLE_N_REFUSAL];

const char *settle_refusal_name(unsigned int refusal)
{
	return refusal < SETTLE_N_REFUSAL ? settle_queue_refusal_names[refusal] : "unknown";
}

uint64_t settle_refusal_count(enum settle_refusal refusal)
{
	return atomic_load_explicit(&settle_queue_refusals[refusal], memory_order_relaxed);
}

static int settle_queue_refuse(
	struct db_txn *txn, enum settle_refusal refusal, int r, const char *why
)
{
	// A look that only reads is followed by the same in a transaction that writes.
	if (txn->is_write)
		atomic_fetch_add_explicit(&settle_queue_refusals[refusal], 1, memory_order_relaxed);
	db_txn_fail(
		txn, r, "settlement refused (%s): %s", settle_queue_refusal_names[refusal], why
	);
	return r;
}

static bool settle_queue_is_zero(const uint8_t *data, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= data[i];
	return any == 0;
}

static bool settle_queue_has_voucher(const struct chain_item *item)
{
	return !settle_queue_is_zero(item->voucher_r, 32) ||
		!settle_queue_is_zero(item->voucher_vs, 32);
}

static int settle_queue_check_voucher(
	struct db_txn *txn, const struct chain_driver *chain, const struct settle_request *request
)
{
	const struct chain_item *item = &request->item;
	char why[CHAIN_WHY_SIZE];

	if (request->kind == CHAIN_CALL_CLAIM &&
	    (!settle_queue_has_voucher(item) || item->voucher_bytes == 0))
		return settle_queue_refuse(
			txn,
			SETTLE_REFUSAL_NO_VOUCHER,
			-EINVAL,
			"a claim needs a voucher of at least one byte"
		);
	if (!settle_queue_has_voucher(item))
		return 0;
	if (request->kind == CHAIN_CALL_FINALIZE && item->bytes_used > item->voucher_bytes)
		return settle_queue_refuse(
			txn,
			SETTLE_REFUSAL_BYTES_ABOVE_VOUCHER,
			-EINVAL,
			"more bytes than the voucher covers"
		);
	if (chain->ops->verify_voucher(chain->driver, item, request->voucher_signer, why) < 0)
		return settle_queue_refuse(txn, SETTLE_REFUSAL_BAD_VOUCHER, -EBADMSG, why);
	return 0;
}

static int settle_queue_check(
	struct db_txn *txn, const struct chain_driver *chain, const struct settle_request *request
)
{
	const struct chain_item *item = &request->item;
	char why[CHAIN_WHY_SIZE];

	if ((unsigned int)request->kind >= CHAIN_N_CALL)
		return settle_queue_refuse(txn, SETTLE_REFUSAL_BAD_KIND, -EINVAL, "unknown kind");
	if (settle_queue_is_zero(item->session_id, sizeof(item->session_id)))
		return settle_queue_refuse(
			txn, SETTLE_REFUSAL_NO_ID, -EINVAL, "the session id is zero"
		);
	if ((request->kind == CHAIN_CALL_FINALIZE_ATTESTED || request->kind == CHAIN_CALL_RESOLVE
	    ) &&
	    chain->ops->verify_attestation(chain->driver, item, request->attestor, why) < 0)
		return settle_queue_refuse(txn, SETTLE_REFUSAL_BAD_ATTESTATION, -EBADMSG, why);
	return settle_queue_check_voucher(txn, chain, request);
}

// Nothing of it is with the network: its content may still change.
static bool settle_queue_is_waiting(const struct settle_item *item)
{
	return item->state == SETTLE_ITEM_QUEUED || item->state == SETTLE_ITEM_HELD;
}

static int settle_queue_refuse_end(
	struct db_txn *txn, const struct settle_request *request, const struct settle_item *proposal
)
{
	if (request->kind == CHAIN_CALL_EXECUTE && proposal->state != SETTLE_ITEM_DONE)
		return settle_queue_refuse(
			txn,
			SETTLE_REFUSAL_NOT_PROPOSED,
			-EEXIST,
			"the session's proposal does not stand yet"
		);
	if (request->kind == CHAIN_CALL_FINALIZE && !settle_queue_is_waiting(proposal) &&
	    proposal->state != SETTLE_ITEM_WITHDRAWN)
		return settle_queue_refuse(
			txn,
			SETTLE_REFUSAL_CHANGED,
			-EEXIST,
			"this session's settlement was proposed before"
		);
	return 0;
}

// What the session's other phases say against it.
static int settle_queue_check_order(
	struct db_txn *txn, uint64_t chain_id, const struct settle_request *request
)
{
	const uint8_t *session = request->item.session_id;
	enum settle_phase phase = settle_phase_of(request->kind);
	struct settle_item other;

	if (phase != SETTLE_PHASE_END &&
	    settle_item_find_phase(txn, chain_id, session, SETTLE_PHASE_END, &other)) {
		if (other.state == SETTLE_ITEM_DONE)
			return settle_queue_refuse(
				txn, SETTLE_REFUSAL_OVER, -EEXIST, "this session is settled"
			);
		if (phase == SETTLE_PHASE_PROPOSAL)
			return settle_queue_refuse(
				txn,
				SETTLE_REFUSAL_CHANGED,
				-EEXIST,
				"the end of this session was queued before"
			);
	}
	if (phase == SETTLE_PHASE_END &&
	    settle_item_find_phase(txn, chain_id, session, SETTLE_PHASE_PROPOSAL, &other))
		return settle_queue_refuse_end(txn, request, &other);
	return 0;
}

// Whether what is asked for is there already. Field by field: padding of a record means nothing.
static bool settle_queue_is_same(
	const struct settle_item *former, const struct settle_request *request
)
{
	const struct chain_item *old = &former->call, *wanted = &request->item;

	if (former->kind != (uint32_t)request->kind)
		return false;
	// Of a held one, a voucher or attestation may be what was wrong with it.
	if (former->state == SETTLE_ITEM_HELD &&
	    (wanted->voucher_bytes > old->voucher_bytes ||
	     memcmp(old->attestation_r, wanted->attestation_r, 32) != 0 ||
	     memcmp(old->attestation_vs, wanted->attestation_vs, 32) != 0))
		return false;
	if (request->kind == CHAIN_CALL_EXECUTE)
		return true; // its bytes and root are the proposal's
	if (request->kind == CHAIN_CALL_CLAIM)
		return wanted->voucher_bytes <= old->voucher_bytes;
	return old->bytes_used == wanted->bytes_used &&
		memcmp(old->checkpoints_root, wanted->checkpoints_root, 32) == 0;
}

// Whether it may take the former one's place. Both were checked; bytes that differ need a reason.
static bool settle_queue_is_newer(
	const struct settle_item *former, const struct settle_request *request
)
{
	if (!settle_queue_is_waiting(former))
		return false;
	if (former->kind != (uint32_t)request->kind)
		return true;
	switch (request->kind) {
	case CHAIN_CALL_CLAIM:
	case CHAIN_CALL_FINALIZE:
		return request->item.voucher_bytes > former->call.voucher_bytes;
	case CHAIN_CALL_FINALIZE_ATTESTED:
	case CHAIN_CALL_RESOLVE:
		return true; // the attestor's last word
	case CHAIN_CALL_PROPOSE:
	case CHAIN_CALL_EXECUTE:
		return false;
	}
	return false;
}

static void settle_queue_fill(struct settle_item *item, const struct settle_request *request)
{
	item->state = SETTLE_ITEM_QUEUED;
	item->kind = request->kind;
	item->call = request->item;
	memcpy(item->asset, request->asset, sizeof(item->asset));
	item->value = request->value;
	item->deadline_sec = request->deadline_sec;
	item->not_before_sec = 0;
	item->n_skips = 0;
	item->batch_max = 0;
	item->is_review = false;
	item->reason[0] = '\0';
}

// A proposal that nobody was told of gives way to an end that needs none.
static void settle_queue_withdraw_proposal(
	struct db_txn *txn, uint64_t chain_id, const uint8_t *session
)
{
	struct settle_item proposal;

	if (!settle_item_find_phase(txn, chain_id, session, SETTLE_PHASE_PROPOSAL, &proposal) ||
	    !settle_queue_is_waiting(&proposal))
		return;
	proposal.state = SETTLE_ITEM_WITHDRAWN;
	proposal.is_review = false;
	settle_item_put(txn, &proposal);
}

int settle_queue(
	struct db_txn *txn,
	const struct chain_driver *chain,
	const struct settle_request *request,
	uint64_t *ret_id
)
{
	const uint8_t *session = request->item.session_id;
	struct settle_item former, item = {.chain_id = chain->chain_id};
	enum settle_phase phase;
	bool is_found;
	int r;

	r = settle_queue_check(txn, chain, request);
	if (r == 0)
		r = settle_queue_check_order(txn, chain->chain_id, request);
	if (r < 0)
		return r;
	phase = settle_phase_of(request->kind);
	is_found = settle_item_find_phase(txn, chain->chain_id, session, phase, &former);
	if (is_found && settle_queue_is_same(&former, request)) {
		item = former;
	} else if (is_found && settle_queue_is_newer(&former, request)) {
		item = former;
		settle_queue_fill(&item, request);
		settle_item_put(txn, &item);
	} else if (is_found && phase != SETTLE_PHASE_CLAIM) {
		return settle_queue_refuse(
			txn,
			SETTLE_REFUSAL_CHANGED,
			-EEXIST,
			"this session was queued before with other bytes or another root"
		);
	} else {
		settle_queue_fill(&item, request);
		settle_item_insert(txn, &item);
	}
	if (phase == SETTLE_PHASE_END)
		settle_queue_withdraw_proposal(txn, chain->chain_id, session);
	if (txn->error == 0 && ret_id != NULL)
		*ret_id = item.id;
	return txn->error;
}

int settle_retry(struct db_txn *txn, uint64_t item_id)
{
	struct settle_item item;

	if (!settle_item_get(txn, item_id, &item)) {
		db_txn_fail(txn, -ENOENT, "there is no settlement %" PRIu64, item_id);
		return txn->error;
	}
	if (item.state != SETTLE_ITEM_HELD && item.state != SETTLE_ITEM_QUEUED) {
		db_txn_fail(
			txn,
			-EPERM,
			"settlement %" PRIu64
			" is %s; only one that is held or queued can be retried",
			item_id,
			settle_item_state_name(item.state)
		);
		return txn->error;
	}
	item.state = SETTLE_ITEM_QUEUED;
	item.not_before_sec = 0;
	item.n_skips = 0;
	item.batch_max = 0;
	item.is_review = false;
	settle_item_put(txn, &item);
	return txn->error;
}
