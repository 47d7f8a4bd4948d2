// SPDX-License-Identifier: Apache-2.0
//
// Sessions: what is sold, to whom, how much, until when, and where in its life it is. Each operation
// is one transaction that also writes an audit record; only when that is on disk is the data plane
// told (session_changed in the conf). Runs on the loop's thread. Money, checkpoints and packets are
// elsewhere.
//
// Bytes are billed bytes of both directions together (PRODUCT.md); 1 GB = 10^9 bytes. All limits are
// absolute: quota_bytes is what the session may reach in its whole life.
#pragma once

#include "common/abi_session.h"
#include "common/clock.h"
#include "config/config.h"
#include "controlplane/session/session_state.h"
#include "controlplane/store/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_NAME_CAP 64 // with the terminator
#define SESSION_QUOTA_MAX_BYTES ((uint64_t)INT64_MAX)
#define SESSION_DURATION_MAX_SEC (10ull * 365 * 24 * 3600)
#define SESSION_RATE_MAX_KBPS 400000000u // 400 Gb/s
#define SESSION_KEY_TEXT_CAP 45 // base64 of 32 bytes and the terminator
// Each replaced key costs the store records: so many at once, and one more each interval.
#define SESSION_PEER_BURST 10
#define SESSION_PEER_INTERVAL_SEC 60
#define SESSION_BYTES_PER_GB 1000000000ull

// Who made it. Stored by number: new ones at the end.
enum session_source { SESSION_SOURCE_ADMIN, SESSION_SOURCE_CHAIN, SESSION_N_SOURCE };

// What the session is called outside of this node; unique for ever.
struct session_identity {
	enum session_source source;
	uint64_t chain; // chain id; 0 for admin
	uint8_t contract[32]; // left-padded as on the chain; zero for admin
	uint8_t id[32]; // random for admin
};

struct session {
	uint64_t id; // local, from 1, never reused
	struct session_identity identity;
	char name[SESSION_NAME_CAP];
	enum session_state state;
	enum session_state former; // of a void session
	uint32_t reviews; // bit per enum session_review
	bool has_public_key;
	bool has_psk; // file in wireguard.psk_dir
	bool is_private_key_kept; // made by the node, not yet forgotten
	bool is_throttled_on_quota;
	bool has_slot; // slot, generation and inner are the session's
	// The data plane may still have it under a former public key: it is taken out there and given
	// again, and with it go the former key's keypairs. Cleared by the harvest of the ledger.
	bool is_key_replaced;
	uint8_t public_key[32];
	struct abi_endpoint inner; // address in the tunnel
	uint32_t slot;
	uint32_t generation;
	uint64_t quota_bytes;
	// What vouchers cover and the credit beyond; 0: no vouchers. The data plane bills up to the
	// lower of this and the quota (session_limit_bytes).
	uint64_t voucher_limit_bytes;
	uint64_t created_unix_sec;
	uint64_t changed_unix_sec; // last transition
	uint64_t expires_unix_sec; // 0 = never
	// When the buyer says to have chosen the public key; no older choice is taken. 0: nobody did.
	uint64_t peer_unix_sec;
	uint64_t peer_paced_unix_sec; // replaced keys, at their pace, reach until then
	uint32_t rate_out_kbps; // 0 = unlimited
	uint32_t rate_in_kbps;
	uint32_t free_rate_kbps;
};

// Returns: the cumulative billed bytes that the data plane may reach now.
static inline uint64_t session_limit_bytes(const struct session *session)
{
	if (session->voucher_limit_bytes != 0 &&
	    session->voucher_limit_bytes < session->quota_bytes)
		return session->voucher_limit_bytes;
	return session->quota_bytes;
}

struct session_book;
struct db_txn;

struct session_book_conf {
	struct db *db;
	const struct config *config;
	const struct clock *clock;
	// After each committed change; NULL for none. Must not call back into the book.
	void (*changed)(void *ctx, const struct session *session);
	void *changed_ctx;
};

// Why an operation failed, for whoever asked. code: -EINVAL (field says which), -ENOENT, -EEXIST
// (name or public key in use), -EPERM (the state does not allow it; text names both states), -ENOSPC
// (no slot or address free, or the store is full: field is then "store"), -EIO, … .
struct session_error {
	int code;
	char field[32];
	char text[512];
};

// Removes private key files that no session has.
int session_book_create(
	struct session_book **ret, const struct session_book_conf *conf, struct session_error *err
);
void session_book_destroy(struct session_book *book);

struct session_add {
	// NULL: an admin session. Else a session of a chain, which may come without a public key: it is
	// then pending until session_provision().
	const struct session_identity *identity;
	bool has_public_key; // chain sessions; an admin session has one, or is_key_generated
	// NULL: "s<id>"; else 1..63 of [A-Za-z0-9._-], not starting with '-' or '.', not all digits.
	const char *name;
	bool is_key_generated; // the node makes public_key and keeps the private half
	uint8_t public_key[32];
	bool has_psk;
	uint64_t quota_bytes; // 1..SESSION_QUOTA_MAX_BYTES
	uint64_t duration_sec; // 0 = does not expire
	bool has_rate_out, has_rate_in; // else sessions.default_rate_*
	uint32_t rate_out_kbps, rate_in_kbps;
	bool has_quota_action; // else sessions.quota_action
	enum config_quota_action quota_action;
};

