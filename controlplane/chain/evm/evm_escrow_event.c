// SPDX-License-Identifier: Apache-2.0
//
// EscrowPayment's events and the names of its errors; declared in evm_escrow.h.

#include "evm_escrow.h"

#include <errno.h>
#include <string.h>

// Custom errors without arguments, the escrow's and the registry's that reach through it.
#define EVM_ESCROW_ERROR_LIST(X) \
	X(UnknownSession) \
	X(SessionExists) \
	X(WrongNode) \
	X(WrongStatus) \
	X(WrongMode) \
	X(NotOperatorOrSettler) \
	X(NotBuyer) \
	X(NotBuyerOrVoucherSigner) \
	X(BadMode) \
	X(BadDataAmount) \
	X(BadDuration) \
	X(BadAddress) \
	X(BadFee) \
	X(WrongAsset) \
	X(WrongValue) \
	X(CostAboveMaximum) \
	X(TermsMismatch) \
	X(VoucherSignerRequired) \
	X(AttestorRequired) \
	X(AllowanceTooLow) \
	X(FeeOnTransfer) \
	X(Expired) \
	X(VoucherRequired) \
	X(BadVoucher) \
	X(BadAttestation) \
	X(BytesBelowClaimed) \
	X(BytesAboveBought) \
	X(BytesAboveVoucher) \
	X(BytesAboveProposed) \
	X(WindowOpen) \
	X(WindowOver) \
	X(GraceNotOver) \
	X(NothingToWithdraw) \
	X(UnknownNode) \
	X(NodeInactive) \
	X(AssetNotPriced) \
	X(AttestorNotAccepted) \
	X(NotOperator) \
	X(NotEscrow) \
	X(NotDeployer) \
	X(AlreadyBound) \
	X(BadKey) \
	X(BadText) \
	X(BadPrice) \
	X(BadWindow) \
	X(BadGrace)

static const char *const evm_escrow_signatures[] = {
#define EVM_ESCROW_SIGNATURE(id, signature) signature,
	EVM_ESCROW_EVENT_LIST(EVM_ESCROW_SIGNATURE)};

void evm_escrow_topic(enum evm_escrow_event_kind kind, uint8_t topic[32])
{
	evm_keccak_256(evm_escrow_signatures[kind], strlen(evm_escrow_signatures[kind]), topic);
}

const char *evm_escrow_error_name(const uint8_t selector[EVM_ABI_SELECTOR])
{
	static const char *const names[] = {
#define EVM_ESCROW_ERROR_NAME(name) #name,
		EVM_ESCROW_ERROR_LIST(EVM_ESCROW_ERROR_NAME)};
	static const char *const signatures[] = {
#define EVM_ESCROW_ERROR_SIGNATURE(name) #name "()",
		EVM_ESCROW_ERROR_LIST(EVM_ESCROW_ERROR_SIGNATURE)};
	uint8_t made[EVM_ABI_SELECTOR];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		evm_abi_selector(signatures[i], made);
		if (memcmp(made, selector, sizeof(made)) == 0)
			return names[i];
	}
	return "unknown error";
}

static void evm_escrow_get_terms(struct evm_abi_reader *r, struct evm_escrow_terms *terms)
{
	terms->node_id = evm_abi_get_u256(r);
	evm_abi_get_address(r, terms->asset);
	terms->price_per_gb = evm_abi_get_u256(r);
	evm_abi_get_address(r, terms->payout);
	terms->fee_bps = evm_abi_get_u64(r);
	evm_abi_get_address(r, terms->treasury);
	evm_abi_get_address(r, terms->attestor);
	terms->window_sec = evm_abi_get_u64(r);
	terms->grace_sec = evm_abi_get_u64(r);
	evm_abi_get_word(r, terms->wg_public_key);
	evm_abi_get_address(r, terms->usage_signer);
}

static uint8_t evm_escrow_get_u8(struct evm_abi_reader *r)
{
	uint64_t value = evm_abi_get_u64(r);

	if (value > UINT8_MAX)
		r->error = -EBADMSG;
	return (uint8_t)value;
}

static void evm_escrow_get_topic_address(
	struct evm_abi_reader *r, const uint8_t topic[32], uint8_t address[EVM_ADDRESS_SIZE]
)
{
	struct evm_abi_reader word;

	evm_abi_reader_init(&word, topic, EVM_ABI_WORD, 1);
	evm_abi_get_address(&word, address);
	evm_abi_leave(r, &word);
}

static void evm_escrow_get_created(
	struct evm_abi_reader *r, const struct evm_log *log, struct evm_escrow_event *event
)
{
	uint8_t hash[EVM_KECCAK_SIZE];

	event->u.created.node_id = u256_from_be(log->topics[2]);
	evm_escrow_get_topic_address(r, log->topics[3], event->u.created.buyer);
	evm_abi_get_word(r, event->u.created.terms_hash);
	evm_escrow_get_terms(r, &event->u.created.terms);
	event->u.created.bought_bytes = evm_abi_get_u64(r);
	event->u.created.expiry_sec = evm_abi_get_u64(r);
	event->u.created.mode = evm_escrow_get_u8(r);
	evm_abi_get_address(r, event->u.created.voucher_signer);
	event->u.created.deposit = evm_abi_get_u256(r);
	evm_escrow_terms_hash(&event->u.created.terms, hash);
	if (memcmp(hash, event->u.created.terms_hash, sizeof(hash)) != 0 ||
	    !u256_equal(event->u.created.node_id, event->u.created.terms.node_id))
		r->error = -EBADMSG;
}

