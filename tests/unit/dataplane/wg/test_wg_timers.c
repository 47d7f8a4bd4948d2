// SPDX-License-Identifier: Apache-2.0
//
// Each timer on an injected clock, just before, at and after its time. The numbers stand here in
// seconds, as the paper has them, and not as the constants under test.
#include "dataplane/wg/wg_timers.h"
#include "tests/unit/test.h"

#define SEC UINT64_C(1000000000)
#define START (UINT64_C(5000) * SEC)

enum event {
	NOTHING,
	DATA_SENT,
	DATA_RECEIVED,
	KEEPALIVE_SENT,
	KEEPALIVE_RECEIVED,
	DERIVED,
	BEGUN,
	ERASED,
};

struct step {
	uint64_t at_sec;
	enum event event;
};

enum {
	KA = WG_TIMERS_KEEPALIVE,
	PK = WG_TIMERS_PERSISTENT_KEEPALIVE,
	NH = WG_TIMERS_NEW_HANDSHAKE,
	ER = WG_TIMERS_ERASE,
};

// At deadline_sec `due` becomes due, and before it nothing of it was; 0: nothing is ever due.
static const struct {
	const char *name;
	struct step step[5];
	uint64_t persistent_sec;
	uint64_t deadline_sec;
	unsigned int due;
} rows[] = {
	{"nothing happened", {{0, NOTHING}}, 25, 0, 0},
	{"passive keepalive", {{1, DATA_RECEIVED}}, 0, 11, KA},
	{"from the first unanswered", {{1, DATA_RECEIVED}, {9, DATA_RECEIVED}}, 0, 11, KA},
	{"answered by data",
	 {{1, DATA_RECEIVED}, {5, DATA_SENT}, {6, KEEPALIVE_RECEIVED}},
	 0,
	 0,
	 0},
	{"answered by a keepalive", {{1, DATA_RECEIVED}, {5, KEEPALIVE_SENT}}, 0, 0, 0},
	{"due again after an answer",
	 {{1, DATA_RECEIVED}, {5, KEEPALIVE_SENT}, {7, DATA_RECEIVED}},
	 0,
	 17,
	 KA},
	{"a keepalive is not answered", {{1, KEEPALIVE_RECEIVED}}, 0, 0, 0},
	{"silent peer", {{1, DATA_SENT}}, 0, 16, NH},
	{"from the first data sent", {{1, DATA_SENT}, {14, DATA_SENT}}, 0, 16, NH},
	{"a keepalive sent expects nothing", {{1, KEEPALIVE_SENT}}, 0, 0, 0},
	{"peer not silent", {{1, DATA_SENT}, {15, KEEPALIVE_RECEIVED}}, 0, 0, 0},
	{"silent again", {{1, DATA_SENT}, {3, KEEPALIVE_RECEIVED}, {8, DATA_SENT}}, 0, 23, NH},
	{"handshake begun", {{1, DATA_SENT}, {16, BEGUN}}, 0, 0, 0},
	{"handshake begun, more data", {{1, DATA_SENT}, {16, BEGUN}, {17, DATA_SENT}}, 0, 32, NH},
	{"persistent after sending", {{3, KEEPALIVE_SENT}}, 25, 28, PK},
	{"persistent after receiving", {{3, KEEPALIVE_RECEIVED}}, 25, 28, PK},
	{"persistent put off", {{3, KEEPALIVE_SENT}, {20, KEEPALIVE_RECEIVED}}, 25, 45, PK},
	{"persistent shortest", {{3, KEEPALIVE_SENT}}, 1, 4, PK},
	{"passive before persistent", {{3, DATA_RECEIVED}}, 25, 13, KA},
	{"persistent before passive", {{3, DATA_RECEIVED}}, 5, 8, PK},
	{"both at once", {{3, DATA_RECEIVED}}, 10, 13, KA | PK},
	{"erasure", {{2, DERIVED}}, 0, 542, ER},
	{"erasure put off by a keypair", {{2, DERIVED}, {300, DERIVED}}, 0, 840, ER},
	{"erasure not put off by packets", {{2, DERIVED}, {300, KEEPALIVE_RECEIVED}}, 0, 542, ER},
	{"a handshake answers", {{1, DATA_SENT}, {2, DATA_RECEIVED}, {3, DERIVED}}, 0, 543, ER},
	{"erased", {{2, DERIVED}, {541, DATA_RECEIVED}, {542, ERASED}}, 25, 0, 0},
};

static void apply(struct wg_timers *timers, const struct step *step)
{
	uint64_t now_ns = START + step->at_sec * SEC;

	switch (step->event) {
	case NOTHING:
		break;
	case DATA_SENT:
		wg_timers_sent(timers, true, now_ns);
		break;
	case DATA_RECEIVED:
		wg_timers_received(timers, true, now_ns);
		break;
	case KEEPALIVE_SENT:
		wg_timers_sent(timers, false, now_ns);
		break;
	case KEEPALIVE_RECEIVED:
		wg_timers_received(timers, false, now_ns);
		break;
	case DERIVED:
		wg_timers_derived(timers, now_ns);
		break;
	case BEGUN:
		wg_timers_handshake_begun(timers);
		break;
	case ERASED:
		wg_timers_erased(timers);
		break;
	}
}

