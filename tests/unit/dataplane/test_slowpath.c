// SPDX-License-Identifier: Apache-2.0
//
// The slow path as a whole: keepalives and erasure asked of the owner, the heartbeat, and the drain, at
// whose end nothing is held and every packet is accounted for.
#include "dataplane/session_mail.h"
#include "dataplane/slowpath.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/rig/slow_rig.h"
#include "tests/unit/test.h"

#include <rte_mbuf.h>

#include <arpa/inet.h>
#include <string.h>

#define SLOT 3
#define GENERATION 9
#define OWNER 1

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

// A session with an owner, whose handshake is just over.
static struct wg_timers *add_session(struct slow_rig *rig)
{
	uint8_t private_key[WG_KEY_BYTES], public_key[WG_KEY_BYTES];
	struct wg_timers *timers = &rig->dp.sessions[SLOT].timers;
	struct mail mail;

	wg_primitives_generate_private(private_key);
	wg_primitives_derive_public(private_key, public_key);
	assert_int_equal(
		slow_rig_command(rig, slow_rig_add_command(SLOT, GENERATION, public_key)),
		ABI_ACK_OK
	);
	assert_true(session_mail_adopt(&rig->sp, &rig->sp.peers.peers[SLOT], OWNER));
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_ADOPT, &mail));
	wg_timers_init(timers);
	wg_timers_derived(timers, rig->time.mono_ns);
	return timers;
}

static unsigned count_mail(struct slow_rig *rig, enum mail_kind kind)
{
	struct mail mail;
	unsigned n = 0;

	while (slow_rig_take_mail(rig, OWNER, kind, &mail))
		n++;
	return n;
}

static void test_passive_keepalive(void **state)
{
	struct slow_rig *rig = *state;
	struct wg_timers *timers = add_session(rig);

	wg_timers_received(timers, true, rig->time.mono_ns);
	slow_rig_advance(rig, 9 * NS_PER_SEC);
	wg_timers_received(timers, true, rig->time.mono_ns); // a steady stream
	assert_int_equal(count_mail(rig, MAIL_KEEPALIVE), 0);
	slow_rig_advance(rig, NS_PER_SEC);
	assert_int_equal(count_mail(rig, MAIL_KEEPALIVE), 1);
	wg_timers_sent(timers, false, rig->time.mono_ns);
	for (unsigned i = 0; i < 30; i++)
		slow_rig_advance(rig, NS_PER_SEC);
	assert_int_equal(count_mail(rig, MAIL_KEEPALIVE), 0); // idle peers keep quiet
}

static void test_erasure(void **state)
{
	struct slow_rig *rig = *state;
	struct wg_timers *timers = add_session(rig);
	uint64_t derived_ns = rig->time.mono_ns;
	struct mail mail;

	slow_rig_advance(rig, (WG_ERASE_AFTER_TIME_SEC - 1) * NS_PER_SEC);
	assert_int_equal(count_mail(rig, MAIL_ERASE), 0);
	slow_rig_advance(rig, NS_PER_SEC);
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_ERASE, &mail));
	assert_int_equal(mail.erase_ns, derived_ns);
	assert_int_equal(mail.generation, GENERATION);
	wg_timers_erased(timers);
	slow_rig_advance(rig, 5 * NS_PER_SEC);
	assert_int_equal(count_mail(rig, MAIL_ERASE), 0);
}

static void test_idle_is_told_once(void **state)
{
	struct slow_rig *rig = *state;
	struct wg_timers *timers = add_session(rig);

	slow_rig_count_events(rig, ABI_EVENT_IDLE);
	slow_rig_advance(rig, 300 * NS_PER_SEC);
	slow_rig_advance(rig, 100 * NS_PER_SEC);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_IDLE), 1);
	wg_timers_received(timers, true, rig->time.mono_ns);
	slow_rig_advance(rig, NS_PER_SEC);
	slow_rig_advance(rig, 300 * NS_PER_SEC);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_IDLE), 1);
}

// A ring that is full delays the mail; it does not lose it.
static void test_full_ring_delays(void **state)
{
	struct slow_rig *rig = *state;
	struct wg_timers *timers = add_session(rig);
	struct mail mail;

	wg_timers_received(timers, true, rig->time.mono_ns);
	while (mail_room_down(&rig->dp.mailboxes[OWNER]) > 0)
		mail_send_down(&rig->dp.mailboxes[OWNER], &(struct mail){.kind = MAIL_LIMITS});
	slow_rig_advance(rig, 10 * NS_PER_SEC);
	assert_false(slow_rig_take_mail(rig, OWNER, MAIL_KEEPALIVE, &mail));
	slow_rig_advance(rig, SCAN_ASK_AGAIN_NS);
	assert_true(slow_rig_take_mail(rig, OWNER, MAIL_KEEPALIVE, &mail));
}

