// SPDX-License-Identifier: Apache-2.0
//
// The protocol page: classification of datagrams by type and length, the constants as the paper has
// them, and padding.
#include "dataplane/wg/wg_messages.h"
#include "dataplane/wg/wg_padding.h"
#include "tests/unit/test.h"

#include <stdbool.h>
#include <string.h>

static const struct {
	uint8_t head[4];
	size_t len; // the only one, or the least if is_min
	bool is_min;
	enum wg_message_type type;
} class_rows[] = {
	{{1, 0, 0, 0}, 148, false, WG_MESSAGE_INITIATION},
	{{2, 0, 0, 0}, 92, false, WG_MESSAGE_RESPONSE},
	{{3, 0, 0, 0}, 64, false, WG_MESSAGE_COOKIE_REPLY},
	{{4, 0, 0, 0}, 32, true, WG_MESSAGE_DATA},
	{{0, 0, 0, 0}, SIZE_MAX, true, WG_MESSAGE_INVALID},
	{{5, 0, 0, 0}, SIZE_MAX, true, WG_MESSAGE_INVALID},
	{{255, 0, 0, 0}, SIZE_MAX, true, WG_MESSAGE_INVALID},
	// Reserved bytes are part of the type.
	{{1, 1, 0, 0}, SIZE_MAX, true, WG_MESSAGE_INVALID},
	{{4, 0, 1, 0}, SIZE_MAX, true, WG_MESSAGE_INVALID},
	{{4, 0, 0, 0x80}, SIZE_MAX, true, WG_MESSAGE_INVALID},
	{{0, 0, 0, 4}, SIZE_MAX, true, WG_MESSAGE_INVALID},
};

static void test_classify(void **state)
{
	uint8_t data[2048 + 1];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(class_rows); i++) {
		for (size_t len = 0; len <= 2048; len++) {
			bool fits = class_rows[i].is_min ? len >= class_rows[i].len
							 : len == class_rows[i].len;

			memset(data, 0xff, sizeof(data));
			memcpy(data + 1, class_rows[i].head, 4); // unaligned on purpose
			assert_int_equal(
				wg_message_classify(data + 1, len),
				fits ? class_rows[i].type : WG_MESSAGE_INVALID
			);
		}
	}
}

static void test_constants(void **state)
{
	(void)state;
	assert_true(WG_REKEY_AFTER_MESSAGES == UINT64_C(1152921504606846976));
	assert_true(WG_REJECT_AFTER_MESSAGES == UINT64_C(18446744073709543423));
	assert_int_equal(WG_REKEY_AFTER_TIME_SEC, 120);
	assert_int_equal(WG_REJECT_AFTER_TIME_SEC, 180);
	assert_int_equal(WG_REKEY_ATTEMPT_TIME_SEC, 90);
	assert_int_equal(WG_REKEY_TIMEOUT_SEC, 5);
	assert_int_equal(WG_KEEPALIVE_TIMEOUT_SEC, 10);
	assert_int_equal(WG_ERASE_AFTER_TIME_SEC, 540);
	assert_int_equal(WG_COOKIE_SECRET_MAX_AGE_SEC, 120);
	assert_true(WG_INITIATION_MIN_GAP_NS == 20000000);
	assert_int_equal(WG_REPLAY_WINDOW, 8128);
}

static const struct {
	uint32_t inner, mtu, padded;
} padding_rows[] = {
	{0, 1420, 0}, // a keepalive
	{1, 1420, 16},
	{15, 1420, 16},
	{16, 1420, 16},
	{17, 1420, 32},
	{1408, 1420, 1408},
	{1409, 1420, 1420}, // not 1424: the MTU ends it
	{1419, 1420, 1420},
	{1420, 1420, 1420},
	{1421, 1420, 1421},
	{1425, 1424, 1425},
	{1410, 1424, 1424},
	{5, 10, 10},
	{20, 0, 20},
};

static void test_padding(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(padding_rows); i++)
		assert_int_equal(
			wg_padding_padded_bytes(padding_rows[i].inner, padding_rows[i].mtu),
			padding_rows[i].padded
		);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classify),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