static void test_due(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		uint64_t persistent_ns = rows[i].persistent_sec * SEC;
		uint64_t deadline_ns = START + rows[i].deadline_sec * SEC;
		struct wg_timers timers;

		wg_timers_init(&timers);
		for (size_t k = 0; k < TEST_N_ROWS(rows[i].step); k++)
			apply(&timers, &rows[i].step[k]);
		if (rows[i].due == 0) {
			if (wg_timers_next_deadline_ns(&timers, persistent_ns) != WG_TIMERS_NEVER)
				fail_msg("%s: a deadline", rows[i].name);
			assert_int_equal(
				wg_timers_due(&timers, persistent_ns, START + 100000 * SEC), 0
			);
			continue;
		}
		if (wg_timers_next_deadline_ns(&timers, persistent_ns) != deadline_ns)
			fail_msg("%s: another deadline", rows[i].name);
		assert_int_equal(wg_timers_due(&timers, persistent_ns, deadline_ns - 1), 0);
		if (wg_timers_due(&timers, persistent_ns, deadline_ns) != rows[i].due)
			fail_msg("%s: not due", rows[i].name);
		assert_int_equal(
			wg_timers_due(&timers, persistent_ns, deadline_ns + 1), rows[i].due
		);
	}
}

static const struct {
	uint64_t started_ms, sent_ms, jitter_ms, now_ms;
	enum wg_timers_attempt_action expected;
} attempt_rows[] = {
	{0, 0, 0, 1000000, WG_TIMERS_ATTEMPT_WAIT}, // none under way
	{1000, 1000, 0, 1000, WG_TIMERS_ATTEMPT_WAIT},
	{1000, 1000, 0, 5999, WG_TIMERS_ATTEMPT_WAIT},
	{1000, 1000, 0, 6000, WG_TIMERS_ATTEMPT_RETRANSMIT},
	{1000, 1000, 334, 6333, WG_TIMERS_ATTEMPT_WAIT},
	{1000, 1000, 334, 6334, WG_TIMERS_ATTEMPT_RETRANSMIT},
	{1000, 6000, 0, 10999, WG_TIMERS_ATTEMPT_WAIT},
	{1000, 6000, 0, 11000, WG_TIMERS_ATTEMPT_RETRANSMIT},
	{1000, 86000, 0, 90999, WG_TIMERS_ATTEMPT_WAIT},
	{1000, 85000, 0, 90999, WG_TIMERS_ATTEMPT_RETRANSMIT},
	{1000, 86000, 0, 91000, WG_TIMERS_ATTEMPT_GIVE_UP},
	{1000, 90999, 0, 91001, WG_TIMERS_ATTEMPT_GIVE_UP},
};

static void test_attempt(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(attempt_rows); i++) {
		const struct wg_timers_attempt attempt = {
			attempt_rows[i].started_ms * 1000000,
			attempt_rows[i].sent_ms * 1000000,
			attempt_rows[i].jitter_ms * 1000000,
		};

		assert_int_equal(
			wg_timers_attempt_due(&attempt, attempt_rows[i].now_ms * 1000000),
			attempt_rows[i].expected
		);
	}
}

static const struct {
	bool is_initiator;
	uint64_t age_ns;
	uint64_t counter;
	bool on_send;
	bool on_receive;
} rekey_rows[] = {
	{true, 0, 0, false, false},
	{true, 120 * SEC - 1, 0, false, false},
	{true, 120 * SEC, 0, true, false},
	{true, 165 * SEC - 1, 0, true, false},
	{true, 165 * SEC, 0, true, true},
	{true, 180 * SEC, 0, true, true},
	{false, 120 * SEC, 0, false, false},
	{false, 165 * SEC, 0, false, false},
	{false, 179 * SEC, 0, false, false},
	{true, 0, UINT64_C(1) << 60, false, false},
	{true, 0, (UINT64_C(1) << 60) + 1, true, false},
	{false, 0, UINT64_C(1) << 60, false, false},
	{false, 0, (UINT64_C(1) << 60) + 1, true, false},
};

static void test_rekey(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rekey_rows); i++) {
		const struct wg_keypair keypair = {
			.created_ns = START,
			.is_initiator = rekey_rows[i].is_initiator,
			.send_counter = rekey_rows[i].counter,
		};
		uint64_t now_ns = START + rekey_rows[i].age_ns;

		assert_int_equal(
			wg_timers_check_rekey_on_send(&keypair, now_ns), rekey_rows[i].on_send
		);
		assert_int_equal(
			wg_timers_check_rekey_on_receive(&keypair, now_ns), rekey_rows[i].on_receive
		);
	}
}

// Two idle peers whose slow paths do what is due: after the last data they exchange one keepalive
// and fall silent.
static void test_no_ping_pong(void **state)
{
	struct wg_timers end[2];
	unsigned int n_keepalives = 0;

	(void)state;
	wg_timers_init(&end[0]);
	wg_timers_init(&end[1]);
	wg_timers_sent(&end[0], true, START);
	wg_timers_received(&end[1], true, START);
	for (uint64_t sec = 0; sec < 600; sec++) {
		for (int i = 0; i < 2; i++) {
			uint64_t now_ns = START + sec * SEC;
			unsigned int due = wg_timers_due(&end[i], 0, now_ns);

			assert_int_equal(due & (NH | PK), 0);
			if (due & KA) {
				n_keepalives++;
				wg_timers_sent(&end[i], false, now_ns);
				wg_timers_received(&end[1 - i], false, now_ns);
			}
		}
	}
	assert_int_equal(n_keepalives, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_attempt),
		cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_no_ping_pong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
