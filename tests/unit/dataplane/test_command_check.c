// SPDX-License-Identifier: Apache-2.0
//
// Commands from the hostile ring: every acknowledgement that the checker can give, by a table; and every
// single bit of a good command turned over, which must be refused or change what the command means.
#include "dataplane/command_check.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/unit/test.h"

#include <string.h>

#define N_SLOTS 100

static const struct command_check_conf conf = {
	.n_slots = N_SLOTS,
	.tunnel_addr = 0x0a080000, // 10.8.0.0/24
	.tunnel_mask = 0xffffff00,
	.node_addr = 0x0a080001,
	.node_public_key = {9, 9, 9},
};

static struct abi_command good_add(void)
{
	return (struct abi_command){
		.id = 7,
		.kind = ABI_COMMAND_ADD,
		.slot = 3,
		.generation = 5,
		.public_key = {1, 2, 3},
		.inner = {.family = ABI_FAMILY_IPV4, .addr = {10, 8, 0, 28}},
		.endpoint = {.family = ABI_FAMILY_IPV4, .addr = {192, 0, 2, 1}, .port_be = 0x1234},
		.last_authentic_unix_ns = 11,
		.base_out_bytes = 100,
		.base_in_bytes = 200,
		.limit_bytes = 5000,
		.expires_unix_sec = 2000000000,
		.rate_out_kbps = 1,
		.rate_in_kbps = 2,
		.free_rate_kbps = 64,
		.gate = ABI_GATE_OPEN,
		.is_throttled_on_quota = 1,
	};
}

static struct abi_command good(enum abi_command_kind kind)
{
	struct abi_command command = {.id = 8, .kind = kind};

	switch (kind) {
	case ABI_COMMAND_ADD:
		return good_add();
	case ABI_COMMAND_SET_LIMITS:
		command.limit_bytes = 6000;
		command.rate_in_kbps = 9;
		command.slot = 3;
		command.generation = 5;
		break;
	case ABI_COMMAND_GATE:
		command.gate = ABI_GATE_CLOSED;
		command.slot = 3;
		command.generation = 5;
		break;
	case ABI_COMMAND_REMOVE:
		command.slot = 3;
		command.generation = 5;
		break;
	case ABI_COMMAND_SNAPSHOT:
	case ABI_COMMAND_STOP:
	case ABI_N_COMMAND:
		break;
	}
	return command;
}

static void test_good_commands_pass(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ABI_N_COMMAND; kind++) {
		struct abi_command command = good(kind);

		assert_int_equal(command_check_bounds(&command, &conf), ABI_ACK_OK);
	}
}

struct bounds_row {
	const char *name;
	enum abi_command_kind kind;
	size_t offset; // of the byte that is set
	uint8_t value;
	enum abi_ack_result expected;
};

#define AT(field) offsetof(struct abi_command, field)

