// SPDX-License-Identifier: Apache-2.0
//
// Closing ledgers. The law: what the counters say is committed here before anybody unlinks them or
// gives the session to another boot. Loop's thread.
#include "controlplane/usage/usage_harvest.h"

#include "controlplane/session/session_allot.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A session whose last bytes are in: it gives its slot back and goes on to be paid for. Nothing is
// owed for an admin session.
static void finish(const struct usage_harvest *harvest, struct db_txn *txn, struct session *session)
{
	uint64_t now_ns = harvest->now_unix_ns;

	// Settling with a slot: its contract's deadline came before the data plane's answer.
	if (session->state != SESSION_DRAINING && session->state != SESSION_VOID &&
	    session_state_is_live(session->state))
		return;
	if (session->has_slot) {
		session_allot_release(txn, harvest->config, now_ns / NS_PER_SEC, session);
		session_store_save(txn, session);
	}
	session_store_set_review(
		txn,
		session,
		SESSION_REVIEW_COMMAND_REFUSED,
		false,
		now_ns,
		"no command is due any more"
	);
	if (session->state != SESSION_DRAINING)
		return;
	session->is_private_key_kept = false; // its file went when the session ended
	session_store_transition(txn, session, SESSION_SETTLING, now_ns, "usage is final");
	if (session->identity.source == SESSION_SOURCE_ADMIN)
		session_store_transition(txn, session, SESSION_SETTLED, now_ns, "nothing to pay");
}

static void flag(
	const struct usage_harvest *harvest,
	struct db_txn *txn,
	struct session *session,
	unsigned found,
	bool is_lost
)
{
	uint64_t now_ns = harvest->now_unix_ns;

	if (found & USAGE_DELTA_REGRESSED)
		session_store_set_review(
			txn, session, SESSION_REVIEW_USAGE_REGRESSED, true, now_ns, "at harvest"
		);
	if (found & USAGE_DELTA_OVERFLOW)
		session_store_set_review(
			txn, session, SESSION_REVIEW_USAGE_OVERFLOW, true, now_ns, "at harvest"
		);
	if (is_lost)
		session_store_set_review(
			txn,
			session,
			SESSION_REVIEW_USAGE_LOST,
			true,
			now_ns,
			"counters gone; the last checkpoint stands"
		);
}

static void close_ledger(
	const struct usage_harvest *harvest,
	struct db_txn *txn,
	struct session *session,
	struct usage_entry *entry
)
{
	struct abi_session_reading reading;
	unsigned found = 0;
	bool is_lost = false;

	if (entry->ledger.is_open) {
		int rc = -ENOENT;
		if (harvest->read != NULL)
			rc = harvest->read(
				harvest->ctx, entry->ledger.slot, entry->ledger.generation, &reading
			);
		// -ESTALE: the boot never took the session, so it billed nothing.
		if (rc == 0 || rc == -EAGAIN)
			found = usage_store_observe(entry, &reading);
		else if (rc != -ESTALE && rc != -ENOENT)
			db_txn_fail(txn, rc, "the counters of a boot cannot be read any more");
		is_lost = rc == -ENOENT;
		usage_delta_close(&entry->ledger);
		usage_store_checkpoint(
			txn,
			session->id,
			session->identity.id,
			entry,
			harvest->now_unix_ns / NS_PER_SEC
		);
	}
	if (session->state == SESSION_DRAINING) {
		// Where the buyer was is needed no more.
		entry->endpoint = (struct abi_endpoint){0};
		usage_store_save(txn, session->id, entry);
	}
	if (session->is_key_replaced) {
		// No boot has it under the former key any more.
		session->is_key_replaced = false;
		session_store_save(txn, session);
	}
	flag(harvest, txn, session, found, is_lost);
	finish(harvest, txn, session);
}

