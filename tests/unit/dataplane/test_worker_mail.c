// SPDX-License-Identifier: Apache-2.0
//
// A worker and its mailbox: keypairs that grow old, sessions that end, hints that must not flood, and
// packets that waited at the slow path. After each test every packet is accounted for.
#include "worker_fixture.h"

#include "dataplane/worker_mail.h"

#include <rte_ring.h>

static void test_keypair_life(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 60);

	worker_rig_advance(test->rig, 179 * NS_PER_SEC);
	send_packet(test, 0, &packet);
	assert_int_equal(take_internet(test).total_len, 60);
	uint16_t port_be = flow_open(test, 0);
	worker_rig_advance(test->rig, 2 * NS_PER_SEC);
	send_packet(test, 0, &packet);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_KEYPAIR_EXPIRED), 1);
	answer(test, REMOTE, port_be, 100);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_NO_KEYPAIR), 1);
	assert_int_equal(slot_of(test, 0)->live.in_bytes, 0);
	assert_int_equal(test->rig->dp.sessions[0].reserved_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// A keepalive that nothing can seal is not made: it would end as a drop that tells of no fault.
static void test_keepalive_needs_a_confirmed_keypair(void **state)
{
	struct test *test = *state;
	struct mailbox *box = test->rig->worker->mailbox;
	struct wg_keypairs *keypairs = &test->rig->dp.sessions[0].keypairs;
	const struct mail mail = {.kind = MAIL_KEEPALIVE, .generation = WORKER_RIG_GENERATION};

	assert_true(mail_send_down(box, &mail));
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), 0);
	keypairs->next = keypairs->current; // as a responder before the first authentic packet
	keypairs->current = NULL;
	assert_true(mail_send_down(box, &mail));
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_NO_KEYPAIR), 0);
	assert_int_equal(test->rig->worker->stats->originated_pkts, 1);
	keypairs->current = keypairs->next;
	keypairs->next = NULL;
	worker_rig_advance(test->rig, WG_REJECT_AFTER_TIME_SEC * NS_PER_SEC);
	assert_true(mail_send_down(box, &mail));
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_NO_KEYPAIR), 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// A packet from the slow path never leaves before a message that was sent ahead of it is taken: the
// response of a handshake, for one, whose keypair must be installed.
static void test_mail_before_packets(void **state)
{
	struct test *test = *state;
	struct mailbox *box = test->rig->worker->mailbox;
	struct worker_rig_packet packet = outbound(test, 0, 100);
	const struct mail last = {.kind = MAIL_KEEPALIVE, .generation = WORKER_RIG_GENERATION};
	const struct mail filler = {.kind = MAIL_LIMITS}; // no session's
	const uint8_t mac[6] = {2, 2, 2, 2, 2, 2};
	void *held = NULL;

	packet.dst_be = ADDR(6, 0, 0, 78);
	send_packet(test, 0, &packet);
	assert_int_equal(rte_ring_dequeue(box->up_pkts, &held), 0);
	net_neigh_confirm(
		net_neigh_insert(&test->rig->neighs[1], packet.dst_be, test->rig->dp.base_ns),
		mac,
		test->rig->dp.base_ns
	);
	for (unsigned i = 0; i < 100; i++)
		assert_true(mail_send_down(box, &filler));
	assert_true(mail_send_down(box, &last));
	assert_int_equal(rte_ring_enqueue(box->down_pkts, held), 0);
	for (unsigned i = 0; i < 10 && rte_ring_count(box->down_mail) != 0; i++) {
		assert_int_equal(worker_rig_take(test->rig, WORKER_RIG_INTERNET, test->out), 0);
		worker_poll(test->rig->worker);
	}
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), 0);
	assert_int_equal(take_internet(test).total_len, 100);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// The scan's clock is ahead of the one that this round began with.
static void test_expiry_told_within_a_round(void **state)
{
	struct test *test = *state;
	struct worker *worker = test->rig->worker;
	struct mail mail = {
		.kind = MAIL_LIMITS,
		.generation = WORKER_RIG_GENERATION,
		.limits = {.limit_bytes = QUOTA, .expires_ns = worker->now_ns + NS_PER_SEC},
	};

	assert_true(mail_send_down(worker->mailbox, &mail));
	worker_mail_take(worker);
	worker_rig_advance(test->rig, NS_PER_SEC);
	mail = (struct mail){
		.kind = MAIL_GATE,
		.gate = ABI_GATE_EXPIRED,
		.generation = WORKER_RIG_GENERATION,
	};
	assert_true(mail_send_down(worker->mailbox, &mail));
	worker_mail_take(worker); // worker->now_ns is what it was
	assert_int_equal(slot_of(test, 0)->live.gate, ABI_GATE_EXPIRED);
}