static void test_heartbeat(void **state)
{
	struct slow_rig *rig = *state;

	slow_rig_run(rig);
	assert_int_equal(rig->header.heartbeat_unix_ns, rig->time.unix_ns);
	slow_rig_advance(rig, 99 * NS_PER_MS);
	assert_int_not_equal(rig->header.heartbeat_unix_ns, rig->time.unix_ns);
	slow_rig_advance(rig, NS_PER_MS);
	assert_int_equal(rig->header.heartbeat_unix_ns, rig->time.unix_ns);
	rig->time.unix_ns -= 3600 * NS_PER_SEC; // the wall clock is set back
	slow_rig_advance(rig, NS_PER_MS);
	assert_int_equal(rig->dp.wall_minus_mono_ns, rig->time.unix_ns - rig->time.mono_ns);
}

static void put_unresolved(struct slow_rig *rig)
{
	const struct pkt_meta meta = {
		.slow_kind = PKT_SLOW_NEIGH,
		.port = SLOW_RIG_INTERNET,
		.next_hop_be = htonl(0x06000009),
		.slot = PKT_SLOT_NONE,
	};

	slow_rig_put(rig, OWNER, &meta, "x", 1);
}

static void take_down(struct slow_rig *rig, unsigned worker, enum drop_reason expected)
{
	struct rte_mbuf *m = slow_rig_take(rig, worker);

	assert_non_null(m);
	assert_int_equal(pkt_meta(m)->drop, expected);
	rte_pktmbuf_free(m);
}

static void test_drain(void **state)
{
	struct slow_rig *rig = *state;
	struct mail mail;

	put_unresolved(rig);
	slow_rig_run(rig);
	take_down(rig, 0, DROP_NONE); // the question
	slow_rig_count_events(rig, ABI_EVENT_STOPPING);
	slowpath_drain(&rig->sp);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_STOPPING), 1);
	take_down(rig, OWNER, DROP_SHUTDOWN); // what was held
	put_unresolved(rig); // on its way when the worker was told
	slow_rig_run(rig);
	take_down(rig, OWNER, DROP_SHUTDOWN);
	for (unsigned i = 0; i < SLOW_RIG_N_WORKERS; i++) {
		assert_true(slow_rig_take_mail(rig, i, MAIL_DRAIN, &mail));
		assert_int_equal(rig->sp.phase, SLOWPATH_DRAINING);
		mail_send_up(&rig->dp.mailboxes[i], &(struct mail){.kind = MAIL_DRAINED});
		slow_rig_run(rig);
	}
	slow_rig_run(rig); // starts the last grace period
	assert_int_equal(rig->sp.phase, SLOWPATH_DRAINING);
	slow_rig_quiesce(rig);
	slow_rig_run(rig);
	assert_int_equal(rig->sp.phase, SLOWPATH_DRAINED);
}

// A question or a keepalive that starts after a drain began would be originated and never sent.
static void test_nothing_begins_in_a_drain(void **state)
{
	struct slow_rig *rig = *state;
	struct wg_timers *timers = add_session(rig);
	struct mail mail;

	put_unresolved(rig);
	slow_rig_run(rig);
	take_down(rig, 0, DROP_NONE); // the question
	slowpath_drain(&rig->sp);
	take_down(rig, OWNER, DROP_SHUTDOWN);
	wg_timers_received(timers, true, rig->time.mono_ns);
	slow_rig_advance(rig, 20 * NS_PER_SEC);
	assert_null(slow_rig_take(rig, 0));
	assert_false(slow_rig_take_mail(rig, OWNER, MAIL_KEEPALIVE, &mail));
}

static void test_stop_command(void **state)
{
	struct slow_rig *rig = *state;
	struct abi_ack ack;

	assert_int_equal(slow_rig_command(rig, (struct abi_command){.kind = ABI_COMMAND_STOP}), -1);
	assert_true(rig->sp.command.is_stop_asked);
	// What comes after it is not taken any more.
	assert_int_equal(
		slow_rig_command(rig, (struct abi_command){.kind = ABI_COMMAND_SNAPSHOT}), -1
	);
	assert_false(slow_rig_ack(rig, &ack));
	command_finish_stop(&rig->sp);
	assert_true(slow_rig_ack(rig, &ack));
	assert_int_equal(ack.kind, ABI_COMMAND_STOP);
	assert_int_equal(ack.result, ABI_ACK_OK);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_passive_keepalive),
		ROW(test_erasure),
		ROW(test_idle_is_told_once),
		ROW(test_full_ring_delays),
		ROW(test_heartbeat),
		ROW(test_drain),
		ROW(test_nothing_begins_in_a_drain),
		ROW(test_stop_command),
	};

	slow_rig_eal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
