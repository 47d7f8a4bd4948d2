// SPDX-License-Identifier: Apache-2.0
//
// Sign-In with Ethereum messages (EIP-4361): a strict parser of the EIP's grammar. Everything that the
// grammar does not allow is refused, because the wallet has shown its owner what a strict reader sees.
// Whether the message is for this node, fresh and signed is the caller's question. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIWE_MESSAGE_MAX 4096 // bytes
#define SIWE_DOMAIN_CAP 256
#define SIWE_URI_CAP 512
#define SIWE_CHALLENGE_CAP 128

struct siwe_message {
	char domain[SIWE_DOMAIN_CAP]; // authority, as written
	char uri[SIWE_URI_CAP];
	char uri_authority[SIWE_DOMAIN_CAP]; // "" when the URI has none
	char challenge[SIWE_CHALLENGE_CAP]; // "Nonce" on the wire
	uint8_t address[20];
	uint64_t chain_id;
	int64_t issued_unix_sec;
	bool has_expiry, has_not_before;
	int64_t expires_unix_sec;
	int64_t not_before_unix_sec;
};

// Returns: 0; -EINVAL with the name of the part that is wrong in *ret_part (static text), ret
//          untouched.
int siwe_parse(struct siwe_message *ret, const char *text, size_t len, const char **ret_part)
	__attribute__((warn_unused_result));

// RFC 3339 date-time; fractions of a second are cut off.
//
// Returns: 0 or -EINVAL.
int siwe_time_parse(int64_t *ret_unix_sec, const char *text, size_t len)
	__attribute__((warn_unused_result));
