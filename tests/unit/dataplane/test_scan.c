// SPDX-License-Identifier: Apache-2.0
//
// What the scan finds due, by a table of a session's history and the time that has passed.
#include "dataplane/scan.h"
#include "tests/unit/test.h"

#include <string.h>

#define SEC 1000000000ull
#define START (1000 * SEC)
#define NEVER UINT64_MAX

enum history {
	UNOWNED, // no worker has it
	ADOPTED, // nothing has happened
	DERIVED, // a handshake
	RECEIVED, // a handshake, then data from the client
	ANSWERED, // a handshake, data from the client, data to the client
	SENT, // a handshake, then data to the client
};

static void happen(struct wg_timers *timers, enum history history)
{
	wg_timers_init(timers);
	if (history >= DERIVED)
		wg_timers_derived(timers, START);
	if (history == RECEIVED || history == ANSWERED)
		wg_timers_received(timers, true, START);
	if (history == ANSWERED || history == SENT)
		wg_timers_sent(timers, true, START);
}

struct row {
	const char *name;
	enum history history;
	uint64_t persistent_sec, idle_sec;
	uint64_t passed_sec;
	uint64_t expires_ns;
	bool is_expired;
	uint64_t asked_sec_ago; // 0 = not asked
	unsigned expected;
};

static const struct row rows[] = {
	{"unowned", UNOWNED, 25, 300, 5000, NEVER, false, 0, 0},
	{"unowned, expired", UNOWNED, 25, 300, 10, START + 10 * SEC, false, 0, SCAN_EXPIRE},
	{"unowned, not yet expired", UNOWNED, 25, 300, 9, START + 10 * SEC, false, 0, 0},
	{"expired, told", UNOWNED, 25, 300, 10, START, true, 0, 0},
	{"adopted", ADOPTED, 25, 300, 5000, NEVER, false, 0, 0},
	{"handshake alone", DERIVED, 0, 300, 20, NEVER, false, 0, 0},
	{"received, 9 s", RECEIVED, 0, 300, 9, NEVER, false, 0, 0},
	{"received, 10 s", RECEIVED, 0, 300, 10, NEVER, false, 0, SCAN_KEEPALIVE},
	{"received, just asked", RECEIVED, 0, 300, 11, NEVER, false, 1, SCAN_KEEPALIVE},
	{"answered", ANSWERED, 0, 300, 20, NEVER, false, 0, 0},
	{"sent", SENT, 0, 300, 20, NEVER, false, 0, 0},
	{"persistent, 24 s", ANSWERED, 25, 300, 24, NEVER, false, 0, 0},
	{"persistent, 25 s", ANSWERED, 25, 300, 25, NEVER, false, 0, SCAN_KEEPALIVE},
	{"persistent, 179 s", ANSWERED, 25, 300, 179, NEVER, false, 0, SCAN_KEEPALIVE},
	{"persistent, no keypair left", ANSWERED, 25, 300, 180, NEVER, false, 0, 0},
	{"received, no keypair left", RECEIVED, 0, 300, 180, NEVER, false, 0, 0},
	{"persistent, off", ANSWERED, 0, 300, 25, NEVER, false, 0, 0},
	{"idle, 299 s", ANSWERED, 0, 300, 299, NEVER, false, 0, 0},
	{"idle, 300 s", ANSWERED, 0, 300, 300, NEVER, false, 0, SCAN_IDLE},
	{"idle is off", ANSWERED, 0, 0, 300, NEVER, false, 0, 0},
	{"erasure, 539 s", ANSWERED, 0, 0, 539, NEVER, false, 0, 0},
	{"erasure, 540 s", ANSWERED, 0, 0, 540, NEVER, false, 0, SCAN_ERASE},
	{"all at once",
	 RECEIVED,
	 25,
	 300,
	 540,
	 START,
	 false,
	 0,
	 SCAN_ERASE | SCAN_IDLE | SCAN_EXPIRE},
};

static void test_due(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		const struct row *row = &rows[i];
		uint64_t now_ns = START + row->passed_sec * SEC;
		const struct scan_timing timing = {
			.persistent_keepalive_ns = row->persistent_sec * SEC,
			.idle_ns = row->idle_sec * SEC,
		};
		struct peer peer = {
			.limits = {.expires_ns = row->expires_ns},
			.is_expired = row->is_expired,
			.asked_ns = row->asked_sec_ago == 0 ? 0 : now_ns - row->asked_sec_ago * SEC,
		};
		struct wg_timers timers;
		unsigned due;

		happen(&timers, row->history);
		due = scan_due(&peer, row->history == UNOWNED ? NULL : &timers, &timing, now_ns);
		if (due != row->expected)
			fail_msg("%s: %#x, wanted %#x", row->name, due, row->expected);
	}
}

// An owner that cannot send (its keypair has expired) is not asked in every pass.
static void test_asked_again_after_a_second(void **state)
{
	const struct scan_timing timing = {0};
	uint64_t now_ns = START + 20 * SEC;
	struct peer peer = {.limits = {.expires_ns = NEVER}, .asked_ns = now_ns};
	struct wg_timers timers;

	(void)state;
	happen(&timers, RECEIVED);
	assert_int_equal(scan_due(&peer, &timers, &timing, now_ns), 0);
	assert_int_equal(scan_due(&peer, &timers, &timing, now_ns + SCAN_ASK_AGAIN_NS - 1), 0);
	assert_int_equal(
		scan_due(&peer, &timers, &timing, now_ns + SCAN_ASK_AGAIN_NS), SCAN_KEEPALIVE
	);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_asked_again_after_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
