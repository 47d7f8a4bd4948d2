// SPDX-License-Identifier: Apache-2.0
//
// A bought session for the tests of lifecycle.c, on a real store, a double of the data plane and a
// clock that is moved: events come through the inbox, vouchers are signed by a real key. The control
// plane is restarted between any two steps of each story: nothing may depend on memory.
#pragma once

#include "controlplane/attest/attest_store.h"
#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/lifecycle_private.h"
#include "controlplane/session/session_store.h"
#include "controlplane/settle/settle_outbox.h"
#include "tests/unit/controlplane/dp_link_setup.h"

#include <errno.h>

#define CHAIN_ID 31337
#define MB 1000000ull
#define GB 1000000000ull
#define PATIENCE_SEC 600
#define ATTESTOR 0xa7

static const uint8_t contract[32] = {[12] = 0xe5, [31] = 1};
static const uint8_t signer_key[32] = {[31] = 7};

struct story {
	struct setup set; // its session "alice" is the operator's own
	struct lifecycle *life;
	struct evm_signer *signer;
	uint64_t id;
	uint64_t block;
	uint64_t chain_sec; // time of the newest block
};

// The driver's own check, without its endpoints.
static inline int verify_voucher(
	void *driver,
	const struct chain_item *item,
	const uint8_t signer[32],
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_escrow_voucher voucher = {.cumulative_bytes = item->voucher_bytes};
	uint8_t separator[32];

	(void)driver;
	memcpy(voucher.r, item->voucher_r, 32);
	memcpy(voucher.vs, item->voucher_vs, 32);
	evm_escrow_domain(CHAIN_ID, contract + 12, separator);
	snprintf(why, CHAIN_WHY_SIZE, "not by the voucher signer");
	return evm_escrow_verify_voucher(separator, item->session_id, signer + 12, &voucher);
}

// The attestor of these tests signs with 32 equal bytes; the driver's own check is tested elsewhere.
static inline int verify_attestation(
	void *driver,
	const struct chain_item *item,
	const uint8_t attestor[32],
	char why[CHAIN_WHY_SIZE]
)
{
	(void)driver;
	snprintf(why, CHAIN_WHY_SIZE, "not by the attestor");
	return memcmp(item->attestation_r, attestor, 32) == 0 ? 0 : -EBADMSG;
}

static const struct chain_driver_ops ops = {
	.verify_voucher = verify_voucher,
	.verify_attestation = verify_attestation,
};

static inline void open_life(struct story *story)
{
	struct lifecycle_chain chain = {
		.driver = {.ops = &ops, .chain_id = CHAIN_ID},
		.settle_confirmations = 3,
	};
	const struct lifecycle_conf conf = {
		.db = story->set.fix.db,
		.config = &story->set.fix.config,
		.clock = &story->set.fix.clock,
		.sessions = story->set.fix.sessions,
		.usage = story->set.fix.usage,
		.chains = &chain,
		.n_chains = 1,
	};

	memcpy(chain.contract, contract, 32);
	assert_int_equal(lifecycle_create(&story->life, &conf), 0);
}

static inline int setup(void **state)
{
	struct story *story = calloc(1, sizeof(*story));
	const struct session_add add = control_fixture_add("alice", 1);
	struct setup *set = &story->set;

	control_fixture_init(&set->fix);
	set->fix.config.voucher.credit_bytes = 1 * MB;
	set->fix.config.voucher.patience_sec = PATIENCE_SEC;
	control_fixture_open(&set->fix, true);
	assert_int_equal(session_add(set->fix.sessions, &add, &set->session, &set->fix.err), 0);
	assert_int_equal(evm_signer_create(&story->signer, signer_key), 0);
	story->block = 100;
	story->chain_sec = FIXTURE_UNIX_SEC;
	open_life(story);
	start_dp(set);
	round_trip(set);
	*state = story;
	return 0;
}

