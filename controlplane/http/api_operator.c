// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/operator/earnings and /operator/sessions: what was sold and what it earned, by chain and
// asset, and each session's share. Amounts are sums of what the contracts' events said, exact; of a
// session that is not settled for good only what it has cost the buyer so far is known, fee included.
// Loop's thread.
#include "api.h"

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_json.h"
#include "controlplane/http/api_totals.h"
#include "controlplane/settle/settle_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 100
#define LIST_MAX 1000
// Reading every session takes the loop's time: who asks more often gets the same again.
#define EARNINGS_LIFE_NS (1 * NS_PER_SEC)

// ---- one session -----------------------------------------------------------------------------

struct share {
	struct purchase purchase;
	uint64_t used_bytes;
	bool is_final;
	struct u256 deposit; // paid in
	struct u256 cost; // of the bytes that count: settled, or used so far
};

// floor(bytes × price / 10^9), as the contract splits it.
static int cost_of(uint64_t bytes, struct u256 price_per_gb, struct u256 *ret)
{
	return u256_mul_div(
		u256_from_u64(bytes), price_per_gb, u256_from_u64(SESSION_BYTES_PER_GB), ret
	);
}

// Returns: 0; -ENOENT for a session that nobody bought; another -errno.
static int read_share(struct control *control, const struct session *session, struct share *ret)
{
	struct purchase *purchase = &ret->purchase;
	struct usage_view usage;
	uint64_t bytes;
	int r;

	if (session->identity.source != SESSION_SOURCE_CHAIN ||
	    !api_load_purchase(control, session->id, purchase))
		return -ENOENT;
	r = usage_read(control->usage, session->id, &usage);
	if (r < 0)
		return r;
	ret->used_bytes = usage.out_bytes + usage.in_bytes;
	ret->is_final = purchase->settled_block != 0 && purchase->settled_unix_sec != 0;
	bytes = ret->is_final ? purchase->settled_bytes : ret->used_bytes;
	r = cost_of(purchase->bought_bytes, purchase->price_per_gb, &ret->deposit);
	if (r == 0)
		r = cost_of(bytes, purchase->price_per_gb, &ret->cost);
	return r;
}

static void put_share(
	struct json_writer *writer, const struct session *session, const struct share *share
)
{
	const struct purchase *purchase = &share->purchase;
	char id[EVM_HEX_SIZE(32)];

	evm_hex_format(session->identity.id, 32, id);
	json_begin_object(writer, NULL);
	json_put_count(writer, "id", session->id);
	json_put_string(writer, "name", session->name);
	json_put_string(writer, "state", session_state_name(session->state));
	json_put_count(writer, "chain_id", session->identity.chain);
	json_put_string(writer, "session_id", id);
	evm_json_put_padded(writer, "buyer", purchase->buyer);
	evm_json_put_padded(writer, "asset", purchase->asset);
	json_put_string(writer, "mode", purchase_mode_name(purchase->mode));
	evm_json_put_u256(writer, "price_per_gb", purchase->price_per_gb);
	json_put_count(writer, "created_unix_sec", session->created_unix_sec);
	json_put_count(writer, "bought_bytes", purchase->bought_bytes);
	json_put_count(writer, "used_bytes", share->used_bytes);
	evm_json_put_u256(writer, "deposit", share->deposit);
	evm_json_put_u256(writer, "cost", share->cost);
	json_put_bool(writer, "is_settled", share->is_final);
	if (share->is_final) {
		json_put_count(writer, "settled_bytes", purchase->settled_bytes);
		evm_json_put_u256(writer, "operator_amount", purchase->settled_operator_amount);
		evm_json_put_u256(writer, "fee_amount", purchase->settled_fee_amount);
		evm_json_put_u256(writer, "refund", purchase->settled_refund);
	} else {
		json_put_null(writer, "settled_bytes");
		json_put_null(writer, "operator_amount");
		json_put_null(writer, "fee_amount");
		json_put_null(writer, "refund");
	}
	json_end(writer);
}

// ---- /operator/sessions ----------------------------------------------------------------------

struct list {
	struct control *control;
	struct json_writer writer;
	uint64_t n_left, next_id;
	bool is_filtered;
	enum session_state state;
	int error;
	uint64_t bad_id; // of the session that the error is about
};

