// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/sessions/{name-or-id}/checkpoints: the chain of usage checkpoints, oldest first. Loop's
// thread.
#include "api.h"

#include "controlplane/attest/attest_file.h"
#include "controlplane/attest/attest_store.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_json.h"
#include "controlplane/usage/usage_store.h"

#include <string.h>

#define LIST_DEFAULT 1000
#define LIST_MAX 10000

struct list {
	struct json_writer writer;
	struct db *db;
	uint64_t session_id; // local
	uint64_t n_left;
	uint64_t next_sequence; // 0: the end was reached
};

// null while it waits for its signature.
static void put_signature(struct list *list, uint64_t sequence)
{
	char text[EVM_HEX_SIZE(ATTEST_SIGNATURE_BYTES)];
	uint8_t signature[ATTEST_SIGNATURE_BYTES];
	struct db_txn txn;

	db_txn_begin_read(&txn, list->db);
	bool has = attest_store_get(&txn, list->session_id, sequence, signature);
	if (db_txn_commit(&txn) != 0 || !has) {
		json_put_null(&list->writer, "signature");
		return;
	}
	evm_hex_format(signature, sizeof(signature), text);
	json_put_string(&list->writer, "signature", text);
}

// The head of the file that twctl verify reads (attest_file.h).
static void put_head(
	struct list *list, const struct session *session, const struct usage_view *usage
)
{
	char escrow[EVM_HEX_SIZE(EVM_ADDRESS_SIZE)];
	bool is_chain = session->identity.source == SESSION_SOURCE_CHAIN;

	evm_hex_format(session->identity.contract + 12, EVM_ADDRESS_SIZE, escrow);
	json_put_string(&list->writer, "format", ATTEST_FILE_FORMAT);
	json_put_count(&list->writer, "id", session->id);
	json_put_count(&list->writer, "chain_id", session->identity.chain);
	json_put_string(&list->writer, "escrow", is_chain ? escrow : NULL);
	evm_json_put_word(&list->writer, "session_id", session->identity.id);
	json_put_count(&list->writer, "total_out_bytes", usage->checkpoint_out_bytes);
	json_put_count(&list->writer, "total_in_bytes", usage->checkpoint_in_bytes);
}

static bool put_checkpoint(void *ctx, const struct usage_checkpoint *checkpoint)
{
	struct list *list = ctx;
	uint8_t hash[32];

	if (list->n_left == 0) {
		list->next_sequence = checkpoint->sequence;
		return false;
	}
	list->n_left--;
	usage_checkpoint_hash(checkpoint, hash);
	json_begin_object(&list->writer, NULL);
	json_put_count(&list->writer, "sequence", checkpoint->sequence);
	json_put_count(&list->writer, "out_bytes", checkpoint->out_bytes);
	json_put_count(&list->writer, "in_bytes", checkpoint->in_bytes);
	json_put_count(&list->writer, "time_unix_sec", checkpoint->time_unix_sec);
	evm_json_put_word(&list->writer, "previous_hash", checkpoint->previous_hash);
	evm_json_put_word(&list->writer, "hash", hash);
	put_signature(list, checkpoint->sequence);
	json_end(&list->writer);
	return true;
}

// ?from=1&limit=1000
static void list_checkpoints(
	void *ctx, const struct http_request *request, struct http_reply *reply
)
{
	struct control *control = ctx;
	struct list list = {.db = control->db, .n_left = LIST_DEFAULT};
	struct usage_view usage;
	struct session session;
	uint64_t from = 0;
	int r;

	if (!api_get_number(request, "from", UINT64_MAX - 1, &from, reply) ||
	    !api_get_number(request, "limit", LIST_MAX, &list.n_left, reply))
		return;
	if (!api_find_session(control, request, &session, reply))
		return;
	r = usage_read(control->usage, session.id, &usage);
	if (r < 0) {
		http_reply_problem(reply, 500, NULL, "the usage cannot be read: %s", strerror(-r));
		return;
	}
	list.session_id = session.id;
	json_writer_init(&list.writer);
	json_begin_object(&list.writer, NULL);
	put_head(&list, &session, &usage);
	json_begin_array(&list.writer, "checkpoints");
	r = usage_store_each_checkpoint(control->db, session.id, from, put_checkpoint, &list);
	if (r < 0) {
		json_writer_abort(&list.writer);
		http_reply_problem(
			reply, 500, NULL, "the checkpoints cannot be read: %s", strerror(-r)
		);
		return;
	}
	json_end(&list.writer);
	if (list.next_sequence == 0)
		json_put_null(&list.writer, "next_sequence");
	else
		json_put_count(&list.writer, "next_sequence", list.next_sequence);
	json_end(&list.writer);
	http_reply_json(reply, 200, &list.writer);
}

const struct http_route api_checkpoints_routes[] = {
	{HTTP_GET, "/api/v1/sessions/{name-or-id}/checkpoints", list_checkpoints, HTTP_BUYER},
};
const size_t api_checkpoints_n_routes =
	sizeof(api_checkpoints_routes) / sizeof(api_checkpoints_routes[0]);
