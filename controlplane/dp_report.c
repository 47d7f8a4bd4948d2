// SPDX-License-Identifier: Apache-2.0
//
// See dp_report.h.
#include "controlplane/dp_report.h"

static uint64_t unix_now(const struct dp_sessions *all)
{
	return clock_unix_ns(all->conf.clock);
}

void dp_report_no_dataplane(const struct dp_sessions *all)
{
	health_set(
		all->conf.health,
		HEALTH_DATAPLANE,
		unix_now(all),
		"no data plane runs on %s (node.runtime_dir): start tollwire-dataplane",
		all->conf.config->node.runtime_dir
	);
}

void dp_report_unusable(const struct dp_sessions *all, const uint8_t boot_id[16], const char *why)
{
	const char *dir = all->conf.config->node.runtime_dir;

	health_set(
		all->conf.health,
		HEALTH_ABI,
		unix_now(all),
		"%s%s",
		why,
		abi_attach_is_boot_dead(dir, boot_id) ? "; its data plane has ended: let the "
							"tollwire-control that it belonged to run "
							"once with this configuration, or remove "
							"the file to give up what it counted "
							"since the last checkpoint"
						      : ""
	);
}

void dp_report_probe_store(struct dp_sessions *all)
{
	// Larger than a change of one session: a small one fits into pages that became free, also when the
	// disk is full.
	static const uint8_t probe[16384];
	const struct db_key key = db_key_text("store probe");
	struct db_txn txn;

	if (!all->conf.health->conditions[HEALTH_STORE].is_set || all->is_incomplete)
		return;
	db_txn_begin_write(&txn, all->conf.db);
	db_put(&txn, DB_META, &key, probe, sizeof(probe));
	if (db_txn_commit(&txn) != 0)
		return;
	health_clear(all->conf.health, HEALTH_STORE);
}

static void report_slots(struct dp_sessions *all)
{
	const char *first = "";
	uint32_t n_needed = 0;
	unsigned n = 0;

	for (uint32_t i = all->n_boot_slots; all->n_boot_slots != 0 && i < all->n_used; i++) {
		if (!dp_slot_is_wanted(&all->slots[i]) || all->slots[i].phase == DP_SLOT_EMPTY)
			continue;
		if (n++ == 0)
			first = all->slots[i].session.name;
		n_needed = i + 1;
	}
	if (n == 0) {
		health_clear(all->conf.health, HEALTH_SLOTS);
		return;
	}
	health_set(
		all->conf.health,
		HEALTH_SLOTS,
		unix_now(all),
		"%u sessions are not served, the first is %s: the data plane has %u slots; set "
		"sessions.max to %u or more and restart tollwire-dataplane, or remove them",
		n,
		first,
		all->n_boot_slots,
		n_needed
	);
}

void dp_report_conditions(struct dp_sessions *all)
{
	const char *first_review = "", *first_refused = "";
	unsigned n_reviews = 0, n_refused = 0;

	for (uint32_t i = 0; i < all->n_used; i++) {
		const struct dp_slot *slot = &all->slots[i];
		if (slot->phase == DP_SLOT_EMPTY)
			continue;
		if (slot->session.reviews != 0 && n_reviews++ == 0)
			first_review = slot->session.name;
		if (slot->is_refused && n_refused++ == 0)
			first_refused = slot->session.name;
	}
	if (n_reviews != 0)
		health_set(
			all->conf.health,
			HEALTH_REVIEW,
			unix_now(all),
			"%u sessions, the first is %s: see 'twctl session history %s'",
			n_reviews,
			first_review,
			first_review
		);
	else
		health_clear(all->conf.health, HEALTH_REVIEW);
	if (n_refused != 0)
		health_set(
			all->conf.health,
			HEALTH_COMMANDS,
			unix_now(all),
			"the data plane refused commands for %u sessions, the first is %s: see "
			"'twctl session history %s'",
			n_refused,
			first_refused,
			first_refused
		);
	else
		health_clear(all->conf.health, HEALTH_COMMANDS);
	report_slots(all);
}

void dp_report_count(const struct dp_sessions *all, uint32_t *ret_n_added, uint32_t *ret_n_waiting)
{
	*ret_n_added = 0;
	*ret_n_waiting = 0;
	for (uint32_t i = 0; i < all->n_used; i++) {
		*ret_n_added += all->slots[i].phase == DP_SLOT_ADDED;
		*ret_n_waiting += dp_slot_is_waiting(&all->slots[i]);
	}
}
