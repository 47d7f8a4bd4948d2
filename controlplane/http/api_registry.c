// SPDX-License-Identifier: Apache-2.0
//
// See api_registry.h. Registry and escrow must name each other, so that no node is shown that the
// escrow would not sell; both are fixed for good, so that is asked once.
#include "api_registry.h"

#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 50 // nodes of one call; one takes up to 1,600 octets of the answer
#define RETRY_NS (5 * NS_PER_SEC) // after a failure, or sooner if so configured

enum step { STEP_IDLE, STEP_REGISTRY, STEP_ESCROW, STEP_PAGE };

struct listing {
	struct evm_purchase_node *nodes; // room for API_REGISTRY_NODES_MAX
	size_t n;
};

struct chain {
	struct api_registry *registry;
	uint64_t chain_id;
	uint8_t escrow[EVM_ADDRESS_SIZE];
	uint8_t address[EVM_ADDRESS_SIZE]; // of the registry
	bool has_address;
	enum step step; // what was asked last
	struct listing shown, building;
	uint64_t n_registered;
	bool is_read, is_failed;
	uint64_t due_ns;
	uint64_t changed_unix_sec;
};

struct api_registry {
	const struct clock *clock;
	struct chain_ask *ask;
	uint64_t refresh_ns;
	uint64_t version;
	size_t n_chains;
	struct chain chains[CONFIG_MAX_CHAINS];
	struct evm_purchase_node page[PAGE];
};

// ---- reading ---------------------------------------------------------------------------------

static void fail(struct chain *chain, const char *why)
{
	struct api_registry *registry = chain->registry;
	uint64_t wait_ns = registry->refresh_ns < RETRY_NS ? registry->refresh_ns : RETRY_NS;

	registry->version += !chain->is_failed;
	if (!chain->is_failed)
		log_warn(
			"registry",
			"chain %" PRIu64 ": the list of nodes cannot be read: %s",
			chain->chain_id,
			why
		);
	chain->is_failed = true;
	chain->step = STEP_IDLE;
	chain->due_ns = clock_mono_ns(registry->clock) + wait_ns;
}

static void on_answer(void *ctx, const struct chain_ask_answer *answer);

static void ask(
	struct chain *chain,
	enum step step,
	const uint8_t contract[EVM_ADDRESS_SIZE],
	const struct evm_abi_writer *w,
	size_t answer_max
)
{
	struct chain_ask_question question = {
		.chain_id = chain->chain_id,
		.data = w->buf,
		.len = w->len,
		.answer_max = answer_max,
	};
	int r = evm_abi_finish(w);

	memcpy(question.contract + 32 - EVM_ADDRESS_SIZE, contract, EVM_ADDRESS_SIZE);
	chain->step = step;
	if (r == 0)
		r = chain_ask_submit(chain->registry->ask, &question, on_answer, chain);
	if (r < 0)
		fail(chain, strerror(-r));
}

static void ask_address(
	struct chain *chain,
	enum step step,
	const uint8_t contract[EVM_ADDRESS_SIZE],
	const char *signature
)
{
	uint8_t call[EVM_ABI_SELECTOR];
	struct evm_abi_writer w;

	evm_abi_writer_init(&w, call, sizeof(call));
	evm_abi_call(&w, signature, 0);
	evm_abi_end(&w);
	ask(chain, step, contract, &w, EVM_ABI_WORD);
}

static void ask_page(struct chain *chain)
{
	uint8_t call[EVM_ABI_SELECTOR + 2 * EVM_ABI_WORD];
	struct evm_abi_writer w;

	evm_abi_writer_init(&w, call, sizeof(call));
	evm_purchase_put_list_nodes(&w, chain->building.n, PAGE);
	ask(chain, STEP_PAGE, chain->address, &w, CHAIN_ASK_ANSWER_MAX);
}

// All pages are there.
static void show(struct chain *chain, uint64_t n_registered)
{
	const struct clock *clock = chain->registry->clock;
	struct listing former = chain->shown;
	bool is_same = chain->is_read && former.n == chain->building.n &&
		chain->n_registered == n_registered &&
		memcmp(former.nodes, chain->building.nodes, former.n * sizeof(*former.nodes)) == 0;

	if (chain->is_failed)
		log_info(
			"registry", "chain %" PRIu64 ": the list of nodes is read", chain->chain_id
		);
	chain->registry->version++;
	chain->shown = chain->building;
	chain->building = former;
	chain->n_registered = n_registered;
	if (!is_same)
		chain->changed_unix_sec = clock_unix_ns(clock) / NS_PER_SEC;
	chain->is_read = true;
	chain->is_failed = false;
	chain->step = STEP_IDLE;
	chain->due_ns = clock_mono_ns(clock) + chain->registry->refresh_ns;
}

