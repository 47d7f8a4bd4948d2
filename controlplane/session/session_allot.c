// SPDX-License-Identifier: Apache-2.0
//
// Allotment in the tables SLOTS {generation, session} and ADDRESSES {session, last session, free from}.
// First fit from a hint; loop's thread.
#include "controlplane/session/session_allot.h"

#include "common/cursor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct slot_record {
	uint32_t generation; // the last one given
	uint64_t session_id; // 0: free
};

static void load_slot(struct db_txn *txn, uint32_t slot, struct slot_record *ret)
{
	const struct db_key key = db_key_u64(slot);
	struct db_value value;
	struct cursor cur;

	*ret = (struct slot_record){0};
	if (!db_get(txn, DB_SLOTS, &key, &value))
		return;
	cursor_init(&cur, value.data, value.len);
	ret->generation = cursor_be32(&cur);
	ret->session_id = cursor_be64(&cur);
	if (!cursor_is_done(&cur))
		db_txn_fail(txn, -EBADMSG, "slot %u: its record cannot be read", slot);
}

static void save_slot(struct db_txn *txn, uint32_t slot, const struct slot_record *record)
{
	const struct db_key key = db_key_u64(slot);
	uint8_t data[12];
	struct cursor_out out;

	cursor_out_init(&out, data, sizeof(data));
	cursor_out_be32(&out, record->generation);
	cursor_out_be64(&out, record->session_id);
	db_put(txn, DB_SLOTS, &key, data, sizeof(data));
}

static bool find_slot(
	const struct session_allot *allot,
	struct db_txn *txn,
	const struct config *config,
	uint32_t *ret_slot,
	struct slot_record *ret
)
{
	uint32_t n_slots = config->sessions.max;

	for (uint32_t i = 0; i < n_slots && txn->error == 0; i++) {
		*ret_slot = (allot->slot_hint + i) % n_slots;
		load_slot(txn, *ret_slot, ret);
		// A slot whose generations are used up is left alone for ever.
		if (txn->error == 0 && ret->session_id == 0 && ret->generation != UINT32_MAX)
			return true;
	}
	return false;
}

static void take_slot(
	struct session_allot *allot,
	struct db_txn *txn,
	uint32_t slot,
	struct slot_record *record,
	struct session *session
)
{
	record->generation++;
	record->session_id = session->id;
	save_slot(txn, slot, record);
	session->slot = slot;
	session->generation = record->generation;
	session->has_slot = true;
	allot->slot_hint = slot + 1;
}

struct address_record {
	uint64_t session_id; // 0: free
	uint64_t last_session_id;
	uint64_t free_from_unix_sec;
};

static struct db_key address_dbkey(const struct abi_endpoint *addr)
{
	uint8_t bytes[17];

	bytes[0] = addr->family;
	memcpy(bytes + 1, addr->addr, 16);
	return db_key_bytes(bytes, sizeof(bytes));
}

static void load_address(
	struct db_txn *txn, const struct abi_endpoint *addr, struct address_record *ret
)
{
	const struct db_key key = address_dbkey(addr);
	struct db_value value;
	struct cursor cur;

	*ret = (struct address_record){0};
	if (!db_get(txn, DB_ADDRESSES, &key, &value))
		return;
	cursor_init(&cur, value.data, value.len);
	ret->session_id = cursor_be64(&cur);
	ret->last_session_id = cursor_be64(&cur);
	ret->free_from_unix_sec = cursor_be64(&cur);
	if (!cursor_is_done(&cur))
		db_txn_fail(txn, -EBADMSG, "the record of an inner address cannot be read");
}

static void save_address(
	struct db_txn *txn, const struct abi_endpoint *addr, const struct address_record *record
)
{
	const struct db_key key = address_dbkey(addr);
	uint8_t data[24];
	struct cursor_out out;

	cursor_out_init(&out, data, sizeof(data));
	cursor_out_be64(&out, record->session_id);
	cursor_out_be64(&out, record->last_session_id);
	cursor_out_be64(&out, record->free_from_unix_sec);
	db_put(txn, DB_ADDRESSES, &key, data, sizeof(data));
}

static struct abi_endpoint ipv4(uint32_t addr)
{
	struct abi_endpoint endpoint = {.family = ABI_FAMILY_IPV4};
	uint32_t addr_be = htonl(addr);

	memcpy(endpoint.addr, &addr_be, 4);
	return endpoint;
}

// A clock that went back must not keep addresses for years: nobody waits longer than the quarantine.
static bool is_in_quarantine(
	const struct address_record *record, uint64_t now_unix_sec, uint64_t quarantine_sec
)
{
	return now_unix_sec < record->free_from_unix_sec &&
		record->free_from_unix_sec - now_unix_sec <= quarantine_sec;
}