static void evm_escrow_get_settled(struct evm_abi_reader *r, struct evm_escrow_event *event)
{
	event->u.settled.path = evm_escrow_get_u8(r);
	event->u.settled.bytes_used = evm_abi_get_u64(r);
	evm_abi_get_word(r, event->u.settled.checkpoints_root);
	event->u.settled.operator_amount = evm_abi_get_u256(r);
	event->u.settled.fee_amount = evm_abi_get_u256(r);
	event->u.settled.refund = evm_abi_get_u256(r);
}

static void evm_escrow_get_skipped(struct evm_abi_reader *r, struct evm_escrow_event *event)
{
	uint8_t word[EVM_ABI_WORD];

	evm_abi_get_word(r, word);
	memcpy(event->u.skipped.reason, word, EVM_ABI_SELECTOR);
}

static void evm_escrow_get_data(
	struct evm_abi_reader *r, const struct evm_log *log, struct evm_escrow_event *event
)
{
	switch (event->kind) {
	case EVM_ESCROW_CREATED:
		evm_escrow_get_created(r, log, event);
		break;
	case EVM_ESCROW_TOPPED_UP:
		event->u.topped_up.bought_bytes = evm_abi_get_u64(r);
		event->u.topped_up.expiry_sec = evm_abi_get_u64(r);
		event->u.topped_up.paid = evm_abi_get_u256(r);
		break;
	case EVM_ESCROW_CLOSED:
		event->u.closed.reclaim_from_sec = evm_abi_get_u64(r);
		break;
	case EVM_ESCROW_CLAIMED:
		event->u.claimed.claimed_bytes = evm_abi_get_u64(r);
		event->u.claimed.operator_amount = evm_abi_get_u256(r);
		event->u.claimed.fee_amount = evm_abi_get_u256(r);
		break;
	case EVM_ESCROW_PROPOSED:
		event->u.proposed.bytes_used = evm_abi_get_u64(r);
		evm_abi_get_word(r, event->u.proposed.checkpoints_root);
		event->u.proposed.window_end_sec = evm_abi_get_u64(r);
		break;
	case EVM_ESCROW_DISPUTED:
		evm_escrow_get_topic_address(r, log->topics[2], event->u.disputed.disputer);
		event->u.disputed.bytes_accepted = evm_abi_get_u64(r);
		event->u.disputed.proposed_bytes = evm_abi_get_u64(r);
		event->u.disputed.resolve_until_sec = evm_abi_get_u64(r);
		break;
	case EVM_ESCROW_SETTLED:
		evm_escrow_get_settled(r, event);
		break;
	case EVM_ESCROW_SKIPPED:
		evm_escrow_get_skipped(r, event);
		break;
	case EVM_ESCROW_N_EVENT:
		r->error = -EBADMSG;
		break;
	}
}

int evm_escrow_decode(const struct evm_log *log, struct evm_escrow_event *ret)
{
	static const struct {
		uint8_t n_topics;
		uint8_t n_words;
	} shapes[EVM_ESCROW_N_EVENT] = {
		[EVM_ESCROW_CREATED] = {4, 17},
		[EVM_ESCROW_TOPPED_UP] = {2, 3},
		[EVM_ESCROW_CLOSED] = {2, 1},
		[EVM_ESCROW_CLAIMED] = {2, 3},
		[EVM_ESCROW_PROPOSED] = {2, 3},
		[EVM_ESCROW_DISPUTED] = {3, 3},
		[EVM_ESCROW_SETTLED] = {2, 6},
		[EVM_ESCROW_SKIPPED] = {2, 1},
	};
	struct evm_escrow_event event = {0};
	struct evm_abi_reader r;
	uint8_t topic[32];
	unsigned int kind = 0;

	for (; kind < EVM_ESCROW_N_EVENT && log->n_topics > 0; kind++) {
		evm_escrow_topic((enum evm_escrow_event_kind)kind, topic);
		if (memcmp(topic, log->topics[0], sizeof(topic)) == 0)
			break;
	}
	if (kind == EVM_ESCROW_N_EVENT || log->n_topics == 0)
		return -ENOENT;
	if (log->n_topics != shapes[kind].n_topics ||
	    log->data_len != (size_t)shapes[kind].n_words * EVM_ABI_WORD)
		return -EBADMSG;
	event.kind = (enum evm_escrow_event_kind)kind;
	memcpy(event.session_id, log->topics[1], sizeof(event.session_id));
	evm_abi_reader_init(&r, log->data, log->data_len, shapes[kind].n_words);
	evm_escrow_get_data(&r, log, &event);
	if (r.error < 0)
		return -EBADMSG;
	*ret = event;
	return 0;
}
