// SPDX-License-Identifier: Apache-2.0
//
// The real outbox on a real store and a real chain, by command line, built with failpoints:
//
//	settle_tool steps                       names of the failpoints, one a line
//	settle_tool OPTIONS queue               settlements from stdin, one a line:
//	                                        KIND ID BYTES ROOT VOUCHER_BYTES R VS SIGNER VALUE DEADLINE
//	                                        ATTESTATION_R ATTESTATION_VS ATTESTOR ASSET
//	settle_tool OPTIONS run                 polls until nothing is queued or on its way
//	settle_tool OPTIONS list                items and transactions as JSON
//	settle_tool OPTIONS retry ID
//	settle_tool OPTIONS fill                junk until the store is full
//	settle_tool OPTIONS watch FROM          events as JSON lines, until the head is reached
//
// Options are NAME=VALUE words, see the table. run prints a line for each alert and each change of a
// transaction's state on stderr and ends with status 0 when all is done, 3 when max_ms is over, 1 on an
// error that is not tried again. With hold=1, run and watch go on for as long as stdin is open.

#include "settle_tool_env.h"

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/json/json.h"
#include "controlplane/settle/settle_failpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Whether whoever started this has still something to see.
static bool is_held(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte;

	return number(options.hold) != 0 &&
		(poll(&input, 1, 0) == 0 || read(STDIN_FILENO, &byte, 1) > 0);
}

static bool queue_line(char *line)
{
	struct settle_request request = {0};
	struct db_txn txn;
	char *w[14];
	uint64_t id;

	for (int i = 0; i < 14; i++) {
		w[i] = strsep(&line, " \n");
		if (w[i] == NULL)
			die("queue", "fourteen words a line");
	}
	request.kind = (enum chain_call_kind)number(w[0]);
	hex(w[1], request.item.session_id, 32);
	request.item.bytes_used = number(w[2]);
	hex(w[3], request.item.checkpoints_root, 32);
	request.item.voucher_bytes = number(w[4]);
	hex(w[5], request.item.voucher_r, 32);
	hex(w[6], request.item.voucher_vs, 32);
	hex(w[7], request.voucher_signer + 12, 20);
	request.value = amount(w[8]);
	request.deadline_sec = number(w[9]);
	hex(w[10], request.item.attestation_r, 32);
	hex(w[11], request.item.attestation_vs, 32);
	hex(w[12], request.attestor + 12, 20);
	hex(w[13], request.asset + 12, 20);
	db_txn_begin_write(&txn, db);
	(void)!settle_queue(&txn, &chain, &request, &id);
	if (db_txn_commit(&txn) < 0) {
		printf("refused %s\n", txn.why);
		return false;
	}
	settle_failpoint(SETTLE_STEP_ITEM_QUEUED);
	printf("queued %" PRIu64 "\n", id);
	return true;
}

static int do_queue(void)
{
	char line[2048];
	int status = 0;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (!queue_line(line))
			status = 2;
	}
	for (int i = 0; i < SETTLE_N_REFUSAL; i++) {
		if (settle_refusal_count((enum settle_refusal)i) > 0)
			printf("refusals %s %" PRIu64 "\n",
			       settle_refusal_name((unsigned int)i),
			       settle_refusal_count((enum settle_refusal)i));
	}
	return status;
}

static void tell_state(const struct settle_tx *tx)
{
	static unsigned told[64]; // 1 + state; the transactions of a test are few

	if (tx->id >= 64 || told[tx->id] == 1 + (unsigned)tx->state)
		return;
	told[tx->id] = 1 + (unsigned)tx->state;
	fprintf(stderr, "state %" PRIu64 " %s\n", tx->id, settle_tx_state_name(tx->state));
}

// Nothing is queued, and nothing is on its way to being done.
static bool is_quiet(void)
{
	struct db_txn txn;
	struct db_iter iter;
	struct settle_tx tx;
	bool is_busy;

	db_txn_begin_read(&txn, db);
	is_busy = db_count(&txn, DB_SETTLE_QUEUED) > 0;
	db_iter_init(&iter, &txn, DB_SETTLE_LIVE, NULL);
	while (db_iter_next(&iter)) {
		if (!settle_tx_get(&txn, db_key_first(&iter.key), &tx))
			continue;
		tell_state(&tx);
		is_busy |= tx.state != SETTLE_TX_DONE;
	}
	db_iter_fini(&iter);
	if (db_txn_commit(&txn) < 0)
		die("store", txn.why);
	return !is_busy;
}

