// SPDX-License-Identifier: Apache-2.0
//
// See chain_setup.h.
#include "controlplane/chain_setup.h"

#include "common/log.h"
#include "controlplane/chain/evm/evm_account.h"
#include "controlplane/chain/evm/evm_driver.h"
#include "controlplane/chain_gauge.h"
#include "controlplane/chain_limits.h"
#include "controlplane/settle/chain_thread.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERR_CAP 800
#define ACCOUNT_MS 30000 // between two looks at the account's balance

// One configured chain.
struct lane {
	struct chain_setup *setup;
	const struct config_chain *conf;
	uint32_t idx; // of its entry in the configuration, and of its lane and gauge
	struct evm_signer *signer;
	struct evm_driver *driver;
	uint8_t contract[32]; // the escrow, left-padded
	struct settle_batch_limits limits;
};

struct chain_setup {
	const struct control *control;
	int kick_fd;
	struct lane lanes[CONFIG_MAX_CHAINS];
	uint32_t n_lanes;
	struct chain_gauge *gauge;
	struct chain_thread *thread;
	struct lifecycle *life;
};

static_assert(
	CONFIG_MAX_CHAINS <= CHAIN_THREAD_LANES_MAX && CONFIG_MAX_CHAINS <= LIFECYCLE_CHAINS_MAX &&
		CONFIG_MAX_ENDPOINTS <= EVM_RPC_ENDPOINTS_MAX && CONFIG_URL_CAP <= EVM_RPC_URL_SIZE,
	"what the configuration takes, the control plane carries"
);

static void on_news(void *ctx)
{
	const struct chain_setup *setup = ctx;
	const uint64_t one = 1;

	// A full eventfd has a round under way already.
	if (write(setup->kick_fd, &one, sizeof(one)) < 0)
		return;
}

static void on_error(void *ctx, uint64_t chain_id, const char *why)
{
	const struct chain_setup *setup = ctx;

	for (uint32_t i = 0; i < setup->n_lanes; i++) {
		if (setup->lanes[i].conf->id == chain_id)
			log_warn("chain", "%s: %s", setup->lanes[i].conf->name, why);
	}
}

static void on_alert(void *ctx, enum settle_alert alert, bool is_set, const char *text)
{
	const struct lane *lane = ctx;

	struct chain_gauge_view *view = chain_gauge_begin(lane->setup->gauge, lane->idx);

	snprintf(view->alerts[alert], sizeof(view->alerts[alert]), "%s", is_set ? text : "");
	chain_gauge_end(lane->setup->gauge);
	if (is_set)
		log_warn("settle", "%s: %s: %s", lane->conf->name, settle_alert_name(alert), text);
	else
		log_info("settle", "%s: %s: over", lane->conf->name, settle_alert_name(alert));
}

static void on_fault(void *ctx, const char *endpoint, enum evm_rpc_fault fault, const char *why)
{
	const struct lane *lane = ctx;

	log_warn(
		"chain",
		"%s: %s: %s: %s",
		lane->conf->name,
		endpoint,
		evm_rpc_fault_name(fault),
		why
	);
	if (fault != EVM_RPC_DISAGREES)
		return;
	struct chain_gauge_view *view = chain_gauge_begin(lane->setup->gauge, lane->idx);

	view->disagreed_unix_ns = clock_unix_ns(lane->setup->control->clock);
	snprintf(view->disagreement, sizeof(view->disagreement), "%.120s: %.240s", endpoint, why);
	chain_gauge_end(lane->setup->gauge);
}

static void on_clock_skew(void *ctx, int64_t skew_sec, bool is_alert)
{
	const struct lane *lane = ctx;
	struct chain_gauge_view *view = chain_gauge_begin(lane->setup->gauge, lane->idx);

	view->clock_skew_sec = is_alert ? skew_sec : 0;
	chain_gauge_end(lane->setup->gauge);
}

static void tell_balance(struct chain_gauge_view *view, struct u256 alarm_wei)
{
	char have[U256_DEC_SIZE], want[U256_DEC_SIZE];

	view->low_balance[0] = '\0';
	if (u256_compare(view->balance_wei, alarm_wei) >= 0)
		return;
	u256_format_dec(view->balance_wei, have);
	u256_format_dec(alarm_wei, want);
	snprintf(
		view->low_balance,
		sizeof(view->low_balance),
		"the account holds %s wei, the alarm stands at %s",
		have,
		want
	);
}