static inline int teardown(void **state)
{
	struct story *story = *state;
	struct setup *set = &story->set;

	lifecycle_destroy(story->life);
	evm_signer_destroy(story->signer);
	control_fixture_close(&set->fix);
	abi_segment_close(&set->dp.seg);
	control_fixture_fini(&set->fix);
	free(story);
	return 0;
}

static inline void restart(struct story *story)
{
	lifecycle_destroy(story->life);
	control_fixture_close(&story->set.fix);
	control_fixture_open(&story->set.fix, true);
	open_life(story);
	round_trip(&story->set);
}

// A few rounds of everything, the control plane new before and after.
static inline void settle_down(struct story *story)
{
	char err[DB_WHY_CAP];

	restart(story);
	for (int i = 0; i < 3; i++) {
		second(&story->set);
		if (lifecycle_tick(story->life, err, sizeof(err)) != 0)
			fail_msg("%s", err);
	}
	restart(story);
}

static inline void put_step(struct story *story, struct chain_step step)
{
	struct db_txn txn;

	step.cursor.next_block = story->block + 1;
	step.cursor.read_time_sec = step.is_unwound ? 0 : story->chain_sec;
	db_txn_begin_write(&txn, story->set.fix.db);
	chain_inbox_put_step(&txn, CHAIN_ID, contract, &step);
	assert_int_equal(db_txn_commit(&txn), 0);
	settle_down(story);
}

static inline void say(struct story *story, struct chain_event event)
{
	struct chain_step step = {.events = &event, .n_events = 1};

	memset(event.session_id, 0x51, sizeof(event.session_id));
	event.block_number = ++story->block;
	event.block_time_sec = story->chain_sec;
	put_step(story, step);
}

// Blocks without events.
static inline void mine(struct story *story, uint64_t n_blocks, uint64_t sec)
{
	story->block += n_blocks;
	story->chain_sec += sec;
	put_step(story, (struct chain_step){.n_events = 0});
}

static inline void unwind(struct story *story, uint64_t to)
{
	put_step(story, (struct chain_step){.is_unwound = true, .unwound_to = to});
	mine(story, 1, 0);
}

static inline struct session now(struct story *story)
{
	struct control_fixture *fix = &story->set.fix;
	struct session session;

	assert_int_equal(session_get(fix->sessions, story->id, &session, &fix->err), 0);
	return session;
}

static inline void assert_state(struct story *story, enum session_state state)
{
	const struct session session = now(story);

	assert_string_equal(session_state_name(session.state), session_state_name(state));
}

static inline struct purchase bought(struct story *story)
{
	struct purchase purchase;
	struct db_txn txn;

	db_txn_begin_read(&txn, story->set.fix.db);
	assert_true(purchase_load(&txn, story->id, &purchase));
	assert_int_equal(db_txn_commit(&txn), 0);
	return purchase;
}

static inline struct chain_event created(
	struct story *story, enum purchase_mode mode, uint64_t bytes
)
{
	struct chain_event event = {
		.kind = CHAIN_EVENT_CREATED,
		.bytes = bytes,
		.deadline_sec = FIXTURE_UNIX_SEC + 86400,
		.mode = (uint8_t)mode,
		.price_per_gb = u256_from_u64(1000000000000000),
	};

	evm_signer_address(story->signer, event.voucher_signer + 12);
	memset(event.attestor, ATTESTOR, sizeof(event.attestor));
	return event;
}

static inline void create(struct story *story, enum purchase_mode mode, uint64_t bytes)
{
	say(story, created(story, mode, bytes));
	story->id = 2; // after alice
	assert_state(story, SESSION_PENDING);
}

static inline void connect(struct story *story)
{
	struct control_fixture *fix = &story->set.fix;
	struct session session;
	uint8_t key[32];

	control_fixture_public_key(key, 2);
	assert_int_equal(session_provision(fix->sessions, story->id, key, &session, &fix->err), 0);
	settle_down(story);
	fake_dataplane_handshake(&story->set.dp, session.slot);
	settle_down(story);
	assert_state(story, SESSION_ACTIVE);
}