static bool list_session(void *ctx, const struct session *session)
{
	struct list *list = ctx;
	struct share share;
	int r;

	if (list->is_filtered && session->state != list->state)
		return true;
	r = read_share(list->control, session, &share);
	if (r == -ENOENT)
		return true;
	if (r < 0) {
		list->error = r;
		list->bad_id = session->id;
		return false;
	}
	if (list->n_left == 0) {
		list->next_id = session->id;
		return false;
	}
	list->n_left--;
	put_share(&list->writer, session, &share);
	return true;
}

// ?state=active&from=1&limit=100, bought sessions by id, upwards
static void list_shares(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct list list = {.control = ctx, .n_left = LIST_DEFAULT};
	struct session_error err;
	uint64_t from = 0;

	if (!api_get_number(request, "from", UINT64_MAX - 1, &from, reply) ||
	    !api_get_number(request, "limit", LIST_MAX, &list.n_left, reply) ||
	    !api_get_state(request, &list.is_filtered, &list.state, reply))
		return;
	json_writer_init(&list.writer);
	json_begin_object(&list.writer, NULL);
	json_begin_array(&list.writer, "sessions");
	if (session_each(list.control->sessions, from, list_session, &list, &err) < 0) {
		json_writer_abort(&list.writer);
		api_reply_session_error(list.control, reply, &err);
		return;
	}
	if (list.error != 0) {
		json_writer_abort(&list.writer);
		http_reply_problem(
			reply,
			500,
			NULL,
			"session %" PRIu64 " cannot be read: %s; look at it with twctl session "
			"show, or go on after it with from",
			list.bad_id,
			strerror(-list.error)
		);
		return;
	}
	api_reply_page(reply, &list.writer, list.next_id);
}

// ---- /operator/earnings ----------------------------------------------------------------------

// Of one asset on one chain.
struct earning {
	uint64_t chain_id;
	uint8_t asset[32];
	uint64_t n_sessions, n_settled;
	uint64_t bought_bytes, settled_bytes, open_used_bytes;
	struct u256 deposited, operator_amount, fee_amount, refunded, open_cost;
};

struct earnings {
	struct control *control;
	uint64_t fresh_until_ns; // monotonic; 0: never read
	struct earning *rows; // by chain and asset
	size_t n, cap;
	int error;
};

static int compare(const struct earning *row, uint64_t chain_id, const uint8_t asset[32])
{
	if (row->chain_id != chain_id)
		return row->chain_id < chain_id ? -1 : 1;
	return memcmp(row->asset, asset, 32);
}

// Returns: the row, made if there was none; NULL without memory.
static struct earning *row_of(struct earnings *earnings, uint64_t chain_id, const uint8_t asset[32])
{
	struct earning *rows = earnings->rows;
	size_t i = 0;

	while (i < earnings->n && compare(&rows[i], chain_id, asset) < 0)
		i++;
	if (i < earnings->n && compare(&rows[i], chain_id, asset) == 0)
		return &rows[i];
	if (earnings->n == earnings->cap) {
		size_t cap = earnings->cap == 0 ? 8 : 2 * earnings->cap;

		rows = reallocarray(rows, cap, sizeof(*rows));
		if (rows == NULL)
			return NULL;
		earnings->rows = rows;
		earnings->cap = cap;
	}
	memmove(rows + i + 1, rows + i, (earnings->n - i) * sizeof(*rows));
	rows[i] = (struct earning){.chain_id = chain_id};
	memcpy(rows[i].asset, asset, 32);
	earnings->n++;
	return &rows[i];
}

// Returns: 0; -EOVERFLOW.
static int add_share(struct earning *row, const struct share *share)
{
	const struct purchase *purchase = &share->purchase;
	int r;

	row->n_sessions++;
	r = u256_add(row->deposited, share->deposit, &row->deposited);
	if (__builtin_add_overflow(row->bought_bytes, purchase->bought_bytes, &row->bought_bytes))
		r = -EOVERFLOW;
	if (!share->is_final) {
		if (r == 0)
			r = u256_add(row->open_cost, share->cost, &row->open_cost);
		return __builtin_add_overflow(
			       row->open_used_bytes, share->used_bytes, &row->open_used_bytes
		       )
			? -EOVERFLOW
			: r;
	}
	row->n_settled++;
	if (r == 0)
		r = u256_add(
			row->operator_amount,
			purchase->settled_operator_amount,
			&row->operator_amount
		);
	if (r == 0)
		r = u256_add(row->fee_amount, purchase->settled_fee_amount, &row->fee_amount);
	if (r == 0)
		r = u256_add(row->refunded, purchase->settled_refund, &row->refunded);
	if (__builtin_add_overflow(
		    row->settled_bytes, purchase->settled_bytes, &row->settled_bytes
	    ))
		r = -EOVERFLOW;
	return r;
}

