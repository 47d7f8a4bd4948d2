// SPDX-License-Identifier: Apache-2.0
//
// Usage of the sessions that are in the data plane, in memory by slot, and its checkpoints. What is
// in memory can always be read again: from the store and the counters' segment, which outlives its
// writer. Loop's thread.
#include "controlplane/usage/usage.h"

#include "controlplane/session/session_store.h"
#include "controlplane/usage/usage_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct live {
	uint64_t session_id; // 0: the slot has none
	uint8_t identity_id[32];
	struct usage_entry entry; // as counted; on disk up to entry.last
	struct usage_entry next; // between usage_open and usage_opened
	struct abi_session_reading reading;
	bool has_reading;
	uint64_t read_mono_ns;
	uint64_t out_bits_per_sec;
	uint64_t in_bits_per_sec;
	uint64_t checkpoint_mono_ns; // of the last one, or of the opening
	bool is_in_txn; // next waits for the commit
};

struct usage_book {
	struct usage_book_conf conf;
	struct live *lives;
	uint32_t n_slots;
	uint32_t n_used; // no slot from here on has a session
};

int usage_book_create(struct usage_book **ret, const struct usage_book_conf *conf)
{
	struct usage_book *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return -ENOMEM;
	book->conf = *conf;
	book->n_slots = conf->config->sessions.max;
	book->lives = calloc(book->n_slots, sizeof(*book->lives));
	if (book->lives == NULL) {
		free(book);
		return -ENOMEM;
	}
	*ret = book;
	return 0;
}

void usage_book_destroy(struct usage_book *book)
{
	if (book == NULL)
		return;
	free(book->lives);
	free(book);
}

static bool is_bound_to(
	const struct usage_ledger *ledger, const struct session *session, const uint8_t boot_id[16]
)
{
	return ledger->is_open && memcmp(ledger->boot_id, boot_id, 16) == 0 &&
		ledger->slot == session->slot && ledger->generation == session->generation;
}

// Room for a slot beyond sessions.max: a data plane that started with a higher one has it.
static bool grow(struct usage_book *book, struct db_txn *txn, uint32_t n_slots)
{
	if (n_slots <= book->n_slots)
		return true;
	struct live *lives = realloc(book->lives, n_slots * sizeof(*lives));
	if (lives == NULL) {
		db_txn_fail(txn, -ENOMEM, "out of memory for slot %u", n_slots - 1);
		return false;
	}
	memset(lives + book->n_slots, 0, (n_slots - book->n_slots) * sizeof(*lives));
	book->lives = lives;
	book->n_slots = n_slots;
	return true;
}

bool usage_open(
	struct usage_book *book,
	struct db_txn *txn,
	const struct session *session,
	const uint8_t boot_id[16]
)
{
	if (!grow(book, txn, session->slot + 1))
		return false;
	struct live *live = &book->lives[session->slot];

	usage_store_load(txn, session->id, &live->next);
	if (is_bound_to(&live->next.ledger, session, boot_id))
		return txn->error == 0;
	if (!usage_delta_open(&live->next.ledger, boot_id, session->slot, session->generation))
		return false;
	usage_store_save(txn, session->id, &live->next);
	return txn->error == 0;
}

void usage_opened(struct usage_book *book, const struct session *session)
{
	struct live *live = &book->lives[session->slot];
	const struct usage_entry entry = live->next;

	*live = (struct live){
		.session_id = session->id,
		.entry = entry,
		.checkpoint_mono_ns = clock_mono_ns(book->conf.clock),
	};
	memcpy(live->identity_id, session->identity.id, 32);
	if (book->n_used <= session->slot)
		book->n_used = session->slot + 1;
}

void usage_base(const struct usage_book *book, uint32_t slot, struct abi_command *add)
{
	const struct usage_entry *entry = &book->lives[slot].entry;

	add->base_out_bytes = entry->ledger.base.out_bytes;
	add->base_in_bytes = entry->ledger.base.in_bytes;
	add->endpoint = entry->endpoint;
	add->last_authentic_unix_ns = entry->last_authentic_unix_ns;
}

unsigned usage_observe(
	struct usage_book *book, uint32_t slot, const struct abi_session_reading *reading
)
{
	struct live *live = &book->lives[slot];
	uint64_t now_ns = clock_mono_ns(book->conf.clock);
	const struct usage_count before = usage_delta_total(&live->entry.ledger);
	unsigned found = usage_store_observe(&live->entry, reading);
	const struct usage_count after = usage_delta_total(&live->entry.ledger);

	if (live->has_reading && now_ns > live->read_mono_ns) {
		uint64_t elapsed_ns = now_ns - live->read_mono_ns;
		live->out_bits_per_sec =
			usage_delta_rate(before.out_bytes, after.out_bytes, elapsed_ns);
		live->in_bits_per_sec =
			usage_delta_rate(before.in_bytes, after.in_bytes, elapsed_ns);
	}
	live->reading = *reading;
	live->has_reading = true;
	live->read_mono_ns = now_ns;
	return found;
}

