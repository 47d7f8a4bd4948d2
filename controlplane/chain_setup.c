// SPDX-License-Identifier: Apache-2.0
//
// See chain_setup.h.
#include "controlplane/chain_setup.h"

#include "common/log.h"
#include "controlplane/chain/evm/evm_account.h"
#include "controlplane/chain/evm/evm_driver.h"
#include "controlplane/settle/chain_thread.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERR_CAP 800
#define GWEI 1000000000ull

struct chain_setup {
	const struct control *control;
	int kick_fd;
	struct evm_signer *signer;
	struct evm_driver *driver;
	struct chain_thread *thread;
	struct lifecycle *life;
};

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
	(void)ctx;
	log_warn("chain", "chain %" PRIu64 ": %s", chain_id, why);
}

static void on_alert(void *ctx, enum settle_alert alert, bool is_set, const char *text)
{
	(void)ctx;
	if (is_set)
		log_warn("settle", "%s: %s", settle_alert_name(alert), text);
	else
		log_info("settle", "%s: over", settle_alert_name(alert));
}

static void on_queued(void *ctx)
{
	const struct chain_setup *setup = ctx;

	if (setup->thread != NULL)
		chain_thread_wake(setup->thread);
}

static int open_signer(struct chain_setup *setup, const struct config_chain *chain)
{
	const char *password =
		access(chain->password_file, F_OK) == 0 ? chain->password_file : NULL;
	struct secret_file_why why;
	int rc = evm_account_open(&setup->signer, chain->key_file, password, &why);

	if (rc != 0)
		log_error("main", "chain.key_file: %s", why.text);
	return rc;
}

static int open_driver(struct chain_setup *setup, const struct config_chain *chain)
{
	struct evm_driver_conf conf = {
		.rpc =
			{
				.chain_id = chain->id,
				.connect_timeout_ms = 5000,
				.timeout_ms = 15000,
				.backoff_min_ms = 1000,
				.backoff_max_ms = 60000,
				.response_max_bytes = 16u << 20,
				.clock = setup->control->clock,
			},
		.node_id = u256_from_u64(chain->node_id),
		.deployed_block = chain->deployed_block,
		.range_max_blocks = 1000,
		.clock_skew_max_sec = 60,
		.clock = setup->control->clock,
	};
	char urls[CONFIG_TEXT_CAP], *rest = urls;

	snprintf(urls, sizeof(urls), "%s", chain->rpc);
	for (char *url = strsep(&rest, ", "); url != NULL; url = strsep(&rest, ", ")) {
		if (*url != '\0' && conf.rpc.n_urls < EVM_RPC_ENDPOINTS_MAX)
			conf.rpc.urls[conf.rpc.n_urls++] = url;
	}
	if (evm_address_parse(chain->escrow, conf.escrow) != 0) {
		log_error("main", "chain.escrow: '%s' is no address", chain->escrow);
		return -EINVAL;
	}
	int rc = evm_driver_create(&setup->driver, &conf, setup->signer);
	if (rc != 0)
		log_error("main", "chain.rpc: %s", strerror(-rc));
	return rc;
}

static int start_thread(
	struct chain_setup *setup, const struct config_chain *chain, const uint8_t contract[32]
)
{
	struct chain_thread_lane lane = {
		.chain = evm_driver_chain(setup->driver),
		.provision_confirmations = chain->provision_confirmations,
		.outbox =
			{
				.batch =
					{
						.count = CHAIN_BATCH_MAX,
						.age_sec = chain->batch_age_sec,
						.deadline_margin_sec = LIFECYCLE_MARGIN_SEC,
					},
				.confirmations = chain->settle_confirmations,
				.watch_blocks = 256,
				.resend_ms = 30000,
				.reprice_ms = 60000,
				.review_polls = 60,
				.skips_max = 10,
				.skip_wait_sec = 60,
				.on_alert = on_alert,
			},
		.interrupt = evm_driver_interrupt,
	};
	const struct chain_thread_conf conf = {
		.db = setup->control->db,
		.clock = setup->control->clock,
		.poll_ms = chain->poll_ms,
		.lanes = &lane,
		.n_lanes = 1,
		.on_news = on_news,
		.on_error = on_error,
		.ctx = setup,
	};

	memcpy(lane.contract, contract, 32);
	lane.outbox.fee_ceiling_wei = u256_from_u64(chain->fee_ceiling_gwei * GWEI);
	return chain_thread_start(&setup->thread, &conf);
}

static int start_chain(struct chain_setup *setup, struct lifecycle_chain *ret)
{
	const struct config_chain *chain = &setup->control->config->chain;
	int rc = open_signer(setup, chain);

	if (rc == 0)
		rc = open_driver(setup, chain);
	if (rc != 0)
		return rc;
	ret->driver = evm_driver_chain(setup->driver);
	ret->settle_confirmations = chain->settle_confirmations;
	return evm_address_parse(chain->escrow, ret->contract + 12);
}

int chain_setup_start(struct chain_setup **ret, const struct control *control, int kick_fd)
{
	struct chain_setup *setup = calloc(1, sizeof(*setup));
	const bool has_chain = control->config->chain.id != 0;
	struct lifecycle_chain chain = {0};
	struct lifecycle_conf conf = {
		.db = control->db,
		.config = control->config,
		.clock = control->clock,
		.sessions = control->sessions,
		.usage = control->usage,
		.chains = &chain,
		.n_chains = has_chain,
		.queued = on_queued,
		.ctx = setup,
	};
	int rc = 0;

	if (setup == NULL)
		return -ENOMEM;
	setup->control = control;
	setup->kick_fd = kick_fd;
	if (has_chain)
		rc = start_chain(setup, &chain);
	if (rc == 0)
		rc = lifecycle_create(&setup->life, &conf);
	if (rc == 0 && has_chain)
		rc = start_thread(setup, &control->config->chain, chain.contract);
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
	evm_driver_destroy(setup->driver);
	evm_signer_destroy(setup->signer);
	free(setup);
}

struct lifecycle *chain_setup_lifecycle(struct chain_setup *setup)
{
	return setup->life;
}

void chain_setup_tick(struct chain_setup *setup)
{
	const struct control *control = setup->control;
	char err[ERR_CAP] = "";

	if (lifecycle_tick(setup->life, err, sizeof(err)) == 0)
		health_clear(control->health, HEALTH_CHAIN);
	else
		health_set(control->health, HEALTH_CHAIN, clock_unix_ns(control->clock), "%s", err);
}
