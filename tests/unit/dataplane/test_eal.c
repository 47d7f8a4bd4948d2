// SPDX-License-Identifier: Apache-2.0
//
// What DPDK is told for a configuration, and what an operator is told who has no hugepages. EAL itself
// is not started.
#include "dataplane/eal.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct config base(void)
{
	struct config config = {
		.worker = {.count = 2, .n_cores = 2, .cores = {1, 3}, .main_core = 0},
		.memory = {.hugepages = true, .size_mb = 512},
		.node = {.log_level = LOG_LEVEL_INFO},
		.n_ports = 1,
	};

	strcpy(config.ports[0].devargs, "net_af_packet0,iface=eth1");
	return config;
}

static void join(char *dst, size_t len, const struct eal_args *args)
{
	size_t at = 0;

	assert_true(args->argc < EAL_MAX_ARGS);
	assert_null(args->argv[args->argc]);
	for (int i = 0; i < args->argc; i++)
		at += (size_t
		)snprintf(dst + at, len - at, "%s%s", i == 0 ? "" : " ", args->argv[i]);
}

static void assert_args(const struct config *config, const char *expected)
{
	struct eal_args args;
	char text[1024];

	eal_build_args(&args, config);
	join(text, sizeof(text), &args);
	assert_string_equal(text, expected);
}

static void test_args(void **state)
{
	struct config config = base();

	(void)state;
	assert_args(
		&config,
		"tollwire-dataplane -l 0,1,3 --main-lcore=0 --in-memory --no-shconf "
		"--no-telemetry -m 512 --log-level=warning --no-pci"
	);
	config.memory.hugepages = false;
	config.node.log_level = LOG_LEVEL_DEBUG;
	assert_args(
		&config,
		"tollwire-dataplane -l 0,1,3 --main-lcore=0 --no-huge --no-shconf "
		"--no-telemetry -m 512 --log-level=debug --no-pci"
	);
	config = base();
	config.n_ports = 2;
	config.node.log_level = LOG_LEVEL_ERROR;
	strcpy(config.ports[1].devargs, "0000:01:00.0,rx_vec_en=1");
	assert_args(
		&config,
		"tollwire-dataplane -l 0,1,3 --main-lcore=0 --in-memory --no-shconf "
		"--no-telemetry -m 512 --log-level=error -a 0000:01:00.0,rx_vec_en=1"
	);
}

static void test_most_cores(void **state)
{
	struct config config = base();
	struct eal_args args;

	(void)state;
	config.worker.n_cores = CONFIG_MAX_WORKERS;
	for (unsigned i = 0; i < CONFIG_MAX_WORKERS; i++)
		config.worker.cores[i] = 1000 + i;
	eal_build_args(&args, &config);
	assert_non_null(strstr(args.lcores, ",1127"));
}

static void test_hugepages(void **state)
{
	static const struct {
		const char *name;
		bool hugepages;
		struct eal_hugepages pages[2];
		const char *words; // NULL = enough
	} rows[] = {
		{"none",
		 true,
		 {{2 << 20, 0, 0}, {1 << 30, 0, 0}},
		 "256 hugepages of 2 MB, and 0 of 0 are free: run 'sysctl -w vm.nr_hugepages=256'"},
		{"one too few", true, {{2 << 20, 255, 255}}, "255 of 255 are free"},
		{"enough", true, {{2 << 20, 256, 256}}, NULL},
		{"enough, but taken",
		 true,
		 {{2 << 20, 6, 300}},
		 "6 of 300 are free: run 'sysctl -w vm.nr_hugepages=550'"},
		{"one large page", true, {{2 << 20, 0, 0}, {1 << 30, 1, 1}}, NULL},
		{"not wanted", false, {{2 << 20, 0, 0}}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct config config = base();
		char err[512] = "";
		int rc;

		config.memory.hugepages = rows[i].hugepages;
		rc = eal_check_hugepages(&config, rows[i].pages, 2, err, sizeof(err));
		assert_int_equal(rc, rows[i].words == NULL ? 0 : -ENOMEM);
		if (rows[i].words == NULL)
			continue;
		if (strstr(err, rows[i].words) == NULL)
			fail_msg("%s: '%s' is not in '%s'", rows[i].name, rows[i].words, err);
		assert_non_null(strstr(err, "memory.hugepages: false"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_most_cores),
		cmocka_unit_test(test_hugepages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
