// SPDX-License-Identifier: Apache-2.0
//
// The control plane's business half as one process that takes its time from whoever tells it: real
// store, books, link, lifecycle, outbox and chain driver, built with failpoints, a double of the data
// plane in its own segment, a real chain. No HTTP and no threads: everything happens in `tick`.
//
//	life_tool steps                 names of the lifecycle's failpoints, one a line
//	life_tool OPTIONS               commands from stdin, one a line; each answers with a line of JSON
//
//	tick                            one round of everything
//	provision ID | shake ID | end ID | pass ID BYTES
//	voucher ID BYTES R VS | attest ID BYTES ROOT R VS
//	dp kill | dp start | dp freeze  the data plane
//	retry ITEM                      a held settlement
//	jump SECONDS                    of the host's wall clock
//	list                            every session
//
// SIGKILL leaves what a power cut leaves: the store, and a dead segment.
#define FAKE_DATAPLANE_SLOTS 1100
#include "life_tool_env.h"

#include "controlplane/attest/attest_store.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/json/json.h"
#include "tests/unit/controlplane/fake_dataplane.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 64 // of reading, in a round
#define WORDS_MAX 6

static struct life_tool tool;
static struct fake_dataplane dp;
static bool has_dp;

static void answer(struct json_writer *writer)
{
	char *text;

	json_end(writer);
	if (json_writer_finish(writer, false, &text) < 0)
		die("answer", "no memory");
	puts(text);
	fflush(stdout);
	json_free_text(text);
}

static void answer_result(int rc, const char *why)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "error", rc == 0 ? NULL : strerror(-rc));
	json_put_string(&writer, "why", rc == 0 ? NULL : why);
	answer(&writer);
}

static void dp_round(void)
{
	for (int i = 0; i < 3; i++) {
		dp_link_tick(tool.link);
		if (has_dp)
			fake_dataplane_poll(&dp);
	}
	dp_link_tick(tool.link);
}

static void dp_command(const char *what)
{
	char err[512];

	if (strcmp(what, "start") == 0) {
		if (fake_dataplane_start(&dp, tool.config.node.runtime_dir) != 0)
			die("dp", "cannot be started");
		has_dp = true;
	} else if (strcmp(what, "kill") == 0 && has_dp) {
		fake_dataplane_kill(&dp);
		has_dp = false;
	} else if (strcmp(what, "freeze") == 0) {
		dp.is_deaf = true;
	} else {
		snprintf(err, sizeof(err), "%s", what);
		die("dp", err);
	}
	answer_result(0, "");
}

static int read_chain(char why[CHAIN_WHY_SIZE])
{
	static struct chain_event events[CHAIN_EVENTS_MAX];
	struct chain_step step;
	int r = 0;

	for (int i = 0; i < STEPS_MAX; i++) {
		struct chain_cursor cursor;
		struct db_txn txn;

		step = (struct chain_step){.events = events};
		db_txn_begin_read(&txn, db);
		(void)chain_inbox_get_cursor(&txn, chain.chain_id, tool.contract, &cursor);
		r = db_txn_commit(&txn);
		if (r == 0)
			r = chain.ops->watch(
				chain.driver,
				&cursor,
				(uint32_t)number(life_options.depth),
				&step,
				why
			);
		if (r < 0 || (!step.is_unwound && step.cursor.next_block == cursor.next_block))
			return r;
		db_txn_begin_write(&txn, db);
		chain_inbox_put_step(&txn, chain.chain_id, tool.contract, &step);
		r = db_txn_commit(&txn);
		if (r < 0) {
			snprintf(why, CHAIN_WHY_SIZE, "%.*s", CHAIN_WHY_SIZE - 1, txn.why);
			return r;
		}
	}
	return 0;
}

