// SPDX-License-Identifier: Apache-2.0
//
// Commands through the rings of the ABI: what each does to slot, peer and owner, how it is acknowledged,
// and that a control plane which does not read its answers, or writes nonsense, holds up only itself.
#include "dataplane/command.h"
#include "dataplane/session_mail.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/rig/slow_rig.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SLOT 3
#define GENERATION 9
#define OWNER 1

static uint8_t keys[3][WG_KEY_BYTES];

static int setup(void **state)
{
	*state = slow_rig_create(NULL);
	return 0;
}

static int teardown(void **state)
{
	bool is_conserved = slow_rig_check_conservation(*state, 0);

	assert_int_equal(slow_rig_destroy(*state), 0);
	assert_true(is_conserved);
	return 0;
}

static struct abi_session_slot *slot_of(struct slow_rig *rig)
{
	return &rig->dp.segment.slots[SLOT];
}

static struct abi_command add(void)
{
	return slow_rig_add_command(SLOT, GENERATION, keys[0]);
}

static struct abi_command about(enum abi_command_kind kind)
{
	return (struct abi_command){.kind = kind, .slot = SLOT, .generation = GENERATION};
}

// Gives the session an owner, as a handshake does.
static void adopt(struct slow_rig *rig)
{
	struct mail mail;

	assert_true(session_mail_adopt(&rig->sp, &rig->sp.peers.peers[SLOT], OWNER));
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_ADOPT, &mail));
}

static void test_add(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_session_slot *slot = slot_of(rig);
	struct abi_command command = add();

	memset(&slot->live, 0xff, sizeof(slot->live)); // of a session that was here before
	memset(&slot->free, 0xff, sizeof(slot->free));
	command.base_out_bytes = 11;
	command.base_in_bytes = 22;
	command.last_authentic_unix_ns = 55;
	command.rate_out_kbps = 33;
	command.expires_unix_sec = rig->time.unix_ns / NS_PER_SEC + 60;
	command.endpoint = (struct abi_endpoint
	){.family = ABI_FAMILY_IPV4, .addr = {5, 0, 0, 100}, .port_be = 77};
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_OK);
	assert_int_equal(slot->live.generation, GENERATION);
	assert_int_equal(slot->live.state, ABI_SLOT_READY);
	assert_int_equal(slot->live.gate, ABI_GATE_OPEN);
	assert_int_equal(slot->live.out_bytes, 0);
	assert_int_equal(slot->live.in_pkts, 0);
	assert_int_equal(slot->live.last_authentic_unix_ns, 55); // until it is heard again
	assert_int_equal(slot->free.drop_in_pkts, 0);
	assert_int_equal(slot->free.rate_out_kbps, 33);
	assert_int_equal(slot->limits.owner, ABI_OWNER_NONE);
	assert_int_equal(slot->limits.base_out_bytes, 11);
	assert_int_equal(slot->limits.base_in_bytes, 22);
	assert_int_equal(slot->limits.limit_bytes, 1000000);
	assert_int_equal(slot->limits.expires_unix_sec, command.expires_unix_sec);
	assert_int_equal(slot->limits.endpoint_port_be, 77);
	assert_int_equal(slot->limits.seq % 2, 0);
	assert_int_equal(
		rig->sp.peers.peers[SLOT].limits.expires_ns, rig->time.mono_ns + 60 * NS_PER_SEC
	);
}