static const struct bounds_row bounds_rows[] = {
	{"unknown kind", ABI_COMMAND_ADD, AT(kind), ABI_N_COMMAND, ABI_ACK_MALFORMED},
	{"huge kind", ABI_COMMAND_ADD, AT(kind) + 3, 0x80, ABI_ACK_MALFORMED},
	{"slot at the end", ABI_COMMAND_REMOVE, AT(slot), N_SLOTS, ABI_ACK_SLOT_RANGE},
	{"slot far out", ABI_COMMAND_ADD, AT(slot) + 3, 0xff, ABI_ACK_SLOT_RANGE},
	{"generation 0", ABI_COMMAND_GATE, AT(generation), 0, ABI_ACK_MALFORMED},
	{"unknown flag", ABI_COMMAND_ADD, AT(flags), 2, ABI_ACK_MALFORMED},
	{"reserved byte", ABI_COMMAND_ADD, AT(reserved) + 97, 1, ABI_ACK_MALFORMED},
	{"gate the data plane closes",
	 ABI_COMMAND_ADD,
	 AT(gate),
	 ABI_GATE_QUOTA,
	 ABI_ACK_MALFORMED},
	{"gate expired", ABI_COMMAND_GATE, AT(gate), ABI_GATE_EXPIRED, ABI_ACK_MALFORMED},
	{"gate beyond", ABI_COMMAND_GATE, AT(gate), 0xff, ABI_ACK_MALFORMED},
	{"not a bool", ABI_COMMAND_ADD, AT(is_throttled_on_quota), 2, ABI_ACK_MALFORMED},
	{"expiry beyond 32 bits",
	 ABI_COMMAND_SET_LIMITS,
	 AT(expires_unix_sec) + 4,
	 1,
	 ABI_ACK_MALFORMED},
	{"inner is IPv6", ABI_COMMAND_ADD, AT(inner.family), ABI_FAMILY_IPV6, ABI_ACK_MALFORMED},
	{"inner has a port", ABI_COMMAND_ADD, AT(inner.port_be), 1, ABI_ACK_MALFORMED},
	{"inner has more than 4 bytes", ABI_COMMAND_ADD, AT(inner.addr) + 4, 1, ABI_ACK_MALFORMED},
	{"inner outside the network",
	 ABI_COMMAND_ADD,
	 AT(inner.addr) + 1,
	 9,
	 ABI_ACK_ADDRESS_RANGE},
	{"inner is the node", ABI_COMMAND_ADD, AT(inner.addr) + 3, 1, ABI_ACK_ADDRESS_RANGE},
	{"inner is the network", ABI_COMMAND_ADD, AT(inner.addr) + 3, 0, ABI_ACK_ADDRESS_RANGE},
	{"inner is broadcast", ABI_COMMAND_ADD, AT(inner.addr) + 3, 255, ABI_ACK_ADDRESS_RANGE},
	{"endpoint family", ABI_COMMAND_ADD, AT(endpoint.family), 5, ABI_ACK_MALFORMED},
	{"endpoint family none, yet an address",
	 ABI_COMMAND_ADD,
	 AT(endpoint.family),
	 0,
	 ABI_ACK_MALFORMED},
	{"endpoint reserved", ABI_COMMAND_ADD, AT(endpoint.reserved) + 4, 1, ABI_ACK_MALFORMED},
	{"limits with a gate", ABI_COMMAND_SET_LIMITS, AT(gate), 1, ABI_ACK_MALFORMED},
	{"limits with a key", ABI_COMMAND_SET_LIMITS, AT(public_key) + 31, 1, ABI_ACK_MALFORMED},
	{"limits with a base", ABI_COMMAND_SET_LIMITS, AT(base_in_bytes), 1, ABI_ACK_MALFORMED},
	{"gate with a limit", ABI_COMMAND_GATE, AT(limit_bytes), 1, ABI_ACK_MALFORMED},
	{"remove with a limit", ABI_COMMAND_REMOVE, AT(rate_out_kbps), 1, ABI_ACK_MALFORMED},
	{"remove with a gate", ABI_COMMAND_REMOVE, AT(gate), 1, ABI_ACK_MALFORMED},
	{"snapshot of a slot", ABI_COMMAND_SNAPSHOT, AT(slot), 1, ABI_ACK_MALFORMED},
	{"stop with a generation", ABI_COMMAND_STOP, AT(generation), 1, ABI_ACK_MALFORMED},
	{"stop with an inner address", ABI_COMMAND_STOP, AT(inner.addr), 1, ABI_ACK_MALFORMED},
};

static void test_bounds_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(bounds_rows); i++) {
		const struct bounds_row *row = &bounds_rows[i];
		struct abi_command command = good(row->kind);
		enum abi_ack_result result;

		((uint8_t *)&command)[row->offset] = row->value;
		result = command_check_bounds(&command, &conf);
		if (result != row->expected)
			fail_msg(
				"%s: %s, wanted %s",
				row->name,
				abi_ack_name(result),
				abi_ack_name(row->expected)
			);
	}
}

static void test_what_no_single_byte_shows(void **state)
{
	struct abi_command command = good_add();

	(void)state;
	command.base_out_bytes = UINT64_MAX;
	assert_int_equal(command_check_bounds(&command, &conf), ABI_ACK_MALFORMED);
	command = good_add();
	memset(&command.inner, 0, sizeof(command.inner));
	assert_int_equal(command_check_bounds(&command, &conf), ABI_ACK_ADDRESS_RANGE);
	command = good_add();
	memset(&command.endpoint, 0, sizeof(command.endpoint));
	assert_int_equal(command_check_bounds(&command, &conf), ABI_ACK_OK);
	command = good_add();
	command.endpoint.port_be = 0;
	assert_int_equal(command_check_bounds(&command, &conf), ABI_ACK_MALFORMED);
	command = good_add();
	memcpy(command.public_key, conf.node_public_key, sizeof(command.public_key));
	assert_int_equal(command_check_bounds(&command, &conf), ABI_ACK_KEY_INVALID);
}

// A turned bit is refused, or makes another command of it: but for the id, and where and when the client
// was last heard, nothing of an `add` is without meaning.
static void test_every_bit_of_an_add_counts(void **state)
{
	const struct abi_command reference = good_add();
	uint8_t before[32], after[32];

	(void)state;
	command_check_digest(&reference, before);
	for (size_t bit = 0; bit < sizeof(reference) * 8; bit++) {
		struct abi_command command = reference;
		size_t at = bit / 8;
		bool is_free = at < AT(kind) ||
			(at >= AT(endpoint) && at < AT(endpoint) + sizeof(command.endpoint)) ||
			(at >= AT(last_authentic_unix_ns) && at < AT(base_out_bytes));

		((uint8_t *)&command)[at] ^= 1u << bit % 8;
		command_check_digest(&command, after);
		if (memcmp(before, after, sizeof(before)) == 0)
			assert_true(is_free);
		else
			assert_false(is_free);
		command_check_bounds(&command, &conf);
		if (at >= AT(reserved))
			assert_int_equal(command_check_bounds(&command, &conf), ABI_ACK_MALFORMED);
	}
}

