// SPDX-License-Identifier: Apache-2.0
//
// What a good initiation leads to: a response, a keypair for the owner, an index; completion when the
// client has shown its keys; and how the keypair comes back. Refusals: test_handshake_refuse.c.
#include "dataplane/handshake.h"
#include "tests/unit/dataplane/handshake_fixture.h"

#include <rte_rcu_qsbr.h>

static void test_first_handshake(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);
	struct wg_keypair client;
	struct wg_index_ref ref;
	struct mail mail;

	slow_rig_count_events(rig, ABI_EVENT_ENDPOINT);
	put_initiation(fixture, &message);
	assert_int_equal(slow_rig_consumed(rig, CONSUMED_HANDSHAKE), 1);
	client = complete(fixture, 1);

	// The owner is the worker that the initiation came from: first the session, then the keypair.
	assert_true(slow_rig_take_mail(rig, 1, MAIL_ADOPT, &mail));
	assert_int_equal(mail.slot, SLOT);
	assert_int_equal(mail.generation, GENERATION);
	assert_int_equal(mail.gate, ABI_GATE_OPEN);
	assert_int_equal(mail.session.limits.limit_bytes, 1000000);
	assert_int_equal(mail.session.limits.expires_ns, UINT64_MAX);
	assert_int_equal(mail.session.inner_addr_be, htonl(0x0a080002 + SLOT));
	assert_true(slow_rig_take_mail(rig, 1, MAIL_INSTALL, &mail));
	assert_int_equal(mail.generation, GENERATION);
	assert_int_equal(mail.install.endpoint.addr_be, htonl(CLIENT_ADDR));
	assert_int_equal(mail.install.endpoint.port_be, htons(CLIENT_PORT));
	assert_memory_equal(mail.install.keypair->recv_key, client.send_key, 32);
	assert_memory_equal(mail.install.keypair->send_key, client.recv_key, 32);
	assert_int_equal(mail.install.keypair->remote_index, CLIENT_INDEX);
	assert_int_equal(mail.install.keypair->slot, SLOT);

	assert_true(wg_index_lookup(&rig->dp.index, client.remote_index, &ref));
	assert_ptr_equal(ref.handle, mail.install.keypair);
	assert_int_equal(ref.owner, 1);
	assert_int_equal(ref.slot, SLOT);
	assert_int_equal(rig->dp.segment.slots[SLOT].limits.owner, 1);
	assert_int_equal(rig->dp.segment.slots[SLOT].limits.endpoint_port_be, htons(CLIENT_PORT));
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_ENDPOINT), 1);
	// It is complete when the client has shown its keys, not before.
	assert_int_equal(rig->sp.stats->handshakes_completed, 0);
}

static void test_confirmation(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);

	put_initiation(fixture, &message);
	complete(fixture, 1);
	slow_rig_count_events(rig, ABI_EVENT_HANDSHAKE);
	mail_send_up(
		&rig->dp.mailboxes[1],
		&(struct mail){.kind = MAIL_CONFIRMED, .slot = SLOT, .generation = GENERATION}
	);
	mail_send_up( // of a session that is no more
		&rig->dp.mailboxes[1],
		&(struct mail){.kind = MAIL_CONFIRMED, .slot = SLOT, .generation = GENERATION + 1}
	);
	slow_rig_run(rig);
	assert_int_equal(rig->sp.stats->handshakes_completed, 1);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_HANDSHAKE), 1);
	assert_int_equal(
		rig->dp.segment.slots[SLOT].limits.last_handshake_unix_ns, rig->time.unix_ns
	);
}

// The owner stays whichever worker a later handshake comes from.
static void test_owner_is_kept(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);
	struct wg_index_ref ref;
	struct wg_keypair client;
	struct mail mail;

	put_initiation(fixture, &message);
	complete(fixture, 1);
	slow_rig_advance(rig, NS_PER_SEC);
	message = initiate(fixture);
	put(fixture, 0, &message, sizeof(message));
	client = complete(fixture, 1);
	assert_false(slow_rig_take_mail(rig, 0, MAIL_INSTALL, &mail));
	assert_true(slow_rig_take_mail(rig, 1, MAIL_ADOPT, &mail));
	assert_true(slow_rig_take_mail(rig, 1, MAIL_INSTALL, &mail));
	assert_false(slow_rig_take_mail(rig, 1, MAIL_ADOPT, &mail)); // adopted once
	assert_true(wg_index_lookup(&rig->dp.index, client.remote_index, &ref));
	assert_int_equal(ref.owner, 1);
}

// What the owner gives back is unlinked at once, and reused after a grace period only.
static void test_keypair_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);
	struct wg_keypair client;
	struct wg_index_ref ref;
	uint32_t n_free_indices;
	struct mail mail;

	put_initiation(fixture, &message);
	client = complete(fixture, 1);
	assert_true(slow_rig_take_mail(rig, 1, MAIL_INSTALL, &mail));
	n_free_indices = rig->dp.index.n_free;
	mail_send_up(
		&rig->dp.mailboxes[1],
		&(struct mail){
			.kind = MAIL_KEYPAIR_FREE,
			.slot = SLOT,
			.generation = GENERATION,
			.keypair = mail.install.keypair,
		}
	);
	slow_rig_run(rig);
	assert_false(wg_index_lookup(&rig->dp.index, client.remote_index, &ref));
	assert_int_equal(rig->dp.index.n_free, n_free_indices);
	assert_memory_equal(mail.install.keypair->send_key, client.recv_key, 32);
	rte_rcu_qsbr_quiescent(rig->dp.qsbr, 0); // one of two workers
	slow_rig_run(rig);
	assert_int_equal(rig->dp.index.n_free, n_free_indices);
	slow_rig_quiesce(rig);
	slow_rig_run(rig);
	assert_int_equal(rig->dp.index.n_free, n_free_indices + 1);
	assert_int_equal(rig->sp.keypairs.n_free, rig->sp.keypairs.n_objects);
	for (size_t i = 0; i < sizeof(struct wg_keypair); i++)
		assert_int_equal(((uint8_t *)mail.install.keypair)[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_first_handshake),
		ROW(test_confirmation),
		ROW(test_owner_is_kept),
		ROW(test_keypair_comes_back),
	};

	slow_rig_eal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
