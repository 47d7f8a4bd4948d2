// SPDX-License-Identifier: Apache-2.0
//
// tollwire-dataplane: reads the YAML, starts the data plane by the table below, runs the slow path until
// a signal or a `stop` command, and takes everything down in reverse. What was not started is not
// stopped; secrets are zeroed on every way out.
#include "common/log.h"
#include "config/config_load.h"
#include "config/config_report.h"
#include "config/config_write.h"
#include "dataplane/bringup.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define ERR_CAP 1024

struct step {
	const char *name;
	int (*start)(struct bringup *bringup, char *err, size_t err_len);
	void (*stop)(struct bringup *bringup); // NULL = nothing to undo
};

// In the order of start.
static const struct step steps[] = {
	{"beside another", bringup_instance_start, NULL},
	{"secrets", bringup_secrets_start, bringup_secrets_stop},
	{"dpdk", bringup_eal_start, bringup_eal_stop},
	{"segment", bringup_segment_start, bringup_segment_stop},
	{"packet buffers", bringup_pool_start, bringup_pool_stop},
	{"ports", bringup_ports_start, bringup_ports_stop},
	{"martians", bringup_martians_start, NULL},
	{"tables", bringup_tables_start, bringup_tables_stop},
	{"mailboxes", bringup_mailboxes_start, bringup_mailboxes_stop},
	{"slow path", bringup_slowpath_start, bringup_slowpath_stop},
	{"workers", bringup_workers_start, bringup_workers_stop},
};

#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

static volatile int is_stop_asked;

static void on_signal(int signal_number)
{
	(void)signal_number;
	is_stop_asked = 1;
}

static void set_signals(void)
{
	const struct sigaction on_stop = {.sa_handler = on_signal};

	sigaction(SIGTERM, &on_stop, NULL);
	sigaction(SIGINT, &on_stop, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void stop_steps(struct bringup *bringup, size_t n_started)
{
	while (n_started-- > 0)
		if (steps[n_started].stop != NULL)
			steps[n_started].stop(bringup);
}

static int start_steps(struct bringup *bringup)
{
	char err[ERR_CAP] = "";

	for (size_t i = 0; i < N_STEPS; i++) {
		int rc = steps[i].start(bringup, err, sizeof(err));

		if (rc < 0) {
			log_error("dataplane", "cannot start %s: %s", steps[i].name, err);
			stop_steps(bringup, i);
			return rc;
		}
	}
	return 0;
}

static int run(struct bringup *bringup)
{
	int rc = start_steps(bringup);

	if (rc < 0)
		return rc;
	bringup->is_started = true;
	events_emit(&bringup->slowpath.events, ABI_EVENT_STARTING, 0, 0, 0);
	log_info(
		"dataplane",
		"running: %u worker%s, %u session slots",
		bringup->dp.n_workers,
		bringup->dp.n_workers == 1 ? "" : "s",
		bringup->config.sessions.max
	);
	rc = slowpath_run(&bringup->slowpath, &is_stop_asked);
	bringup->is_drained = rc == 0;
	stop_steps(bringup, N_STEPS);
	log_info("dataplane", "stopped");
	return rc;
}

static const char usage[] =
	"Usage: tollwire-dataplane --config FILE [--check]\n"
	"\n"
	"The packet half of a tollwire node: WireGuard, NAT and metering through DPDK.\n"
	"Runs until SIGTERM, SIGINT or `stop` from the control plane; then drains and ends.\n"
	"\n"
	"  --config FILE  the node's YAML, shared with tollwire-control\n"
	"  --check        check the configuration, say what is wrong, and end\n"
	"  --version      print the version and end\n"
	"  --help         print this and end\n";

struct options {
	const char *config_path;
	bool is_check;
};

// Returns: 0 to go on, 1 to end well, -EINVAL.
static int parse_options(struct options *ret, int argc, char **argv)
{
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		switch (option) {
		case 'c':
			ret->config_path = optarg;
			break;
		case 'k':
			ret->is_check = true;
			break;
		case 'v':
			puts("tollwire-dataplane " TOLLWIRE_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	if (ret->config_path == NULL || optind != argc) {
		if (optind != argc)
			fprintf(stderr,
				"tollwire-dataplane: unexpected argument '%s'\n",
				argv[optind]);
		else
			fputs("tollwire-dataplane: --config FILE is missing\n", stderr);
		fputs(usage, stderr);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct bringup bringup; // large: tables of pointers by worker
	static struct config_report report;
	struct options options = {0};
	int rc = parse_options(&options, argc, argv);

	if (rc != 0)
		return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	rc = config_load(&bringup.config, options.config_path, &report);
	config_report_log(&report);
	if (rc < 0)
		return EXIT_FAILURE;
	log_set_level(bringup.config.node.log_level);
	if (options.is_check)
		return EXIT_SUCCESS;
	set_signals();
	config_write_log(&bringup.config);
	return run(&bringup) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