static void on_round(void *ctx, size_t lane_idx, const struct chain_thread_seen *seen)
{
	const struct chain_setup *setup = ctx;
	const struct lane *lane = &setup->lanes[lane_idx];
	const struct evm_rpc *rpc = evm_driver_rpc(lane->driver);
	const uint64_t depth = lane->conf->confirmations.provision;
	struct chain_gauge_view *view = chain_gauge_begin(setup->gauge, lane->idx);

	if (seen->head_number != 0) {
		uint64_t to_read = seen->head_number + 2;

		to_read =
			to_read > depth ? to_read - depth : 0; // the first that is not deep enough
		view->head_number = seen->head_number;
		view->head_time_sec = seen->head_time_sec;
		view->next_block = seen->next_block;
		view->blocks_behind = to_read > seen->next_block ? to_read - seen->next_block : 0;
	}
	if (seen->account != NULL) {
		view->has_balance = true;
		view->balance_wei = seen->account->balance_wei;
		tell_balance(view, chain_limits_wei(lane->conf->low_balance_gwei));
	}
	snprintf(view->failure, sizeof(view->failure), "%s", seen->why != NULL ? seen->why : "");
	view->n_endpoints = evm_rpc_n_endpoints(rpc);
	for (size_t i = 0; i < view->n_endpoints; i++)
		evm_rpc_get_stats(rpc, i, &view->endpoints[i]);
	chain_gauge_end(setup->gauge);
}

static void on_queued(void *ctx)
{
	const struct chain_setup *setup = ctx;

	if (setup->thread != NULL)
		chain_thread_wake(setup->thread);
}

static int open_signer(struct lane *lane)
{
	const struct config_chain *conf = lane->conf;
	const char *password = access(conf->password_file, F_OK) == 0 ? conf->password_file : NULL;
	struct secret_file_why why;
	int rc = evm_account_open(&lane->signer, conf->key_file, password, &why);

	if (rc != 0)
		log_error("main", "chains[%u].key_file: %s", lane->idx, why.text);
	return rc;
}

static int read_limits(struct lane *lane)
{
	char why[CHAIN_LIMITS_WHY_SIZE];
	int rc = chain_limits_read(&lane->conf->batch, &lane->limits, why);

	if (rc != 0)
		log_error("main", "chains[%u].%s", lane->idx, why);
	return rc;
}

static int open_driver(struct lane *lane, const struct clock *clock)
{
	const struct config_chain *chain = lane->conf;
	struct evm_driver_conf conf = {
		.rpc =
			{
				.chain_id = chain->id,
				.n_urls = chain->n_endpoints,
				.connect_timeout_ms = 5000,
				.timeout_ms = 15000,
				.backoff_min_ms = 1000,
				.backoff_max_ms = 60000,
				.response_max_bytes = 16u << 20,
				.clock = clock,
				.on_fault = on_fault,
				.on_fault_ctx = lane,
			},
		.node_id = u256_from_u64(chain->node_id),
		.deployed_block = chain->deployed_block,
		.range_max_blocks = 1000,
		.clock_skew_max_sec = 60,
		.clock = clock,
		.on_clock_skew = on_clock_skew,
		.on_clock_skew_ctx = lane,
	};

	for (uint32_t i = 0; i < chain->n_endpoints; i++)
		conf.rpc.urls[i] = chain->endpoints[i];
	int rc = evm_address_parse(chain->escrow, conf.escrow);
	if (rc != 0) {
		log_error(
			"main",
			"chains[%u].escrow: value '%s' %s; copy it again from where it was "
			"deployed",
			lane->idx,
			chain->escrow,
			rc == -EBADMSG ? "has a wrong check sum (EIP-55), so a digit is wrong"
				       : "is no address"
		);
		return -EINVAL;
	}
	memcpy(lane->contract + 12, conf.escrow, EVM_ADDRESS_SIZE);
	rc = evm_driver_create(&lane->driver, &conf, lane->signer);
	if (rc != 0)
		log_error("main", "chains[%u].endpoints: %s", lane->idx, strerror(-rc));
	return rc;
}

static struct chain_thread_lane thread_lane(struct lane *lane)
{
	const struct config_chain *chain = lane->conf;
	struct chain_thread_lane ret = {
		.chain = evm_driver_chain(lane->driver),
		.provision_confirmations = chain->confirmations.provision,
		.poll_ms = chain->poll_ms,
		.account_ms = ACCOUNT_MS,
		.outbox =
			{
				.batch = lane->limits,
				.confirmations = chain->confirmations.settle,
				.watch_blocks = 256,
				.resend_ms = 30000,
				.reprice_ms = 60000,
				.review_polls = 60,
				.skips_max = 10,
				.skip_wait_sec = 60,
				.fee_ceiling_wei = chain_limits_wei(chain->fee_ceiling_gwei),
				.balance_alarm_wei = chain_limits_wei(chain->low_balance_gwei),
				.on_alert = on_alert,
				.on_alert_ctx = lane,
			},
		.interrupt = evm_driver_interrupt,
	};