static void test_hint_outlives_a_full_ring(void **state)
{
	struct test *test = *state;
	struct mailbox *box = test->rig->worker->mailbox;
	struct mail mail = {.kind = MAIL_DRAINED};

	worker_rig_advance(test->rig, NS_PER_SEC);
	while (mail_send_up(box, &mail))
		;
	test->rig->clients[0].port_be = htons(1234);
	worker_rig_send(test->rig, 0, NULL, 0);
	worker_poll(test->rig->worker);
	while (mail_recv_up(box, &mail))
		assert_int_equal(mail.kind, MAIL_DRAINED);
	worker_rig_send(test->rig, 0, NULL, 0);
	worker_poll(test->rig->worker);
	assert_true(mail_recv_up(box, &mail));
	assert_int_equal(mail.kind, MAIL_ENDPOINT);
	assert_int_equal(mail.endpoint.port_be, htons(1234));
	assert_false(mail_recv_up(box, &mail));
}

// A client whose port changes with every packet is told of ten times a second, and where it ended up
// is told in the end.
static void test_flapping_endpoint_is_told_seldom(void **state)
{
	struct test *test = *state;
	struct mailbox *box = test->rig->worker->mailbox;
	struct mail mail = {0};
	unsigned n_told = 0;

	for (unsigned i = 0; i < 100; i++) {
		worker_rig_advance(test->rig, 10 * NS_PER_MS);
		test->rig->clients[0].port_be = htons((uint16_t)(2000 + i));
		worker_rig_send(test->rig, 0, NULL, 0);
		worker_poll(test->rig->worker);
	}
	worker_rig_advance(test->rig, NS_PER_SEC);
	worker_rig_send(test->rig, 0, NULL, 0);
	worker_poll(test->rig->worker);
	while (mail_recv_up(box, &mail))
		n_told += mail.kind == MAIL_ENDPOINT;
	assert_in_range(n_told, 9, 12);
	assert_int_equal(mail.endpoint.port_be, htons(2099));
}

static void test_mail_and_idle_rounds_are_counted(void **state)
{
	struct test *test = *state;
	const struct abi_stage_stats *stages = test->rig->worker->stats->stages;
	struct mail mail = {.kind = MAIL_SNAPSHOT};

	assert_true(mail_send_down(test->rig->worker->mailbox, &mail));
	assert_int_equal(worker_poll(test->rig->worker), 1);
	assert_int_equal(stages[STAGE_MAIL].calls, 1);
	assert_int_equal(stages[STAGE_MAIL].pkts, 1);
	assert_int_equal(stages[STAGE_IDLE].calls, 0);
	assert_int_equal(worker_poll(test->rig->worker), 0);
	assert_int_equal(stages[STAGE_MAIL].calls, 1);
	assert_int_equal(stages[STAGE_IDLE].calls, 1);
	assert_true(stages[STAGE_IDLE].cycles > 0);
}

static void test_counter_limit(void **state)
{
	struct test *test = *state;
	uint16_t port_be = flow_open(test, 0);

	test->rig->clients[0].keypair->send_counter = WG_REJECT_AFTER_MESSAGES;
	answer(test, REMOTE, port_be, 100);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_NO_KEYPAIR), 1);
	test->rig->clients[0].send_counter = WG_REJECT_AFTER_MESSAGES;
	worker_rig_send(test->rig, 0, NULL, 0);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_REPLAY), 1);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_removed_session_hands_everything_back(void **state)
{
	struct test *test = *state;
	uint16_t port_be = flow_open(test, 0);
	struct mailbox *box = test->rig->worker->mailbox;
	struct mail mail = {.kind = MAIL_REMOVE, .slot = 0, .generation = WORKER_RIG_GENERATION};
	bool is_freed = false, is_removed = false;

	assert_true(mail_send_down(box, &mail));
	worker_poll(test->rig->worker);
	while (mail_recv_up(box, &mail)) {
		is_freed |= mail.kind == MAIL_KEYPAIR_FREE &&
			mail.keypair == test->rig->clients[0].keypair;
		is_removed |= mail.kind == MAIL_REMOVED;
	}
	assert_true(is_freed && is_removed);
	assert_int_equal(slot_of(test, 0)->live.state, ABI_SLOT_REMOVED);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 100); // stays readable
	answer(test, REMOTE, port_be, 100);
	assert_int_equal(worker_rig_drops(test->rig, DROP_NAT_NO_MAPPING), 1);
	worker_rig_send(test->rig, 0, NULL, 0);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_INDEX_UNKNOWN), 1);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// 540 s after the last handshake: nothing can be opened or sealed any more, and the keys go back to be
