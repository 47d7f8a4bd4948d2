// SPDX-License-Identifier: Apache-2.0
//
// What is shown of two chains: nothing before it was seen, each chain's own queue, and conditions that
// name the chain, come, and go.
#include "common/clock.h"
#include "controlplane/chain_gauge.h"
#include "controlplane/settle/settle_record.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW_SEC 1800000000
#define NOW_NS (NOW_SEC * NS_PER_SEC)

static struct config config = {
	.chains = {{.name = "base", .id = 8453}, {.name = "main", .id = 1}},
	.n_chains = 2,
};
static struct chain_gauge_view view;

static struct chain_gauge *create(void)
{
	struct chain_gauge *gauge;

	assert_int_equal(chain_gauge_create(&gauge, &config), 0);
	return gauge;
}

static void test_unseen(void **state)
{
	struct chain_gauge *gauge = create();

	(void)state;
	assert_int_equal(chain_gauge_n(gauge), 2);
	chain_gauge_get(gauge, 1, &view);
	assert_string_equal(view.name, "main");
	assert_int_equal(view.chain_id, 1);
	assert_int_equal(chain_gauge_head_lag_sec(&view, NOW_NS), 0);
	assert_false(view.has_balance);
	chain_gauge_destroy(gauge);
	chain_gauge_destroy(NULL);
}

static void test_lag(void **state)
{
	struct chain_gauge *gauge = create();
	struct chain_gauge_view *entry = chain_gauge_begin(gauge, 0);

	(void)state;
	entry->head_number = 7;
	entry->head_time_sec = NOW_SEC - 12;
	chain_gauge_end(gauge);
	chain_gauge_get(gauge, 0, &view);
	assert_int_equal(chain_gauge_head_lag_sec(&view, NOW_NS), 12);
	assert_int_equal(chain_gauge_head_lag_sec(&view, NOW_NS - 13 * NS_PER_SEC), 0);
	chain_gauge_get(gauge, 1, &view);
	assert_int_equal(view.head_number, 0);
	chain_gauge_get(gauge, 0, &view);
	assert_int_equal(chain_gauge_head_time_sec(gauge, view.chain_id), NOW_SEC - 12);
	assert_int_equal(chain_gauge_head_time_sec(gauge, 1), 0); // nothing was seen of it
	assert_int_equal(chain_gauge_head_time_sec(gauge, 77), 0);
	chain_gauge_destroy(gauge);
}

static struct db *open_db(char dir[])
{
	struct db_conf conf = {.path = dir, .map_size_mb = 16};
	char err[640];
	struct db *db;

