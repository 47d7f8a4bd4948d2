// SPDX-License-Identifier: Apache-2.0
//
// The chain thread with several chains, and a loop that takes what comes out of the inbox, until stdin
// ends:
//
//	chain_tool DB POLL_MS LANE...       LANE is URLS|CHAIN_ID|ESCROW|NODE|KEY_FILE
//
// Prints a line for each record once it is applied: "event CHAIN KIND SESSION" or "unwound CHAIN
// BLOCK"; troubles go to stderr, and there "done N" when the number of settlements that are done changes.

#include "controlplane/chain/evm/evm_account.h"
#include "controlplane/chain/evm/evm_driver.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/settle/chain_thread.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct evm_signer *signers[CHAIN_THREAD_LANES_MAX];
static struct evm_driver *drivers[CHAIN_THREAD_LANES_MAX];
static struct chain_thread_lane lanes[CHAIN_THREAD_LANES_MAX];
static uint32_t poll_ms;
static struct db *db;
static int news_fd;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "chain_tool: %s: %s\n", what, why);
	exit(1);
}

static void on_news(void *ctx)
{
	(void)ctx;
	if (eventfd_write(news_fd, 1) < 0)
		die("eventfd", "write");
}

static void on_error(void *ctx, uint64_t chain_id, const char *why)
{
	(void)ctx;
	fprintf(stderr, "error %" PRIu64 ": %s\n", chain_id, why);
}

static void on_alert(void *ctx, enum settle_alert alert, bool is_set, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s %s: %s\n", is_set ? "alert" : "calm", settle_alert_name(alert), text);
}

static void open_lane(size_t idx, char *text)
{
	struct evm_driver_conf conf = {
		.rpc =
			{
				// Longer than a busy machine takes for an answer; short enough
				// for the test of a silent chain.
				.connect_timeout_ms = 2000,
				.timeout_ms = 2000,
				.backoff_min_ms = 200,
				.backoff_max_ms = 4000,
				.response_max_bytes = 4 << 20,
				.clock = &clock_system,
			},
		.range_max_blocks = 7, // small, so that several steps are needed
		.clock_skew_max_sec = 60,
		.clock = &clock_system,
	};
	char *urls = strsep(&text, "|"), *chain_id = strsep(&text, "|");
	char *escrow = strsep(&text, "|"), *node = strsep(&text, "|"), *key = text;
	struct secret_file_why why;
	struct u256 id;

	for (char *url = strtok(urls, ","); url != NULL; url = strtok(NULL, ","))
		conf.rpc.urls[conf.rpc.n_urls++] = url;
	if (u256_parse_dec(chain_id, &id) < 0 || u256_to_u64(id, &conf.rpc.chain_id) < 0 ||
	    u256_parse_dec(node, &conf.node_id) < 0 || evm_address_parse(escrow, conf.escrow) < 0)
		die("lane", "URLS|CHAIN_ID|ESCROW|NODE|KEY_FILE");
	if (evm_account_open(&signers[idx], key, NULL, &why) < 0)
		die("key", why.text);
	if (evm_driver_create(&drivers[idx], &conf, signers[idx]) < 0)
		die("driver", urls);
	lanes[idx] = (struct chain_thread_lane){
		.chain = evm_driver_chain(drivers[idx]),
		.provision_confirmations = 2,
		.poll_ms = poll_ms,
		.outbox =
			{
				.batch = {.count = 100},
				.confirmations = 3,
				.watch_blocks = 256,
				.resend_ms = 500,
				.reprice_ms = 60000,
				.review_polls = 60,
				.skips_max = 2,
				.fee_ceiling_wei = u256_from_u64(1000000000000),
				.on_alert = on_alert,
			},
		.interrupt = evm_driver_interrupt,
	};
	memcpy(lanes[idx].contract + 12, conf.escrow, EVM_ADDRESS_SIZE);
}

// Applies one record and removes it, in one transaction; told when that is on disk.
static bool apply_one(void)
{
	struct chain_inbox_record record;
	char session[EVM_HEX_SIZE(32)];
	struct db_txn txn;
	bool is_found;

	db_txn_begin_write(&txn, db);
	is_found = chain_inbox_next(&txn, &record);
	if (is_found)
		chain_inbox_remove(&txn, record.sequence);
	if (db_txn_commit(&txn) < 0)
		die("store", txn.why);
	if (!is_found)
		return false;
	evm_hex_format(record.event.session_id, 32, session);
	if (record.is_unwound)
		printf("unwound %" PRIu64 " %" PRIu64 "\n", record.chain_id, record.unwound_to);
	else
		printf("event %" PRIu64 " %d %s\n", record.chain_id, (int)record.event.kind, session
		);
	fflush(stdout);
	return true;
}

static void tell_done(void)
{
	static unsigned told;
	struct settle_item item;
	struct db_iter iter;
	struct db_txn txn;
	unsigned n = 0;

	db_txn_begin_read(&txn, db);
	db_iter_init(&iter, &txn, DB_SETTLE_ITEMS, NULL);
	while (db_iter_next(&iter))
		n += settle_item_get(&txn, db_key_first(&iter.key), &item) &&
			item.state == SETTLE_ITEM_DONE;
	db_iter_fini(&iter);
	if (db_txn_commit(&txn) == 0 && n != told)
		fprintf(stderr, "done %u\n", told = n);
}

static void loop(void)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
	eventfd_t n;
	char byte;

	fds[1].fd = news_fd;
	for (;;) {
		while (apply_one())
			;
		tell_done();
		if (poll(fds, 2, 100) < 0)
			return;
		if (fds[1].revents != 0)
			(void)eventfd_read(news_fd, &n);
		if (fds[0].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			return;
	}
}

int main(int argc, char **argv)
{
	struct db_conf db_conf = {.path = argv[1], .map_size_mb = 64};
	struct chain_thread_conf conf = {
		.clock = &clock_system,
		.lanes = lanes,
		.on_news = on_news,
		.on_error = on_error,
	};
	struct chain_thread *thread;
	char err[640];

	if (argc < 4 || argc - 3 > CHAIN_THREAD_LANES_MAX)
		die("usage", "chain_tool DB POLL_MS LANE...");
	news_fd = eventfd(0, EFD_CLOEXEC);
	if (db_open(&db, &db_conf, err, sizeof(err)) < 0)
		die("db", err);
	conf.db = db;
	poll_ms = (uint32_t)strtoul(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++)
		open_lane(conf.n_lanes++, argv[i]);
	if (chain_thread_start(&thread, &conf) < 0)
		die("thread", "cannot be started");
	loop();
	chain_thread_stop(thread);
	while (apply_one())
		;
	db_close(db);
	for (size_t i = 0; i < conf.n_lanes; i++) {
		evm_driver_destroy(drivers[i]);
		evm_signer_destroy(signers[i]);
	}
	return 0;
}
