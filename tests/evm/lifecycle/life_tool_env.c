// SPDX-License-Identifier: Apache-2.0
//
// Builds what main.c and chain_setup.c build, without the loop, the API and the chain thread.
#include "life_tool_env.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LIFE_OPTION_DEFAULT(name, value) .name = (value),
struct life_tool_options life_options = {LIFE_TOOL_OPTION_LIST(LIFE_OPTION_DEFAULT)};

bool life_tool_set_option(char *word)
{
	char *equals = strchr(word, '=');

	if (equals == NULL)
		return false;
#define LIFE_OPTION_SET(name, value) \
	if (strncmp(word, #name "=", sizeof(#name)) == 0) { \
		life_options.name = equals + 1; \
		return true; \
	}
	LIFE_TOOL_OPTION_LIST(LIFE_OPTION_SET)
	return set_option(word);
}

static uint64_t mono_ns(void *ctx)
{
	(void)ctx;
	return clock_mono_ns(&clock_system);
}

static uint64_t unix_ns(void *ctx)
{
	const struct life_tool *tool = ctx;

	return (uint64_t
	)((int64_t)clock_unix_ns(&clock_system) + tool->jump_sec * (int64_t)NS_PER_SEC);
}

static void on_changed(void *ctx, const struct session *session)
{
	const struct life_tool *tool = ctx;

	if (tool->link != NULL)
		dp_link_session_changed(tool->link, session);
}

static void configure(struct config *config)
{
	snprintf(config->node.runtime_dir, CONFIG_TEXT_CAP, "%s/run", life_options.dir);
	snprintf(config->node.state_dir, CONFIG_TEXT_CAP, "%s/state", life_options.dir);
	snprintf(config->store.path, CONFIG_TEXT_CAP, "%s", options.db);
	mkdir(config->node.runtime_dir, 0755);
	mkdir(config->node.state_dir, 0700);
	config->tunnel.network = (struct config_cidr){.addr = 0x0a080000, .prefix_len = 20};
	config->tunnel.address = 0x0a080001;
	config->sessions.max = 1100;
	config->sessions.address_quarantine_sec = (uint32_t)number(life_options.quarantine_sec);
	config->sessions.free_rate_kbps = 64;
	config->sessions.quota_action =
		number(life_options.is_throttled) != 0 ? CONFIG_QUOTA_THROTTLE : CONFIG_QUOTA_CUT;
	config->usage.poll_interval_ms = 1000;
	config->usage.checkpoint_bytes = number(life_options.checkpoint);
	config->usage.checkpoint_interval_sec = 60;
	config->voucher.credit_bytes = number(life_options.credit);
	config->voucher.patience_sec = (uint32_t)number(life_options.patience_sec);
}

static void open_books(struct life_tool *tool)
{
	const struct session_book_conf sessions = {
		.db = db,
		.config = &tool->config,
		.clock = &tool->clock,
		.changed = on_changed,
		.changed_ctx = tool,
	};
	const struct usage_book_conf usage = {
		.db = db,
		.config = &tool->config,
		.clock = &tool->clock,
	};
	struct session_error err;

	if (session_book_create(&tool->sessions, &sessions, &err) != 0)
		die("sessions", err.text);
	if (usage_book_create(&tool->usage, &usage) != 0)
		die("usage", "cannot be made");
	const struct dp_link_conf link = {
		.config = &tool->config,
		.clock = &tool->clock,
		.db = db,
		.sessions = tool->sessions,
		.usage = tool->usage,
		.health = &tool->health,
	};
	if (dp_link_create(&tool->link, &link) != 0)
		die("link", "cannot be made");
}

static void open_outbox(struct life_tool *tool)
{
	const struct settle_outbox_conf conf = {
		.db = db,
		.chain = chain,
		.clock = &tool_clock,
		.batch = {.count = (uint32_t)number(options.count)},
		.confirmations = (uint32_t)number(options.confirmations),
		.watch_blocks = (uint32_t)number(options.watch_blocks),
		.resend_ms = (uint32_t)number(options.resend_ms),
		.reprice_ms = (uint32_t)number(options.reprice_ms),
		.review_polls = (uint32_t)number(options.review_polls),
		.skips_max = (uint32_t)number(options.skips_max),
		.skip_wait_sec = (uint32_t)number(options.skip_wait_sec),
		.fee_ceiling_wei = amount(options.ceiling),
		.on_alert = print_alert,
	};

	if (settle_outbox_create(&tool->outbox, &conf) < 0)
		die("outbox", "cannot be made");
}

void life_tool_open(struct life_tool *tool)
{
	char key[CONFIG_TEXT_CAP + 32], former[CONFIG_TEXT_CAP + 32], why[ATTEST_KEYS_WHY_CAP];
	struct lifecycle_chain own;

	tool->clock = (struct clock){.mono_ns = mono_ns, .unix_ns = unix_ns, .ctx = tool};
	log_set_level(LOG_LEVEL_ERROR);
	health_init(&tool->health);
	configure(&tool->config);
	open_chain();
	open_db();
	open_books(tool);
	open_outbox(tool);
	snprintf(key, sizeof(key), "%s/usage-signer.key", tool->config.node.state_dir);
	snprintf(former, sizeof(former), "%s/former", tool->config.node.state_dir);
	if (attest_keys_open(&tool->keys, key, former, why) != 0)
		die("keys", why);
	if (evm_address_parse(options.escrow, tool->contract + 12) < 0)
		die("escrow", options.escrow);
	own = (struct lifecycle_chain){
		.driver = chain,
		.settle_confirmations = (uint32_t)number(options.confirmations),
	};
	memcpy(own.contract, tool->contract, sizeof(own.contract));
	const struct lifecycle_conf conf = {
		.db = db,
		.config = &tool->config,
		.clock = &tool->clock,
		.sessions = tool->sessions,
		.usage = tool->usage,
		.chains = &own,
		.n_chains = 1,
	};
	if (lifecycle_create(&tool->life, &conf) != 0)
		die("lifecycle", "cannot be made");
}

void life_tool_close(struct life_tool *tool)
{
	lifecycle_destroy(tool->life);
	settle_outbox_destroy(tool->outbox);
	dp_link_destroy(tool->link);
	usage_book_destroy(tool->usage);
	session_book_destroy(tool->sessions);
	attest_keys_close(tool->keys);
	close_all();
}
