// SPDX-License-Identifier: Apache-2.0
//
// POST /api/v1/tx/…: unsigned transactions for wallets. Prices and terms are the chain's at that moment,
// and each transaction is tried there (eth_call, by its sender and with its value) before it is given
// out, so that what the contract would refuse is refused here, by the contract's own name for it. The
// node signs and sends nothing. Loop's thread.
#include "api_tx.h"

#include "api.h"

#include "controlplane/chain/evm/evm_erc20.h"
#include "controlplane/chain_gauge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRY_GAS_MAX 2000000 // the dearest of these calls takes about an eighth
#define ANSWER_CAP 2048
#define GB 1000000000ull

struct question {
	const uint8_t *contract;
	const uint8_t *from; // NULL: nobody
	struct u256 value;
	struct evm_abi_writer w;
	uint8_t call[API_TX_DATA_CAP];
};

static void question_init(struct question *question, const uint8_t *contract)
{
	*question = (struct question){.contract = contract};
	evm_abi_writer_init(&question->w, question->call, sizeof(question->call));
}

// tx->head.answered takes the answer.
static int ask(struct api_tx *tx, struct question *question, struct http_reply *reply)
{
	return api_chain_ask(
		&tx->head,
		&(struct api_chain_question){
			.chain_id = tx->chain.chain_id,
			.contract = question->contract,
			.from = question->from,
			.value = question->value,
			.call = &question->w,
			.gas_max = TRY_GAS_MAX,
			.answer_max = ANSWER_CAP,
		},
		reply
	);
}

// Whether the answer is one; otherwise the reply stands.
static bool check_answer(const struct chain_ask_answer *answer, struct http_reply *reply)
{
	if (answer->error == 0)
		return true;
	if (answer->error == -EREMOTEIO || answer->error == -ENOEXEC)
		http_reply_problem(reply, 409, NULL, "%s", answer->why);
	else
		api_chain_reply_silent(reply, answer);
	return false;
}

static void reply_malformed(struct http_reply *reply)
{
	http_reply_problem(
		reply, 503, NULL, "the chain's endpoint gave a malformed answer; try again"
	);
}

// ---- the last steps: try it, give it out -----------------------------------------------------

static void on_tried(
	struct api_chain_job *head, const struct chain_ask_answer *answer, struct http_reply *reply
)
{
	struct api_tx *tx = (struct api_tx *)head;

	// Not the contract's refusal: most likely the account does not have the amount yet.
	if (answer->error == -ENOEXEC)
		json_quote(tx->warning, sizeof(tx->warning), answer->why);
	else if (!check_answer(answer, reply))
		return;
	api_tx_reply(tx, reply);
}

static void try_it(struct api_tx *tx, struct http_reply *reply)
{
	struct question question;

	if (api_tx_encode(tx) < 0) {
		http_reply_problem(reply, 500, NULL, "the transaction could not be encoded");
		return;
	}
	// Before the approval is mined the escrow refuses what needs it.
	if (tx->is_approval_needed) {
		api_tx_reply(tx, reply);
		return;
	}
	question_init(&question, tx->chain.escrow);
	question.from = tx->from;
	if (tx->kind <= API_TX_TOP_UP && evm_address_is_zero(tx->asset))
		question.value = tx->cost;
	memcpy(question.call, tx->data, tx->len);
	question.w.len = tx->len;
	tx->head.answered = on_tried;
	(void)ask(tx, &question, reply);
}

// ---- what it costs ---------------------------------------------------------------------------

static void on_allowance(
	struct api_chain_job *head, const struct chain_ask_answer *answer, struct http_reply *reply
)
{
	struct api_tx *tx = (struct api_tx *)head;
	struct evm_abi_reader r;
	struct u256 allowance;

	if (!check_answer(answer, reply))
		return;
	evm_abi_reader_init(&r, answer->data, answer->len, 1);
	allowance = evm_abi_get_u256(&r);
	if (r.error < 0) {
		http_reply_problem(reply, 409, "asset", "there is no token at this address");
		return;
	}
	tx->is_approval_needed = u256_compare(allowance, tx->cost) < 0;
	tx->has_allowance = !u256_is_zero(allowance);
	try_it(tx, reply);
}

static void pay(struct api_tx *tx, struct u256 price_per_gb, struct http_reply *reply)
{
	char cost[U256_DEC_SIZE], most[U256_DEC_SIZE];
	struct question question;

	if (evm_purchase_cost(tx->order.data_gb, price_per_gb, &tx->cost) < 0) {
		http_reply_problem(reply, 409, "data_gb", "the cost is beyond 256 bits");
		return;
	}
	if (tx->has_max_cost && u256_compare(tx->cost, tx->max_cost) > 0) {
		u256_format_dec(tx->cost, cost);
		u256_format_dec(tx->max_cost, most);
		http_reply_problem(
			reply, 409, "max_cost", "it costs %s, and max_cost is %s", cost, most
		);
		return;
	}
	if (evm_address_is_zero(tx->asset)) {
		try_it(tx, reply);
		return;
	}
	question_init(&question, tx->asset);
	evm_erc20_put_allowance(&question.w, tx->from, tx->chain.escrow);
	tx->head.answered = on_allowance;
	(void)ask(tx, &question, reply);
}

// ---- a new session ---------------------------------------------------------------------------

