// SPDX-License-Identifier: Apache-2.0
//
// Rotation of keypairs as one table of before, event, after and what fell out; sending, receiving
// and counters at their limits of age and number.
#include "dataplane/wg/wg_keypair.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#define SEC WG_NS_PER_SEC
#define REJECT_NS (UINT64_C(180) * SEC)
#define REJECT_COUNTER WG_REJECT_AFTER_MESSAGES

enum event {
	INSTALL_RESPONDER,
	INSTALL_INITIATOR,
	CONFIRM_PREVIOUS,
	CONFIRM_CURRENT,
	CONFIRM_NEXT,
	CONFIRM_UNKNOWN,
	RETIRE_ALL,
};

// Keypairs are letters: the places previous, current, next before and after, '-' for none; N is the
// new one.
static const struct {
	const char *before;
	enum event event;
	const char *after;
	const char *retired;
} rotation_rows[] = {
	{"---", INSTALL_RESPONDER, "--N", ""},
	{"-C-", INSTALL_RESPONDER, "-CN", ""},
	{"PC-", INSTALL_RESPONDER, "-CN", "P"},
	{"PCX", INSTALL_RESPONDER, "-CN", "PX"},
	{"--X", INSTALL_RESPONDER, "--N", "X"},
	{"P-X", INSTALL_RESPONDER, "--N", "PX"},

	{"---", INSTALL_INITIATOR, "-N-", ""},
	{"-C-", INSTALL_INITIATOR, "CN-", ""},
	{"PC-", INSTALL_INITIATOR, "CN-", "P"},
	{"PCX", INSTALL_INITIATOR, "XN-", "PC"},
	{"-CX", INSTALL_INITIATOR, "XN-", "C"},
	{"--X", INSTALL_INITIATOR, "XN-", ""},

	{"PCX", CONFIRM_NEXT, "CX-", "P"},
	{"-CX", CONFIRM_NEXT, "CX-", ""},
	{"--X", CONFIRM_NEXT, "-X-", ""},
	{"PCX", CONFIRM_CURRENT, "PCX", NULL},
	{"PCX", CONFIRM_PREVIOUS, "PCX", NULL},
	{"PC-", CONFIRM_NEXT, "PC-", NULL}, // none to confirm
	{"PCX", CONFIRM_UNKNOWN, "PCX", NULL},

	{"PCX", RETIRE_ALL, "---", "PCX"},
	{"-C-", RETIRE_ALL, "---", "C"},
	{"---", RETIRE_ALL, "---", ""},
};

static struct wg_keypair pool[128];

static struct wg_keypair *keypair_of(char letter)
{
	return letter == '-' ? NULL : &pool[(unsigned char)letter];
}

static void check_places(const struct wg_keypairs *keypairs, const char *expected)
{
	assert_ptr_equal(keypairs->previous, keypair_of(expected[0]));
	assert_ptr_equal(keypairs->current, keypair_of(expected[1]));
	assert_ptr_equal(keypairs->next, keypair_of(expected[2]));
}

static void test_rotation(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rotation_rows); i++) {
		const char *before = rotation_rows[i].before, *retired = rotation_rows[i].retired;
		struct wg_keypairs keypairs = {
			keypair_of(before[0]), keypair_of(before[1]), keypair_of(before[2])};
		struct wg_keypair_retired out = {.n = 99};
		bool is_confirmed = false, is_confirm = true;

		pool['N'].is_initiator = rotation_rows[i].event == INSTALL_INITIATOR;
		switch (rotation_rows[i].event) {
		case INSTALL_RESPONDER:
		case INSTALL_INITIATOR:
			wg_keypairs_install(&keypairs, &pool['N'], &out);
			is_confirm = false;
			break;
		case CONFIRM_PREVIOUS:
			is_confirmed = wg_keypairs_confirm(&keypairs, keypairs.previous, &out);
			break;
		case CONFIRM_CURRENT:
			is_confirmed = wg_keypairs_confirm(&keypairs, keypairs.current, &out);
			break;
		case CONFIRM_NEXT:
			is_confirmed = wg_keypairs_confirm(&keypairs, keypairs.next, &out);
			break;
		case CONFIRM_UNKNOWN:
			is_confirmed = wg_keypairs_confirm(&keypairs, &pool['U'], &out);
			break;
		case RETIRE_ALL:
			wg_keypairs_retire_all(&keypairs, &out);
			is_confirm = false;
			break;
		}
		check_places(&keypairs, rotation_rows[i].after);
		if (is_confirm)
			assert_int_equal(is_confirmed, retired != NULL);
		assert_int_equal(out.n, retired != NULL ? strlen(retired) : 0);
		for (unsigned int k = 0; k < out.n; k++)
			assert_ptr_equal(out.keypair[k], keypair_of(retired[k]));
	}
}