static void test_add_refusals(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_command command;

	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_OK);
	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_OK); // again
	command = add();
	command.limit_bytes++;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_CONFLICT);
	assert_int_equal(slot_of(rig)->limits.limit_bytes, 1000000);
	command = add();
	command.generation++;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_STALE);
	command = slow_rig_add_command(SLOT + 1, 1, keys[0]);
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_KEY_IN_USE);
	command = slow_rig_add_command(SLOT + 1, 1, keys[1]);
	command.inner = add().inner;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_ADDRESS_IN_USE);
	command = slow_rig_add_command(SLOT + 1, 1, rig->sp.local->public_key);
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_KEY_INVALID);
	memset(command.public_key, 0, sizeof(command.public_key)); // low order
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_KEY_INVALID);
	command = slow_rig_add_command(SLOW_RIG_N_SLOTS, 1, keys[1]);
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_SLOT_RANGE);
	command = slow_rig_add_command(SLOT + 1, 1, keys[1]);
	command.inner.addr[1] = 9;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_ADDRESS_RANGE);
	command = slow_rig_add_command(SLOT + 1, 1, keys[1]);
	command.kind = ABI_N_COMMAND;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_MALFORMED);
	command = slow_rig_add_command(SLOT + 1, 1, keys[1]);
	command.flags = ABI_ADD_HAS_PSK;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_PSK_FILE);
	assert_int_equal(rig->header.commands_refused, 10);
	// After all that the slot is free and the key unused.
	command = slow_rig_add_command(SLOT + 1, 1, keys[1]);
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_OK);
}

static struct temp_dir psk_dir;

static void point_to_psk_dir(struct config *config)
{
	snprintf(config->wireguard.psk_dir, sizeof(config->wireguard.psk_dir), "%s", psk_dir.path);
}

static void test_add_with_psk(void **state)
{
	static const char text[] = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n";
	static const uint8_t zeros[WG_KEY_BYTES];
	struct abi_command command = add();
	char name[2 * WG_KEY_BYTES + 1], path[256];

	(void)state;
	temp_dir_create(&psk_dir);
	for (unsigned i = 0; i < WG_KEY_BYTES; i++)
		snprintf(name + 2 * i, 3, "%02x", keys[0][i]);
	temp_dir_write(&psk_dir, name, text, sizeof(text) - 1);
	struct slow_rig *rig = slow_rig_create(point_to_psk_dir);
	command.flags = ABI_ADD_HAS_PSK;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_OK);
	assert_int_equal(rig->sp.peers.peers[SLOT].wg->preshared_key[0], 0x77);
	assert_memory_equal(rig->sp.psk, zeros, sizeof(zeros)); // no copy stays
	assert_int_equal(slow_rig_command(rig, about(ABI_COMMAND_REMOVE)), ABI_ACK_OK);
	snprintf(path, sizeof(path), "%s/%s", psk_dir.path, name);
	assert_int_equal(chmod(path, 0644), 0);
	command.generation++;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_PSK_FILE);
	assert_int_equal(slow_rig_destroy(rig), 0);
	temp_dir_remove(&psk_dir);
}

static void test_limits_and_gate_before_adoption(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_command limits = about(ABI_COMMAND_SET_LIMITS);
	struct abi_command gate = about(ABI_COMMAND_GATE);
	struct mail mail;

	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_OK);
	limits.limit_bytes = 7;
	limits.rate_in_kbps = 8;
	assert_int_equal(slow_rig_command(rig, limits), ABI_ACK_OK);
	gate.gate = ABI_GATE_CLOSED;
	assert_int_equal(slow_rig_command(rig, gate), ABI_ACK_OK);
	assert_int_equal(slot_of(rig)->limits.limit_bytes, 7);
	assert_int_equal(slot_of(rig)->free.rate_in_kbps, 8);
	assert_int_equal(slot_of(rig)->live.gate, ABI_GATE_CLOSED);
	// The owner gets them with the session.
	assert_true(session_mail_adopt(&rig->sp, &rig->sp.peers.peers[SLOT], OWNER));
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_ADOPT, &mail));
	assert_int_equal(mail.gate, ABI_GATE_CLOSED);
	assert_int_equal(mail.session.limits.limit_bytes, 7);
	assert_int_equal(mail.session.limits.rate_in_kbps, 8);
}