static void on_terms(
	struct api_chain_job *head, const struct chain_ask_answer *answer, struct http_reply *reply
)
{
	struct api_tx *tx = (struct api_tx *)head;
	uint8_t hash[32];

	if (!check_answer(answer, reply))
		return;
	if (evm_purchase_get_terms(answer->data, answer->len, &tx->terms, hash) < 0 ||
	    !u256_equal(tx->terms.node_id, tx->chain.node_id) ||
	    memcmp(tx->terms.asset, tx->asset, EVM_ADDRESS_SIZE) != 0 ||
	    memcmp(tx->terms.attestor, tx->order.attestor, EVM_ADDRESS_SIZE) != 0) {
		reply_malformed(reply);
		return;
	}
	if (tx->has_terms_hash && memcmp(hash, tx->order.terms_hash, 32) != 0) {
		http_reply_problem(
			reply,
			409,
			"terms_hash",
			"the terms are others by now: leave terms_hash out to be shown them"
		);
		return;
	}
	memcpy(tx->order.terms_hash, hash, 32);
	evm_escrow_session_id(
		tx->chain.chain_id, tx->chain.escrow, tx->from, tx->order.salt, tx->session_id
	);
	pay(tx, tx->terms.price_per_gb, reply);
}

static void begin_create(struct api_tx *tx, struct http_reply *reply)
{
	struct question question;

	if (u256_is_zero(tx->chain.node_id)) {
		http_reply_problem(reply, 409, NULL, "this node is not registered there yet");
		return;
	}
	tx->order.node_id = tx->chain.node_id;
	question_init(&question, tx->chain.escrow);
	evm_purchase_put_current_terms(
		&question.w, tx->chain.node_id, tx->asset, tx->order.attestor
	);
	tx->head.answered = on_terms;
	(void)ask(tx, &question, reply);
}

// ---- of a session that there is --------------------------------------------------------------

// As EscrowPurchase._topUp() checks it, since it cannot be tried before an approval. now_sec: chain
// time; 0: not known, then nothing is late.
//
// Returns: NULL, or what is wrong.
static const char *check_top_up(
	const struct api_tx *tx, const struct evm_purchase_session *session, uint64_t now_sec
)
{
	uint64_t duration_sec = tx->order.duration_sec;

	if (memcmp(session->buyer, tx->from, EVM_ADDRESS_SIZE) != 0)
		return "only the buyer may top it up";
	if (session->status != EVM_PURCHASE_OPEN)
		return "the session is not open any more";
	if (now_sec >= session->expiry_sec)
		return "the session has expired; buy a new one";
	if (tx->order.data_gb > UINT32_MAX - session->bought_bytes / GB)
		return "so much data in all is more than a session can have";
	if (now_sec != 0 &&
	    session->expiry_sec + duration_sec > now_sec + EVM_PURCHASE_DURATION_MAX_SEC)
		return "the session would end more than 90 days from now";
	return NULL;
}

static void on_session(
	struct api_chain_job *head, const struct chain_ask_answer *answer, struct http_reply *reply
)
{
	struct api_tx *tx = (struct api_tx *)head;
	struct evm_purchase_session session;
	const char *wrong = NULL;

	if (answer->error == -EREMOTEIO && strstr(answer->why, "UnknownSession") != NULL) {
		http_reply_problem(reply, 404, "session_id", "the escrow knows no such session");
		return;
	}
	if (!check_answer(answer, reply))
		return;
	if (evm_purchase_get_session(answer->data, answer->len, &session) < 0) {
		reply_malformed(reply);
		return;
	}
	if (!tx->has_from)
		memcpy(tx->from, session.buyer, EVM_ADDRESS_SIZE);
	memcpy(tx->asset, session.terms.asset, EVM_ADDRESS_SIZE);
	if (tx->kind != API_TX_TOP_UP) {
		try_it(tx, reply);
		return;
	}
	wrong = check_top_up(
		tx, &session, chain_gauge_head_time_sec(head->control->gauge, tx->chain.chain_id)
	);
	if (wrong != NULL)
		http_reply_problem(reply, 409, NULL, "%s", wrong);
	else
		pay(tx, session.terms.price_per_gb, reply);
}

static void begin_session(struct api_tx *tx, struct http_reply *reply)
{
	struct question question;

	question_init(&question, tx->chain.escrow);
	evm_purchase_put_get_session(&question.w, tx->session_id);
	tx->head.answered = on_session;
	(void)ask(tx, &question, reply);
}

// ---- routes ----------------------------------------------------------------------------------

static void begin(
	enum api_tx_kind kind,
	void *ctx,
	const struct http_request *request,
	struct http_reply *reply
)
{
	struct api_tx *tx = api_chain_job_create(ctx, request, sizeof(*tx), reply);

	if (tx == NULL)
		return;
	tx->kind = kind;
	if (api_tx_read(tx, request, reply)) {
		if (kind == API_TX_CREATE)
			begin_create(tx, reply);
		else
			begin_session(tx, reply);
	}
	if (!reply->is_deferred)
		free(tx);
}

#define HANDLER(name, kind) \
	static void name(void *ctx, const struct http_request *request, struct http_reply *reply) \
	{ \
		begin(kind, ctx, request, reply); \
	}

HANDLER(post_create, API_TX_CREATE)
HANDLER(post_top_up, API_TX_TOP_UP)
HANDLER(post_close, API_TX_CLOSE)
HANDLER(post_dispute, API_TX_DISPUTE)
HANDLER(post_reclaim, API_TX_RECLAIM)

const struct http_route api_tx_routes[] = {
	{HTTP_POST, "/api/v1/tx/create-session", post_create, HTTP_PUBLIC},
	{HTTP_POST, "/api/v1/tx/top-up", post_top_up, HTTP_PUBLIC},
	{HTTP_POST, "/api/v1/tx/close", post_close, HTTP_PUBLIC},
	{HTTP_POST, "/api/v1/tx/dispute", post_dispute, HTTP_PUBLIC},
	{HTTP_POST, "/api/v1/tx/reclaim", post_reclaim, HTTP_PUBLIC},
};
const size_t api_tx_n_routes = sizeof(api_tx_routes) / sizeof(api_tx_routes[0]);
