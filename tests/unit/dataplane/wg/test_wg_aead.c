// SPDX-License-Identifier: Apache-2.0
//
// The batch engine against libsodium's scalar AEAD (by way of wg_primitives): every length of a
// frame, batches of every size with a key of its own for each packet, and every bit of some packets
// flipped.
#include "test_wg_hex.h"

#include "dataplane/wg/wg_aead.h"
#include "dataplane/wg/wg_primitives.h"

#include <stdlib.h>

enum {
	LEN_MAX = 2048,
	BATCH_MAX = 130, // beyond two of the engine's chunks
	GUARD = 32, // bytes around a packet that nobody may touch
	PACKET_MAX = GUARD + LEN_MAX + WG_TAG_BYTES + GUARD,
};

struct batch {
	uint8_t key[BATCH_MAX][32];
	uint8_t buffer[BATCH_MAX][PACKET_MAX];
	uint8_t plain[BATCH_MAX][LEN_MAX];
	uint8_t sealed[BATCH_MAX][LEN_MAX + WG_TAG_BYTES];
	struct wg_aead_op ops[BATCH_MAX];
	uint8_t verdict[BATCH_MAX];
};

static struct wg_aead *aead;
static struct batch *batch;
static const struct wg_primitives_span no_ad = {NULL, 0};

static void fill(unsigned int i, uint32_t len)
{
	struct wg_aead_op *op = &batch->ops[i];

	wg_primitives_random(batch->key[i], 32);
	wg_primitives_random(batch->plain[i], len);
	memset(batch->buffer[i], 0xa5, PACKET_MAX);
	op->key = batch->key[i];
	wg_primitives_random(&op->counter, sizeof(op->counter));
	op->data = batch->buffer[i] + GUARD;
	op->len = len;
	memcpy(op->data, batch->plain[i], len);
	wg_primitives_aead_seal(
		op->key,
		op->counter,
		no_ad,
		(struct wg_primitives_span){batch->plain[i], len},
		batch->sealed[i]
	);
}

static void check_guards(unsigned int i)
{
	const uint8_t *end = batch->ops[i].data + batch->ops[i].len + WG_TAG_BYTES;

	for (unsigned int k = 0; k < GUARD; k++) {
		assert_int_equal(batch->buffer[i][k], 0xa5);
		assert_int_equal(end[k], 0xa5);
	}
}

static void seal_and_open(unsigned int n)
{
	wg_aead_seal(aead, batch->ops, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_memory_equal(
			batch->ops[i].data, batch->sealed[i], batch->ops[i].len + WG_TAG_BYTES
		);
		check_guards(i);
	}
	memset(batch->verdict, 0x55, sizeof(batch->verdict));
	wg_aead_open(aead, batch->ops, batch->verdict, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(batch->verdict[i], WG_AEAD_AUTHENTIC);
		assert_memory_equal(batch->ops[i].data, batch->plain[i], batch->ops[i].len);
		check_guards(i);
	}
	if (n < BATCH_MAX)
		assert_int_equal(batch->verdict[n], 0x55);
}

static void test_every_length(void **state)
{
	(void)state;
	for (uint32_t len = 0; len <= LEN_MAX; len += 32) {
		unsigned int n = 0;

		for (uint32_t l = len; l < len + 32 && l <= LEN_MAX; l++)
			fill(n++, l);
		seal_and_open(n);
	}
}

static void test_every_batch_size(void **state)
{
	(void)state;
	for (unsigned int n = 0; n <= BATCH_MAX; n++) {
		for (unsigned int i = 0; i < n; i++)
			fill(i, (uint32_t)(rand() % 1500));
		seal_and_open(n);
	}
}

