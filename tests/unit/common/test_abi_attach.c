// SPDX-License-Identifier: Apache-2.0
//
// Attaching: every mismatch refused with both sides' values in the text, every truncation, every bit
// of the header, death proved by the lock, and readings of a slot.
#include "common/abi_attach.h"
#include "common/abi_layout.h"
#include "common/counter.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_SLOTS 40
static const uint8_t node_key[32] = {0x11, 0x22, 0x33};

struct fixture {
	struct temp_dir tmp;
	struct abi_segment seg;
	char err[512];
};

static int setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	temp_dir_create(&fix->tmp);
	struct abi_segment_conf conf = {
		.runtime_dir = fix->tmp.path,
		.n_slots = N_SLOTS,
		.n_threads = 3,
		.n_ports = 1,
		.tsc_hz = 1000,
		.node_public_key = node_key,
	};
	if (abi_segment_create(&fix->seg, &conf, fix->err, sizeof(fix->err)) != 0)
		return -1;
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fix = *state;

	if (fix->seg.header != NULL)
		abi_segment_close(&fix->seg);
	temp_dir_remove(&fix->tmp);
	free(fix);
	return 0;
}

static int open_counters(struct fixture *fix, struct abi_attach *att)
{
	fix->err[0] = '\0';
	return abi_attach_open(att, fix->tmp.path, fix->seg.boot_id, fix->err, sizeof(fix->err));
}

static void test_attach_shows_what_was_created(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;

	counter_set(&fix->seg.slots[N_SLOTS - 1].live.out_bytes, 12345);
	counter_set(&fix->seg.threads[2].loops, 99);
	strcpy(fix->seg.ports[0].name, "wan");
	assert_int_equal(open_counters(fix, &att), 0);
	assert_int_equal(att.n_slots, N_SLOTS);
	assert_int_equal(att.n_threads, 3);
	assert_int_equal(att.n_ports, 1);
	assert_int_equal(counter_read(&att.slots[N_SLOTS - 1].live.out_bytes), 12345);
	assert_int_equal(counter_read(&att.threads[2].loops), 99);
	assert_string_equal(att.ports[0].name, "wan");
	assert_null(att.control);
	assert_false(abi_attach_is_cut(&att));
	abi_attach_close(&att);
	abi_attach_close(&att); // a closed one is harmless
}

static void test_rings_connect(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;
	struct abi_command command = {.id = 7, .kind = ABI_COMMAND_STOP}, got_command;
	struct abi_ack ack = {.id = 7, .result = ABI_ACK_OK}, got_ack;
	struct abi_event event = {.kind = ABI_EVENT_STARTING}, got_event;

	assert_int_equal(open_counters(fix, &att), 0);
	assert_int_equal(
		abi_attach_open_control(&att, fix->tmp.path, fix->err, sizeof(fix->err)), 0
	);
	assert_int_equal(shm_ring_push(&att.commands, &command), 0);
	assert_int_equal(shm_ring_pop(&fix->seg.commands, &got_command), 1);
	assert_memory_equal(&command, &got_command, sizeof(command));
	assert_int_equal(shm_ring_push(&fix->seg.acks, &ack), 0);
	assert_int_equal(shm_ring_pop(&att.acks, &got_ack), 1);
	assert_memory_equal(&ack, &got_ack, sizeof(ack));
	assert_int_equal(shm_ring_push(&fix->seg.events, &event), 0);
	assert_int_equal(shm_ring_pop(&att.events, &got_event), 1);
	assert_memory_equal(&event, &got_event, sizeof(event));
	abi_attach_close(&att);
}

// The counters must not be writable through the attachment: a store ends the child.
static void test_counters_are_read_only(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;
	int status;

	assert_int_equal(open_counters(fix, &att), 0);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile uint64_t *)(uintptr_t)&att.slots[0].live.out_bytes = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(counter_read(&att.slots[0].live.out_bytes), 0);
	abi_attach_close(&att);
}

