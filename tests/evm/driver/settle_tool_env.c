// SPDX-License-Identifier: Apache-2.0
//
// Options, clocks and handles of settle_tool. Faults and alerts go to stderr, a line each.

#include "settle_tool_env.h"

#include "controlplane/chain/evm/evm_account.h"
#include "controlplane/chain/evm/evm_hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_DEFAULT(name, value) .name = (value),
struct settle_tool_options options = {SETTLE_TOOL_OPTION_LIST(OPTION_DEFAULT)};

static struct evm_signer *signer;
static struct evm_driver *driver;
struct chain_driver chain;
struct db *db;

void die(const char *what, const char *why)
{
	fprintf(stderr, "settle_tool: %s: %s\n", what, why);
	exit(1);
}

uint64_t number(const char *text)
{
	struct u256 value;
	uint64_t ret;

	if (u256_parse_dec(text, &value) < 0 || u256_to_u64(value, &ret) < 0)
		die("not a number", text);
	return ret;
}

struct u256 amount(const char *text)
{
	struct u256 value;

	if (u256_parse_dec(text, &value) < 0)
		die("not an amount", text);
	return value;
}

bool set_option(char *word)
{
	char *equals = strchr(word, '=');

	if (equals == NULL)
		return false;
	*equals = '\0';
#define OPTION_SET(name, value) \
	if (strcmp(word, #name) == 0) { \
		options.name = equals + 1; \
		return true; \
	}
	SETTLE_TOOL_OPTION_LIST(OPTION_SET)
	die("unknown option", word);
}

// The system's clocks, but for a wall clock that goes back by clock_jump_sec a second after the start.
static uint64_t tool_mono_ns(void *ctx)
{
	(void)ctx;
	return clock_mono_ns(&clock_system);
}

static uint64_t tool_unix_ns(void *ctx)
{
	static uint64_t start_ns;
	uint64_t mono_ns = clock_mono_ns(&clock_system), unix_ns = clock_unix_ns(&clock_system);

	(void)ctx;
	if (start_ns == 0)
		start_ns = mono_ns;
	return mono_ns - start_ns < NS_PER_SEC
		? unix_ns
		: unix_ns - number(options.clock_jump_sec) * NS_PER_SEC;
}

const struct clock tool_clock = {.mono_ns = tool_mono_ns, .unix_ns = tool_unix_ns};

static void print_fault(void *ctx, const char *endpoint, enum evm_rpc_fault fault, const char *why)
{
	(void)ctx;
	fprintf(stderr, "fault %s %s: %s\n", evm_rpc_fault_name(fault), endpoint, why);
}

void print_alert(void *ctx, enum settle_alert alert, bool is_set, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s %s: %s\n", is_set ? "alert" : "calm", settle_alert_name(alert), text);
}

static void print_skew(void *ctx, int64_t skew_sec, bool is_alert)
{
	(void)ctx;
	fprintf(stderr, "%s clock_skew: %" PRId64 " s\n", is_alert ? "alert" : "calm", skew_sec);
}

void open_chain(void)
{
	struct evm_driver_conf conf = {
		.rpc =
			{
				.chain_id = number(options.chain_id),
				.connect_timeout_ms = (uint32_t)number(options.timeout_ms),
				.timeout_ms = (uint32_t)number(options.timeout_ms),
				.backoff_min_ms = (uint32_t)number(options.backoff_ms),
				.backoff_max_ms = 8 * (uint32_t)number(options.backoff_ms),
				.response_max_bytes = 4 << 20,
				.clock = &tool_clock,
				.on_fault = print_fault,
			},
		.node_id = amount(options.node),
		.range_max_blocks = 1000,
		.clock_skew_max_sec = 60,
		.clock = &tool_clock,
		.on_clock_skew = print_skew,
	};
	struct secret_file_why why;
	char *urls = strdup(options.rpc);

	for (char *url = strtok(urls, ","); url != NULL; url = strtok(NULL, ","))
		conf.rpc.urls[conf.rpc.n_urls++] = url;
	if (evm_address_parse(options.escrow, conf.escrow) < 0)
		die("escrow", options.escrow);
	if (evm_account_open(&signer, options.key, NULL, &why) < 0)
		die("key", why.text);
	if (evm_driver_create(&driver, &conf, signer) < 0)
		die("rpc", options.rpc);
	chain = evm_driver_chain(driver);
	free(urls);
}

void open_db(void)
{
	struct db_conf conf = {
		.path = options.db,
		.map_size_mb = (uint32_t)number(options.map_mb),
	};
	char err[640];

	if (db_open(&db, &conf, err, sizeof(err)) < 0)
		die("db", err);
}

void hex(const char *text, uint8_t *dst, size_t len)
{
	if (evm_hex_parse(text, dst, len) < 0)
		die("not hex", text);
}

void close_all(void)
{
	db_close(db);
	evm_driver_destroy(driver);
	evm_signer_destroy(signer);
}