static bool try_address(
	struct db_txn *txn,
	const struct config *config,
	const struct abi_endpoint *addr,
	uint64_t now_unix_sec,
	struct session *session
)
{
	uint64_t quarantine_sec = config->sessions.address_quarantine_sec;
	struct address_record record;

	load_address(txn, addr, &record);
	bool is_own = record.last_session_id == session->id;
	if (txn->error != 0 || record.session_id != 0 ||
	    (!is_own && is_in_quarantine(&record, now_unix_sec, quarantine_sec)))
		return false;
	record = (struct address_record){
		.session_id = session->id,
		.last_session_id = session->id,
	};
	save_address(txn, addr, &record);
	session->inner = *addr;
	return true;
}

static bool is_in_network(const struct config *config, const struct abi_endpoint *addr)
{
	uint32_t addr_be;

	memcpy(&addr_be, addr->addr, 4);
	return addr->family == ABI_FAMILY_IPV4 && ntohl(addr_be) != config->tunnel.address &&
		config_cidr_contains(&config->tunnel.network, ntohl(addr_be));
}

static bool take_address(
	struct session_allot *allot,
	struct db_txn *txn,
	const struct config *config,
	uint64_t now_unix_sec,
	struct session *session
)
{
	const struct config_cidr *network = &config->tunnel.network;
	// The first and the last address of a network are nobody's (RFC 1122, 3.2.1.3).
	uint64_t n_hosts = (UINT64_C(1) << (32 - network->prefix_len));

	if (is_in_network(config, &session->inner) &&
	    try_address(txn, config, &session->inner, now_unix_sec, session))
		return true;
	for (uint64_t i = 0; i < n_hosts && txn->error == 0; i++) {
		uint64_t host = (allot->host_hint + i) % n_hosts;
		uint32_t addr = network->addr + (uint32_t)host;
		if (host == 0 || host == n_hosts - 1 || addr == config->tunnel.address)
			continue;
		const struct abi_endpoint endpoint = ipv4(addr);
		if (try_address(txn, config, &endpoint, now_unix_sec, session)) {
			allot->host_hint = (uint32_t)host + 1;
			return true;
		}
	}
	return false;
}

bool session_allot_try(
	struct session_allot *allot,
	struct db_txn *txn,
	const struct config *config,
	uint64_t now_unix_sec,
	struct session *session
)
{
	struct slot_record record;
	uint32_t slot;

	// The slot is written last, so that nothing is when either is missing.
	if (!find_slot(allot, txn, config, &slot, &record) ||
	    !take_address(allot, txn, config, now_unix_sec, session))
		return false;
	take_slot(allot, txn, slot, &record, session);
	return true;
}

void session_allot_take(
	struct session_allot *allot,
	struct db_txn *txn,
	const struct config *config,
	uint64_t now_unix_sec,
	struct session *session
)
{
	struct slot_record record;
	uint32_t slot;

	if (session_allot_try(allot, txn, config, now_unix_sec, session) || txn->error != 0)
		return;
	if (!find_slot(allot, txn, config, &slot, &record)) {
		db_txn_fail(
			txn,
			-EUSERS,
			"all %u slots are taken: remove sessions or raise sessions.max",
			config->sessions.max
		);
		return;
	}
	db_txn_fail(
		txn,
		-EUSERS,
		"no inner address of tunnel.network is free (%u s quarantine after use, "
		"sessions.address_quarantine_sec): remove sessions or widen the network",
		config->sessions.address_quarantine_sec
	);
}

void session_allot_renew(struct db_txn *txn, uint32_t seen, struct session *session)
{
	struct slot_record slot;

	load_slot(txn, session->slot, &slot);
	if (slot.session_id != session->id)
		db_txn_fail(
			txn,
			-EBADMSG,
			"session %s: slot %u belongs to another session",
			session->name,
			session->slot
		);
	if (slot.generation < seen)
		slot.generation = seen;
	if (slot.generation == UINT32_MAX) {
		db_txn_fail(
			txn,
			-EUSERS,
			"slot %u has used up its generations: restart tollwire-dataplane, then "
			"remove session %s and add it again",
			session->slot,
			session->name
		);
		return;
	}
	session->generation = ++slot.generation;
	save_slot(txn, session->slot, &slot);
}

void session_allot_release(
	struct db_txn *txn,
	const struct config *config,
	uint64_t now_unix_sec,
	struct session *session
)
{
	struct slot_record slot;
	struct address_record address;

	if (!session->has_slot)
		return;
	load_slot(txn, session->slot, &slot);
	load_address(txn, &session->inner, &address);
	if (slot.session_id != session->id || address.session_id != session->id) {
		db_txn_fail(
			txn,
			-EBADMSG,
			"session %s: slot %u or its inner address belongs to another session",
			session->name,
			session->slot
		);
		return;
	}
	slot.session_id = 0;
	save_slot(txn, session->slot, &slot);
	address.session_id = 0;
	address.free_from_unix_sec = now_unix_sec + config->sessions.address_quarantine_sec;
	save_address(txn, &session->inner, &address);
	session->has_slot = false;
}
