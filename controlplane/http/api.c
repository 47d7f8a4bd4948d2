// SPDX-License-Identifier: Apache-2.0
//
// Registers the API's routes and holds what its files share.
#include "api.h"

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/http/api_problem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t api_tables(struct http_route_table ret[API_MAX_TABLES], struct control *control)
{
	const struct http_route_table tables[] = {
		{api_node_routes, api_node_n_routes, control},
		{api_status_routes, api_status_n_routes, control},
		{api_metrics_routes, api_metrics_n_routes, control},
		{api_session_routes, api_session_n_routes, control},
		{api_auth_routes, api_auth_n_routes, control},
		{api_audit_routes, api_audit_n_routes, control},
		{api_checkpoints_routes, api_checkpoints_n_routes, control},
		{api_nodes_routes, api_nodes_n_routes, control},
		{api_operator_routes, api_operator_n_routes, control},
		{api_live_routes, api_live_n_routes, control},
		{api_tx_routes, api_tx_n_routes, control},
		{api_settlements_routes, api_settlements_n_routes, control},
		{api_config_routes, api_config_n_routes, control},
		{api_qr_routes, api_qr_n_routes, control},
		{api_buyer_routes, api_buyer_n_routes, control},
		{api_peer_routes, api_peer_n_routes, control},
		{api_attestation_routes, api_attestation_n_routes, control},
		{api_voucher_routes, api_voucher_n_routes, control},
	};

	static_assert(sizeof(tables) / sizeof(tables[0]) <= API_MAX_TABLES, "room for them");
	memcpy(ret, tables, sizeof(tables));
	return sizeof(tables) / sizeof(tables[0]);
}

int api_register(struct http_server *server, struct control *control)
{
	struct http_route_table tables[API_MAX_TABLES];
	size_t n = api_tables(tables, control);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = http_server_routes_add(
			server, tables[i].routes, tables[i].n_routes, tables[i].ctx
		);
	return r;
}

static int status_of(int code)
{
	switch (code) {
	case -EINVAL:
		return 400;
	case -ENOENT:
		return 404;
	case -EEXIST:
	case -EPERM:
		return 409;
	case -ENOSPC:
		return 507;
	case -ENOMEM:
		return 503;
	default:
		return 500;
	}
}

void api_reply_session_error(
	struct control *control, struct http_reply *reply, const struct session_error *err
)
{
	// Not the caller's fault: the node is not well until the store takes a write again.
	if (strcmp(err->field, "store") == 0)
		health_set(
			control->health,
			HEALTH_STORE,
			clock_unix_ns(control->clock),
			"%s",
			err->text
		);
	http_reply_problem(reply, status_of(err->code), err->field, "%s", err->text);
}

bool api_load_purchase(struct control *control, uint64_t session_id, struct purchase *ret)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, control->db);
	bool is_found = purchase_load(&txn, session_id, ret);
	return db_txn_commit(&txn) == 0 && is_found;
}

// A chain's own name of a session: its id is another on each chain and contract, so at most one of the
// configured ones knows it.
//
// Returns: as session_lookup_identity(); -ENOENT too when the text is no such name.
static int lookup_bought(
	struct control *control, const char *text, struct session *ret, struct session_error *err
)
{
	struct session_identity identity = {.source = SESSION_SOURCE_CHAIN};
	const struct config *config = control->config;
	int rc = -ENOENT;

	if (evm_hex_parse(text, identity.id, sizeof(identity.id)) != 0)
		return rc;
	for (uint32_t i = 0; i < config->n_chains && rc == -ENOENT; i++) {
		identity.chain = config->chains[i].id;
		if (evm_address_parse(config->chains[i].escrow, identity.contract + 12) == 0)
			rc = session_lookup_identity(control->sessions, &identity, ret, err);
	}
	return rc;
}

