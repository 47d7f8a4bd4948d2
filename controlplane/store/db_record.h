// SPDX-License-Identifier: Apache-2.0
//
// A record in the store: the value and 8 bytes of BLAKE2b over table, key and value, so that neither a
// flipped bit nor a record in a place that is not its own passes for money. Pure.
#pragma once

#include "controlplane/store/db.h"

#define DB_RECORD_SUM_BYTES 8

// Out: dst, len + DB_RECORD_SUM_BYTES bytes.
void db_record_seal(
	uint8_t *dst, const char *table, const struct db_key *key, const void *data, size_t len
);

// Out: the value, inside of sealed. Returns: 0 or -EBADMSG.
int db_record_open(
	struct db_value *ret,
	const char *table,
	const struct db_key *key,
	const struct db_value *sealed
) __attribute__((warn_unused_result));
