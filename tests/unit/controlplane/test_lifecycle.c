// SPDX-License-Identifier: Apache-2.0
//
// Bought sessions from their creation to their settlement, on a real store, a double of the data plane
// and a clock that is moved: events come through the inbox, vouchers are signed by a real key. The
// control plane is restarted between any two steps of each story: nothing may depend on memory.
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

static const uint8_t contract[32] = {[12] = 0xe5, [31] = 1};
static const uint8_t signer_key[32] = {[31] = 7};

struct story {
	struct setup set; // its session "alice" is the operator's own
	struct lifecycle *life;
	struct evm_signer *signer;
	uint64_t id;
	uint64_t block;
};

// The driver's own check, without its endpoints.
static int verify_voucher(
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

static const struct chain_driver_ops ops = {.verify_voucher = verify_voucher};

static void open_life(struct story *story)
{
	struct lifecycle_chain chain = {.driver = {.ops = &ops, .chain_id = CHAIN_ID}};
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

static int setup(void **state)
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
	open_life(story);
	start_dp(set);
	round_trip(set);
	*state = story;
	return 0;
}

static int teardown(void **state)
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

static void restart(struct story *story)
{
	lifecycle_destroy(story->life);
	control_fixture_close(&story->set.fix);
	control_fixture_open(&story->set.fix, true);
	open_life(story);
	round_trip(&story->set);
}

// A few rounds of everything, the control plane new before and after.
static void settle_down(struct story *story)
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

static void put_step(struct story *story, const struct chain_step *step)
{
	struct db_txn txn;

	db_txn_begin_write(&txn, story->set.fix.db);
	chain_inbox_put_step(&txn, CHAIN_ID, contract, step);
	assert_int_equal(db_txn_commit(&txn), 0);
	settle_down(story);
}

static void say(struct story *story, struct chain_event event)
{
	struct chain_step step = {.events = &event, .n_events = 1};

	memset(event.session_id, 0x51, sizeof(event.session_id));
	event.block_number = ++story->block;
	put_step(story, &step);
}

static void unwind(struct story *story, uint64_t to)
{
	const struct chain_step step = {.is_unwound = true, .unwound_to = to};

	put_step(story, &step);
}

static struct session now(struct story *story)
{
	struct control_fixture *fix = &story->set.fix;
	struct session session;

	assert_int_equal(session_get(fix->sessions, story->id, &session, &fix->err), 0);
	return session;
}

static void assert_state(struct story *story, enum session_state state)
{
	const struct session session = now(story);

	assert_string_equal(session_state_name(session.state), session_state_name(state));
}

static struct purchase bought(struct story *story)
{
	struct purchase purchase;
	struct db_txn txn;

	db_txn_begin_read(&txn, story->set.fix.db);
	assert_true(purchase_load(&txn, story->id, &purchase));
	assert_int_equal(db_txn_commit(&txn), 0);
	return purchase;
}

static void create(struct story *story, enum purchase_mode mode, uint64_t bytes)
{
	struct chain_event event = {
		.kind = CHAIN_EVENT_CREATED,
		.bytes = bytes,
		.deadline_sec = FIXTURE_UNIX_SEC + 86400,
		.mode = (uint8_t)mode,
		.price_per_gb = u256_from_u64(1000000000000000),
	};

	evm_signer_address(story->signer, event.voucher_signer + 12);
	say(story, event);
	story->id = 2; // after alice
	assert_state(story, SESSION_PENDING);
}

static void connect(struct story *story)
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

static uint64_t limit_in_force(struct story *story)
{
	return story->set.dp.seg.slots[now(story).slot].limits.limit_bytes;
}

// Bills up to `bytes` in packets of 1000, and closes the gate at the first that does not fit.
static void pass(struct story *story, uint64_t bytes)
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

static struct lifecycle_voucher sign(struct story *story, uint64_t bytes)
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

static int post(struct story *story, const struct lifecycle_voucher *voucher)
{
	struct session_error err;

	return lifecycle_post_voucher(story->life, story->id, voucher, NULL, &err);
}

static int post_bytes(struct story *story, uint64_t bytes)
{
	const struct lifecycle_voucher voucher = sign(story, bytes);

	return post(story, &voucher);
}

static bool find_item(struct story *story, struct settle_item *ret)
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
static void set_item(struct story *story, enum settle_item_state state, uint64_t bytes)
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

static struct settle_item assert_item(
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

static void pass_time(struct story *story, uint64_t sec)
{
	clock_manual_advance(&story->set.fix.manual, sec * NS_PER_SEC);
	settle_down(story);
}

// ---- vouchers --------------------------------------------------------------------------------

static void test_voucher_to_the_end(void **state)
{
	struct story *story = *state;
	struct settle_item item;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	assert_int_equal(limit_in_force(story), 1 * MB);
	pass(story, 2 * MB);
	assert_state(story, SESSION_ACTIVE);
	assert_true(bought(story).waiting_unix_sec != 0);
	assert_int_equal(post_bytes(story, 1 * MB), 0);
	assert_int_equal(bought(story).waiting_unix_sec, 0);
	round_trip(&story->set); // at once, no round of the lifecycle is needed
	assert_int_equal(limit_in_force(story), 2 * MB);
	assert_int_equal(story->set.dp.seg.slots[now(story).slot].live.gate, ABI_GATE_OPEN);
	pass(story, 500000);
	assert_int_equal(bought(story).waiting_unix_sec, 0);
	struct session_error err;
	assert_int_equal(lifecycle_end(story->life, story->id, "ended by the buyer", &err), 0);
	settle_down(story);
	assert_state(story, SESSION_SETTLING);
	assert_false(find_item(story, &item)); // the last bytes are not signed for yet
	assert_int_equal(post_bytes(story, 1500000), 0);
	settle_down(story);
	assert_item(story, CHAIN_CALL_FINALIZE, 1500000, 1500000);
	set_item(story, SETTLE_ITEM_DONE, 1500000);
	assert_state(story, SESSION_SETTLED);
	set_item(story, SETTLE_ITEM_QUEUED, 0); // reorganised out
	assert_state(story, SESSION_SETTLING);
	set_item(story, SETTLE_ITEM_DONE, 1500000);
	assert_state(story, SESSION_SETTLED);
}

// The buyer stops signing: waits, never ends before the patience, and is settled with the newest.
static void test_patience(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	assert_int_equal(post_bytes(story, 300000), 0);
	settle_down(story);
	pass(story, 5 * MB);
	pass_time(story, PATIENCE_SEC - 60);
	assert_state(story, SESSION_ACTIVE);
	assert_true(bought(story).waiting_unix_sec != 0);
	pass_time(story, 61);
	assert_state(story, SESSION_SETTLING);
	pass_time(story, PATIENCE_SEC);
	assert_item(story, CHAIN_CALL_FINALIZE, 300000, 300000);
}

static void test_bad_vouchers(void **state)
{
	struct story *story = *state;
	struct lifecycle_voucher voucher;
	struct session_error err;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	voucher = sign(story, 5 * MB);
	for (unsigned bit = 0; bit < 256; bit++) {
		voucher.r[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(post(story, &voucher), -EBADMSG);
		voucher.r[bit / 8] ^= (uint8_t)(1u << bit % 8);
		voucher.vs[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(post(story, &voucher), -EBADMSG);
		voucher.vs[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	voucher.cumulative_bytes++;
	assert_int_equal(post(story, &voucher), -EBADMSG);
	assert_int_equal(bought(story).voucher_bytes, 0);
	assert_int_equal(post_bytes(story, 10 * GB + 1), -ERANGE);
	assert_int_equal(post_bytes(story, 5 * MB), 0);
	assert_int_equal(post_bytes(story, 4 * MB), 0); // an older one changes nothing
	assert_int_equal(bought(story).voucher_bytes, 5 * MB);
	assert_int_equal(now(story).voucher_limit_bytes, 6 * MB);
	voucher = sign(story, 6 * MB);
	assert_int_equal(
		lifecycle_post_voucher(story->life, story->set.session.id, &voucher, NULL, &err),
		-EPERM
	);
	assert_int_equal(lifecycle_post_voucher(story->life, 99, &voucher, NULL, &err), -ENOENT);
}

// The quota is the lower limit near the end: used up is the end, not a wait.
static void test_used_up_with_vouchers(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_VOUCHER, 2 * MB);
	connect(story);
	assert_int_equal(post_bytes(story, 1500000), 0);
	settle_down(story);
	assert_int_equal(limit_in_force(story), 2 * MB);
	pass(story, 3 * MB);
	assert_state(story, SESSION_SETTLING);
	assert_int_equal(post_bytes(story, 2 * MB), 0);
	settle_down(story);
	assert_item(story, CHAIN_CALL_FINALIZE, 2 * MB, 2 * MB);
}

static void test_credit(void **state)
{
	struct story *story = *state;
	struct session session = {.rate_out_kbps = 100000, .rate_in_kbps = 300000};
	const struct config *config = &story->set.fix.config;

	assert_int_equal(lifecycle_credit_bytes(config, &session), 100 * MB); // 400 Mb/s for 2 s
	session.rate_in_kbps = 0;
	assert_int_equal(lifecycle_credit_bytes(config, &session), 1 * MB);
	session = (struct session){.rate_out_kbps = 8, .rate_in_kbps = 8};
	assert_int_equal(lifecycle_credit_bytes(config, &session), 1 * MB);
}

// ---- the other modes -------------------------------------------------------------------------

static void test_optimistic(void **state)
{
	struct story *story = *state;
	uint64_t window_end;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	assert_int_equal(limit_in_force(story), 2 * MB);
	pass(story, 3 * MB);
	assert_item(story, CHAIN_CALL_PROPOSE, 2 * MB, 0);
	window_end = FIXTURE_UNIX_SEC + 100000;
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_PROPOSED, .bytes = 2 * MB, .deadline_sec = window_end});
	set_item(story, SETTLE_ITEM_DONE, 2 * MB);
	assert_state(story, SESSION_SETTLING);
	assert_item(story, CHAIN_CALL_PROPOSE, 2 * MB, 0);
	pass_time(story, 100100);
	assert_int_equal(
		assert_item(story, CHAIN_CALL_EXECUTE, 2 * MB, 0).state, SETTLE_ITEM_QUEUED
	);
	set_item(story, SETTLE_ITEM_DONE, 2 * MB);
	assert_state(story, SESSION_SETTLED);
}

static void test_unused_is_refunded(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	pass_time(story, 86400);
	assert_item(story, CHAIN_CALL_FINALIZE, 0, 0);
	set_item(story, SETTLE_ITEM_DONE, 0);
	assert_state(story, SESSION_REFUNDED);
}

// Closing on chain ends it; and the operator's own session beside it goes on.
static void test_closed_on_chain(void **state)
{
	struct story *story = *state;
	struct control_fixture *fix = &story->set.fix;
	struct session alice;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	pass(story, 70000);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_CLOSED, .deadline_sec = FIXTURE_UNIX_SEC + 30000});
	assert_state(story, SESSION_SETTLING);
	const struct settle_item item = assert_item(story, CHAIN_CALL_PROPOSE, 70000, 0);
	assert_int_equal(item.deadline_sec, FIXTURE_UNIX_SEC + 30000);
	pass_time(story, 7200); // beyond alice's expiry too
	assert_int_equal(session_get(fix->sessions, 1, &alice, &fix->err), 0);
	assert_int_equal(alice.state, SESSION_PROVISIONED);
}

static void test_dispute(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	pass(story, 3 * MB);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_PROPOSED, .bytes = 2 * MB});
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED,
	      .bytes = 1 * MB,
	      .deadline_sec = FIXTURE_UNIX_SEC + 1000});
	assert_state(story, SESSION_DISPUTED);
	unwind(story, story->block - 1);
	assert_state(story, SESSION_SETTLING);
}

