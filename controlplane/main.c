// SPDX-License-Identifier: Apache-2.0
//
// tollwire-control: loads the YAML file, builds the modules in the order of start(), runs the loop,
// takes them down in reverse. Decides nothing itself. A failure at start is one sentence on stderr
// and a non-zero exit; what goes wrong later is a condition that `twctl status` shows.
#include "common/clock.h"
#include "common/log.h"
#include "config/config_load.h"
#include "config/config_report.h"
#include "config/config_write.h"
#include "controlplane/attest/attest_store.h"
#include "controlplane/chain_setup.h"
#include "controlplane/control.h"
#include "controlplane/http/api.h"
#include "controlplane/http/api_challenge.h"
#include "controlplane/http/api_live.h"
#include "controlplane/http/api_token.h"
#include "controlplane/http/api_work.h"
#include "controlplane/usage/usage_retention.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERR_CAP 1024
#define RETENTION_INTERVAL_MS 1000 // between two steps of a pass

struct program {
	struct config config;
	struct config_report report;
	struct control control;
	struct health health;
	struct usage_retention retention;
	struct http_server *server;
	struct attest_keys *keys;
	struct chain_setup *chain;
	int kick_fd; // a session changed: do not wait for the next poll
};

static void on_session_changed(void *ctx, const struct session *session)
{
	const struct program *program = ctx;
	const uint64_t one = 1;

	dp_link_session_changed(program->control.link, session);
	api_live_session_changed(program->control.live, session);
	// A full eventfd has a round under way already.
	if (write(program->kick_fd, &one, sizeof(one)) < 0)
		return;
}

static void on_kick(void *ctx, int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == sizeof(n))
		dp_link_tick(ctx);
}

static void sign_checkpoints(struct program *program)
{
	struct control *control = &program->control;
	uint64_t now_ns = clock_unix_ns(control->clock);
	struct attest_store_round round;
	char err[ERR_CAP];

	if (attest_store_sign(control->db, program->keys, &round, err, sizeof(err)) != 0)
		health_set(control->health, HEALTH_ATTEST, now_ns, "%s", err);
	else if (round.n_waiting != 0)
		health_set(
			control->health,
			HEALTH_ATTEST,
			now_ns,
			"%u checkpoints wait for a key, the first of session %" PRIu64
			"; put it into usage.former_signers_dir and restart",
			round.n_waiting,
			round.first_waiting
		);
	else
		health_clear(control->health, HEALTH_ATTEST);
}

static void on_poll(void *ctx)
{
	struct program *program = ctx;

	dp_link_tick(program->control.link);
	chain_setup_tick(program->chain);
	sign_checkpoints(program);
}

static void on_retention(void *ctx)
{
	struct program *program = ctx;
	const struct clock *clock = program->control.clock;
	char err[ERR_CAP];

	// After a jump nobody knows how old a record is.
	if (program->health.conditions[HEALTH_CLOCK].is_set)
		return;
	if (usage_retention_step(&program->retention, err, sizeof(err)) < 0)
		health_set(&program->health, HEALTH_STORE, clock_unix_ns(clock), "%s", err);
}

static int make_dir(const char *path, mode_t mode, const char *key)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	int rc = -errno;
	log_error(
		"main",
		"%s: %s: cannot create: %s; its parent must be a directory that this user may "
		"write: make it, or correct the key",
		key,
		path,
		strerror(-rc)
	);
	return rc;
}

static int open_store(struct program *program)
{
	const struct config_store *store = &program->config.store;
	const struct db_conf conf = {.path = store->path, .map_size_mb = store->map_size_mb};
	char err[ERR_CAP];
	int rc = db_open(&program->control.db, &conf, err, sizeof(err));

	if (rc != 0)
		log_error("main", "store.path: %s", err);
	return rc;
}

static int open_keys(struct program *program)
{
	const struct config_usage *usage = &program->config.usage;
	char why[ATTEST_KEYS_WHY_CAP] = "";
	int rc = attest_keys_open(
		&program->keys, usage->signer_key_file, usage->former_signers_dir, why
	);

	if (rc != 0)
		log_error("main", "usage.signer_key_file: %s", why);
	return rc;
}