// One poll of the loop and one of the chain thread.
static void tick(void)
{
	struct attest_store_round round;
	char why[DB_WHY_CAP + 64] = "";
	int rc, first;

	dp_round();
	first = read_chain(why);
	rc = lifecycle_tick(tool.life, why, sizeof(why));
	first = first == 0 ? rc : first;
	dp_round();
	rc = attest_store_sign(db, tool.keys, &round, why, sizeof(why));
	first = first == 0 ? rc : first;
	rc = settle_outbox_poll(tool.outbox);
	if (first == 0 && rc != 0)
		snprintf(why, sizeof(why), "outbox: %s", strerror(-rc));
	answer_result(first == 0 ? rc : first, why);
}

// ---- sessions --------------------------------------------------------------------------------

// NULL: it has none, or the data plane was not told yet.
static struct abi_session_slot *slot_of(uint64_t id)
{
	struct session_error err;
	struct session session;

	if (session_get(tool.sessions, id, &session, &err) != 0 || !session.has_slot || !has_dp ||
	    dp.adds[session.slot].generation != session.generation)
		return NULL;
	return &dp.seg.slots[session.slot];
}

// Bills what fits, and closes the gate at the first byte that does not.
static uint64_t pass(uint64_t id, uint64_t bytes)
{
	struct abi_session_slot *slot = slot_of(id);
	uint64_t used, room, n, billed;

	if (slot == NULL || slot->live.gate != ABI_GATE_OPEN)
		return 0;
	used = slot->limits.base_out_bytes + slot->limits.base_in_bytes + slot->live.out_bytes +
		slot->live.in_bytes;
	room = slot->limits.limit_bytes > used ? slot->limits.limit_bytes - used : 0;
	n = bytes < room ? bytes : room;
	billed = fake_dataplane_bill(&dp, (uint32_t)(slot - dp.seg.slots), n / 3, n - n / 3);
	if (n < bytes)
		slot->live.gate = ABI_GATE_QUOTA;
	return billed;
}

static void answer_pass(uint64_t id, uint64_t bytes)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_u64(&writer, "billed", pass(id, bytes));
	answer(&writer);
}

static void shake(uint64_t id)
{
	struct abi_session_slot *slot = slot_of(id);

	if (slot != NULL)
		fake_dataplane_handshake(&dp, (uint32_t)(slot - dp.seg.slots));
	answer_result(slot != NULL ? 0 : -EAGAIN, "it has no slot yet");
}

static void retry(uint64_t item)
{
	struct db_txn txn;

	db_txn_begin_write(&txn, db);
	(void)!settle_retry(&txn, item);
	answer_result(db_txn_commit(&txn), txn.why);
}

static void provision(uint64_t id)
{
	struct session_error err = {0};
	struct session session;
	uint8_t key[32] = {9};

	for (int i = 0; i < 8; i++)
		key[1 + i] = (uint8_t)(id >> 8 * i);
	answer_result(session_provision(tool.sessions, id, key, &session, &err), err.text);
}

static void post_voucher(char **w)
{
	struct lifecycle_voucher voucher = {.cumulative_bytes = number(w[2])};
	struct session_error err = {0};

	hex(w[3], voucher.r, 32);
	hex(w[4], voucher.vs, 32);
	answer_result(
		lifecycle_post_voucher(tool.life, number(w[1]), &voucher, NULL, &err), err.text
	);
}

static void post_attestation(char **w)
{
	struct lifecycle_attestation attestation = {.bytes_used = number(w[2])};
	struct session_error err = {0};

	hex(w[3], attestation.checkpoints_root, 32);
	hex(w[4], attestation.r, 32);
	hex(w[5], attestation.vs, 32);
	answer_result(
		lifecycle_post_attestation(tool.life, number(w[1]), &attestation, NULL, &err),
		err.text
	);
}

static void put_hex(struct json_writer *w, const char *name, const uint8_t data[32])
{
	char text[EVM_HEX_SIZE(32)];

	evm_hex_format(data, 32, text);
	json_put_string(w, name, text);
}

