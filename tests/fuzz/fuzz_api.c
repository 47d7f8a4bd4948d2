// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for what buyers send: the bodies of POST peer, vouchers, end, attestation and auth, on
// a bought session in a real store. Each request ends in JSON that says why; no reply is a 5xx; nothing
// changes but by a request that was accepted, and what was accepted was signed. The corpus has signed ones.
// First octet: the route, and whether the buyer's token is sent; the rest is the body.
#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/http/api.h"
#include "controlplane/http/api_challenge.h"
#include "controlplane/http/api_token.h"
#include "controlplane/http/http_exchange.h"
#include "controlplane/session/session_store.h"
#include "tests/unit/controlplane/control_fixture.h"

#define CHAIN_ID 31337
#define PATH "/api/v1/sessions/0x5151515151515151515151515151515151515151515151515151515151515151"
#define HAS_TOKEN 0x80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {
	PATH "/peer",
	PATH "/vouchers",
	PATH "/end",
	PATH "/attestation",
	"/api/v1/auth",
	"/api/v1/sessions/s1/peer",
};

static const uint8_t contract[32] = {[12] = 0xe5, [31] = 1};
static struct control_fixture fix;
static struct lifecycle *life;
static struct api_challenge_book *challenges;
static uint8_t buyer[20], voucher_signer[20];

static int verify_voucher(
	void *driver,
	const struct chain_item *item,
	const uint8_t signer[32],
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_escrow_voucher voucher = {.cumulative_bytes = item->voucher_bytes};
	uint8_t separator[32];

	(void)driver;
	memcpy(voucher.r, item->voucher_r, 32);
	memcpy(voucher.vs, item->voucher_vs, 32);
	evm_escrow_domain(CHAIN_ID, contract + 12, separator);
	snprintf(why, CHAIN_WHY_SIZE, "not by the voucher signer");
	return evm_escrow_verify_voucher(separator, item->session_id, signer + 12, &voucher);
}

static const struct chain_driver_ops ops = {.verify_voucher = verify_voucher};

static void address_of(uint8_t key_number, uint8_t address[20])
{
	const uint8_t key[32] = {[31] = key_number};
	struct evm_signer *signer;

	TEMP_DIR_CHECK(evm_signer_create(&signer, key) == 0);
	evm_signer_address(signer, address);
	evm_signer_destroy(signer);
}

static void buy(void)
{
	struct session_identity identity = {.source = SESSION_SOURCE_CHAIN, .chain = CHAIN_ID};
	const struct session_add add = {.identity = &identity, .quota_bytes = 1000000000};
	struct purchase purchase = {.bought_bytes = 1000000000};
	struct session session;
	struct db_txn txn;

	memcpy(identity.contract, contract, 32);
	memset(identity.id, 0x51, 32);
	memcpy(purchase.buyer + 12, buyer, 20);
	memcpy(purchase.voucher_signer + 12, voucher_signer, 20);
	db_txn_begin_write(&txn, fix.db);
	session_add_in(fix.sessions, &txn, &add, FIXTURE_UNIX_SEC + 86400, &session);
	purchase.session_id = session.id;
	purchase_save(&txn, &purchase);
	TEMP_DIR_CHECK(db_txn_commit(&txn) == 0);
}

static void open_all(void)
{
	struct lifecycle_chain chain = {.driver = {.ops = &ops, .chain_id = CHAIN_ID}};
	struct lifecycle_conf conf = {.config = &fix.config, .chains = &chain, .n_chains = 1};

	control_fixture_init(&fix);
	fix.config.n_chains = 1;
	fix.config.chains[0].id = CHAIN_ID;
	fix.config.chains[0].node_id = 7;
	evm_address_format(contract + 12, fix.config.chains[0].escrow);
	fix.config.voucher.credit_bytes = 1000000;
	control_fixture_open(&fix, true);
	memcpy(chain.contract, contract, 32);
	conf.db = fix.db;
	conf.clock = &fix.clock;
	conf.sessions = fix.sessions;
	conf.usage = fix.usage;
	TEMP_DIR_CHECK(lifecycle_create(&life, &conf) == 0);
	TEMP_DIR_CHECK(api_challenge_book_create(&challenges, &fix.clock) == 0);
	buy();
}

static void close_all(void)
{
	lifecycle_destroy(life);
	api_challenge_book_destroy(challenges);
	control_fixture_close(&fix);
	control_fixture_fini(&fix);
}

static int authenticate(void *ctx, const char *token, struct http_caller *ret)
{
	(void)ctx;
	(void)token;
	*ret = (struct http_caller){.role = HTTP_ROLE_BUYER};
	memcpy(ret->buyer, buyer, 20);
	return 0;
}

struct state {
	struct session session;
	struct purchase purchase;
};

static void read_state(struct state *ret)
{
	struct db_txn txn;

	memset(ret, 0, sizeof(*ret));
	db_txn_begin_read(&txn, fix.db);
	TEMP_DIR_CHECK(session_store_load(&txn, 1, &ret->session));
	TEMP_DIR_CHECK(purchase_load(&txn, 1, &ret->purchase));
	TEMP_DIR_CHECK(db_txn_commit(&txn) == 0);
}

static void check_reply(const struct http_reply *reply)
{
	struct json_value *doc;

	if (reply->status < 200 || reply->status >= 500 ||
	    json_parse(reply->body, reply->body_len, &doc) < 0)
		abort();
	if (reply->status >= 400 && json_string(json_member(doc, "detail")) == NULL)
		abort();
	json_free(doc);
}

// Returns: the status.
static int ask(uint8_t how, const uint8_t *body, size_t len)
{
	struct control control = {
		.config = &fix.config,
		.clock = &fix.clock,
		.db = fix.db,
		.sessions = fix.sessions,
		.usage = fix.usage,
		.link = fix.link,
		.life = life,
		.health = &fix.health,
		.challenges = challenges,
	};
	struct http_route_table tables[API_MAX_TABLES];
	const struct http_exchange_conf conf = {
		.tables = tables,
		.n_tables = api_tables(tables, &control),
		.max_body_bytes = 65536,
		.authenticate = authenticate,
	};
	char length[32];
	struct http_head head = {
		.method = "POST",
		.path = paths[(how & ~HAS_TOKEN) % (sizeof(paths) / sizeof(paths[0]))],
		.content_length = length,
		.content_type = "application/json",
		.authorization = how & HAS_TOKEN ? "Bearer t" : NULL,
	};
	struct http_exchange exchange;
	int status;

	head.path_len = strlen(head.path);
	snprintf(length, sizeof(length), "%zu", len);
	http_exchange_init(&exchange);
	if (http_exchange_begin(&exchange, &conf, &head, false) == HTTP_EXCHANGE_BODY) {
		http_exchange_body(&exchange, body, len);
		http_exchange_complete(&exchange);
	}
	check_reply(&exchange.reply);
	status = exchange.reply.status;
	http_exchange_fini(&exchange);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_open;
	struct state before, after;
	int status;

	if (size == 0)
		return 0;
	if (!is_open) {
		address_of(9, buyer);
		address_of(7, voucher_signer);
		open_all();
		atexit(close_all);
		is_open = true;
	}
	read_state(&before);
	status = ask(data[0], data + 1, size - 1);
	read_state(&after);
	if (memcmp(&before, &after, sizeof(before)) == 0)
		return 0;
	if (status != 200)
		abort();
	// Each input meets the same session.
	close_all();
	open_all();
	return 0;
}
