// SPDX-License-Identifier: Apache-2.0
//
// A usage checkpoint: the cumulative bytes of a session at a time, chained to the one before by its
// hash, so that none can be taken out or changed later. The hash is EIP-712's hashStruct of
//   UsageCheckpoint(bytes32 sessionId,uint256 sequence,uint256 outBytes,uint256 inBytes,
//     uint256 time,bytes32 previousHash)
// and with a domain it is what the usage signer signs. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct usage_checkpoint {
	uint8_t session_id[32]; // the session's identity
	uint64_t sequence; // 1, 2, 3, …
	uint64_t out_bytes; // cumulative billed bytes
	uint64_t in_bytes;
	uint64_t time_unix_sec;
	uint8_t previous_hash[32]; // zero for the first
};

#define USAGE_CHECKPOINT_BYTES 97 // as stored

void usage_checkpoint_hash(const struct usage_checkpoint *checkpoint, uint8_t ret[32]);

void usage_checkpoint_encode(
	const struct usage_checkpoint *checkpoint, uint8_t dst[USAGE_CHECKPOINT_BYTES]
);

// Returns: 0; -EBADMSG.
int usage_checkpoint_decode(struct usage_checkpoint *ret, const void *data, size_t len)
	__attribute__((warn_unused_result));

// Returns: 0 when next follows last: same session, sequence one up, previous hash right, and neither
//          bytes nor time below; else -EBADMSG. last is NULL for the first of a session.
int usage_checkpoint_verify_next(
	const struct usage_checkpoint *last, const struct usage_checkpoint *next
) __attribute__((warn_unused_result));