static void test_versions_refused_in_both_directions(void **state)
{
	static const uint32_t others[] = {0, ABI_VERSION - 1, ABI_VERSION + 1, UINT32_MAX};
	struct fixture *fix = *state;
	struct abi_attach att, before;
	char theirs[64], ours[64];

	snprintf(ours, sizeof(ours), "has ABI version %u ", ABI_VERSION);
	memset(&att, 0x77, sizeof(att));
	memcpy(&before, &att, sizeof(att));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fix->seg.header->abi_version = others[i];
		assert_int_equal(open_counters(fix, &att), -EPROTO);
		snprintf(theirs, sizeof(theirs), "data plane has ABI version %u ", others[i]);
		assert_non_null(strstr(fix->err, theirs));
		assert_non_null(strstr(fix->err, ours));
		assert_memory_equal(&att, &before, sizeof(att));
	}
	fix->seg.header->abi_version = ABI_VERSION;
	assert_int_equal(open_counters(fix, &att), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fix->seg.control->abi_version = others[i];
		assert_int_equal(
			abi_attach_open_control(&att, fix->tmp.path, fix->err, sizeof(fix->err)),
			-EPROTO
		);
		snprintf(theirs, sizeof(theirs), "data plane has ABI version %u ", others[i]);
		assert_non_null(strstr(fix->err, theirs));
		assert_non_null(strstr(fix->err, ours));
		assert_null(att.control);
	}
	abi_attach_close(&att);
}

static void test_layout_refused_with_both_hashes(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;
	char theirs[32], ours[32];

	fix->seg.header->layout_hash ^= 1;
	assert_int_equal(open_counters(fix, &att), -EPROTO);
	snprintf(theirs, sizeof(theirs), "layout %016" PRIx64, fix->seg.header->layout_hash);
	snprintf(ours, sizeof(ours), "layout %016" PRIx64, abi_layout_hash());
	assert_non_null(strstr(fix->err, theirs));
	assert_non_null(strstr(fix->err, ours));
}

// Fields that decide what is read; the others may hold anything.
static bool is_judged(size_t offset)
{
	static const struct {
		size_t from, len;
	} free_fields[] = {
#define FIELD(name) \
	{offsetof(struct abi_counters_header, name), \
	 sizeof(((struct abi_counters_header *)0)->name)}
		FIELD(node_public_key),
		FIELD(started_unix_ns),
		FIELD(tsc_hz),
		FIELD(pid),
		FIELD(heartbeat_unix_ns),
		FIELD(is_stopped),
		FIELD(events_lost),
		FIELD(commands_refused),
		FIELD(control_corrupt),
		FIELD(is_snapshot_pending),
		FIELD(version),
#undef FIELD
	};
	for (size_t i = 0; i < sizeof(free_fields) / sizeof(free_fields[0]); i++) {
		if (offset >= free_fields[i].from &&
		    offset - free_fields[i].from < free_fields[i].len)
			return false;
	}
	return true;
}

