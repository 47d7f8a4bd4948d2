// SPDX-License-Identifier: Apache-2.0
//
// What the buyer's payments must remember across restarts: the own count of a session and the highest
// voucher that was signed. One process at a time holds the file. Mode 0600.
#pragma once

#include "controlplane/twctl/buyer_meter.h"

#include <net/if.h>
#include <stdint.h>

#define BUYER_USAGE_WHY 512

struct buyer_usage {
	uint8_t session_id[32];
	char interface[IF_NAMESIZE];
	struct buyer_meter meter;
	uint64_t signed_bytes;
	uint64_t bought_bytes; // as the chain last said; 0: not asked yet
	char api_url[257]; // of the node's API when it last answered; "": not yet
	char api_address[64]; // where that was
};

// Takes the lock beside path ("path.lock") and reads path, or begins a count of this session on this
// interface where there is none. interface NULL: the one that is there, and -ENOENT where there is none.
//
// Returns: the lock's descriptor, to be closed; -EBUSY when another process has it; -EBADMSG when path
//          holds another session, another interface or no usage; -errno; why is set.
int buyer_usage_open(
	const char *path,
	const uint8_t session_id[32],
	const char *interface,
	struct buyer_usage *ret,
	char why[BUYER_USAGE_WHY]
);

// Reads path without the lock: what another process may be writing anew. Returns: 0; -ENOENT; -EBADMSG;
// another -errno; why is set.
int buyer_usage_load(const char *path, struct buyer_usage *ret, char why[BUYER_USAGE_WHY])
	__attribute__((warn_unused_result));

// Before the first count: an interface that is there now is counted from here, one that comes up later
// from its beginning. Returns: 0; -errno.
int buyer_usage_mark(struct buyer_usage *usage) __attribute__((warn_unused_result));

// The node's API answered there. What is too long is not remembered.
void buyer_usage_set_api(struct buyer_usage *usage, const char *url, const char *address);

// On the disk when this returns 0, all or nothing. Returns: 0; -errno.
int buyer_usage_save(const char *path, const struct buyer_usage *usage)
	__attribute__((warn_unused_result));