// ---- reorganisations and repeats --------------------------------------------------------------

static void test_top_up_reorganised(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	pass(story, 500000);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_TOPPED_UP,
	      .bytes = 5 * MB,
	      .deadline_sec = FIXTURE_UNIX_SEC + 90000});
	assert_int_equal(limit_in_force(story), 5 * MB);
	unwind(story, story->block - 1);
	assert_int_equal(limit_in_force(story), 2 * MB); // the old limit
	assert_int_equal(now(story).expires_unix_sec, FIXTURE_UNIX_SEC + 86400);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_TOPPED_UP,
	      .bytes = 5 * MB,
	      .deadline_sec = FIXTURE_UNIX_SEC + 90000});
	pass(story, 2500000);
	unwind(story, story->block - 1);
	assert_int_equal(now(story).quota_bytes, 3 * MB); // what was billed
	assert_int_equal(bought(story).bought_bytes, 2 * MB);
	pass(story, 1000);
	assert_item(story, CHAIN_CALL_PROPOSE, 2 * MB, 0); // nobody pays for more than was bought
}

static void test_creation_reorganised(void **state)
{
	struct story *story = *state;
	const struct chain_event again = {
		.kind = CHAIN_EVENT_CREATED,
		.bytes = 2 * GB,
		.deadline_sec = FIXTURE_UNIX_SEC + 86400,
		.mode = PURCHASE_OPTIMISTIC,
	};
	struct settle_item item;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	pass(story, 50000);
	unwind(story, story->block - 1);
	assert_state(story, SESSION_VOID);
	assert_false(now(story).has_slot);
	assert_false(find_item(story, &item));
	say(story, again);
	assert_state(story, SESSION_ACTIVE);
	assert_true(now(story).has_slot);
	assert_int_equal(lifecycle_billed_bytes(story->life, story->id), 50000);
	say(story, again); // told twice
	assert_state(story, SESSION_ACTIVE);
}

static void test_refused_purchase(void **state)
{
	struct story *story = *state;

	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_CREATED,
	      .bytes = 2 * GB,
	      .deadline_sec = FIXTURE_UNIX_SEC - 1,
	      .mode = PURCHASE_VOUCHER});
	story->id = 2;
	assert_item(story, CHAIN_CALL_FINALIZE, 0, 0);
	assert_false(now(story).has_slot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_voucher_to_the_end),
		TEST(test_patience),
		TEST(test_bad_vouchers),
		TEST(test_used_up_with_vouchers),
		TEST(test_credit),
		TEST(test_optimistic),
		TEST(test_unused_is_refunded),
		TEST(test_closed_on_chain),
		TEST(test_dispute),
		TEST(test_top_up_reorganised),
		TEST(test_creation_reorganised),
		TEST(test_refused_purchase),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