static bool is_due(const struct usage_book *book, const struct live *live, bool is_forced)
{
	const struct config_usage *usage = &book->conf.config->usage;
	const struct usage_checkpoint *last = &live->entry.last;
	const struct usage_count total = usage_delta_total(&live->entry.ledger);
	// Neither is below: totals only rise, and last is one of them.
	const struct usage_count moved = {
		.out_bytes = total.out_bytes - last->out_bytes,
		.in_bytes = total.in_bytes - last->in_bytes,
	};
	uint64_t moved_bytes = usage_delta_sum(&moved);
	uint64_t age_ns = clock_mono_ns(book->conf.clock) - live->checkpoint_mono_ns;

	if (moved_bytes == 0)
		return false;
	return is_forced || moved_bytes >= usage->checkpoint_bytes ||
		age_ns >= usage->checkpoint_interval_sec * NS_PER_SEC;
}

int usage_commit(struct usage_book *book, bool is_forced, char *err, size_t err_len)
{
	uint64_t now_sec = clock_unix_ns(book->conf.clock) / NS_PER_SEC;
	struct db_txn txn = {.handle = NULL};
	int n = 0;

	for (uint32_t slot = 0; slot < book->n_used; slot++) {
		struct live *live = &book->lives[slot];
		if (live->session_id == 0 || !is_due(book, live, is_forced))
			continue;
		if (n++ == 0)
			db_txn_begin_write(&txn, book->conf.db);
		live->is_in_txn = true;
		live->next = live->entry;
		usage_store_checkpoint(
			&txn, live->session_id, live->identity_id, &live->next, now_sec
		);
	}
	if (n == 0)
		return 0;
	int rc = db_txn_commit(&txn);
	for (uint32_t slot = 0; slot < book->n_used; slot++) {
		struct live *live = &book->lives[slot];
		if (live->is_in_txn && rc == 0) {
			live->entry = live->next;
			live->checkpoint_mono_ns = clock_mono_ns(book->conf.clock);
		}
		live->is_in_txn = false;
	}
	if (rc != 0)
		snprintf(err, err_len, "%s", txn.why);
	return rc != 0 ? rc : n;
}

void usage_forget(struct usage_book *book, uint32_t slot)
{
	if (slot < book->n_slots)
		book->lives[slot] = (struct live){0};
	while (book->n_used > 0 && book->lives[book->n_used - 1].session_id == 0)
		book->n_used--;
}

static void view_live(struct usage_view *view, const struct live *live)
{
	const struct abi_session_reading *reading = &live->reading;

	if (!live->has_reading)
		return;
	view->is_in_dataplane = true;
	view->out_pkts = reading->out_pkts;
	view->in_pkts = reading->in_pkts;
	view->free_out_bytes = reading->free_out_bytes;
	view->free_in_bytes = reading->free_in_bytes;
	view->originated_bytes = reading->originated_bytes;
	view->drop_out_pkts = reading->drop_out_pkts;
	view->drop_in_pkts = reading->drop_in_pkts;
	view->last_handshake_unix_ns = reading->last_handshake_unix_ns;
	view->limit_bytes = reading->limit_bytes;
	view->gate = reading->gate;
	view->slot_state = reading->state;
	view->owner = reading->owner;
	view->out_bits_per_sec = live->out_bits_per_sec;
	view->in_bits_per_sec = live->in_bits_per_sec;
}

int usage_read(struct usage_book *book, uint64_t session_id, struct usage_view *ret)
{
	struct usage_view view = {.owner = ABI_OWNER_NONE};
	const struct live *live = NULL;
	struct usage_entry entry;
	struct session session;
	struct db_txn txn;

	db_txn_begin_read(&txn, book->conf.db);
	usage_store_load(&txn, session_id, &entry);
	if (session_store_load(&txn, session_id, &session) && session.has_slot &&
	    session.slot < book->n_slots)
		live = &book->lives[session.slot];
	int rc = db_txn_commit(&txn);
	if (rc != 0)
		return rc;
	if (live != NULL && live->session_id == session_id) {
		entry = live->entry;
		view_live(&view, live);
	}
	const struct usage_count total = usage_delta_total(&entry.ledger);
	view.out_bytes = total.out_bytes;
	view.in_bytes = total.in_bytes;
	view.last_authentic_unix_ns = entry.last_authentic_unix_ns;
	view.endpoint = entry.endpoint;
	view.n_checkpoints = entry.last.sequence;
	view.checkpoint_out_bytes = entry.last.out_bytes;
	view.checkpoint_in_bytes = entry.last.in_bytes;
	*ret = view;
	return 0;
}