static void test_limits_and_gate_of_an_owned_session(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_command limits = about(ABI_COMMAND_SET_LIMITS);
	struct abi_command gate = about(ABI_COMMAND_GATE);
	struct mail mail;

	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_OK);
	adopt(rig);
	limits.limit_bytes = 7;
	limits.is_throttled_on_quota = 1;
	assert_int_equal(slow_rig_command(rig, limits), ABI_ACK_OK);
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_LIMITS, &mail));
	assert_int_equal(mail.slot, SLOT);
	assert_int_equal(mail.generation, GENERATION);
	assert_int_equal(mail.limits.limit_bytes, 7);
	assert_true(mail.limits.is_throttled_on_quota);
	assert_int_equal(slot_of(rig)->limits.limit_bytes, 7);
	gate.gate = ABI_GATE_THROTTLED;
	assert_int_equal(slow_rig_command(rig, gate), ABI_ACK_OK);
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_GATE, &mail));
	assert_int_equal(mail.gate, ABI_GATE_THROTTLED);
	// The owner's lines are the owner's to write.
	assert_int_equal(slot_of(rig)->live.gate, ABI_GATE_OPEN);
	gate.generation++;
	assert_int_equal(slow_rig_command(rig, gate), ABI_ACK_STALE);
}

static void test_owner_busy(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_command limits = about(ABI_COMMAND_SET_LIMITS);

	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_OK);
	adopt(rig);
	while (mail_room_down(&rig->dp.mailboxes[OWNER]) > 0)
		mail_send_down(&rig->dp.mailboxes[OWNER], &(struct mail){.kind = MAIL_KEEPALIVE});
	limits.limit_bytes = 7;
	assert_int_equal(slow_rig_command(rig, limits), ABI_ACK_BUSY);
	assert_int_equal(slot_of(rig)->limits.limit_bytes, 1000000); // nothing was half done
	assert_int_equal(slow_rig_command(rig, about(ABI_COMMAND_REMOVE)), ABI_ACK_BUSY);
	assert_non_null(peer_table_lookup_key(&rig->sp.peers, keys[0]));
	assert_int_equal(slow_rig_command(rig, about(ABI_COMMAND_REMOVE)), ABI_ACK_BUSY);
}

static void test_remove_of_an_unowned_session(void **state)
{
	struct slow_rig *rig = *state;

	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_OK);
	assert_int_equal(slow_rig_command(rig, about(ABI_COMMAND_REMOVE)), ABI_ACK_OK);
	assert_int_equal(slot_of(rig)->live.state, ABI_SLOT_REMOVED);
	assert_int_equal(slot_of(rig)->live.generation, GENERATION); // still readable
	assert_int_equal(slow_rig_command(rig, about(ABI_COMMAND_REMOVE)), ABI_ACK_OK);
	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_STALE);
	assert_int_equal(
		slow_rig_command(rig, slow_rig_add_command(SLOT, GENERATION + 1, keys[0])),
		ABI_ACK_OK
	);
}

// Acknowledged when the owner has given it up and every worker has passed a quiescent state.
static void test_remove_of_an_owned_session(void **state)
{
	struct slow_rig *rig = *state;
	struct mail mail;
	struct abi_ack ack;

	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_OK);
	adopt(rig);
	slot_of(rig)->live.out_bytes = 4242;
	assert_int_equal(slow_rig_command(rig, about(ABI_COMMAND_REMOVE)), -1);
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_REMOVE, &mail));
	assert_null(peer_table_lookup_key(&rig->sp.peers, keys[0])); // no handshake any more
	assert_int_equal(slow_rig_command(rig, about(ABI_COMMAND_REMOVE)), ABI_ACK_BUSY);
	assert_int_equal(
		slow_rig_command(rig, slow_rig_add_command(SLOT, GENERATION + 1, keys[0])),
		ABI_ACK_BUSY
	);
	mail_send_up(
		&rig->dp.mailboxes[OWNER],
		&(struct mail){.kind = MAIL_REMOVED, .slot = SLOT, .generation = GENERATION}
	);
	slow_rig_run(rig);
	assert_false(slow_rig_ack(rig, &ack));
	slow_rig_quiesce(rig);
	slow_rig_run(rig);
	assert_true(slow_rig_ack(rig, &ack));
	assert_int_equal(ack.kind, ABI_COMMAND_REMOVE);
	assert_int_equal(ack.result, ABI_ACK_OK);
	assert_int_equal(ack.slot, SLOT);
	assert_int_equal(ack.generation, GENERATION);
	assert_int_equal(slot_of(rig)->live.state, ABI_SLOT_REMOVED);
	assert_int_equal(slot_of(rig)->live.out_bytes, 4242);
	assert_int_equal(slot_of(rig)->limits.owner, ABI_OWNER_NONE);
	assert_int_equal(
		slow_rig_command(rig, slow_rig_add_command(SLOT, GENERATION + 1, keys[0])),
		ABI_ACK_OK
	);
	assert_int_equal(slot_of(rig)->live.out_bytes, 0);
}

