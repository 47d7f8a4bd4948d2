// SPDX-License-Identifier: Apache-2.0
//
// Sessions between store and data plane. Every failure of the store leaves things as they were, sets
// a condition, and is tried again in the next round. Loop's thread.
#include "controlplane/dp_sessions.h"

#include "common/log.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERR_CAP 600

static uint64_t unix_now(const struct dp_sessions *all)
{
	return clock_unix_ns(all->conf.clock);
}

static void store_failed(struct dp_sessions *all, const char *why)
{
	health_set(all->conf.health, HEALTH_STORE, unix_now(all), "%s", why);
}

static bool load_one(void *ctx, const struct session *session)
{
	if (session->has_slot)
		dp_sessions_set(ctx, session);
	return true;
}

static int load(struct dp_sessions *all)
{
	struct session_error err;
	int rc = session_each(all->conf.sessions, 0, load_one, all, &err);

	if (rc != 0)
		store_failed(all, err.text);
	return rc;
}

int dp_sessions_init(struct dp_sessions *all, const struct dp_link_conf *conf)
{
	*all = (struct dp_sessions){.conf = *conf, .n_slots = conf->config->sessions.max};
	all->slots = calloc(all->n_slots, sizeof(*all->slots));
	if (all->slots == NULL)
		return -ENOMEM;
	// A ledger may be bound to a boot of which nothing is left.
	all->has_foreign_ledger = true;
	int rc = load(all);
	if (rc != 0)
		dp_sessions_fini(all);
	return rc;
}

void dp_sessions_fini(struct dp_sessions *all)
{
	free(all->slots);
	all->slots = NULL;
}

// A slot beyond sessions.max: that was higher when the session came.
static bool grow(struct dp_sessions *all, uint32_t n_slots)
{
	struct dp_slot *slots = realloc(all->slots, n_slots * sizeof(*slots));

	if (slots == NULL)
		return false;
	memset(slots + all->n_slots, 0, (n_slots - all->n_slots) * sizeof(*slots));
	all->slots = slots;
	all->n_slots = n_slots;
	return true;
}

void dp_sessions_set(struct dp_sessions *all, const struct session *session)
{
	if (session->slot >= all->n_slots &&
	    (!session->has_slot || session->slot >= ABI_MAX_SLOTS || !grow(all, session->slot + 1)
	    )) {
		if (session->has_slot)
			log_warn(
				"link",
				"session %s: no room for slot %u: it is not served",
				session->name,
				session->slot
			);
		return;
	}
	dp_slot_set(&all->slots[session->slot], session);
	if (session->has_slot && all->n_used <= session->slot)
		all->n_used = session->slot + 1;
}

void dp_sessions_reload(struct dp_sessions *all)
{
	for (uint32_t i = 0; i < all->n_used; i++) {
		usage_forget(all->conf.usage, i);
		all->slots[i] = (struct dp_slot){0};
	}
	all->n_used = 0;
	all->is_incomplete = load(all) != 0;
}

void dp_sessions_reset(struct dp_sessions *all, uint32_t n_boot_slots)
{
	all->n_boot_slots = n_boot_slots;
	for (uint32_t i = 0; i < all->n_used; i++)
		dp_slot_reset(&all->slots[i]);
}

void dp_sessions_resend(struct dp_sessions *all)
{
	for (uint32_t i = 0; i < all->n_used; i++) {
		if (all->slots[i].phase == DP_SLOT_ADDED)
			dp_slot_found(&all->slots[i]);
	}
}

bool dp_sessions_is_known(const struct dp_sessions *all, uint32_t slot, uint32_t generation)
{
	return slot < all->n_used && all->slots[slot].phase != DP_SLOT_EMPTY &&
		all->slots[slot].session.generation == generation;
}

// The session's ledger is closed with what `what` reads, and the session finished if it is leaving.
static void close_session(
	struct dp_sessions *all, struct dp_slot *slot, const struct usage_harvest *what
)
{
	uint32_t idx = slot->session.slot;
	struct session session;
	char err[ERR_CAP];

	if (usage_harvest_session(what, slot->session.id, &session, err, sizeof(err)) != 0) {
		store_failed(all, err);
		return;
	}
	usage_forget(all->conf.usage, idx);
	dp_slot_reset(slot);
	dp_sessions_set(all, &session);
}

// ---- binding ---------------------------------------------------------------------------------

static bool wants_binding(const struct dp_sessions *all, uint32_t idx)
{
	return idx < all->n_boot_slots && all->slots[idx].phase == DP_SLOT_UNBOUND;
}