// Largest frames: beyond anything the data plane receives.
static void test_jumbo(void **state)
{
	static const uint32_t lens[] = {4096, 9000, 16383, 65519};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint8_t *data = calloc(1, lens[i] + WG_TAG_BYTES);
		uint8_t *expected = malloc(lens[i] + WG_TAG_BYTES);
		uint8_t key[32] = {7}, verdict = 0x55;
		struct wg_aead_op op = {.key = key, .counter = 1, .data = data, .len = lens[i]};

		assert_non_null(data);
		assert_non_null(expected);
		wg_primitives_aead_seal(
			key, 1, no_ad, (struct wg_primitives_span){data, lens[i]}, expected
		);
		wg_aead_seal(aead, &op, 1);
		assert_memory_equal(data, expected, lens[i] + WG_TAG_BYTES);
		wg_aead_open(aead, &op, &verdict, 1);
		assert_int_equal(verdict, WG_AEAD_AUTHENTIC);
		free(data);
		free(expected);
	}
}

// Each bit of a packet and its tag flipped, between two packets that stay authentic.
static void test_every_bit(void **state)
{
	static const uint32_t lens[] = {0, 1, 15, 16, 63, 64, 65, 200};

	(void)state;
	for (size_t row = 0; row < sizeof(lens) / sizeof(lens[0]); row++) {
		uint32_t bytes = lens[row] + WG_TAG_BYTES;

		fill(0, 100);
		fill(1, lens[row]);
		fill(2, 300);
		for (size_t bit = 0; bit < bytes * 8; bit++) {
			for (int i = 0; i < 3; i++)
				memcpy(batch->ops[i].data,
				       batch->sealed[i],
				       batch->ops[i].len + WG_TAG_BYTES);
			batch->ops[1].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			wg_aead_open(aead, batch->ops, batch->verdict, 3);
			assert_int_equal(batch->verdict[0], WG_AEAD_AUTHENTIC);
			assert_int_equal(batch->verdict[1], WG_AEAD_FORGED);
			assert_int_equal(batch->verdict[2], WG_AEAD_AUTHENTIC);
		}
	}
}

enum tamper {
	TAMPER_NONE,
	TAMPER_KEY,
	TAMPER_COUNTER,
	TAMPER_SHORTER,
	TAMPER_SWAPPED_TAG,
	N_TAMPER,
};

// A wrong key, counter, length or another packet's tag, in every place of a batch.
static void test_mixed_forgeries(void **state)
{
	(void)state;
	for (unsigned int shift = 0; shift < N_TAMPER; shift++) {
		for (unsigned int i = 0; i < BATCH_MAX; i++) {
			struct wg_aead_op *op = &batch->ops[i];

			fill(i, 20 + (uint32_t)(rand() % 1400));
			memcpy(op->data, batch->sealed[i], op->len + WG_TAG_BYTES);
			switch ((enum tamper)((i + shift) % N_TAMPER)) {
			case TAMPER_NONE:
				break;
			case TAMPER_KEY:
				batch->key[i][i % 32] ^= 0x80;
				break;
			case TAMPER_COUNTER:
				op->counter ^= UINT64_C(1) << (i % 64);
				break;
			case TAMPER_SHORTER:
				op->len -= 1;
				break;
			case TAMPER_SWAPPED_TAG:
				memcpy(op->data + op->len,
				       batch->sealed[i ? i - 1 : i] + 1,
				       WG_TAG_BYTES);
				break;
			case N_TAMPER:
				fail();
			}
		}
		wg_aead_open(aead, batch->ops, batch->verdict, BATCH_MAX);
		for (unsigned int i = 0; i < BATCH_MAX; i++)
			assert_int_equal(
				batch->verdict[i],
				(i + shift) % N_TAMPER == TAMPER_NONE ? WG_AEAD_AUTHENTIC
								      : WG_AEAD_FORGED
			);
	}
}

static void test_nothing(void **state)
{
	(void)state;
	wg_aead_seal(aead, NULL, 0);
	wg_aead_open(aead, NULL, NULL, 0);
	wg_aead_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_every_batch_size),
		cmocka_unit_test(test_jumbo),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_mixed_forgeries),
	};
	int ret;

	batch = calloc(1, sizeof(*batch));
	if (batch == NULL || wg_primitives_init() < 0 || wg_aead_create(&aead) < 0)
		return 1;
	srand(1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	wg_aead_destroy(aead);
	free(batch);
	return ret;
}