// Ids of the sessions whose ledger is bound to boot_id. The caller frees ret.
static size_t collect(struct db_txn *txn, const uint8_t boot_id[16], uint64_t **ret)
{
	size_t n = 0, cap = 0;
	uint64_t *ids = NULL;
	struct usage_entry entry;
	struct db_iter iter;

	db_iter_init(&iter, txn, DB_USAGE, NULL);
	while (db_iter_next(&iter)) {
		if (usage_store_decode(&entry, iter.value.data, iter.value.len) != 0) {
			db_txn_fail(txn, -EBADMSG, "a usage record in the store cannot be read");
			break;
		}
		if (!entry.ledger.is_open || memcmp(entry.ledger.boot_id, boot_id, 16) != 0)
			continue;
		if (n == cap) {
			cap = cap == 0 ? 256 : cap * 2;
			uint64_t *more = realloc(ids, cap * sizeof(*ids));
			if (more == NULL) {
				db_txn_fail(txn, -ENOMEM, "out of memory at harvest");
				break;
			}
			ids = more;
		}
		ids[n++] = db_key_first(&iter.key);
	}
	db_iter_fini(&iter);
	*ret = ids;
	return n;
}

int usage_harvest_boot(
	const struct usage_harvest *harvest, const uint8_t boot_id[16], char *err, size_t err_len
)
{
	struct usage_entry entry;
	struct session session;
	struct db_txn txn;
	uint64_t *ids;

	db_txn_begin_write(&txn, harvest->db);
	size_t n = collect(&txn, boot_id, &ids);
	for (size_t i = 0; i < n && txn.error == 0; i++) {
		usage_store_load(&txn, ids[i], &entry);
		if (session_store_load(&txn, ids[i], &session))
			close_ledger(harvest, &txn, &session, &entry);
		else
			db_txn_fail(
				&txn,
				-EBADMSG,
				"session %" PRIu64 ": usage without a session",
				ids[i]
			);
	}
	free(ids);
	int rc = db_txn_commit(&txn);
	if (rc != 0) {
		snprintf(err, err_len, "%s", txn.why);
		return rc;
	}
	return (int)n;
}

int usage_harvest_session(
	const struct usage_harvest *harvest,
	uint64_t session_id,
	struct session *ret,
	char *err,
	size_t err_len
)
{
	struct usage_entry entry;
	struct session session;
	struct db_txn txn;

	db_txn_begin_write(&txn, harvest->db);
	usage_store_load(&txn, session_id, &entry);
	if (session_store_load(&txn, session_id, &session))
		close_ledger(harvest, &txn, &session, &entry);
	else
		db_txn_fail(&txn, -ENOENT, "no session %" PRIu64, session_id);
	if (txn.error == 0 && harvest->read != NULL && session.has_slot) {
		session_allot_renew(&txn, harvest->seen_generation, &session);
		session_store_save(&txn, &session);
	}
	int rc = db_txn_commit(&txn);
	if (rc != 0)
		snprintf(err, err_len, "%s", txn.why);
	else if (ret != NULL)
		*ret = session;
	return rc;
}

int usage_harvest_list(struct db *db, uint8_t (*ret_boot_ids)[16], int max)
{
	struct usage_entry entry;
	struct db_txn txn;
	struct db_iter iter;
	int n = 0;

	db_txn_begin_read(&txn, db);
	db_iter_init(&iter, &txn, DB_USAGE, NULL);
	while (db_iter_next(&iter)) {
		if (usage_store_decode(&entry, iter.value.data, iter.value.len) != 0) {
			db_txn_fail(&txn, -EBADMSG, "a usage record in the store cannot be read");
			break;
		}
		if (!entry.ledger.is_open)
			continue;
		bool is_known = false;
		for (int i = 0; i < n && i < max && !is_known; i++)
			is_known = memcmp(ret_boot_ids[i], entry.ledger.boot_id, 16) == 0;
		if (is_known)
			continue;
		if (n < max)
			memcpy(ret_boot_ids[n], entry.ledger.boot_id, 16);
		n++;
	}
	db_iter_fini(&iter);
	int rc = db_txn_commit(&txn);
	return rc != 0 ? rc : n;
}
