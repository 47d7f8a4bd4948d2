// SPDX-License-Identifier: Apache-2.0
//
// POST /api/v1/sessions/{name-or-id}/vouchers: the newest voucher of a session's voucher signer, whose
// signature is all the credential there is; POST …/end: the buyer has had enough. lifecycle.h decides.
// Loop's thread.
#include "controlplane/http/api_voucher.h"

#include "api.h"

#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/http/api_problem.h"
#include "controlplane/http/api_session_json.h"
#include "controlplane/http/api_signature.h"

#include <errno.h>

static uint64_t counts[API_N_VOUCHER];

#define NAME_ROW(id, name) name,

const char *api_voucher_name(enum api_voucher_result result)
{
	static const char *const names[API_N_VOUCHER] = {API_VOUCHER_LIST(NAME_ROW)};

	return names[result];
}

uint64_t api_voucher_count(enum api_voucher_result result)
{
	return counts[result];
}

static void reply_error(
	struct control *control,
	const struct session *session,
	const struct session_error *err,
	struct http_reply *reply
)
{
	bool is_over = session->state == SESSION_SETTLED || session->state == SESSION_REFUNDED ||
		session->state == SESSION_VOID;

	switch (err->code) {
	case -EPERM:
		counts[is_over ? API_VOUCHER_SESSION_OVER : API_VOUCHER_NO_VOUCHERS]++;
		api_reply_problem(
			reply,
			is_over ? API_PROBLEM_SESSION_OVER : API_PROBLEM_NO_VOUCHERS,
			NULL,
			"%s",
			err->text
		);
		break;
	case -EBADMSG:
		counts[API_VOUCHER_WRONG_SIGNER]++;
		api_reply_problem(reply, API_PROBLEM_WRONG_SIGNER, "signature", "%s", err->text);
		break;
	case -ERANGE:
		counts[API_VOUCHER_TOO_LARGE]++;
		api_reply_problem(
			reply, API_PROBLEM_VOUCHER_TOO_LARGE, "cumulative_bytes", "%s", err->text
		);
		break;
	default:
		counts[API_VOUCHER_FAILED]++;
		api_reply_session_error(control, reply, err);
		break;
	}
}

// What a payer needs to know next; the whole session is GET's.
static void reply_voucher(
	struct control *control,
	const struct session *session,
	const struct purchase *purchase,
	struct http_reply *reply
)
{
	char session_id[EVM_HEX_SIZE(32)];
	struct json_writer writer;

	evm_hex_format(session->identity.id, 32, session_id);
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_count(&writer, "id", session->id);
	json_put_string(&writer, "session_id", session_id);
	json_put_string(&writer, "state", session_state_name(session->state));
	json_put_count(&writer, "cumulative_bytes", purchase->voucher_bytes);
	json_put_count(&writer, "limit_bytes", session_limit_bytes(session));
	json_put_count(&writer, "bought_bytes", purchase->bought_bytes);
	json_put_count(&writer, "credit_bytes", lifecycle_credit_bytes(control->config, session));
	api_session_json_put_used(&writer, control, session);
	json_put_bool(&writer, "is_waiting_for_voucher", purchase->waiting_unix_sec != 0);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}

static void post_voucher(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE] = {0};
	struct lifecycle_voucher voucher;
	struct control *control = ctx;
	struct session_error err;
	struct json_reader reader;
	struct purchase purchase;
	struct session session;

	json_reader_init(&reader, request->body);
	voucher.cumulative_bytes =
		json_reader_u64(&reader, "cumulative_bytes", 0, SESSION_QUOTA_MAX_BYTES);
	api_signature_read(&reader, signature);
	if (json_reader_finish(&reader) < 0) {
		counts[API_VOUCHER_MALFORMED]++;
		http_reply_reader_error(reply, &reader);
		return;
	}
	if (!api_find_bought(control, request, &session, &purchase, reply)) {
		counts[API_VOUCHER_UNKNOWN_SESSION]++;
		return;
	}
	evm_escrow_compact(signature, voucher.r, voucher.vs);
	if (lifecycle_post_voucher(control->life, session.id, &voucher, &purchase, &err) < 0)
		reply_error(control, &session, &err, reply);
	else if (session_get(control->sessions, session.id, &session, &err) < 0)
		api_reply_session_error(control, reply, &err);
	else {
		counts[API_VOUCHER_TAKEN]++;
		reply_voucher(control, &session, &purchase, reply);
	}
}

static void post_end(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct control *control = ctx;
	struct json_writer writer;
	struct session_error err;
	struct session session;

	if (!api_find_session(control, request, &session, reply))
		return;
	if (lifecycle_end(control->life, session.id, "ended by the buyer", &err) < 0 ||
	    session_get(control->sessions, session.id, &session, &err) < 0) {
		api_reply_session_error(control, reply, &err);
		return;
	}
	json_writer_init(&writer);
	api_session_json_put(&writer, NULL, control, &session);
	http_reply_json(reply, 200, &writer);
}

const struct http_route api_voucher_routes[] = {
	{HTTP_POST, "/api/v1/sessions/{name-or-id}/vouchers", post_voucher, HTTP_SIGNED},
	{HTTP_POST, "/api/v1/sessions/{name-or-id}/end", post_end, HTTP_BUYER},
};
const size_t api_voucher_n_routes = sizeof(api_voucher_routes) / sizeof(api_voucher_routes[0]);
