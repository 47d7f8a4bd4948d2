// SPDX-License-Identifier: Apache-2.0
//
// Checksums of records. Pure.
#include "controlplane/store/db_record.h"

#include <sodium.h>

#include <errno.h>
#include <string.h>

static void checksum(
	uint8_t ret[DB_RECORD_SUM_BYTES],
	const char *table,
	const struct db_key *key,
	const void *data,
	size_t len
)
{
	crypto_generichash_state state;
	uint8_t hash[crypto_generichash_BYTES_MIN];

	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const uint8_t *)table, strlen(table) + 1);
	crypto_generichash_update(&state, (const uint8_t *)&key->len, sizeof(key->len));
	crypto_generichash_update(&state, key->bytes, key->len);
	if (len != 0)
		crypto_generichash_update(&state, data, len);
	crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(ret, hash, DB_RECORD_SUM_BYTES);
}

void db_record_seal(
	uint8_t *dst, const char *table, const struct db_key *key, const void *data, size_t len
)
{
	if (len != 0)
		memcpy(dst, data, len);
	checksum(dst + len, table, key, dst, len);
}

int db_record_open(
	struct db_value *ret,
	const char *table,
	const struct db_key *key,
	const struct db_value *sealed
)
{
	uint8_t sum[DB_RECORD_SUM_BYTES];

	if (sealed->len < sizeof(sum))
		return -EBADMSG;
	size_t len = sealed->len - sizeof(sum);
	checksum(sum, table, key, sealed->data, len);
	if (memcmp(sum, sealed->data + len, sizeof(sum)) != 0)
		return -EBADMSG;
	*ret = (struct db_value){.data = sealed->data, .len = len};
	return 0;
}