	assert_non_null(mkdtemp(dir));
	if (db_open(&db, &conf, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return db;
}

static void put_item(struct db *db, uint64_t chain_id, uint8_t session, uint64_t queued_sec)
{
	struct settle_item item = {.chain_id = chain_id, .queued_sec = queued_sec};
	struct db_txn txn;

	item.call.session_id[0] = session;
	db_txn_begin_write(&txn, db);
	settle_item_insert(&txn, &item);
	assert_int_equal(db_txn_commit(&txn), 0);
}

static void put_tx(struct db *db, uint64_t chain_id)
{
	struct settle_tx tx = {.chain_id = chain_id, .state = SETTLE_TX_SENT};
	struct db_txn txn;

	db_txn_begin_write(&txn, db);
	settle_tx_insert(&txn, &tx);
	assert_int_equal(db_txn_commit(&txn), 0);
}

static void test_queue(void **state)
{
	static const struct {
		uint64_t chain_id;
		struct chain_gauge_queue queue;
	} rows[] = {
		{8453, {.n_items = 3, .n_txs = 1, .age_sec = 500}},
		{1, {.n_items = 1, .n_txs = 0, .age_sec = 0}}, // not stamped yet
		{5, {0}},
	};
	char dir[] = "/tmp/test_chain_gauge.XXXXXX", command[80];
	struct db *db = open_db(dir);

	(void)state;
	put_item(db, 8453, 1, NOW_SEC - 500);
	put_item(db, 8453, 2, 0);
	put_item(db, 1, 3, 0);
	put_item(db, 8453, 4, NOW_SEC - 600 + 200);
	put_tx(db, 8453);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct chain_gauge_queue queue;

		view = (struct chain_gauge_view){
			.chain_id = rows[i].chain_id,
			.head_time_sec = NOW_SEC,
		};
		assert_int_equal(chain_gauge_count_queue(db, &view, &queue), 0);
		assert_int_equal(queue.n_items, rows[i].queue.n_items);
		assert_int_equal(queue.n_txs, rows[i].queue.n_txs);
		assert_int_equal(queue.age_sec, rows[i].queue.age_sec);
	}
	db_close(db);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

static void expect(const struct health *health, enum health_condition condition, const char *reason)
{
	assert_int_equal(health->conditions[condition].is_set, reason != NULL);
	if (reason != NULL)
		assert_string_equal(health->conditions[condition].reason, reason);
}

static void test_conditions(void **state)
{
	struct chain_gauge *gauge = create();
	struct chain_gauge_view *entry;
	static struct health health;

	(void)state;
	health_init(&health);
	chain_gauge_tell(gauge, &health, NOW_NS);
	assert_false(health_is_degraded(&health));

	entry = chain_gauge_begin(gauge, 0);
	strcpy(entry->failure, "https://a: timeout: nothing for 15 s");
	strcpy(entry->low_balance, "holds 2");
	entry->clock_skew_sec = -75;
	chain_gauge_end(gauge);
	entry = chain_gauge_begin(gauge, 1);
	strcpy(entry->alerts[SETTLE_ALERT_LOW_BALANCE], "it holds 3");
	strcpy(entry->low_balance, "told once");
	strcpy(entry->alerts[SETTLE_ALERT_NEEDS_REVIEW], "60 polls");
	strcpy(entry->alerts[SETTLE_ALERT_ENDPOINTS], "nobody answers");
	strcpy(entry->disagreement, "https://b: another hash");
	entry->disagreed_unix_ns = NOW_NS;
	entry->clock_skew_sec = 61;
	chain_gauge_end(gauge);
	chain_gauge_tell(gauge, &health, NOW_NS);
	expect(&health,
	       HEALTH_ENDPOINTS,
	       "base: https://a: timeout: nothing for 15 s; main: nobody answers; main: "
	       "endpoints disagree: https://b: another hash");
	expect(&health,
	       HEALTH_SETTLEMENT,
	       "base: low_balance: holds 2; main: needs_review: 60 polls; main: low_balance: it "
	       "holds 3");
	expect(&health,
	       HEALTH_CHAIN_CLOCK,
	       "base: the host's clock is 75 s behind the newest block's time; main: the host's "
	       "clock is 61 s ahead of the newest block's time");

	entry = chain_gauge_begin(gauge, 0);
	entry->failure[0] = '\0';
	entry->low_balance[0] = '\0';
	entry->clock_skew_sec = 0;
	chain_gauge_end(gauge);
	entry = chain_gauge_begin(gauge, 1);
	memset(entry->alerts, 0, sizeof(entry->alerts));
	entry->low_balance[0] = '\0';
	entry->clock_skew_sec = 0;
	chain_gauge_end(gauge);
	chain_gauge_tell(gauge, &health, NOW_NS + (CHAIN_GAUGE_DISAGREEMENT_SEC - 1) * NS_PER_SEC);
	expect(&health, HEALTH_ENDPOINTS, "main: endpoints disagree: https://b: another hash");
	expect(&health, HEALTH_SETTLEMENT, NULL);
	expect(&health, HEALTH_CHAIN_CLOCK, NULL);
	chain_gauge_tell(gauge, &health, NOW_NS + CHAIN_GAUGE_DISAGREEMENT_SEC * NS_PER_SEC);
	assert_false(health_is_degraded(&health));
	chain_gauge_destroy(gauge);
}

// Eight chains that are all in trouble: the reason is cut, and nothing is written beyond it.
static void test_long_story(void **state)
{
	struct config many = {.n_chains = CONFIG_MAX_CHAINS};
	struct chain_gauge *gauge;
	static struct health health;

	(void)state;
	assert_int_equal(chain_gauge_create(&gauge, &many), 0);
	for (size_t i = 0; i < CONFIG_MAX_CHAINS; i++) {
		struct chain_gauge_view *entry = chain_gauge_begin(gauge, i);

		for (unsigned j = 0; j < SETTLE_N_ALERT; j++)
			memset(entry->alerts[j], 'x', CHAIN_GAUGE_ALERT_CAP - 1);
		chain_gauge_end(gauge);
	}
	chain_gauge_tell(gauge, &health, NOW_NS);
	assert_int_equal(
		strlen(health.conditions[HEALTH_SETTLEMENT].reason), HEALTH_REASON_CAP - 1
	);
	chain_gauge_destroy(gauge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_long_story),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