static void after_binding(
	struct dp_sessions *all, struct dp_slot *slot, const struct usage_harvest *live
)
{
	struct abi_session_reading reading;

	usage_opened(all->conf.usage, &slot->session);
	slot->phase = DP_SLOT_BOUND;
	int rc = live->read(live->ctx, slot->session.slot, slot->session.generation, &reading);
	if (rc == 0 || rc == -EAGAIN) {
		dp_slot_found(slot);
		if (reading.state == ABI_SLOT_REMOVED)
			slot->phase = DP_SLOT_REMOVED;
	}
}

void dp_sessions_bind(
	struct dp_sessions *all, const uint8_t boot_id[16], const struct usage_harvest *live
)
{
	struct db_txn txn = {.handle = NULL};
	unsigned n = 0;

	for (uint32_t i = 0; i < all->n_used; i++) {
		struct dp_slot *slot = &all->slots[i];
		slot->is_binding = false;
		if (!wants_binding(all, i))
			continue;
		if (n++ == 0)
			db_txn_begin_write(&txn, all->conf.db);
		slot->is_binding = usage_open(all->conf.usage, &txn, &slot->session, boot_id);
		if (!slot->is_binding)
			all->has_foreign_ledger = true;
	}
	if (n == 0)
		return;
	if (db_txn_commit(&txn) != 0) {
		store_failed(all, txn.why);
		return;
	}
	for (uint32_t i = 0; i < all->n_used; i++) {
		if (all->slots[i].is_binding)
			after_binding(all, &all->slots[i], live);
		all->slots[i].is_binding = false;
	}
}

// ---- acknowledgements ------------------------------------------------------------------------

static void set_review(
	struct dp_sessions *all,
	struct dp_slot *slot,
	enum session_review review,
	bool is_set,
	const char *detail
)
{
	struct session_error err;

	if (((slot->session.reviews & 1u << review) != 0) == is_set)
		return;
	// The book tells dp_sessions_set() of it, and that updates the slot.
	if (session_set_review(
		    all->conf.sessions, slot->session.id, review, is_set, detail, &err
	    ) != 0) {
		store_failed(all, err.text);
		return;
	}
	if (is_set)
		slot->session.reviews |= 1u << review;
	else
		slot->session.reviews &= ~(1u << review);
}

// The boot does not have a session that we gave it. What it billed is closed; a session that should
// be served is bound and given again.
static void take_lost(
	struct dp_sessions *all,
	struct dp_slot *slot,
	const struct usage_harvest *live,
	uint32_t seen_generation
)
{
	struct usage_harvest what = *live;
	char err[ERR_CAP];

	what.seen_generation = seen_generation;
	log_warn(
		"link",
		"session %s: the data plane does not have it in slot %u under generation %u; it is "
		"given again under a new one",
		slot->session.name,
		slot->session.slot,
		slot->session.generation
	);

	if (usage_commit(all->conf.usage, true, err, sizeof(err)) < 0) {
		store_failed(all, err);
		return;
	}
	close_session(all, slot, &what);
}

static void take_refusal(struct dp_sessions *all, struct dp_slot *slot, const struct abi_ack *ack)
{
	char detail[SESSION_AUDIT_TEXT_CAP];

	snprintf(
		detail,
		sizeof(detail),
		"%s refused: %s (%s)",
		abi_command_name(ack->kind),
		abi_ack_name(ack->result),
		abi_ack_help(ack->result)
	);
	log_warn("link", "session %s: %s", slot->session.name, detail);
	uint64_t retry_ns = slot->retry_mono_ns;
	set_review(all, slot, SESSION_REVIEW_COMMAND_REFUSED, true, detail);
	slot->retry_mono_ns = retry_ns; // the flag is no reason to ask again at once
}

void dp_sessions_ack(
	struct dp_sessions *all, const struct abi_ack *ack, const struct usage_harvest *live
)
{
	if (ack->slot >= all->n_used)
		return;
	struct dp_slot *slot = &all->slots[ack->slot];

	switch (dp_slot_ack(slot, ack, clock_mono_ns(all->conf.clock))) {
	case DP_SLOT_IGNORED:
		break;
	case DP_SLOT_ACCEPTED:
		set_review(all, slot, SESSION_REVIEW_COMMAND_REFUSED, false, "accepted");
		break;
	case DP_SLOT_REFUSED:
		take_refusal(all, slot, ack);
		break;
	case DP_SLOT_LOST:
		if (dp_slot_is_wanted(slot) ||
		    (slot->session.is_key_replaced && slot->phase == DP_SLOT_ADDED))
			take_lost(all, slot, live, ack->slot_generation);
		else
			slot->phase = DP_SLOT_REMOVED; // it never arrived: nothing was billed
		break;
	}
	if (slot->phase == DP_SLOT_REMOVED)
		close_session(all, slot, live);
}