static int do_run(void)
{
	struct settle_outbox_conf conf = {
		.db = db,
		.chain = chain,
		.clock = &tool_clock,
		.batch =
			{
				.count = (uint32_t)number(options.count),
				.age_sec = (uint32_t)number(options.age_sec),
				.value = amount(options.value),
				.payout_threshold = amount(options.threshold),
				.n_tokens = 1,
				.tokens[0].amounts.payout_threshold =
					amount(options.token_threshold),
				.deadline_margin_sec = (uint32_t)number(options.margin_sec),
			},
		.confirmations = (uint32_t)number(options.confirmations),
		.watch_blocks = (uint32_t)number(options.watch_blocks),
		.resend_ms = (uint32_t)number(options.resend_ms),
		.reprice_ms = (uint32_t)number(options.reprice_ms),
		.review_polls = (uint32_t)number(options.review_polls),
		.skips_max = (uint32_t)number(options.skips_max),
		.skip_wait_sec = (uint32_t)number(options.skip_wait_sec),
		.fee_ceiling_wei = amount(options.ceiling),
		.balance_alarm_wei = amount(options.alarm),
		.on_alert = print_alert,
	};
	struct timespec pause = {0, (long)number(options.poll_ms) * 1000000};
	uint64_t start_ns = clock_mono_ns(&clock_system);
	uint64_t quiet_ns = 0;
	struct settle_outbox *outbox;

	hex(options.token, conf.batch.tokens[0].asset + 12, 20);
	if (settle_outbox_create(&outbox, &conf) < 0)
		die("outbox", "cannot be made");
	for (;;) {
		uint64_t now_ns = clock_mono_ns(&clock_system);
		int r = settle_outbox_poll(outbox);

		if (r < 0 && r != -EIO && r != -EAGAIN && r != -ENOSPC && r != -EEXIST)
			die("poll", strerror(-r));
		if (!is_quiet())
			quiet_ns = 0;
		else if (quiet_ns == 0)
			quiet_ns = now_ns;
		if (quiet_ns != 0 && now_ns - quiet_ns >= number(options.linger_ms) * NS_PER_MS &&
		    !is_held())
			break;
		if (now_ns - start_ns > number(options.max_ms) * NS_PER_MS) {
			settle_outbox_destroy(outbox);
			return 3;
		}
		nanosleep(&pause, NULL);
	}
	settle_outbox_destroy(outbox);
	return 0;
}

static int do_fill(void)
{
	uint8_t junk[2000] = {0};
	struct db_txn txn;
	int r;

	// Ever smaller, so that nothing is left for a last record.
	for (size_t len = sizeof(junk), i = 0; len > 10; len /= 2) {
		do {
			struct db_key key = db_key_pair(UINT64_MAX, i++);

			db_txn_begin_write(&txn, db);
			db_put(&txn, DB_SETTLE_RAW, &key, junk, len);
			r = db_txn_commit(&txn);
		} while (r == 0);
		if (r != -ENOSPC)
			die("fill", txn.why);
	}
	return 0;
}

static void put_hex(struct json_writer *w, const char *name, const uint8_t *data, size_t len)
{
	char text[EVM_HEX_SIZE(32)];

	evm_hex_format(data, len, text);
	json_put_string(w, name, text);
}

static void put_amount(struct json_writer *w, const char *name, struct u256 value)
{
	char text[U256_DEC_SIZE];

	u256_format_dec(value, text);
	json_put_string(w, name, text);
}

static void put_item(struct json_writer *w, const struct settle_item *item)
{
	static const char *const phases[] = {"claim", "proposal", "end"};

	json_begin_object(w, NULL);
	json_put_u64(w, "id", item->id);
	put_hex(w, "session", item->call.session_id, 32);
	json_put_string(w, "kind", settle_kind_name(item->kind));
	json_put_string(w, "phase", phases[settle_phase_of((enum chain_call_kind)item->kind)]);
	json_put_string(w, "state", settle_item_state_name(item->state));
	json_put_string(w, "reason", item->reason);
	json_put_u64(w, "skips", item->n_skips);
	json_put_u64(w, "tx", item->tx);
	put_hex(w, "txId", item->tx_id, 32);
	json_put_u64(w, "bytes", item->bytes);
	put_amount(w, "operator", item->operator_amount);
	put_amount(w, "fee", item->fee_amount);
	put_amount(w, "refund", item->refund);
	json_end(w);
}

static void put_tx(struct json_writer *w, const struct settle_tx *tx)
{
	json_begin_object(w, NULL);
	json_put_u64(w, "id", tx->id);
	json_put_string(w, "state", settle_tx_state_name(tx->state));
	json_put_u64(w, "nonce", tx->account_nonce);
	json_put_u64(w, "items", tx->n_items);
	json_put_u64(w, "attempts", tx->n_attempts);
	json_put_bool(w, "review", tx->is_review);
	if (tx->n_attempts > 0)
		put_amount(w, "maxFee", tx->attempts[tx->n_attempts - 1].fees.max_fee_wei);
	json_end(w);
}