static void test_each_bit_of_the_counters_header(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;
	uint8_t *header = (uint8_t *)fix->seg.header;

	for (size_t bit = 0; bit < sizeof(struct abi_counters_header) * 8; bit++) {
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int rc = open_counters(fix, &att);
		if (is_judged(bit / 8)) {
			if (rc != -EPROTO)
				fail_msg("bit %zu of byte %zu: %d", bit % 8, bit / 8, rc);
			assert_true(fix->err[0] != '\0');
		} else {
			assert_int_equal(rc, 0);
			abi_attach_close(&att);
		}
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	fix->seg.header->magic = 0;
	assert_int_equal(open_counters(fix, &att), -EAGAIN);
}

static void test_each_bit_of_the_control_header(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;
	uint8_t *header = (uint8_t *)fix->seg.control;

	assert_int_equal(open_counters(fix, &att), 0);
	for (size_t bit = 0; bit < sizeof(struct abi_control_header) * 8; bit++) {
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int rc = abi_attach_open_control(&att, fix->tmp.path, fix->err, sizeof(fix->err));
		if (rc != -EPROTO)
			fail_msg("bit %zu of byte %zu: %d", bit % 8, bit / 8, rc);
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	abi_attach_close(&att);
}

static void test_each_wrong_size(void **state)
{
	static const long deltas[] = {-1, -8, -4096, 1, 8, 4096};
	struct fixture *fix = *state;
	struct abi_attach att;
	char copy[256];
	size_t bytes = fix->seg.counters_bytes;
	uint8_t *image = malloc(bytes + 4096);

	// A copy, since cutting the live file would take the creator's pages away.
	memcpy(image, fix->seg.header, bytes);
	memset(image + bytes, 0, 4096);
	strcpy(copy, fix->seg.counters_path + strlen(fix->tmp.path) + 1);
	unlink(fix->seg.counters_path);
	for (size_t len = 0; len < sizeof(struct abi_counters_header) + 8; len++) {
		temp_dir_write(&fix->tmp, copy, image, len);
		assert_int_equal(open_counters(fix, &att), -EPROTO);
	}
	for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
		temp_dir_write(&fix->tmp, copy, image, (size_t)((long)bytes + deltas[i]));
		assert_int_equal(open_counters(fix, &att), -EPROTO);
		char size[32];
		snprintf(size, sizeof(size), "%ld", (long)bytes + deltas[i]);
		assert_non_null(strstr(fix->err, size));
	}
	temp_dir_write(&fix->tmp, copy, image, bytes);
	assert_int_equal(open_counters(fix, &att), 0);
	abi_attach_close(&att);
	free(image);
}

static void test_what_is_no_file(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;
	char path[256];

	strcpy(path, fix->seg.counters_path);
	unlink(path);
	assert_int_equal(open_counters(fix, &att), -ENOENT);
	assert_non_null(strstr(fix->err, path));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_counters(fix, &att), -EPROTO);
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0); // must not hang
	assert_int_equal(open_counters(fix, &att), -EPROTO);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(open_counters(fix, &att), -ELOOP);
}

static void test_list_takes_only_boots(void **state)
{
	struct fixture *fix = *state;
	uint8_t boots[4][16];

	temp_dir_write(&fix->tmp, "counters.00112233445566778899aabbccddeef", "", 0); // short
	temp_dir_write(&fix->tmp, "counters.00112233445566778899aabbccddeeff0", "", 0); // long
	temp_dir_write(&fix->tmp, "counters.00112233445566778899AABBCCDDEEFF", "", 0); // capitals
	temp_dir_write(&fix->tmp, "counters.", "", 0);
	assert_int_equal(abi_attach_list_boots(fix->tmp.path, boots, 4), 1);
	assert_memory_equal(boots[0], fix->seg.boot_id, 16);
	temp_dir_write(&fix->tmp, "counters.00112233445566778899aabbccddeeff", "", 0);
	assert_int_equal(abi_attach_list_boots(fix->tmp.path, boots, 0), 2);
	assert_int_equal(abi_attach_list_boots("/nonexistent", boots, 4), -ENOENT);
}

static void test_death_is_proved_by_the_lock(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;
	int ready[2];

	assert_int_equal(open_counters(fix, &att), 0);
	assert_false(abi_attach_is_dead(&att));
	assert_false(abi_attach_is_dead(&att)); // asking does not take it
	abi_segment_close(&fix->seg);
	assert_true(abi_attach_is_dead(&att));
	abi_attach_close(&att);

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct abi_segment_conf conf = {
			.runtime_dir = fix->tmp.path,
			.n_slots = 4,
			.n_threads = 1,
			.n_ports = 1,
			.node_public_key = node_key,
		};
		if (abi_segment_create(&fix->seg, &conf, fix->err, sizeof(fix->err)) != 0)
			_exit(1);
		counter_set(&fix->seg.slots[1].live.in_bytes, 777);
		if (write(ready[1], fix->seg.boot_id, 16) != 16)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], fix->seg.boot_id, 16), 16);
	assert_int_equal(open_counters(fix, &att), 0);
	assert_false(abi_attach_is_dead(&att));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(abi_attach_is_dead(&att));
	assert_int_equal(counter_read(&att.slots[1].live.in_bytes), 777); // outlives its writer
	abi_attach_close(&att);
	close(ready[0]);
	close(ready[1]);
}