static int create_books(struct program *program)
{
	struct control *control = &program->control;
	const struct session_book_conf sessions = {
		.db = control->db,
		.config = &program->config,
		.clock = control->clock,
		.changed = on_session_changed,
		.changed_ctx = program,
	};
	const struct usage_book_conf usage = {
		.db = control->db,
		.config = &program->config,
		.clock = control->clock,
	};
	struct session_error err;
	int rc = session_book_create(&control->sessions, &sessions, &err);

	if (rc != 0) {
		log_error("main", "sessions: %s", err.text);
		return rc;
	}
	usage_retention_init(&program->retention, control->db, &program->config, control->clock);
	rc = usage_book_create(&control->usage, &usage);
	if (rc != 0)
		log_error("main", "usage: %s (sessions.max)", strerror(-rc));
	return rc;
}

static int create_link(struct program *program)
{
	struct control *control = &program->control;
	const struct dp_link_conf conf = {
		.config = &program->config,
		.clock = control->clock,
		.db = control->db,
		.sessions = control->sessions,
		.usage = control->usage,
		.health = control->health,
	};
	int rc = dp_link_create(&control->link, &conf);

	if (rc != 0)
		log_error("main", "data plane link: %s", strerror(-rc));
	return rc;
}

// Returns: false when there is nothing to listen on.
static bool listen_address(struct sockaddr_storage *ret, const struct config_listen *from)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (from->family == ABI_FAMILY_NONE)
		return false;
	if (from->family == ABI_FAMILY_IPV6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(from->port);
		memcpy(&in6->sin6_addr, from->addr, sizeof(in6->sin6_addr));
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons(from->port);
		memcpy(&in->sin_addr, from->addr, sizeof(in->sin_addr));
	}
	return true;
}

static int create_server(struct program *program)
{
	const struct config *config = &program->config;
	const struct config_api *api = &config->api;
	struct sockaddr_storage listen;
	const struct http_server_conf conf = {
		.socket_path = api->socket,
		.socket_mode = api->socket_mode,
		.listen = listen_address(&listen, &api->listen) ? &listen : NULL,
		.tls_certificate = api->tls ? api->tls_certificate : NULL,
		.tls_key = api->tls ? api->tls_key : NULL,
		.max_connections = api->max_connections,
		.connections_per_address = api->connections_per_address,
		.requests_per_minute = api->requests_per_minute,
		.max_body_bytes = api->max_body_bytes,
		.request_timeout_sec = api->request_timeout_sec,
	};
	struct control *control = &program->control;
	char err[ERR_CAP] = "";
	int rc = api_token_book_create(
		&control->tokens, api->admin_token_file, control->clock, err, sizeof(err)
	);

	if (rc != 0) {
		log_error("main", "api.admin_token_file: %s", err);
		return rc;
	}
	rc = api_challenge_book_create(&control->challenges, control->clock);
	if (rc != 0) {
		log_error("main", "sign-in: %s", strerror(-rc));
		return rc;
	}
	rc = http_server_create(&program->server, &conf, err, sizeof(err));
	if (rc != 0) {
		log_error("main", "api: %s", err);
		return rc;
	}
	control->server = program->server;
	http_server_authenticate_with(program->server, api_token_authenticate, control->tokens);
	rc = api_register(program->server, control);
	if (rc == 0)
		rc = http_server_timer_add(
			program->server, config->usage.poll_interval_ms, on_poll, program
		);
	if (rc == 0)
		rc = http_server_timer_add(
			program->server, RETENTION_INTERVAL_MS, on_retention, program
		);
	if (rc == 0)
		rc = http_server_watch_add(
			program->server, program->kick_fd, on_kick, control->link
		);
	if (rc != 0)
		log_error("main", "event loop: %s", strerror(-rc));
	return rc;
}

// The loop takes them: a thread that did not inherit the mask would let them end the process.
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? 0 : -errno;
}