static void put_purchase(struct json_writer *w, const struct session *session)
{
	struct purchase purchase;
	uint8_t root[32];
	struct db_txn txn;

	db_txn_begin_read(&txn, db);
	if (purchase_load(&txn, session->id, &purchase)) {
		json_put_u64(w, "bought", purchase.bought_bytes);
		json_put_u64(w, "expires", purchase.expires_sec);
		json_put_u64(w, "voucher", purchase.voucher_bytes);
		json_put_u64(w, "claimed", purchase.claimed_bytes);
		json_put_bool(w, "is_attested", purchase_is_attested(&purchase));
	}
	if (attest_store_root(&txn, session->id, root))
		put_hex(w, "root", root);
	if (db_txn_commit(&txn) < 0)
		die("store", txn.why);
}

static bool put_session(void *ctx, const struct session *session)
{
	struct json_writer *w = ctx;
	struct usage_view view;

	if (usage_read(tool.usage, session->id, &view) != 0)
		die("usage", "cannot be read");
	json_begin_object(w, NULL);
	json_put_u64(w, "id", session->id);
	put_hex(w, "session", session->identity.id);
	json_put_string(w, "state", session_state_name(session->state));
	json_put_bool(w, "has_slot", session->has_slot);
	json_put_u64(w, "quota", session->quota_bytes);
	json_put_u64(w, "used", view.out_bytes + view.in_bytes);
	json_put_u64(w, "limit", view.limit_bytes);
	json_put_bool(w, "is_waiting", usage_view_is_waiting(&view, session));
	json_put_u64(w, "reviews", session->reviews);
	put_purchase(w, session);
	json_end(w);
	return true;
}

static void list(void)
{
	struct session_error err;
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_begin_array(&writer, "sessions");
	if (session_each(tool.sessions, 0, put_session, &writer, &err) != 0)
		die("list", err.text);
	json_end(&writer);
	answer(&writer);
}

// ---- commands --------------------------------------------------------------------------------

static void end_session(uint64_t id)
{
	struct session_error err = {0};

	answer_result(lifecycle_end(tool.life, id, "ended by the buyer", &err), err.text);
}

static void obey(char **w, int n)
{
	if (n == 1 && strcmp(w[0], "tick") == 0)
		tick();
	else if (n == 1 && strcmp(w[0], "list") == 0)
		list();
	else if (n == 2 && strcmp(w[0], "provision") == 0)
		provision(number(w[1]));
	else if (n == 2 && strcmp(w[0], "end") == 0)
		end_session(number(w[1]));
	else if (n == 3 && strcmp(w[0], "pass") == 0)
		answer_pass(number(w[1]), number(w[2]));
	else if (n == 5 && strcmp(w[0], "voucher") == 0)
		post_voucher(w);
	else if (n == 6 && strcmp(w[0], "attest") == 0)
		post_attestation(w);
	else if (n == 2 && strcmp(w[0], "dp") == 0)
		dp_command(w[1]);
	else if (n == 2 && strcmp(w[0], "shake") == 0)
		shake(number(w[1]));
	else if (n == 2 && strcmp(w[0], "retry") == 0)
		retry(number(w[1]));
	else if (n == 2 && strcmp(w[0], "jump") == 0) {
		tool.jump_sec += strtoll(w[1], NULL, 10);
		answer_result(0, "");
	} else
		die("unknown command", w[0]);
}

static int run(void)
{
	char line[1024], *words[WORDS_MAX];

	life_tool_open(&tool);
	has_dp = fake_dataplane_start(&dp, tool.config.node.runtime_dir) == 0;
	dp_round();
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *rest = line, *word;
		int n = 0;

		while (n < WORDS_MAX && (word = strsep(&rest, " \n")) != NULL)
			if (*word != '\0')
				words[n++] = word;
		if (n > 0)
			obey(words, n);
	}
	if (has_dp)
		abi_segment_close(&dp.seg);
	life_tool_close(&tool);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "steps") == 0) {
		for (unsigned i = 0; i < LIFECYCLE_N_STEP; i++)
			puts(lifecycle_failpoint_name(i));
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		if (!life_tool_set_option(argv[i]))
			die("unknown word", argv[i]);
	}
	return run();
}