static void test_snapshot(void **state)
{
	struct slow_rig *rig = *state;
	const struct abi_command snapshot = {.kind = ABI_COMMAND_SNAPSHOT};
	struct mail mail;
	struct abi_ack ack;

	assert_int_equal(slow_rig_command(rig, snapshot), -1);
	uint64_t id = rig->next_id;
	assert_int_equal(rig->header.is_snapshot_pending, 1);
	assert_int_equal(slow_rig_command(rig, snapshot), ABI_ACK_BUSY);
	for (unsigned i = 0; i < SLOW_RIG_N_WORKERS; i++) {
		assert_false(slow_rig_ack(rig, &ack));
		assert_true(slow_rig_take_mail(rig, i, MAIL_SNAPSHOT, &mail));
		mail_send_up(&rig->dp.mailboxes[i], &(struct mail){.kind = MAIL_SNAPSHOT_DONE});
		slow_rig_run(rig);
	}
	assert_true(slow_rig_ack(rig, &ack));
	assert_int_equal(ack.id, id);
	assert_int_equal(ack.result, ABI_ACK_OK);
	assert_int_equal(rig->header.is_snapshot_pending, 0);
}

// A full ring of acknowledgements: every answer arrives in the end, in order, and no command is taken
// whose answer could not be kept.
static void test_answers_unread(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_command gate = about(ABI_COMMAND_GATE);
	unsigned n_sent = 0;
	uint64_t last = 0;
	struct abi_ack ack;

	while (n_sent < 2 * ABI_ACK_RING) { // twice what the ring of answers holds
		gate.id = n_sent + 1;
		if (shm_ring_push(&rig->commands, &gate) < 0)
			break;
		n_sent++;
		slow_rig_run(rig);
	}
	assert_true(n_sent > ABI_ACK_RING);
	for (unsigned i = 0; i < n_sent; i++) {
		if (!slow_rig_ack(rig, &ack)) {
			slow_rig_run(rig);
			assert_true(slow_rig_ack(rig, &ack));
		}
		assert_int_equal(ack.id, last + 1);
		assert_int_equal(ack.result, ABI_ACK_STALE); // there is no session
		last = ack.id;
	}
}

// The producer's index in shared memory is nonsense: counted, and nothing else.
static void test_corrupt_ring(void **state)
{
	struct slow_rig *rig = *state;
	struct shm_ring_header *header = rig->ring_memory[0];

	header->head += 100000;
	slow_rig_run(rig);
	slow_rig_advance(rig, NS_PER_SEC); // the next heartbeat tells it
	assert_int_equal(rig->header.control_corrupt, 1);
	assert_int_equal(rig->sp.peers.n_used_slots, 0);
}

static void test_expiry_without_owner(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_command command = add();
	struct abi_command limits = about(ABI_COMMAND_SET_LIMITS);

	command.expires_unix_sec = rig->time.unix_ns / NS_PER_SEC + 10;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_OK);
	// A wall clock that jumps moves no expiry: it was converted when it came.
	rig->time.unix_ns += 3600 * NS_PER_SEC;
	slow_rig_advance(rig, 9 * NS_PER_SEC);
	assert_int_equal(slot_of(rig)->live.gate, ABI_GATE_OPEN);
	slow_rig_advance(rig, NS_PER_SEC);
	assert_int_equal(slot_of(rig)->live.gate, ABI_GATE_EXPIRED);
	slow_rig_advance(rig, NS_PER_SEC);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_EXPIRED), 1);
	limits.expires_unix_sec = rig->time.unix_ns / NS_PER_SEC + 10;
	assert_int_equal(slow_rig_command(rig, limits), ABI_ACK_OK);
	assert_int_equal(slot_of(rig)->live.gate, ABI_GATE_OPEN);
	slow_rig_advance(rig, 10 * NS_PER_SEC);
	assert_int_equal(slot_of(rig)->live.gate, ABI_GATE_EXPIRED);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_EXPIRED), 1);
}