// With a public key: provisioned at once, with a slot and an inner address. A generated private key is
// written to its file before the session is committed.
//
// Returns: 0 with the session; else err->code. Nothing stays behind on failure.
int session_add(
	struct session_book *book,
	const struct session_add *add,
	struct session *ret,
	struct session_error *err
);

// The same inside the caller's transaction, for a session of a chain that has no public key yet: it is
// pending. expires_unix_sec: absolute, instead of add->duration_sec. Failures are the transaction's;
// the caller commits, and nobody need be told of a session without a slot.
void session_add_in(
	struct session_book *book,
	struct db_txn *txn,
	const struct session_add *add,
	uint64_t expires_unix_sec,
	struct session *ret
);

// A session changed in the caller's transaction, which is committed: the data plane is told.
void session_tell(struct session_book *book, const struct session *session);

// In the caller's transaction: a void session back to what it was, with a slot if it had one; or on to its
// end, when its public key or its place in the tunnel is another's by now.
void session_revive_in(
	struct session_book *book, struct db_txn *txn, struct session *session, const char *reason
);

// Gives a pending session its public key, slot and inner address.
int session_provision(
	struct session_book *book,
	uint64_t id,
	const uint8_t public_key[32],
	struct session *ret,
	struct session_error *err
);

struct session_peer {
	const uint8_t *public_key; // NULL: the node makes the key pair and keeps the private half
	uint64_t chosen_unix_sec; // when the buyer chose it; a key of the node's is chosen now
};

// The buyer's choice of a public key: provisions a pending session, or replaces the key of one that is
// served, whose former key then ends at the data plane. The very choice that is in force already is
// success and changes nothing, so it may be sent again.
//
// Returns: 0; -ENOENT; -EINVAL (no usable key); -EALREADY (older than the choice in force); -EEXIST
//          (another live session has the key); -EPERM (the session has ended); -EBUSY (too many keys of
//          late); -ENOSPC; a store error.
int session_set_peer(
	struct session_book *book,
	uint64_t id,
	const struct session_peer *peer,
	struct session *ret,
	struct session_error *err
);

// By what the session is called outside. Returns: 0; -ENOENT; a store error.
int session_lookup_identity(
	struct session_book *book,
	const struct session_identity *identity,
	struct session *ret,
	struct session_error *err
);

// By name, or by local id in digits. Live sessions first; the newest of former ones with that name.
//
// Returns: 0; -ENOENT; a store error.
int session_lookup(
	struct session_book *book,
	const char *name_or_id,
	struct session *ret,
	struct session_error *err
);
int session_get(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
);

// Calls visit for each session, ids upwards from first_id, until it returns false. The book must not
// be changed from there. Returns: 0 or a store error.
int session_each(
	struct session_book *book,
	uint64_t first_id,
	bool (*visit)(void *ctx, const struct session *session),
	void *ctx,
	struct session_error *err
);

// Adds to the quota, checked. ret (may be NULL) is the session afterwards, as in all below.
int session_top_up(
	struct session_book *book,
	uint64_t id,
	uint64_t bytes,
	struct session *ret,
	struct session_error *err
);

// Moves the expiry: duration_sec after the present one, or after now if that has passed. -EINVAL for
// a session that does not expire.
int session_extend(
	struct session_book *book,
	uint64_t id,
	uint64_t duration_sec,
	struct session *ret,
	struct session_error *err
);

int session_set_rates(
	struct session_book *book,
	uint64_t id,
	uint32_t rate_out_kbps,
	uint32_t rate_in_kbps,
	struct session *ret,
	struct session_error *err
);

int session_suspend(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
);
int session_resume(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
);

// Begins the end: draining. The counters are final, the slot free and the address in quarantine when
// the data plane has acknowledged; an admin session is then settled. A kept private key is deleted.
int session_remove(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
);

// The private key of a session whose key the node made, base64. The caller wipes ret.
//
// Returns: 0; -ENOENT when it was forgotten or never here; -EPERM when the file's mode or owner lets
//          others read it.
int session_read_private_key(
	struct session_book *book,
	uint64_t id,
	char ret[SESSION_KEY_TEXT_CAP],
	struct session_error *err
);

// Deletes the private key's file. Returns: 0, also when there was none.
int session_forget_key(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
);

// Any legal transition, with its audit line; `reason` is for people.
int session_transition(
	struct session_book *book,
	uint64_t id,
	enum session_state to,
	const char *reason,
	struct session *ret,
	struct session_error *err
);

// Raises or clears a review flag. No change, no audit record.
int session_set_review(
	struct session_book *book,
	uint64_t id,
	enum session_review review,
	bool is_set,
	const char *detail,
	struct session_error *err
);