struct slot_row {
	const char *name;
	enum abi_command_kind kind;
	uint32_t generation; // of the command
	struct command_check_slot slot; // digest: of good_add() if live
	bool is_changed; // the command's limit is another
	enum command_check_verdict verdict;
	enum abi_ack_result result; // of REFUSE
};

#define EMPTY \
	{ \
		0 \
	}
#define LIVE \
	{ \
		.generation = 5, .is_live = true \
	}
#define REMOVING \
	{ \
		.generation = 5, .is_removing = true \
	}
#define REMOVED \
	{ \
		.generation = 5 \
	}

static const struct slot_row slot_rows[] = {
	{"add, empty", ABI_COMMAND_ADD, 5, EMPTY, false, COMMAND_CHECK_APPLY, 0},
	{"add, after removal", ABI_COMMAND_ADD, 6, REMOVED, false, COMMAND_CHECK_APPLY, 0},
	{"add, a generation that has lived",
	 ABI_COMMAND_ADD,
	 5,
	 REMOVED,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_STALE},
	{"add, a generation from before",
	 ABI_COMMAND_ADD,
	 4,
	 REMOVED,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_STALE},
	{"add, repeated", ABI_COMMAND_ADD, 5, LIVE, false, COMMAND_CHECK_REPEAT, 0},
	{"add, repeated with another limit",
	 ABI_COMMAND_ADD,
	 5,
	 LIVE,
	 true,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_CONFLICT},
	{"add, slot taken", ABI_COMMAND_ADD, 6, LIVE, false, COMMAND_CHECK_REFUSE, ABI_ACK_STALE},
	{"add, being removed",
	 ABI_COMMAND_ADD,
	 6,
	 REMOVING,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_BUSY},
	{"limits", ABI_COMMAND_SET_LIMITS, 5, LIVE, false, COMMAND_CHECK_APPLY, 0},
	{"limits, older",
	 ABI_COMMAND_SET_LIMITS,
	 4,
	 LIVE,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_STALE},
	{"limits, empty",
	 ABI_COMMAND_SET_LIMITS,
	 5,
	 EMPTY,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_STALE},
	{"limits, removed",
	 ABI_COMMAND_SET_LIMITS,
	 5,
	 REMOVED,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_STALE},
	{"limits, being removed",
	 ABI_COMMAND_SET_LIMITS,
	 5,
	 REMOVING,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_BUSY},
	{"gate", ABI_COMMAND_GATE, 5, LIVE, false, COMMAND_CHECK_APPLY, 0},
	{"gate, stale", ABI_COMMAND_GATE, 6, LIVE, false, COMMAND_CHECK_REFUSE, ABI_ACK_STALE},
	{"remove", ABI_COMMAND_REMOVE, 5, LIVE, false, COMMAND_CHECK_APPLY, 0},
	{"remove, repeated", ABI_COMMAND_REMOVE, 5, REMOVED, false, COMMAND_CHECK_REPEAT, 0},
	{"remove, under way",
	 ABI_COMMAND_REMOVE,
	 5,
	 REMOVING,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_BUSY},
	{"remove, stale",
	 ABI_COMMAND_REMOVE,
	 6,
	 REMOVED,
	 false,
	 COMMAND_CHECK_REFUSE,
	 ABI_ACK_STALE},
};

static void test_slot_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(slot_rows); i++) {
		const struct slot_row *row = &slot_rows[i];
		const struct abi_command added = good_add();
		struct abi_command command = good(row->kind);
		struct command_check_slot slot = row->slot;
		enum abi_ack_result result = ABI_N_ACK;
		enum command_check_verdict verdict;

		command_check_digest(&added, slot.add_digest);
		command.generation = row->generation;
		command.id = 99;
		if (row->is_changed)
			command.limit_bytes++;
		verdict = command_check_slot(&command, &slot, &result);
		if (verdict != row->verdict)
			fail_msg("%s: verdict %d, wanted %d", row->name, verdict, row->verdict);
		assert_int_equal(result, verdict == COMMAND_CHECK_REFUSE ? row->result : ABI_N_ACK);
	}
}

static void test_repeat_ignores_where_the_client_was(void **state)
{
	const struct abi_command added = good_add();
	struct abi_command command = good_add();
	struct command_check_slot slot = LIVE;
	enum abi_ack_result result;

	(void)state;
	command_check_digest(&added, slot.add_digest);
	memset(&command.endpoint, 0, sizeof(command.endpoint));
	command.last_authentic_unix_ns = 77;
	assert_int_equal(command_check_slot(&command, &slot, &result), COMMAND_CHECK_REPEAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_commands_pass),
		cmocka_unit_test(test_bounds_table),
		cmocka_unit_test(test_what_no_single_byte_shows),
		cmocka_unit_test(test_every_bit_of_an_add_counts),
		cmocka_unit_test(test_slot_table),
		cmocka_unit_test(test_repeat_ignores_where_the_client_was),
	};

	if (wg_primitives_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