static void take_page(struct chain *chain, const struct chain_ask_answer *answer)
{
	struct evm_purchase_node *page = chain->registry->page;
	struct listing *listing = &chain->building;
	uint64_t total;
	size_t n;

	// Padding and the rests of texts too, so that equal listings are equal octets.
	memset(page, 0, sizeof(chain->registry->page));
	if (evm_purchase_get_nodes(answer->data, answer->len, page, PAGE, &n, &total) < 0) {
		fail(chain, "its answer is malformed");
		return;
	}
	if (n > API_REGISTRY_NODES_MAX - listing->n)
		n = API_REGISTRY_NODES_MAX - listing->n;
	memcpy(listing->nodes + listing->n, page, n * sizeof(*page));
	listing->n += n;
	if (n == 0 || listing->n >= total || listing->n == API_REGISTRY_NODES_MAX)
		show(chain, total);
	else
		ask_page(chain);
}

static void take_address(struct chain *chain, const struct chain_ask_answer *answer)
{
	uint8_t address[EVM_ADDRESS_SIZE];
	struct evm_abi_reader r;

	evm_abi_reader_init(&r, answer->data, answer->len, 1);
	evm_abi_get_address(&r, address);
	if (r.error < 0) {
		fail(chain, "the escrow's address is no escrow's");
	} else if (chain->step == STEP_REGISTRY) {
		memcpy(chain->address, address, sizeof(address));
		ask_address(chain, STEP_ESCROW, chain->address, "escrow()");
	} else if (memcmp(address, chain->escrow, sizeof(address)) != 0) {
		fail(chain, "the escrow's registry belongs to another escrow");
	} else {
		chain->has_address = true;
		ask_page(chain);
	}
}

static void on_answer(void *ctx, const struct chain_ask_answer *answer)
{
	struct chain *chain = ctx;

	if (answer->error != 0)
		fail(chain, answer->why);
	else if (chain->step == STEP_PAGE)
		take_page(chain, answer);
	else
		take_address(chain, answer);
}

void api_registry_tick(struct api_registry *registry)
{
	uint64_t now_ns = clock_mono_ns(registry->clock);

	for (size_t i = 0; i < registry->n_chains; i++) {
		struct chain *chain = &registry->chains[i];

		if (chain->step != STEP_IDLE || now_ns < chain->due_ns)
			continue;
		chain->building.n = 0;
		if (chain->has_address)
			ask_page(chain);
		else
			ask_address(chain, STEP_REGISTRY, chain->escrow, "registry()");
	}
}

// ---- life ------------------------------------------------------------------------------------

int api_registry_create(
	struct api_registry **ret,
	const struct config *config,
	struct chain_ask *ask,
	const struct clock *clock
)
{
	struct api_registry *registry = calloc(1, sizeof(*registry));

	if (registry == NULL)
		return -ENOMEM;
	registry->clock = clock;
	registry->ask = ask;
	registry->refresh_ns = config->api.registry_refresh_sec * NS_PER_SEC;
	for (uint32_t i = 0; ask != NULL && i < config->n_chains; i++) {
		struct chain *chain = &registry->chains[registry->n_chains];

		if (evm_address_parse(config->chains[i].escrow, chain->escrow) != 0)
			continue;
		chain->registry = registry;
		chain->chain_id = config->chains[i].id;
		chain->shown.nodes = calloc(API_REGISTRY_NODES_MAX, sizeof(*chain->shown.nodes));
		chain->building.nodes = calloc(API_REGISTRY_NODES_MAX, sizeof(*chain->shown.nodes));
		registry->n_chains++;
		if (chain->shown.nodes == NULL || chain->building.nodes == NULL) {
			api_registry_destroy(registry);
			return -ENOMEM;
		}
	}
	*ret = registry;
	return 0;
}

void api_registry_destroy(struct api_registry *registry)
{
	if (registry == NULL)
		return;
	for (size_t i = 0; i < registry->n_chains; i++) {
		free(registry->chains[i].shown.nodes);
		free(registry->chains[i].building.nodes);
	}
	free(registry);
}

uint64_t api_registry_version(const struct api_registry *registry)
{
	return registry->version;
}

size_t api_registry_n_chains(const struct api_registry *registry)
{
	return registry->n_chains;
}

void api_registry_get(
	const struct api_registry *registry, size_t idx, struct api_registry_view *ret
)
{
	const struct chain *chain = &registry->chains[idx];

	*ret = (struct api_registry_view){
		.chain_id = chain->chain_id,
		.nodes = chain->shown.nodes,
		.n_nodes = chain->shown.n,
		.n_registered = chain->n_registered,
		.is_read = chain->is_read,
		.is_stale = !chain->is_read || chain->is_failed,
		.changed_unix_sec = chain->changed_unix_sec,
	};
}
