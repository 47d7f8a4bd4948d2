// SPDX-License-Identifier: Apache-2.0
//
// See worker_mail.h. Worker lcores only.
#include "dataplane/worker_mail.h"

#include "common/abi_names.h"
#include "dataplane/stage/stage_originate.h"

#include <rte_cycles.h>

#include <assert.h>

#define MAIL_PER_ROUND 32
#define REMOVE_ENTRIES 256 // NAT entries freed between two looks at whether more are left
#define ENDPOINT_INTERVAL_NS (100 * NS_PER_MS) // between two hints about one session's endpoint
// Messages that one round can cause at most: three keypairs and an answer for each message taken,
// one keypair for each packet received, and the two answers at its end.
#define STASH_PER_ROUND (MAIL_PER_ROUND * 4 + 2 * CONFIG_MAX_BURST + 2)

static_assert(WORKER_STASH >= STASH_PER_ROUND, "a round finds room once the stash is sent");

static bool stash_has_room(const struct worker *worker)
{
	return worker->n_stash + STASH_PER_ROUND <= WORKER_STASH;
}

// Mail that must arrive. The stash keeps the order: nothing overtakes what waits.
static void send_up(struct worker *worker, const struct mail *mail)
{
	if (worker->n_stash == 0 && mail_send_up(worker->mailbox, mail))
		return;
	worker->stash[worker->n_stash++] = *mail;
}

static void stash_flush(struct worker *worker)
{
	unsigned n_sent = 0;

	while (n_sent < worker->n_stash && mail_send_up(worker->mailbox, &worker->stash[n_sent]))
		n_sent++;
	if (n_sent == 0)
		return;
	worker->n_stash -= n_sent;
	for (unsigned i = 0; i < worker->n_stash; i++)
		worker->stash[i] = worker->stash[n_sent + i];
}

static struct dp_session *session_of(struct worker *worker, const struct mail *mail)
{
	struct dp_session *session = &worker->dp->sessions[mail->slot];

	return session->generation == mail->generation ? session : NULL;
}

void worker_mail_hints_flush(struct worker *worker, uint32_t slot)
{
	struct dp_session *session = &worker->dp->sessions[slot];

	for (unsigned kind = MAIL_CONFIRMED; kind <= MAIL_PORTS_EXHAUSTED; kind++) {
		uint8_t bit = (uint8_t)(1u << (kind - MAIL_CONFIRMED));
		struct mail mail = {
			.kind = (uint8_t)kind,
			.gate = session->gate,
			.slot = slot,
			.generation = session->generation,
		};

		if ((session->hints_pending & bit) == 0)
			continue;
		if (kind == MAIL_ENDPOINT) {
			// A client that changes its port with every packet is no news each time.
			if (worker->now_ns - session->endpoint_told_ns < ENDPOINT_INTERVAL_NS)
				continue;
			mail.endpoint = session->endpoint;
		}
		if (worker->n_stash != 0 || !mail_send_up(worker->mailbox, &mail))
			return;
		session->hints_pending &= (uint8_t)~bit;
		if (kind == MAIL_ENDPOINT)
			session->endpoint_told_ns = worker->now_ns;
	}
}

void worker_mail_hint(struct worker *worker, enum mail_kind kind, uint32_t slot)
{
	worker->dp->sessions[slot].hints_pending |= (uint8_t)(1u << (kind - MAIL_CONFIRMED));
	worker_mail_hints_flush(worker, slot);
}

void worker_mail_retire(
	struct worker *worker, uint32_t slot, const struct wg_keypair_retired *retired
)
{
	for (unsigned i = 0; i < retired->n; i++)
		send_up(worker,
			&(struct mail){
				.kind = MAIL_KEYPAIR_FREE,
				.slot = slot,
				.generation = worker->dp->sessions[slot].generation,
				.keypair = retired->keypair[i],
			});
}

static void take_install(struct worker *worker, const struct mail *mail)
{
	struct dp_session *session = session_of(worker, mail);
	struct wg_keypair_retired retired = {.keypair = {mail->install.keypair}, .n = 1};

	if (session != NULL) {
		wg_keypairs_install(&session->keypairs, mail->install.keypair, &retired);
		wg_timers_derived(&session->timers, worker->now_ns);
		session->endpoint = mail->install.endpoint;
		worker_mail_hint(worker, MAIL_ENDPOINT, mail->slot);
	}
	worker_mail_retire(worker, mail->slot, &retired);
}