static int do_list(void)
{
	struct json_writer w;
	struct settle_item item;
	struct settle_tx tx;
	struct db_txn txn;
	struct db_iter iter;
	char *text;

	json_writer_init(&w);
	json_begin_object(&w, NULL);
	json_begin_array(&w, "items");
	db_txn_begin_read(&txn, db);
	db_iter_init(&iter, &txn, DB_SETTLE_ITEMS, NULL);
	while (db_iter_next(&iter)) {
		if (settle_item_get(&txn, db_key_first(&iter.key), &item))
			put_item(&w, &item);
	}
	db_iter_fini(&iter);
	json_end(&w);
	json_begin_array(&w, "txs");
	db_iter_init(&iter, &txn, DB_SETTLE_TXS, NULL);
	while (db_iter_next(&iter)) {
		if (settle_tx_get(&txn, db_key_first(&iter.key), &tx))
			put_tx(&w, &tx);
	}
	db_iter_fini(&iter);
	json_end(&w);
	json_end(&w);
	if (db_txn_commit(&txn) < 0)
		die("store", txn.why);
	if (json_writer_finish(&w, false, &text) < 0)
		die("list", "no memory");
	puts(text);
	json_free_text(text);
	return 0;
}

static int do_retry(const char *id)
{
	struct db_txn txn;

	db_txn_begin_write(&txn, db);
	(void)!settle_retry(&txn, number(id));
	if (db_txn_commit(&txn) < 0)
		die("retry", txn.why);
	return 0;
}

static void print_event(const struct chain_event *event)
{
	char session[EVM_HEX_SIZE(32)], deposit[U256_DEC_SIZE];

	evm_hex_format(event->session_id, 32, session);
	u256_format_dec(event->buyer_amount, deposit);
	printf("event %d %s block %" PRIu64 " time %" PRIu64 " bytes %" PRIu64 " amount %s\n",
	       (int)event->kind,
	       session,
	       event->block_number,
	       event->block_time_sec,
	       event->bytes,
	       deposit);
}

// Reads until the head is reached, then on for linger_ms.
static int do_watch(const char *from)
{
	static struct chain_event events[CHAIN_EVENTS_MAX];
	struct chain_cursor cursor = {.next_block = number(from)};
	struct timespec pause = {0, (long)number(options.poll_ms) * 1000000};
	uint64_t start_ns = clock_mono_ns(&clock_system);
	char why[CHAIN_WHY_SIZE];

	for (;;) {
		struct chain_step step = {.events = events};
		int r = chain.ops->watch(
			chain.driver, &cursor, (uint32_t)number(options.confirmations), &step, why
		);

		if (r < 0) {
			fprintf(stderr, "watch: %s\n", why);
		} else {
			if (step.is_unwound)
				printf("unwound %" PRIu64 "\n", step.unwound_to);
			for (size_t i = 0; i < step.n_events; i++)
				print_event(&step.events[i]);
			if (step.cursor.next_block != cursor.next_block)
				printf("next %" PRIu64 "\n", step.cursor.next_block);
			fflush(stdout);
			cursor = step.cursor;
		}
		if (r == 0 && step.has_more)
			continue;
		if (clock_mono_ns(&clock_system) - start_ns >
			    number(options.linger_ms) * NS_PER_MS &&
		    !is_held())
			return r < 0 ? 3 : 0;
		nanosleep(&pause, NULL);
	}
}

static int do_steps(void)
{
	for (int i = 0; i < SETTLE_N_STEP; i++)
		puts(settle_failpoint_name((enum settle_step)i));
	return 0;
}

static int run_command(int argc, char **argv)
{
	const char *command = argc > 0 ? argv[0] : "";

	if (strcmp(command, "steps") == 0)
		return do_steps();
	open_chain();
	if (strcmp(command, "watch") == 0 && argc == 2)
		return do_watch(argv[1]);
	open_db();
	if (strcmp(command, "queue") == 0)
		return do_queue();
	if (strcmp(command, "fill") == 0)
		return do_fill();
	if (strcmp(command, "run") == 0)
		return do_run();
	if (strcmp(command, "list") == 0)
		return do_list();
	if (strcmp(command, "retry") == 0 && argc == 2)
		return do_retry(argv[1]);
	die("unknown command", command);
}

int main(int argc, char **argv)
{
	int i = 1, status;

	while (i < argc && set_option(argv[i]))
		i++;
	status = run_command(argc - i, argv + i);
	close_all();
	return status;
}