// Random events: a keypair is in one place, or retired once, never both and never lost.
static void test_none_lost(void **state)
{
	enum { N = 2000 };
	struct wg_keypair *all = aligned_alloc(64, N * sizeof(*all));
	unsigned char *retired = calloc(N, 1);
	struct wg_keypairs keypairs = {0};

	(void)state;
	assert_non_null(all);
	assert_non_null(retired);
	memset(all, 0, N * sizeof(*all));
	srand(4);
	for (int i = 0; i < N; i++) {
		struct wg_keypair_retired out;
		int n_placed, n_retired = 0;

		all[i].is_initiator = rand() & 1;
		wg_keypairs_install(&keypairs, &all[i], &out);
		for (unsigned int k = 0; k < out.n; k++)
			assert_int_equal(retired[out.keypair[k] - all]++, 0);
		if (rand() & 1) {
			(void)wg_keypairs_confirm(&keypairs, keypairs.next, &out);
			for (unsigned int k = 0; k < out.n; k++)
				assert_int_equal(retired[out.keypair[k] - all]++, 0);
		}
		for (int k = 0; k <= i; k++)
			n_retired += retired[k];
		n_placed = (keypairs.previous != NULL) + (keypairs.current != NULL) +
			(keypairs.next != NULL);
		assert_int_equal(n_placed + n_retired, i + 1);
	}
	free(all);
	free(retired);
}

static const struct {
	uint64_t age_ns;
	uint64_t send_counter;
	bool can_send;
	bool is_sending;
} sending_rows[] = {
	{0, 0, true, true},
	{REJECT_NS - 1, 0, true, true},
	{REJECT_NS, 0, true, false},
	{REJECT_NS + 1, 0, true, false},
	{UINT64_MAX, 0, true, true}, // now_ns one ns before created_ns
	{0, REJECT_COUNTER - 1, true, true},
	{0, REJECT_COUNTER, true, false},
	{0, UINT64_MAX, true, false},
	{0, 0, false, false},
};

static void test_sending_and_receiving(void **state)
{
	struct wg_keypairs none = {.previous = &pool['P'], .next = &pool['X']};

	(void)state;
	pool['P'].can_send = pool['X'].can_send = true;
	assert_null(wg_keypairs_sending(&none, 0)); // only current sends
	for (size_t i = 0; i < TEST_N_ROWS(sending_rows); i++) {
		struct wg_keypair keypair = {
			.created_ns = 1000 * SEC,
			.send_counter = sending_rows[i].send_counter,
			.can_send = sending_rows[i].can_send,
			.can_receive = true,
		};
		struct wg_keypairs keypairs = {.current = &keypair};
		uint64_t now_ns = keypair.created_ns + sending_rows[i].age_ns;

		assert_ptr_equal(
			wg_keypairs_sending(&keypairs, now_ns),
			sending_rows[i].is_sending ? &keypair : NULL
		);
		assert_int_equal(
			wg_keypair_check_receive(&keypair, now_ns),
			(int64_t)sending_rows[i].age_ns < (int64_t)REJECT_NS
		);
		keypair.can_receive = false;
		assert_false(wg_keypair_check_receive(&keypair, now_ns));
	}
}

static const struct {
	uint64_t counter;
	unsigned int asked;
	unsigned int given;
} counter_rows[] = {
	{0, 1, 1},
	{0, 0, 0},
	{7, 32, 32},
	{REJECT_COUNTER - 32, 32, 32},
	{REJECT_COUNTER - 31, 32, 31},
	{REJECT_COUNTER - 1, 1, 1},
	{REJECT_COUNTER - 1, 2, 1},
	{REJECT_COUNTER, 1, 0},
	{REJECT_COUNTER + 1, 1, 0},
	{UINT64_MAX, 1, 0},
};

static void test_take_counters(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(counter_rows); i++) {
		struct wg_keypair keypair = {.send_counter = counter_rows[i].counter};
		uint64_t first = 0;

		assert_int_equal(
			wg_keypair_take_counters(&keypair, counter_rows[i].asked, &first),
			counter_rows[i].given
		);
		assert_true(first == counter_rows[i].counter);
		assert_true(keypair.send_counter == first + counter_rows[i].given);
	}
}

static void test_erase(void **state)
{
	struct wg_keypair keypair, zero;

	(void)state;
	memset(&keypair, 0xff, sizeof(keypair));
	memset(&zero, 0, sizeof(zero));
	wg_keypair_erase(&keypair);
	assert_memory_equal(&keypair, &zero, sizeof(zero));
	assert_false(wg_keypair_check_receive(&keypair, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_none_lost),
		cmocka_unit_test(test_sending_and_receiving),
		cmocka_unit_test(test_take_counters),
		cmocka_unit_test(test_erase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
