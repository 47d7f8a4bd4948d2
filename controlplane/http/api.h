// SPDX-License-Identifier: Apache-2.0
//
// The HTTP API under /api/v1: what each path answers stands in the api_*.c files. Handlers
// translate between JSON and the modules behind struct control; they decide nothing. Loop's thread.
#pragma once

#include "controlplane/control.h"
#include "controlplane/http/http_server.h"

#define API_MAX_TABLES 24

// All routes, a table a file. Returns: how many tables.
size_t api_tables(struct http_route_table ret[API_MAX_TABLES], struct control *control);

// Adds all routes. control is kept and must outlive the server.
//
// Returns: 0 or -errno.
int api_register(struct http_server *server, struct control *control);

// The reply to a failed operation on a session: the status that fits err->code, err->field, err->text.
void api_reply_session_error(
	struct control *control, struct http_reply *reply, const struct session_error *err
);

// What the chain said of a session. Returns: false for one that was not bought on a chain.
bool api_load_purchase(struct control *control, uint64_t session_id, struct purchase *ret);

// By name, local id in digits, or the chain's id (0x and 64 hex digits) on a configured chain and its
// escrow, whoever asks. Returns: as session_lookup().
int api_lookup_session(
	struct control *control, const char *text, struct session *ret, struct session_error *err
);

// The session that the path's first brace names, if it is the caller's: a buyer's own, any for the
// operator. A session of somebody else is answered like one that is not there.
//
// Returns: true with the session; otherwise the reply stands.
bool api_find_session(
	struct control *control,
	const struct http_request *request,
	struct session *ret,
	struct http_reply *reply
);

// The bought session that the path's first brace names, whoever asks: for requests that a signature
// speaks for. Returns: true with both; otherwise the reply stands.
bool api_find_bought(
	struct control *control,
	const struct http_request *request,
	struct session *session,
	struct purchase *purchase,
	struct http_reply *reply
);

// A decimal query parameter; value keeps what it is when the parameter is absent.
//
// Returns: true, or false when the reply stands.
bool api_get_number(
	const struct http_request *request,
	const char *name,
	uint64_t max,
	uint64_t *value,
	struct http_reply *reply
);

// The query parameter "state"; without it *has is false.
//
// Returns: true, or false when the reply stands.
bool api_get_state(
	const struct http_request *request,
	bool *has,
	enum session_state *state,
	struct http_reply *reply
);

// Sends a page of a listing whose array is still open in its object: ends both, with next_id, where the
// next page begins; 0: this was the last one.
void api_reply_page(struct http_reply *reply, struct json_writer *writer, uint64_t next_id);

// The tables of the api_*.c files.
extern const struct http_route api_node_routes[];
extern const size_t api_node_n_routes;
extern const struct http_route api_status_routes[];
extern const size_t api_status_n_routes;
extern const struct http_route api_metrics_routes[];
extern const size_t api_metrics_n_routes;
extern const struct http_route api_session_routes[];
extern const size_t api_session_n_routes;
extern const struct http_route api_auth_routes[];
extern const size_t api_auth_n_routes;
extern const struct http_route api_audit_routes[];
extern const size_t api_audit_n_routes;
extern const struct http_route api_checkpoints_routes[];
extern const size_t api_checkpoints_n_routes;
extern const struct http_route api_settlements_routes[];
extern const size_t api_settlements_n_routes;
extern const struct http_route api_nodes_routes[];
extern const size_t api_nodes_n_routes;
extern const struct http_route api_operator_routes[];
extern const size_t api_operator_n_routes;
extern const struct http_route api_live_routes[];
extern const size_t api_live_n_routes;
extern const struct http_route api_tx_routes[];
extern const size_t api_tx_n_routes;
extern const struct http_route api_config_routes[];
extern const size_t api_config_n_routes;
extern const struct http_route api_qr_routes[];
extern const size_t api_qr_n_routes;
extern const struct http_route api_buyer_routes[];
extern const size_t api_buyer_n_routes;
extern const struct http_route api_peer_routes[];
extern const size_t api_peer_n_routes;
extern const struct http_route api_attestation_routes[];
extern const size_t api_attestation_n_routes;
extern const struct http_route api_voucher_routes[];
extern const size_t api_voucher_n_routes;