	memcpy(ret.contract, lane->contract, sizeof(ret.contract));
	return ret;
}

static int start_thread(struct chain_setup *setup)
{
	struct chain_thread_lane lanes[CONFIG_MAX_CHAINS];
	const struct chain_thread_conf conf = {
		.db = setup->control->db,
		.clock = setup->control->clock,
		.lanes = lanes,
		.n_lanes = setup->n_lanes,
		.ask = setup->control->ask,
		.on_news = on_news,
		.on_error = on_error,
		.on_round = on_round,
		.ctx = setup,
	};

	for (uint32_t i = 0; i < setup->n_lanes; i++)
		lanes[i] = thread_lane(&setup->lanes[i]);
	int rc = chain_thread_start(&setup->thread, &conf);
	if (rc != 0)
		log_error("main", "chain thread: %s", strerror(-rc));
	return rc;
}

static int open_lanes(struct chain_setup *setup)
{
	const struct config *config = setup->control->config;
	int rc = 0;

	for (uint32_t i = 0; i < config->n_chains && rc == 0; i++) {
		struct lane *lane = &setup->lanes[setup->n_lanes++];

		lane->setup = setup;
		lane->conf = &config->chains[i];
		lane->idx = i;
		rc = read_limits(lane);
		if (rc == 0)
			rc = open_signer(lane);
		if (rc == 0)
			rc = open_driver(lane, setup->control->clock);
	}
	return rc;
}

static int create_lifecycle(struct chain_setup *setup)
{
	const struct control *control = setup->control;
	struct lifecycle_chain chains[CONFIG_MAX_CHAINS] = {0};
	const struct lifecycle_conf conf = {
		.db = control->db,
		.config = control->config,
		.clock = control->clock,
		.sessions = control->sessions,
		.usage = control->usage,
		.chains = chains,
		.n_chains = setup->n_lanes,
		.queued = on_queued,
		.ctx = setup,
	};

	for (uint32_t i = 0; i < setup->n_lanes; i++) {
		chains[i].driver = evm_driver_chain(setup->lanes[i].driver);
		chains[i].settle_confirmations = setup->lanes[i].conf->confirmations.settle;
		memcpy(chains[i].contract, setup->lanes[i].contract, sizeof(chains[i].contract));
	}
	return lifecycle_create(&setup->life, &conf);
}

int chain_setup_start(struct chain_setup **ret, const struct control *control, int kick_fd)
{
	struct chain_setup *setup = calloc(1, sizeof(*setup));
	int rc;

	if (setup == NULL)
		return -ENOMEM;
	setup->control = control;
	setup->kick_fd = kick_fd;
	rc = chain_gauge_create(&setup->gauge, control->config);
	if (rc == 0)
		rc = open_lanes(setup);
	if (rc == 0)
		rc = create_lifecycle(setup);
	if (rc == 0 && setup->n_lanes > 0)
		rc = start_thread(setup);
	if (rc != 0) {
		chain_setup_stop(setup);
		return rc;
	}
	*ret = setup;
	return 0;
}

void chain_setup_stop(struct chain_setup *setup)
{
	if (setup == NULL)
		return;
	if (setup->thread != NULL)
		chain_thread_stop(setup->thread);
	lifecycle_destroy(setup->life);
	for (uint32_t i = 0; i < setup->n_lanes; i++) {
		evm_driver_destroy(setup->lanes[i].driver);
		evm_signer_destroy(setup->lanes[i].signer);
	}
	chain_gauge_destroy(setup->gauge);
	free(setup);
}

struct lifecycle *chain_setup_lifecycle(struct chain_setup *setup)
{
	return setup->life;
}

struct chain_gauge *chain_setup_gauge(struct chain_setup *setup)
{
	return setup->gauge;
}

const struct evm_signer *chain_setup_signer(const struct chain_setup *setup, uint32_t chain_idx)
{
	return chain_idx < setup->n_lanes ? setup->lanes[chain_idx].signer : NULL;
}

void chain_setup_tick(struct chain_setup *setup)
{
	const struct control *control = setup->control;
	const uint64_t now_ns = clock_unix_ns(control->clock);
	char err[ERR_CAP] = "";

	if (lifecycle_tick(setup->life, err, sizeof(err)) == 0)
		health_clear(control->health, HEALTH_CHAIN);
	else
		health_set(control->health, HEALTH_CHAIN, now_ns, "%s", err);
	chain_gauge_tell(setup->gauge, control->health, now_ns);
}