int api_lookup_session(
	struct control *control, const char *text, struct session *ret, struct session_error *err
)
{
	int rc = lookup_bought(control, text, ret, err);

	return rc == -ENOENT ? session_lookup(control->sessions, text, ret, err) : rc;
}

// Returns: the depth at which the slowest chain's purchases are seen.
static uint32_t provision_confirmations(const struct config *config)
{
	uint32_t depth = 0;

	for (uint32_t i = 0; i < config->n_chains; i++) {
		if (config->chains[i].confirmations.provision > depth)
			depth = config->chains[i].confirmations.provision;
	}
	return depth;
}

static bool is_callers(
	struct control *control, const struct http_caller *caller, const struct session *session
)
{
	static const uint8_t nobody[HTTP_BUYER_BYTES];
	struct purchase purchase;

	if (caller->role == HTTP_ROLE_OPERATOR)
		return true;
	return caller->role == HTTP_ROLE_BUYER &&
		(caller->buyer_chain == 0 || caller->buyer_chain == session->identity.chain) &&
		memcmp(caller->buyer, nobody, sizeof(nobody)) != 0 &&
		api_load_purchase(control, session->id, &purchase) &&
		memcmp(purchase.buyer + 12, caller->buyer, HTTP_BUYER_BYTES) == 0;
}

bool api_find_session(
	struct control *control,
	const struct http_request *request,
	struct session *ret,
	struct http_reply *reply
)
{
	bool is_operators = request->caller.role == HTTP_ROLE_OPERATOR;
	struct session_error err;
	struct session session;
	int r = api_lookup_session(control, request->params[0], &session, &err);

	if (r < 0 && (is_operators || err.code != -ENOENT)) {
		api_reply_session_error(control, reply, &err);
		return false;
	}
	if (r < 0 || !is_callers(control, &request->caller, &session)) {
		http_reply_problem(reply, 404, NULL, "you have no session %s", request->params[0]);
		return false;
	}
	*ret = session;
	return true;
}

bool api_find_bought(
	struct control *control,
	const struct http_request *request,
	struct session *session,
	struct purchase *purchase,
	struct http_reply *reply
)
{
	struct session_error err;
	int rc = api_lookup_session(control, request->params[0], session, &err);

	if (rc < 0 && err.code != -ENOENT) {
		api_reply_session_error(control, reply, &err);
		return false;
	}
	if (rc == 0 && api_load_purchase(control, session->id, purchase))
		return true;
	api_reply_problem(
		reply,
		API_PROBLEM_UNKNOWN_SESSION,
		NULL,
		"no session %s was bought here; a purchase is seen %u blocks after it is mined",
		request->params[0],
		provision_confirmations(control->config)
	);
	return false;
}

bool api_get_number(
	const struct http_request *request,
	const char *name,
	uint64_t max,
	uint64_t *value,
	struct http_reply *reply
)
{
	const char *text = http_request_query(request, name);
	char *end;

	if (text == NULL)
		return true;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *value <= max)
		return true;
	http_reply_problem(
		reply,
		400,
		name,
		"%s '%s': a number up to %llu is expected",
		name,
		text,
		(unsigned long long)max
	);
	return false;
}

#define STATE_WORD(id, name, help) " " name
#define STATE_WORDS SESSION_STATE_LIST(STATE_WORD)

bool api_get_state(
	const struct http_request *request,
	bool *has,
	enum session_state *state,
	struct http_reply *reply
)
{
	const char *text = http_request_query(request, "state");

	*has = text != NULL;
	if (text == NULL || session_state_parse(state, text) == 0)
		return true;
	http_reply_problem(
		reply, 400, "state", "there is no state '%.40s'; the states are" STATE_WORDS, text
	);
	return false;
}

void api_reply_page(struct http_reply *reply, struct json_writer *writer, uint64_t next_id)
{
	json_end(writer);
	if (next_id == 0)
		json_put_null(writer, "next_id");
	else
		json_put_count(writer, "next_id", next_id);
	json_end(writer);
	http_reply_json(reply, 200, writer);
}