// wiped. A keypair that was made since the slow path looked stays.
static void test_erase_gives_all_keypairs_back(void **state)
{
	struct test *test = *state;
	struct dp_session *session = &test->rig->dp.sessions[0];
	struct mailbox *box = test->rig->worker->mailbox;
	uint16_t port_be = flow_open(test, 0);
	const uint64_t derived_ns = session->timers.derived_ns;
	struct mail mail = {
		.kind = MAIL_ERASE,
		.generation = WORKER_RIG_GENERATION,
		.erase_ns = derived_ns - 1,
	};

	assert_true(mail_send_down(box, &mail));
	worker_poll(test->rig->worker);
	assert_false(mail_recv_up(box, &mail));
	assert_int_equal(session->timers.derived_ns, derived_ns);
	answer(test, REMOTE, port_be, 100);
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), 112);

	mail = (struct mail){
		.kind = MAIL_ERASE,
		.generation = WORKER_RIG_GENERATION,
		.erase_ns = derived_ns,
	};
	assert_true(mail_send_down(box, &mail));
	worker_poll(test->rig->worker);
	assert_true(mail_recv_up(box, &mail));
	assert_int_equal(mail.kind, MAIL_KEYPAIR_FREE);
	assert_ptr_equal(mail.keypair, test->rig->clients[0].keypair);
	assert_false(mail_recv_up(box, &mail));
	assert_int_equal(session->timers.derived_ns, 0); // nothing is due before the next handshake
	assert_int_equal(session->timers.unanswered_send_ns, 0);
	worker_rig_send(test->rig, 0, NULL, 0);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_INDEX_UNKNOWN), 1);
	answer(test, REMOTE, port_be, 100);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_NO_KEYPAIR), 1);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// The endpoint of a handshake is the client's: it was authentic.
static void test_install_takes_endpoint_and_time(void **state)
{
	struct test *test = *state;
	const struct dp_session *session = &test->rig->dp.sessions[0];
	struct mailbox *box = test->rig->worker->mailbox;
	static struct wg_keypair keypair;
	struct mail mail = {
		.kind = MAIL_INSTALL,
		.generation = WORKER_RIG_GENERATION,
		.install = {&keypair, {ADDR(5, 0, 0, 150), htons(4444)}},
	};

	keypair = (struct wg_keypair){.can_send = true, .can_receive = true};
	worker_rig_advance(test->rig, 120 * NS_PER_SEC);
	assert_true(mail_send_down(box, &mail));
	worker_poll(test->rig->worker);
	assert_ptr_equal(session->keypairs.next, &keypair);
	assert_ptr_equal(session->keypairs.current, test->rig->clients[0].keypair);
	assert_int_equal(session->endpoint.addr_be, ADDR(5, 0, 0, 150));
	assert_int_equal(session->endpoint.port_be, htons(4444));
	assert_int_equal(session->timers.derived_ns, test->rig->worker->now_ns);
	assert_true(mail_recv_up(box, &mail));
	assert_int_equal(mail.kind, MAIL_ENDPOINT);
	assert_int_equal(mail.endpoint.port_be, htons(4444));
	// One for a session that is gone comes back.
	mail = (struct mail){
		.kind = MAIL_INSTALL,
		.generation = WORKER_RIG_GENERATION + 1,
		.install = {&keypair, {ADDR(5, 0, 0, 151), htons(5555)}},
	};
	assert_true(mail_send_down(box, &mail));
	worker_poll(test->rig->worker);
	assert_true(mail_recv_up(box, &mail));
	assert_int_equal(mail.kind, MAIL_KEYPAIR_FREE);
	assert_ptr_equal(mail.keypair, &keypair);
	assert_int_equal(session->endpoint.port_be, htons(4444));
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// A packet waits for its next hop at the slow path while its session ends.
static void test_held_packet_of_a_removed_session(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 100);
	struct mailbox *box = test->rig->worker->mailbox;
	struct mail mail = {.kind = MAIL_REMOVE, .generation = WORKER_RIG_GENERATION};
	void *held = NULL;

	packet.dst_be = ADDR(6, 0, 0, 77); // nobody told its hardware address
	send_packet(test, 0, &packet);
	assert_int_equal(rte_ring_dequeue(box->up_pkts, &held), 0);
	assert_int_equal(pkt_meta(held)->slow_kind, PKT_SLOW_NEIGH);
	assert_int_equal(pkt_meta(held)->next_hop_be, packet.dst_be);
	assert_int_equal(test->rig->dp.sessions[0].reserved_bytes, 100);
	assert_true(mail_send_down(box, &mail));
	assert_int_equal(rte_ring_enqueue(box->down_pkts, held), 0);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_SHUTDOWN), 1);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// The same, and the slot has another session when the packet comes back: it is not the one that pays.
