// SPDX-License-Identifier: Apache-2.0
//
// Reads a file of checkpoints; attest_file_verify.c judges it.
#include "controlplane/attest/attest_file.h"

#include "controlplane/attest/attest_merkle.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/json/json_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct json_limits attest_file_json_limits = {
	.max_bytes = 512u << 20,
	.max_depth = 8,
	.max_values = 16000000,
};

// Bytes in hex; the reader gets the fault.
static void read_hex(struct json_reader *reader, const char *name, uint8_t *ret, size_t len)
{
	const char *text = json_reader_string(reader, name, 2 + 2 * len, 2 + 2 * len);

	if (text != NULL && evm_hex_parse(text, ret, len) != 0)
		json_reader_fail(reader, name, "0x and %zu hex digits are expected", 2 * len);
}

static int read_proof(struct json_reader *reader, struct attest_item *item)
{
	const struct json_value *list = json_reader_array(reader, "proof");
	const char *text;
	size_t n = 0;

	if (list == NULL)
		return 0;
	item->has_proof = true;
	item->proof = calloc(ATTEST_MERKLE_PROOF_MAX, sizeof(*item->proof));
	if (item->proof == NULL)
		return -ENOMEM;
	for (const struct json_value *v = json_first(list); v != NULL; v = json_next(v)) {
		text = json_string(v);
		if (n == ATTEST_MERKLE_PROOF_MAX || text == NULL ||
		    evm_hex_parse(text, item->proof[n++], 32) != 0) {
			json_reader_fail(reader, "proof", "up to 32 hashes are expected");
			return 0;
		}
	}
	item->n_proof = n;
	return 0;
}

static int read_item(
	struct attest_item *item, const struct json_value *value, struct json_reader *reader
)
{
	struct usage_checkpoint *checkpoint = &item->checkpoint;
	int rc = 0;

	json_reader_init(reader, value);
	checkpoint->sequence = json_reader_u64(reader, "sequence", 1, UINT64_MAX);
	checkpoint->out_bytes = json_reader_u64(reader, "out_bytes", 0, UINT64_MAX);
	checkpoint->in_bytes = json_reader_u64(reader, "in_bytes", 0, UINT64_MAX);
	checkpoint->time_unix_sec = json_reader_u64(reader, "time_unix_sec", 0, UINT64_MAX);
	read_hex(reader, "previous_hash", checkpoint->previous_hash, 32);
	read_hex(reader, "signature", item->signature, sizeof(item->signature));
	item->has_hash = json_reader_has(reader, "hash");
	if (item->has_hash)
		read_hex(reader, "hash", item->hash, 32);
	if (json_reader_has(reader, "proof"))
		rc = read_proof(reader, item);
	if (rc != 0)
		return rc;
	return json_reader_finish(reader) != 0 ? -EBADMSG : 0;
}

static int grow(struct attest_file *file)
{
	size_t cap = file->cap_items == 0 ? 256 : 2 * file->cap_items;
	struct attest_item *items;

	if (file->n_items < file->cap_items)
		return 0;
	items = realloc(file->items, cap * sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	file->items = items;
	file->cap_items = cap;
	return 0;
}

static int read_items(
	struct attest_file *file, const struct json_value *list, char why[ATTEST_FILE_WHY_CAP]
)
{
	struct json_reader reader;
	int rc;

	for (const struct json_value *v = json_first(list); v != NULL; v = json_next(v)) {
		if (file->n_items == ATTEST_FILE_CHECKPOINTS_MAX) {
			snprintf(why, ATTEST_FILE_WHY_CAP, "more than a million checkpoints");
			return -EBADMSG;
		}
		rc = grow(file);
		if (rc != 0)
			return rc;
		struct attest_item *item = &file->items[file->n_items++];
		*item = (struct attest_item){0};
		memcpy(item->checkpoint.session_id, file->session_id, 32);
		rc = read_item(item, v, &reader);
		if (rc == -EBADMSG)
			snprintf(
				why,
				ATTEST_FILE_WHY_CAP,
				"checkpoint %zu of the file: %.200s",
				file->n_items,
				reader.message
			);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static void read_head(struct attest_file *file, struct json_reader *reader)
{
	const char *format = json_reader_string(reader, "format", 1, 64);

	if (format != NULL && strcmp(format, ATTEST_FILE_FORMAT) != 0)
		json_reader_fail(reader, "format", "\"" ATTEST_FILE_FORMAT "\" is expected");
	file->chain_id = json_reader_u64(reader, "chain_id", 0, UINT64_MAX);
	if (file->chain_id != 0)
		read_hex(reader, "escrow", file->escrow, sizeof(file->escrow));
	else if (json_reader_has(reader, "escrow"))
		json_reader_fail(reader, "escrow", "is not for a session without a chain");
	read_hex(reader, "session_id", file->session_id, 32);
	file->total_out_bytes = json_reader_u64(reader, "total_out_bytes", 0, UINT64_MAX);
	file->total_in_bytes = json_reader_u64(reader, "total_in_bytes", 0, UINT64_MAX);
	json_reader_u64_or(reader, "id", 0, UINT64_MAX, 0);
	file->next_sequence = json_reader_u64_or(reader, "next_sequence", 1, UINT64_MAX, 0);
}

int attest_file_read(
	struct attest_file *file, const struct json_value *page, char why[ATTEST_FILE_WHY_CAP]
)
{
	const struct attest_file before = *file;
	const struct json_value *list;
	struct json_reader reader;

	json_reader_init(&reader, page);
	read_head(file, &reader);
	list = json_reader_array(&reader, "checkpoints");
	if (json_reader_finish(&reader) != 0) {
		snprintf(why, ATTEST_FILE_WHY_CAP, "%s", reader.message);
		return -EBADMSG;
	}
	if (before.n_items != 0 &&
	    (before.chain_id != file->chain_id ||
	     memcmp(before.escrow, file->escrow, EVM_ADDRESS_SIZE) != 0 ||
	     memcmp(before.session_id, file->session_id, 32) != 0)) {
		snprintf(why, ATTEST_FILE_WHY_CAP, "the next page is of another session");
		return -EBADMSG;
	}
	return read_items(file, list, why);
}

void attest_file_fini(struct attest_file *file)
{
	for (size_t i = 0; i < file->n_items; i++)
		free(file->items[i].proof);
	free(file->items);
	*file = (struct attest_file){0};
}
