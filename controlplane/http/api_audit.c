// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/sessions/{name-or-id}/history: what happened to a session and why, oldest first, from the
// audit log. The log is one for all sessions and in the order of time, so a page may be empty and say
// where to go on. Loop's thread.
#include "api.h"

#include "controlplane/session/session_store.h"

#include <errno.h>
#include <inttypes.h>

#define LIST_DEFAULT 100
#define LIST_MAX 1000
#define SCAN_MAX 20000 // records looked at for one reply

static void put_entry(struct json_writer *writer, const struct session_audit_entry *entry)
{
	json_begin_object(writer, NULL);
	json_put_count(writer, "sequence", entry->sequence);
	json_put_count(writer, "time_unix_sec", entry->time_unix_ns / NS_PER_SEC);
	json_put_string(writer, "what", entry->what);
	json_put_string(writer, "detail", entry->detail);
	json_end(writer);
}

// Returns: the sequence to go on with; 0 at the end of the log. A damaged record fails the transaction.
static uint64_t put_entries(
	struct json_writer *writer,
	struct db_txn *txn,
	uint64_t session_id,
	uint64_t from,
	uint64_t limit
)
{
	const struct db_key first = db_key_u64(from);
	struct session_audit_entry entry;
	struct db_iter iter;
	uint64_t next = 0;

	db_iter_init(&iter, txn, DB_AUDIT, &first);
	for (unsigned n = 0; db_iter_next(&iter); n++) {
		uint64_t sequence = db_key_first(&iter.key);
		if (n == SCAN_MAX || limit == 0) {
			next = sequence;
			break;
		}
		if (session_store_decode_audit(&entry, sequence, &iter.value) != 0) {
			db_txn_fail(txn, -EBADMSG, "audit record %" PRIu64 ": damaged", sequence);
			break;
		}
		if (entry.session_id == session_id) {
			put_entry(writer, &entry);
			limit--;
		}
	}
	db_iter_fini(&iter);
	return next;
}

// ?from=1&limit=100
static void list_history(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct control *control = ctx;
	uint64_t from = 0, limit = LIST_DEFAULT, next;
	struct json_writer writer;
	struct session session;
	struct db_txn txn;

	if (!api_get_number(request, "from", UINT64_MAX - 1, &from, reply) ||
	    !api_get_number(request, "limit", LIST_MAX, &limit, reply) ||
	    !api_find_session(control, request, &session, reply))
		return;
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_count(&writer, "id", session.id);
	json_begin_array(&writer, "history");
	db_txn_begin_read(&txn, control->db);
	next = put_entries(&writer, &txn, session.id, from, limit);
	if (db_txn_commit(&txn) != 0) {
		json_writer_abort(&writer);
		http_reply_problem(reply, 500, NULL, "the audit log cannot be read: %s", txn.why);
		return;
	}
	json_end(&writer);
	if (next == 0)
		json_put_null(&writer, "next");
	else
		json_put_count(&writer, "next", next);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}

const struct http_route api_audit_routes[] = {
	{HTTP_GET, "/api/v1/sessions/{name-or-id}/history", list_history, HTTP_OPERATOR},
};
const size_t api_audit_n_routes = sizeof(api_audit_routes) / sizeof(api_audit_routes[0]);