static void test_held_packet_of_a_former_session(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 100);
	const struct dp_session *session = &test->rig->dp.sessions[0];
	struct mailbox *box = test->rig->worker->mailbox;
	struct mail mail = {.kind = MAIL_REMOVE, .generation = WORKER_RIG_GENERATION};
	struct abi_session_slot *slot = slot_of(test, 0);
	const uint8_t mac[6] = {2, 2, 2, 2, 2, 2};
	void *held = NULL;

	packet.dst_be = ADDR(6, 0, 0, 79);
	send_packet(test, 0, &packet);
	assert_int_equal(rte_ring_dequeue(box->up_pkts, &held), 0);
	assert_true(mail_send_down(box, &mail));
	mail = (struct mail){
		.kind = MAIL_ADOPT,
		.gate = ABI_GATE_OPEN,
		.generation = WORKER_RIG_GENERATION + 1,
		.session =
			{
				.limits = {.limit_bytes = QUOTA, .expires_ns = UINT64_MAX},
				.inner_addr_be = packet.src_be,
			},
	};
	assert_true(mail_send_down(box, &mail));
	net_neigh_confirm(
		net_neigh_insert(&test->rig->neighs[1], packet.dst_be, test->rig->dp.base_ns),
		mac,
		test->rig->dp.base_ns
	);
	assert_int_equal(rte_ring_enqueue(box->down_pkts, held), 0);
	worker_poll(test->rig->worker);
	assert_int_equal(session->generation, WORKER_RIG_GENERATION + 1);
	assert_int_equal(worker_rig_drops(test->rig, DROP_SHUTDOWN), 1);
	assert_int_equal(session->reserved_bytes, 0);
	assert_int_equal(session->billed_bytes, 0);
	assert_int_equal(slot->live.out_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_resolved_packet_goes_on_and_is_billed(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 100);
	struct mailbox *box = test->rig->worker->mailbox;
	const uint8_t mac[6] = {2, 2, 2, 2, 2, 2};
	void *held = NULL;

	packet.dst_be = ADDR(6, 0, 0, 78);
	send_packet(test, 0, &packet);
	assert_int_equal(rte_ring_dequeue(box->up_pkts, &held), 0);
	net_neigh_confirm(
		net_neigh_insert(&test->rig->neighs[1], packet.dst_be, test->rig->dp.base_ns),
		mac,
		test->rig->dp.base_ns
	);
	pkt_meta(held)->is_resumed = 1;
	assert_int_equal(rte_ring_enqueue(box->down_pkts, held), 0);
	worker_poll(test->rig->worker);
	assert_int_equal(take_internet(test).total_len, 100);
	assert_memory_equal(test->out, mac, 6);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 100);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}
int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_keypair_life),
		T(test_keepalive_needs_a_confirmed_keypair),
		T(test_mail_before_packets),
		T(test_expiry_told_within_a_round),
		T(test_hint_outlives_a_full_ring),
		T(test_flapping_endpoint_is_told_seldom),
		T(test_mail_and_idle_rounds_are_counted),
		T(test_counter_limit),
		T(test_removed_session_hands_everything_back),
		T(test_erase_gives_all_keypairs_back),
		T(test_install_takes_endpoint_and_time),
		T(test_held_packet_of_a_removed_session),
		T(test_held_packet_of_a_former_session),
		T(test_resolved_packet_goes_on_and_is_billed),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("worker_mail", tests, NULL, NULL);
}
