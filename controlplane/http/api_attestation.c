// SPDX-License-Identifier: Apache-2.0
//
// POST /api/v1/sessions/{name-or-id}/attestation: the attestor's word on what a session used, from the
// attestor itself or from whoever carries it (twctl settle attest): its signature is all the credential
// there is. lifecycle.h decides. Loop's thread.
#include "api.h"

#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/http/api_problem.h"
#include "controlplane/http/api_signature.h"

#include <errno.h>
#include <string.h>

static void reply_error(
	struct control *control, const struct session_error *err, struct http_reply *reply
)
{
	switch (err->code) {
	case -EPERM:
		api_reply_problem(reply, API_PROBLEM_NO_ATTESTATION, NULL, "%s", err->text);
		break;
	case -EBADMSG:
		api_reply_problem(reply, API_PROBLEM_WRONG_SIGNER, "signature", "%s", err->text);
		break;
	case -EINVAL:
		api_reply_problem(
			reply, API_PROBLEM_OTHER_USAGE, "checkpoints_root", "%s", err->text
		);
		break;
	case -ERANGE:
	case -EEXIST:
		api_reply_problem(reply, API_PROBLEM_OTHER_USAGE, "bytes_used", "%s", err->text);
		break;
	default:
		api_reply_session_error(control, reply, err);
		break;
	}
}

static void reply_attestation(
	const struct session *session, const struct purchase *purchase, struct http_reply *reply
)
{
	char session_id[EVM_HEX_SIZE(32)], root[EVM_HEX_SIZE(32)];
	struct json_writer writer;

	evm_hex_format(session->identity.id, 32, session_id);
	evm_hex_format(purchase->attested_root, 32, root);
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_count(&writer, "id", session->id);
	json_put_string(&writer, "session_id", session_id);
	json_put_string(&writer, "state", session_state_name(session->state));
	json_put_count(&writer, "bytes_used", purchase->attested_bytes);
	json_put_string(&writer, "checkpoints_root", root);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}

static void post_attestation(
	void *ctx, const struct http_request *request, struct http_reply *reply
)
{
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE] = {0}, session_id[32];
	struct lifecycle_attestation attestation;
	struct control *control = ctx;
	struct session_error err;
	struct json_reader reader;
	struct purchase purchase;
	struct session session;

	json_reader_init(&reader, request->body);
	attestation.bytes_used = json_reader_u64(&reader, "bytes_used", 0, SESSION_QUOTA_MAX_BYTES);
	const char *root = json_reader_string(&reader, "checkpoints_root", 66, 66);
	const char *id = json_reader_string_or(&reader, "session_id", 66, 66, NULL);
	if (root != NULL && evm_hex_parse(root, attestation.checkpoints_root, 32) < 0)
		json_reader_fail(&reader, "checkpoints_root", "0x and 64 hex digits are expected");
	if (id != NULL && evm_hex_parse(id, session_id, 32) < 0)
		json_reader_fail(&reader, "session_id", "0x and 64 hex digits are expected");
	api_signature_read(&reader, signature);
	if (json_reader_finish(&reader) < 0) {
		http_reply_reader_error(reply, &reader);
		return;
	}
	if (!api_find_bought(control, request, &session, &purchase, reply))
		return;
	if (id != NULL && memcmp(session_id, session.identity.id, 32) != 0) {
		api_reply_problem(
			reply,
			API_PROBLEM_OTHER_USAGE,
			"session_id",
			"this is an attestation of another session"
		);
		return;
	}
	evm_escrow_compact(signature, attestation.r, attestation.vs);
	if (lifecycle_post_attestation(control->life, session.id, &attestation, &purchase, &err) <
	    0)
		reply_error(control, &err, reply);
	else
		reply_attestation(&session, &purchase, reply);
}

const struct http_route api_attestation_routes[] = {
	{HTTP_POST, "/api/v1/sessions/{name-or-id}/attestation", post_attestation, HTTP_SIGNED},
};
const size_t api_attestation_n_routes =
	sizeof(api_attestation_routes) / sizeof(api_attestation_routes[0]);
