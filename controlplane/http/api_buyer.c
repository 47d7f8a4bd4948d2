// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/buyers/{address}/sessions: what an account bought here, oldest first; its own, or any for
// the operator. Loop's thread.
#include "api.h"

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/http/api_session_json.h"

#include <string.h>

#define LIST_DEFAULT 100
#define LIST_MAX 1000

// Returns: how many, at most max; -errno with a problem in the reply.
static int list_ids(
	struct control *control,
	const uint8_t buyer[32],
	uint64_t from,
	uint64_t *ids,
	uint32_t max,
	struct http_reply *reply
)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, control->db);
	uint32_t n = purchase_list_buyer(&txn, buyer, from, ids, max);
	int rc = db_txn_commit(&txn);
	if (rc == 0)
		return (int)n;
	http_reply_problem(reply, 500, "store", "%s", txn.why);
	return rc;
}

// Returns: true; otherwise the reply stands.
static bool read_buyer(
	const struct http_request *request, uint8_t buyer[32], struct http_reply *reply
)
{
	memset(buyer, 0, 32);
	if (evm_address_parse(request->params[0], buyer + 12) < 0) {
		http_reply_problem(reply, 400, "address", "'%s' is no address", request->params[0]);
		return false;
	}
	if (request->caller.role == HTTP_ROLE_OPERATOR ||
	    memcmp(request->caller.buyer, buyer + 12, HTTP_BUYER_BYTES) == 0)
		return true;
	http_reply_problem(reply, 403, "address", "only the sessions of the token's own account");
	return false;
}

// ?from=1&limit=100, local ids upwards; next_id is where the next page begins.
static void list_sessions(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	static uint64_t ids[LIST_MAX + 1]; // the loop's thread alone
	uint64_t from = 0, limit = LIST_DEFAULT;
	struct control *control = ctx;
	struct json_writer writer;
	struct session_error err;
	struct session session;
	uint8_t buyer[32];
	int n;

	if (!api_get_number(request, "from", UINT64_MAX - 1, &from, reply) ||
	    !api_get_number(request, "limit", LIST_MAX, &limit, reply) ||
	    !read_buyer(request, buyer, reply))
		return;
	n = list_ids(control, buyer, from, ids, (uint32_t)limit + 1, reply);
	if (n < 0)
		return;
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_begin_array(&writer, "sessions");
	for (int i = 0; i < n && i < (int)limit; i++) {
		if (session_get(control->sessions, ids[i], &session, &err) < 0) {
			json_writer_abort(&writer);
			api_reply_session_error(control, reply, &err);
			return;
		}
		// A contract wallet's address may be another's on another chain.
		if (request->caller.buyer_chain == 0 ||
		    request->caller.buyer_chain == session.identity.chain)
			api_session_json_put(&writer, NULL, control, &session);
	}
	api_reply_page(reply, &writer, n <= (int)limit ? 0 : ids[limit]);
}

const struct http_route api_buyer_routes[] = {
	{HTTP_GET, "/api/v1/buyers/{address}/sessions", list_sessions, HTTP_BUYER},
};
const size_t api_buyer_n_routes = sizeof(api_buyer_routes) / sizeof(api_buyer_routes[0]);