static void test_reading_of_a_slot(void **state)
{
	struct fixture *fix = *state;
	struct abi_session_slot *slot = &fix->seg.slots[3];
	struct abi_session_reading got;
	struct abi_session_limits limits = {
		.base_out_bytes = 10,
		.base_in_bytes = 20,
		.limit_bytes = 1000,
		.expires_unix_sec = 1700000000,
		.endpoint_family = ABI_FAMILY_IPV4,
		.endpoint_port_be = 0x1234,
		.endpoint_addr = {192, 0, 2, 1},
		.last_handshake_unix_ns = 5,
	};
	size_t from = offsetof(struct abi_session_limits, base_out_bytes);

	seqcount_write(
		&slot->limits.seq,
		(uint8_t *)&slot->limits + from,
		(uint8_t *)&limits + from,
		sizeof(limits) - from
	);
	abi_session_publish(slot, 9, ABI_SLOT_READY, ABI_GATE_OPEN);
	counter_add(&slot->live.out_bytes, 100);
	counter_add(&slot->live.in_pkts, 2);
	counter_add(&slot->free.free_in_bytes, 3);
	assert_int_equal(abi_attach_read_session(&got, slot, 9), 0);
	assert_int_equal(got.generation, 9);
	assert_int_equal(got.state, ABI_SLOT_READY);
	assert_int_equal(got.out_bytes, 100);
	assert_int_equal(got.in_pkts, 2);
	assert_int_equal(got.free_in_bytes, 3);
	assert_int_equal(got.base_out_bytes, 10);
	assert_int_equal(got.limit_bytes, 1000);
	assert_int_equal(got.expires_unix_sec, 1700000000);
	assert_int_equal(got.endpoint.addr[0], 192);
	assert_int_equal(got.endpoint.port_be, 0x1234);

	struct abi_session_reading before = got;
	assert_int_equal(abi_attach_read_session(&got, slot, 8), -ESTALE);
	assert_int_equal(abi_attach_read_session(&got, slot, 0), -ESTALE);
	assert_memory_equal(&got, &before, sizeof(got));

	seqcount_write_begin(&slot->limits.seq); // the slow path died here
	assert_int_equal(abi_attach_read_session(&got, slot, 9), -EAGAIN);
	assert_int_equal(got.out_bytes, 100); // what was billed is still known
	assert_int_equal(got.limit_bytes, 0);

	abi_session_publish(slot, 10, ABI_SLOT_READY, ABI_GATE_CLOSED);
	assert_int_equal(abi_attach_read_session(&got, slot, 9), -ESTALE);
	seqcount_write_end(&slot->limits.seq);
	assert_int_equal(abi_attach_read_session(&got, slot, 10), 0);
	assert_int_equal(got.out_bytes + got.in_pkts + got.free_in_bytes, 0);
}

static void test_cut_counters_are_noticed(void **state)
{
	struct fixture *fix = *state;
	struct abi_attach att;
	struct abi_session_reading got;
	char copy[256];
	uint8_t *image = malloc(fix->seg.counters_bytes);

	abi_session_publish(&fix->seg.slots[0], 1, ABI_SLOT_ACTIVE, ABI_GATE_OPEN);
	memcpy(image, fix->seg.header, fix->seg.counters_bytes);
	strcpy(copy, fix->seg.counters_path + strlen(fix->tmp.path) + 1);
	unlink(fix->seg.counters_path);
	temp_dir_write(&fix->tmp, copy, image, fix->seg.counters_bytes);
	free(image);
	assert_int_equal(open_counters(fix, &att), 0);
	assert_int_equal(abi_attach_read_session(&got, &att.slots[0], 1), 0);
	temp_dir_write(&fix->tmp, copy, "", 0);
	assert_int_equal(abi_attach_read_session(&got, &att.slots[0], 1), -ESTALE);
	assert_true(abi_attach_is_cut(&att));
	abi_attach_close(&att);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_attach_shows_what_was_created),
		T(test_rings_connect),
		T(test_counters_are_read_only),
		T(test_versions_refused_in_both_directions),
		T(test_layout_refused_with_both_hashes),
		T(test_each_bit_of_the_counters_header),
		T(test_each_bit_of_the_control_header),
		T(test_each_wrong_size),
		T(test_what_is_no_file),
		T(test_list_takes_only_boots),
		T(test_death_is_proved_by_the_lock),
		T(test_reading_of_a_slot),
		T(test_cut_counters_are_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