// ---- counters --------------------------------------------------------------------------------

static void take_flags(struct dp_sessions *all, struct dp_slot *slot, unsigned found)
{
	if (found & USAGE_DELTA_REGRESSED)
		set_review(all, slot, SESSION_REVIEW_USAGE_REGRESSED, true, "a counter went down");
	if (found & USAGE_DELTA_OVERFLOW)
		set_review(
			all, slot, SESSION_REVIEW_USAGE_OVERFLOW, true, "a total passed 64 bits"
		);
}

static bool has_connected(const struct dp_slot *slot, const struct abi_session_reading *reading)
{
	return slot->session.state == SESSION_PROVISIONED && reading->last_handshake_unix_ns != 0;
}

// One transaction for all that connected since the last round: a thousand sessions that come back
// together are one commit.
static void activate(struct dp_sessions *all, unsigned n_connected)
{
	struct session session;
	struct db_txn txn;

	if (n_connected == 0)
		return;
	db_txn_begin_write(&txn, all->conf.db);
	for (uint32_t i = 0; i < all->n_used; i++) {
		if (all->slots[i].is_connected &&
		    session_store_load(&txn, all->slots[i].session.id, &session) &&
		    session.state == SESSION_PROVISIONED)
			session_store_transition(
				&txn, &session, SESSION_ACTIVE, unix_now(all), "first handshake"
			);
	}
	int rc = db_txn_commit(&txn);
	if (rc != 0)
		store_failed(all, txn.why);
	for (uint32_t i = 0; i < all->n_used; i++) {
		struct dp_slot *slot = &all->slots[i];
		if (slot->is_connected && rc == 0) {
			slot->session.former = slot->session.state;
			slot->session.state = SESSION_ACTIVE;
			slot->session.changed_unix_sec = unix_now(all) / NS_PER_SEC;
		}
		slot->is_connected = false;
	}
}

void dp_sessions_poll(struct dp_sessions *all, const struct usage_harvest *live)
{
	struct abi_session_reading reading;
	unsigned n_connected = 0;

	for (uint32_t i = 0; i < all->n_used; i++) {
		struct dp_slot *slot = &all->slots[i];
		if (slot->phase == DP_SLOT_REMOVED) {
			close_session(all, slot, live); // the store had refused it
			continue;
		}
		if (slot->phase != DP_SLOT_ADDED)
			continue;
		int rc = live->read(live->ctx, i, slot->session.generation, &reading);
		if (rc == 0 || rc == -EAGAIN) {
			take_flags(all, slot, usage_observe(all->conf.usage, i, &reading));
			slot->is_connected = has_connected(slot, &reading);
			n_connected += slot->is_connected;
		} else if (rc == -ESTALE) {
			take_lost(all, slot, live, 0);
		}
	}
	activate(all, n_connected);
}

void dp_sessions_finish(struct dp_sessions *all, const struct usage_harvest *gone)
{
	struct usage_entry entry;
	struct db_txn txn;

	for (uint32_t i = 0; i < all->n_used; i++) {
		struct dp_slot *slot = &all->slots[i];
		if (slot->phase != DP_SLOT_UNBOUND || dp_slot_is_wanted(slot) ||
		    i < all->n_boot_slots)
			continue;
		db_txn_begin_read(&txn, all->conf.db);
		usage_store_load(&txn, slot->session.id, &entry);
		int rc = db_txn_commit(&txn);
		if (rc != 0)
			store_failed(all, txn.why);
		else if (!entry.ledger.is_open)
			close_session(all, slot, gone);
		else
			all->has_foreign_ledger = true;
	}
}

void dp_sessions_log_event(const struct dp_sessions *all, const struct abi_event *event)
{
	if (event->slot >= all->n_used || all->slots[event->slot].phase == DP_SLOT_EMPTY ||
	    all->slots[event->slot].session.generation != event->generation) {
		log_info("link", "data plane: %s", abi_event_name(event->kind));
		return;
	}
	log_info(
		"link",
		"session %s: %s",
		all->slots[event->slot].session.name,
		abi_event_name(event->kind)
	);
}
