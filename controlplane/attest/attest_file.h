// SPDX-License-Identifier: Apache-2.0
//
// A session's usage as a file that anybody can check: all its checkpoints with their signatures, as
// GET …/checkpoints gives it when nothing is left out. JSON:
//   {"format": "tollwire-checkpoints-1", "chain_id": 31337, "escrow": "0x…", "session_id": "0x…",
//    "total_out_bytes": …, "total_in_bytes": …,
//    "checkpoints": [{"sequence": 1, "out_bytes": …, "in_bytes": …, "time_unix_sec": …,
//      "previous_hash": "0x…", "hash": "0x…", "signature": "0x…", "proof": ["0x…", …]}, …]}
// Numbers above 2^53 are strings. hash and proof may be left out; "id" and "next_sequence": null (the
// API's) are taken and ignored; any other member is refused. chain_id 0 is a session of the
// operator's own and has no escrow (null or left out). Nothing in a file is believed: who signed and
// which root stands on chain is told by whoever asks. Pure but for memory; any thread.
#pragma once

#include "controlplane/attest/attest_sign.h"
#include "controlplane/json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTEST_FILE_FORMAT "tollwire-checkpoints-1"
#define ATTEST_FILE_WHY_CAP 256
#define ATTEST_FILE_CHECKPOINTS_MAX 1000000u

extern const struct json_limits attest_file_json_limits;

// id, name, help
#define ATTEST_FAULT_LIST(X) \
	X(NONE, "none", "everything that could be checked is right") \
	X(FORMAT, "format", "not a file of checkpoints") \
	X(EMPTY, "empty", "no checkpoint") \
	X(CHAIN, "chain", "a checkpoint does not follow the one before") \
	X(SIGNATURE, "signature", "a checkpoint is not signed by the usage signer") \
	X(SUM, "sum", "the totals are not those of the last checkpoint") \
	X(PROOF, "proof", "a proof does not lead to the root") \
	X(ROOT, "root", "the root is not that of these checkpoints")

#define ATTEST_FAULT_ENUM(id, name, help) ATTEST_FAULT_##id,
enum attest_fault { ATTEST_FAULT_LIST(ATTEST_FAULT_ENUM) ATTEST_N_FAULT };

const char *attest_fault_name(unsigned int fault);

struct attest_item {
	struct usage_checkpoint checkpoint;
	uint8_t signature[ATTEST_SIGNATURE_BYTES];
	bool has_hash, has_proof;
	uint8_t hash[32];
	uint8_t (*proof)[32]; // n_proof
	size_t n_proof;
};

struct attest_file {
	uint64_t chain_id;
	uint8_t escrow[EVM_ADDRESS_SIZE];
	uint8_t session_id[32];
	uint64_t total_out_bytes;
	uint64_t total_in_bytes;
	struct attest_item *items;
	size_t n_items, cap_items;
	uint64_t next_sequence; // of a page: where the next one begins; 0: this was the last
};

// Adds a page: the first one to a zeroed file, later ones to what is there, of the same session.
//
// Returns: 0; -EBADMSG with a sentence in why; -ENOMEM. The file is to be ended either way.
int attest_file_read(
	struct attest_file *file, const struct json_value *page, char why[ATTEST_FILE_WHY_CAP]
) __attribute__((warn_unused_result));
void attest_file_fini(struct attest_file *file);

struct attest_trust {
	uint8_t signer[EVM_ADDRESS_SIZE];
	bool has_root; // false: the session is not settled; inclusion is not checked but for its proofs
	uint8_t root[32];
};

// Chain, signatures, sums, inclusion, in this order.
//
// Returns: ATTEST_FAULT_NONE, or the first fault with a sentence in why. ret_root: the root of these
// checkpoints, when there was no fault before it.
enum attest_fault attest_file_verify(
	const struct attest_file *file,
	const struct attest_trust *trust,
	uint8_t ret_root[32],
	char why[ATTEST_FILE_WHY_CAP]
) __attribute__((warn_unused_result));