static bool add_session(void *ctx, const struct session *session)
{
	struct earnings *earnings = ctx;
	struct earning *row;
	struct share share;
	int r;

	// Its creation was reorganised out: nobody has paid.
	if (session->state == SESSION_VOID)
		return true;
	r = read_share(earnings->control, session, &share);
	if (r == -ENOENT)
		return true;
	if (r == 0) {
		row = row_of(earnings, session->identity.chain, share.purchase.asset);
		r = row == NULL ? -ENOMEM : add_share(row, &share);
	}
	earnings->error = r;
	return r == 0;
}

// Returns: true; false, the reply stands.
static bool read_earnings(
	struct earnings *earnings, struct control *control, struct http_reply *reply
)
{
	uint64_t now_ns = clock_mono_ns(control->clock);
	struct session_error err;

	if (earnings->control == control && now_ns < earnings->fresh_until_ns)
		return true;
	earnings->control = control;
	earnings->fresh_until_ns = 0;
	earnings->n = 0;
	earnings->error = 0;
	if (session_each(control->sessions, 0, add_session, earnings, &err) < 0) {
		api_reply_session_error(control, reply, &err);
		return false;
	}
	if (earnings->error != 0) {
		http_reply_problem(
			reply, 500, NULL, "the sums cannot be made: %s", strerror(-earnings->error)
		);
		return false;
	}
	earnings->fresh_until_ns = now_ns +
		api_totals_life_ns(clock_mono_ns(control->clock) - now_ns, EARNINGS_LIFE_NS);
	return true;
}

static void put_earning(struct json_writer *writer, const struct earning *row)
{
	json_begin_object(writer, NULL);
	json_put_count(writer, "chain_id", row->chain_id);
	evm_json_put_padded(writer, "asset", row->asset);
	json_put_count(writer, "sessions", row->n_sessions);
	json_put_count(writer, "sessions_settled", row->n_settled);
	json_put_count(writer, "bought_bytes", row->bought_bytes);
	evm_json_put_u256(writer, "deposited", row->deposited);
	json_put_count(writer, "settled_bytes", row->settled_bytes);
	evm_json_put_u256(writer, "operator_amount", row->operator_amount);
	evm_json_put_u256(writer, "fee_amount", row->fee_amount);
	evm_json_put_u256(writer, "refunded", row->refunded);
	json_put_count(writer, "open_used_bytes", row->open_used_bytes);
	evm_json_put_u256(writer, "open_cost", row->open_cost);
	json_end(writer);
}

// ?from=0&limit=100
static void get_earnings(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	static struct earnings earnings;
	uint64_t from = 0, limit = LIST_DEFAULT;
	struct json_writer writer;
	size_t i;

	if (!api_get_number(request, "from", JSON_INTEGER_MAX, &from, reply) ||
	    !api_get_number(request, "limit", LIST_MAX, &limit, reply) ||
	    !read_earnings(&earnings, ctx, reply))
		return;
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_begin_array(&writer, "earnings");
	for (i = from; i < earnings.n && i - from < limit; i++)
		put_earning(&writer, &earnings.rows[i]);
	json_end(&writer);
	if (i < earnings.n)
		json_put_count(&writer, "next", i);
	else
		json_put_null(&writer, "next");
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}

const struct http_route api_operator_routes[] = {
	{HTTP_GET, "/api/v1/operator/earnings", get_earnings, HTTP_OPERATOR},
	{HTTP_GET, "/api/v1/operator/sessions", list_shares, HTTP_OPERATOR},
};
const size_t api_operator_n_routes = sizeof(api_operator_routes) / sizeof(api_operator_routes[0]);