static inline uint64_t limit_in_force(struct story *story)
{
	return story->set.dp.seg.slots[now(story).slot].limits.limit_bytes;
}

// Bills up to `bytes` in packets of 1000, and closes the gate at the first that does not fit.
static inline void pass(struct story *story, uint64_t bytes)
{
	uint32_t slot = now(story).slot;

	for (uint64_t done = 0; done < bytes; done += 1000) {
		if (fake_dataplane_bill(&story->set.dp, slot, 400, 600) == 0) {
			story->set.dp.seg.slots[slot].live.gate = ABI_GATE_QUOTA;
			break;
		}
	}
	settle_down(story);
}

static inline struct lifecycle_voucher sign(struct story *story, uint64_t bytes)
{
	struct lifecycle_voucher voucher = {.cumulative_bytes = bytes};
	uint8_t separator[32], digest[32], signature[EVM_SIGNER_SIGNATURE_SIZE], id[32];

	memset(id, 0x51, sizeof(id));
	evm_escrow_domain(CHAIN_ID, contract + 12, separator);
	evm_escrow_voucher_digest(separator, id, bytes, digest);
	assert_int_equal(evm_signer_sign(story->signer, digest, signature), 0);
	evm_escrow_compact(signature, voucher.r, voucher.vs);
	return voucher;
}

static inline int post(struct story *story, const struct lifecycle_voucher *voucher)
{
	struct session_error err;

	return lifecycle_post_voucher(story->life, story->id, voucher, NULL, &err);
}

static inline int post_bytes(struct story *story, uint64_t bytes)
{
	const struct lifecycle_voucher voucher = sign(story, bytes);

	return post(story, &voucher);
}

static inline int attest(struct story *story, uint64_t bytes, uint8_t signer, bool is_root_right)
{
	struct lifecycle_attestation attestation = {.bytes_used = bytes};
	struct session_error err;
	struct db_txn txn;

	db_txn_begin_read(&txn, story->set.fix.db);
	assert_true(attest_store_root(&txn, story->id, attestation.checkpoints_root));
	assert_int_equal(db_txn_commit(&txn), 0);
	attestation.checkpoints_root[0] ^= is_root_right ? 0 : 1;
	memset(attestation.r, signer, 32);
	return lifecycle_post_attestation(story->life, story->id, &attestation, NULL, &err);
}

static inline bool find_item(struct story *story, struct settle_item *ret)
{
	uint8_t id[32];
	struct db_txn txn;

	memset(id, 0x51, sizeof(id));
	db_txn_begin_read(&txn, story->set.fix.db);
	bool is_found = settle_item_find(&txn, CHAIN_ID, id, ret);
	assert_int_equal(db_txn_commit(&txn), 0);
	return is_found;
}

// What the outbox writes when the item's own event is final, or gone again.
static inline void set_item(struct story *story, enum settle_item_state state, uint64_t bytes)
{
	struct settle_item item;
	struct db_txn txn;

	assert_true(find_item(story, &item));
	item.state = state;
	item.bytes = bytes;
	db_txn_begin_write(&txn, story->set.fix.db);
	settle_item_put(&txn, &item);
	assert_int_equal(db_txn_commit(&txn), 0);
	settle_down(story);
}

static inline struct settle_item assert_item(
	struct story *story, enum chain_call_kind kind, uint64_t bytes, uint64_t voucher_bytes
)
{
	struct settle_item item;

	assert_true(find_item(story, &item));
	assert_int_equal(item.kind, kind);
	assert_int_equal(item.call.bytes_used, bytes);
	assert_int_equal(item.call.voucher_bytes, voucher_bytes);
	return item;
}

static inline void pass_time(struct story *story, uint64_t sec)
{
	clock_manual_advance(&story->set.fix.manual, sec * NS_PER_SEC);
	mine(story, 1, sec);
}