static void retire_all(struct worker *worker, struct dp_session *session, uint32_t slot)
{
	struct wg_keypair_retired retired;

	wg_keypairs_retire_all(&session->keypairs, &retired);
	wg_timers_erased(&session->timers);
	worker_mail_retire(worker, slot, &retired);
}

static void take_erase(struct worker *worker, const struct mail *mail)
{
	struct dp_session *session = session_of(worker, mail);

	// A handshake may have completed since the slow path looked.
	if (session == NULL ||
	    atomic_load_explicit(&session->timers.derived_ns, memory_order_relaxed) >
		    mail->erase_ns)
		return;
	retire_all(worker, session, mail->slot);
}

static void take_remove(struct worker *worker, const struct mail *mail)
{
	struct dp_session *session = session_of(worker, mail);

	if (session != NULL) {
		retire_all(worker, session, mail->slot);
		while (nat_session_remove(worker->nat, mail->slot, REMOVE_ENTRIES, worker->now_ns))
			;
		__atomic_store_n(&session->slot->live.state, ABI_SLOT_REMOVED, __ATOMIC_RELEASE);
		session->generation = 0;
	}
	send_up(worker,
		&(struct mail){
			.kind = MAIL_REMOVED,
			.slot = mail->slot,
			.generation = mail->generation,
		});
}

static void take_gate(struct worker *worker, const struct mail *mail)
{
	struct dp_session *session = session_of(worker, mail);
	// Read after the message: the scan that found a session expired did so before. This round's
	// time may be older, and the scan does not say it twice.
	uint64_t now_ns = dp_tsc_to_ns(worker->dp, rte_rdtsc());

	if (session != NULL)
		dp_session_set_gate(session, mail->gate, now_ns);
}

static void take_limits(struct worker *worker, const struct mail *mail)
{
	struct dp_session *session = session_of(worker, mail);

	if (session != NULL)
		dp_session_set_limits(session, &mail->limits, worker->now_ns);
}

static void take(struct worker *worker, const struct mail *mail)
{
	struct dp *dp = worker->dp;

	switch ((enum mail_kind)mail->kind) {
	case MAIL_ADOPT:
		dp_session_adopt(
			&dp->sessions[mail->slot],
			&dp->segment.slots[mail->slot],
			mail,
			worker->now_ns
		);
		break;
	case MAIL_LIMITS:
		take_limits(worker, mail);
		break;
	case MAIL_GATE:
		take_gate(worker, mail);
		break;
	case MAIL_INSTALL:
		take_install(worker, mail);
		break;
	case MAIL_KEEPALIVE:
		if (session_of(worker, mail) != NULL)
			stage_originate_keepalive(worker, mail->slot);
		break;
	case MAIL_ERASE:
		take_erase(worker, mail);
		break;
	case MAIL_REMOVE:
		take_remove(worker, mail);
		break;
	case MAIL_SNAPSHOT:
		worker->is_snapshot_asked = true;
		break;
	case MAIL_DRAIN:
		worker->is_draining = true;
		worker->is_drain_asked = true;
		break;
	case MAIL_KEYPAIR_FREE:
	case MAIL_CONFIRMED:
	case MAIL_ENDPOINT:
	case MAIL_GATE_CLOSED:
	case MAIL_QUOTA_90:
	case MAIL_PORTS_EXHAUSTED:
	case MAIL_REMOVED:
	case MAIL_SNAPSHOT_DONE:
	case MAIL_DRAINED:
		break; // these go up
	}
}

unsigned worker_mail_take(struct worker *worker)
{
	struct mail mail;
	unsigned n = 0;

	while (n < MAIL_PER_ROUND && stash_has_room(worker) &&
	       mail_recv_down(worker->mailbox, &mail)) {
		take(worker, &mail);
		n++;
	}
	return n;
}

void worker_mail_finish(struct worker *worker)
{
	if (worker->is_snapshot_asked) {
		worker->is_snapshot_asked = false;
		send_up(worker, &(struct mail){.kind = MAIL_SNAPSHOT_DONE});
	}
	if (worker->is_drain_asked) {
		worker->is_drain_asked = false;
		send_up(worker, &(struct mail){.kind = MAIL_DRAINED});
	}
	if (worker->n_stash != 0)
		stash_flush(worker);
}

bool worker_mail_has_room(const struct worker *worker)
{
	return stash_has_room(worker);
}