static void test_expiry_of_an_owned_session(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_command command = add();
	struct mail mail;

	command.expires_unix_sec = rig->time.unix_ns / NS_PER_SEC + 10;
	assert_int_equal(slow_rig_command(rig, command), ABI_ACK_OK);
	adopt(rig);
	slow_rig_advance(rig, 10 * NS_PER_SEC);
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_GATE, &mail));
	assert_int_equal(mail.gate, ABI_GATE_EXPIRED);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_EXPIRED), 1);
	// The worker had noticed by itself as well: told once.
	mail_send_up(
		&rig->dp.mailboxes[OWNER],
		&(struct mail){
			.kind = MAIL_GATE_CLOSED,
			.gate = ABI_GATE_EXPIRED,
			.slot = SLOT,
			.generation = GENERATION,
		}
	);
	slow_rig_advance(rig, NS_PER_SEC);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_EXPIRED), 0);
}

static void test_hints_become_events(void **state)
{
	static const struct {
		struct mail mail;
		enum abi_event_kind event;
	} rows[] = {
		{{.kind = MAIL_GATE_CLOSED, .gate = ABI_GATE_QUOTA}, ABI_EVENT_GATE_CLOSED},
		{{.kind = MAIL_QUOTA_90}, ABI_EVENT_QUOTA_90},
		{{.kind = MAIL_PORTS_EXHAUSTED}, ABI_EVENT_PORTS_EXHAUSTED},
		{{.kind = MAIL_ENDPOINT, .endpoint = {1, 2}}, ABI_EVENT_ENDPOINT},
	};
	struct slow_rig *rig = *state;

	assert_int_equal(slow_rig_command(rig, add()), ABI_ACK_OK);
	adopt(rig);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct mail mail = rows[i].mail;
		struct abi_event event;

		mail.slot = SLOT;
		mail.generation = GENERATION;
		mail_send_up(&rig->dp.mailboxes[OWNER], &mail);
		slow_rig_run(rig);
		assert_true(slow_rig_event(rig, &event));
		assert_int_equal(event.kind, rows[i].event);
		assert_int_equal(event.slot, SLOT);
		assert_int_equal(event.generation, GENERATION);
		assert_int_equal(event.time_unix_ns, rig->time.unix_ns);
		assert_false(slow_rig_event(rig, &event));
	}
	// The same endpoint again is no news.
	struct mail again = rows[3].mail;
	again.slot = SLOT;
	again.generation = GENERATION;
	mail_send_up(&rig->dp.mailboxes[OWNER], &again);
	slow_rig_run(rig);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_ENDPOINT), 0);
}

static void test_events_overflow(void **state)
{
	struct slow_rig *rig = *state;

	for (unsigned i = 0; i < ABI_EVENT_RING + 5; i++)
		events_emit(&rig->sp.events, ABI_EVENT_IDLE, 0, 0, 0);
	assert_int_equal(rig->header.events_lost, 5);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_IDLE), ABI_EVENT_RING);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_add),
		ROW(test_add_refusals),
		cmocka_unit_test(test_add_with_psk),
		ROW(test_limits_and_gate_before_adoption),
		ROW(test_limits_and_gate_of_an_owned_session),
		ROW(test_owner_busy),
		ROW(test_remove_of_an_unowned_session),
		ROW(test_remove_of_an_owned_session),
		ROW(test_snapshot),
		ROW(test_answers_unread),
		ROW(test_corrupt_ring),
		ROW(test_expiry_without_owner),
		ROW(test_expiry_of_an_owned_session),
		ROW(test_hints_become_events),
		ROW(test_events_overflow),
	};

	slow_rig_eal();
	for (unsigned i = 0; i < 3; i++) {
		uint8_t private_key[WG_KEY_BYTES];

		wg_primitives_generate_private(private_key);
		wg_primitives_derive_public(private_key, keys[i]);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