static int start(struct program *program)
{
	const struct config_node *node = &program->config.node;
	struct control *control = &program->control;
	int rc;

	control->config = &program->config;
	control->clock = &clock_system;
	control->health = &program->health;
	control->started_unix_ns = clock_unix_ns(&clock_system);
	health_init(&program->health);
	program->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (program->kick_fd < 0)
		return -errno;
	rc = make_dir(node->runtime_dir, 0755, "node.runtime_dir");
	if (rc == 0)
		rc = make_dir(node->state_dir, 0700, "node.state_dir");
	if (rc == 0)
		rc = open_store(program); // forks: before any thread
	if (rc == 0)
		rc = open_keys(program);
	if (rc == 0)
		rc = create_books(program);
	if (rc == 0)
		rc = create_link(program);
	if (rc == 0)
		rc = block_signals();
	if (rc == 0)
		rc = api_work_create(control);
	if (rc == 0)
		rc = chain_setup_start(&program->chain, control, program->kick_fd);
	if (rc == 0) {
		control->life = chain_setup_lifecycle(program->chain);
		control->gauge = chain_setup_gauge(program->chain);
		for (uint32_t i = 0; i < CONFIG_MAX_CHAINS; i++)
			control->signers[i] = chain_setup_signer(program->chain, i);
		rc = create_server(program);
	}
	if (rc == 0)
		rc = api_work_start(control);
	return rc;
}

// Takes whatever start() built, also half of it.
static void stop(struct program *program)
{
	struct control *control = &program->control;

	api_work_cancel(control);
	http_server_destroy(program->server);
	api_token_book_destroy(control->tokens);
	api_challenge_book_destroy(control->challenges);
	chain_setup_stop(program->chain);
	api_work_destroy(control);
	dp_link_destroy(control->link);
	usage_book_destroy(control->usage);
	session_book_destroy(control->sessions);
	attest_keys_close(program->keys);
	db_close(control->db);
	if (program->kick_fd >= 0)
		close(program->kick_fd);
}

static int run(struct program *program)
{
	int rc = start(program);

	if (rc == 0) {
		dp_link_tick(program->control.link);
		log_info(
			"main",
			"tollwire-control " TOLLWIRE_VERSION " serves %s",
			program->config.api.socket
		);
		rc = http_server_run(program->server);
		log_info("main", "ends; the data plane goes on");
	}
	stop(program);
	return rc;
}

static const char usage_text[] =
	"Usage: tollwire-control --config FILE [--check]\n"
	"\n"
	"The business half of a tollwire node: sessions, usage and the HTTP API.\n"
	"It may be stopped and started at any time: the data plane goes on forwarding and\n"
	"enforcing limits, and nothing that it counts is lost. Ends at SIGTERM and SIGINT.\n"
	"\n"
	"  --config FILE  the node's YAML, shared with tollwire-dataplane\n"
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

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret->config_path = optarg;
			break;
		case 'k':
			ret->is_check = true;
			break;
		case 'v':
			puts("tollwire-control " TOLLWIRE_VERSION);
			return 1;
		case 'h':
			fputs(usage_text, stdout);
			return 1;
		default:
			fputs(usage_text, stderr);
			return -EINVAL;
		}
	}
	if (ret->config_path == NULL || optind != argc) {
		if (optind != argc)
			fprintf(stderr, "tollwire-control: unexpected argument '%s'\n", argv[optind]
			);
		else
			fputs("tollwire-control: --config FILE is missing\n", stderr);
		fputs(usage_text, stderr);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct program program;
	struct options options = {0};
	int rc = parse_options(&options, argc, argv);

	if (rc != 0)
		return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	rc = config_load(&program.config, options.config_path, &program.report);
	config_report_log(&program.report);
	if (rc < 0)
		return EXIT_FAILURE;
	log_set_level(program.config.node.log_level);
	if (options.is_check)
		return EXIT_SUCCESS;
	config_write_log(&program.config);
	return run(&program) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
