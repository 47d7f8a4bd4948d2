// SPDX-License-Identifier: Apache-2.0
//
// Refusals that a buyer's program must tell apart: each has a problem type of its own (RFC 9457), a
// status, and a counter. What a person reads stands in the detail. Loop's thread.
#pragma once

#include "controlplane/http/http_message.h"

#define API_PROBLEM_TYPE_PREFIX "urn:tollwire:problem:"

// id, status, name, title
#define API_PROBLEM_LIST(X) \
	X(UNKNOWN_SESSION, 404, "unknown-session", "Nobody bought such a session here") \
	X(WRONG_SIGNER, 403, "wrong-signer", "The signature is not by who may sign this") \
	X(STALE_PROOF, 403, "stale-proof", "The proof is too old, or of the future") \
	X(REPLAYED_PROOF, 409, "replayed-proof", "A newer proof was taken before") \
	X(KEY_IN_USE, 409, "public-key-in-use", "The public key belongs to another live session") \
	X(TOO_MANY_KEYS, 429, "too-many-keys", "The session has had many public keys of late") \
	X(SESSION_OVER, 409, "session-over", "The session has ended") \
	X(NO_VOUCHERS, 409, "no-vouchers", "The session takes no vouchers") \
	X(NO_ATTESTATION, 409, "no-attestation", "The session takes no attestation now") \
	X(OTHER_USAGE, 409, "other-usage", "The attestation is of another usage") \
	X(VOUCHER_TOO_LARGE, 409, "voucher-too-large", "The voucher is for more than was bought") \
	X(NOT_PROVISIONED, 409, "not-provisioned", "The session has no place in the tunnel") \
	X(NO_PRIVATE_KEY, 409, "no-private-key", "The node does not have the private key")

#define API_PROBLEM_ENUM(id, status, name, title) API_PROBLEM_##id,
enum api_problem { API_PROBLEM_LIST(API_PROBLEM_ENUM) API_N_PROBLEM };

// Answers with the problem and counts it. field: as http_reply_problem().
void api_reply_problem(
	struct http_reply *reply,
	enum api_problem problem,
	const char *field,
	const char *format,
	...
) __attribute__((format(printf, 4, 5)));

const char *api_problem_name(enum api_problem problem);

// Since the start of the program.
uint64_t api_problem_count(enum api_problem problem);
