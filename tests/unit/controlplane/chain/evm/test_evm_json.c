// SPDX-License-Identifier: Apache-2.0
//
// evm_json: each kind of value as the API and twctl write it.
#include "controlplane/chain/evm/evm_json.h"
#include "tests/unit/test.h"

#include <string.h>

static void test_each_kind(void **state)
{
	// EIP-55's first example
	static const uint8_t padded[32] = {[12] = 0x5a, 0xAe, 0xb6, 0x05, 0x3F, 0x3E, 0x94,
					   0xC9,	0xb9, 0xA0, 0x9f, 0x33, 0x66, 0x94,
					   0x35,	0xE7, 0xEf, 0x1B, 0xeA, 0xed};
	static const uint8_t nobody[32];
	struct json_writer writer;
	struct u256 max;
	char *text;

	(void)state;
	memset(&max, 0xff, sizeof(max));
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	evm_json_put_u256(&writer, "none", U256_ZERO);
	evm_json_put_u256(&writer, "most", max);
	evm_json_put_word(&writer, "word", padded);
	evm_json_put_address(&writer, "address", padded + 12);
	evm_json_put_address(&writer, "zero", nobody + 12);
	evm_json_put_padded(&writer, "padded", padded);
	evm_json_put_padded(&writer, "nobody", nobody);
	json_end(&writer);
	assert_int_equal(json_writer_finish(&writer, false, &text), 0);
	assert_string_equal(
		text,
		"{\"none\":\"0\","
		"\"most\":\"115792089237316195423570985008687907853269984665640564039457584007913"
		"129639935\","
		"\"word\":\"0x0000000000000000000000005aaeb6053f3e94c9b9a09f33669435e7ef1beaed\","
		"\"address\":\"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\","
		"\"zero\":\"0x0000000000000000000000000000000000000000\","
		"\"padded\":\"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\","
		"\"nobody\":null}"
	);
	json_free_text(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
