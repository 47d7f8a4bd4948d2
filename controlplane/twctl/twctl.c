// SPDX-License-Identifier: Apache-2.0
//
// main() of twctl: the list of command groups, where the node is, messages and exit codes.
#include "twctl.h"

#include "config/config_load.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/tollwire/tollwire.yaml"
#define DEFAULT_RUNTIME_DIR "/run/tollwire"
#define DEFAULT_SOCKET DEFAULT_RUNTIME_DIR "/control.sock"

// One line a group.
static const struct twctl_command *const groups[] = {
	twctl_status_commands,
	twctl_session_commands,
	twctl_session_config_commands,
	twctl_session_history_commands,
	twctl_top_commands,
	twctl_stages_commands,
	twctl_drops_commands,
	twctl_nat_commands,
	twctl_port_commands,
	twctl_chain_commands,
	twctl_chain_deploy_commands,
	twctl_chain_metadata_commands,
	twctl_chain_node_commands,
	twctl_chain_offer_commands,
	twctl_settle_commands,
	twctl_verify_commands,
	twctl_check_commands,
	buyer_nodes_commands,
	buyer_buy_commands,
	buyer_provision_commands,
	buyer_pay_commands,
	buyer_session_commands,
	NULL,
};

int twctl_fail(const struct twctl *twctl, int exit_code, const char *format, ...)
{
	struct json_writer writer;
	char raw[1024], text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	json_quote(text, sizeof(text), raw); // what others said must not drive the terminal
	fprintf(stderr, "twctl: %s\n", text);
	if (twctl->is_json) {
		json_writer_init(&writer);
		json_begin_object(&writer, NULL);
		json_put_string(&writer, "error", text);
		json_end(&writer);
		twctl_print(twctl, &writer);
	}
	return exit_code;
}

int twctl_fail_value(
	const struct twctl *twctl, const char *option, const char *value, const char *allowed
)
{
	return twctl_fail(
		twctl, TWCTL_EXIT_USAGE, "%s '%.80s': allowed is %s", option, value, allowed
	);
}

int twctl_ask(
	const struct twctl *twctl,
	struct twctl_client_reply *ret,
	const char *method,
	const char *path,
	const char *body
)
{
	struct twctl_client_reply reply;
	const char *detail;
	char err[512];
	int code;

	if (twctl_client_ask(&reply, twctl->socket_path, method, path, body, err) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", err);
	if (reply.status >= 200 && reply.status < 300) {
		*ret = reply;
		return 0;
	}
	detail = json_string(json_member(reply.json, "detail"));
	code = twctl_fail(
		twctl,
		TWCTL_EXIT_FAILED,
		"%s",
		detail != NULL ? detail : "tollwire-control refused without a reason"
	);
	twctl_client_fini(&reply);
	return code;
}

int twctl_print(const struct twctl *twctl, struct json_writer *writer)
{
	char *text = NULL;

	(void)twctl;
	if (json_writer_finish(writer, false, &text) < 0) {
		fprintf(stderr, "twctl: the output could not be built: out of memory\n");
		return TWCTL_EXIT_FAILED;
	}
	puts(text);
	json_free_text(text);
	return TWCTL_EXIT_OK;
}

int twctl_get_number(
	const struct twctl *twctl,
	const char *option,
	uint64_t min,
	uint64_t max,
	uint64_t fallback,
	uint64_t *ret
)
{
	const char *text = twctl_args_get(&twctl->args, option);
	char allowed[96], *end;
	uint64_t value;

	if (text == NULL) {
		*ret = fallback;
		return 0;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= min &&
	    value <= max) {
		*ret = value;
		return 0;
	}
	snprintf(allowed, sizeof(allowed), "a whole number from %" PRIu64 " to %" PRIu64, min, max);
	return twctl_fail_value(twctl, option, text, allowed);
}

uint64_t twctl_u64(const struct json_value *object, const char *name)
{
	uint64_t value = 0;

	return json_count(json_member(object, name), &value) == 0 ? value : 0;
}

const char *twctl_text(const struct json_value *object, const char *name)
{
	const char *text = json_string(json_member(object, name));

	return text == NULL ? "" : text;
}

bool twctl_bool(const struct json_value *object, const char *name)
{
	bool value = false;

	return json_bool(json_member(object, name), &value) == 0 && value;
}

// Reads the two paths from the YAML. Only these are needed: a file whose cores this host lacks will do.
static int read_config(struct twctl *twctl, const char *path, bool is_named)
{
	static char text[CONFIG_LOAD_MAX_BYTES];
	static struct config_report report;
	static struct config config;
	FILE *file = fopen(path, "r");
	size_t len;

	if (file == NULL) {
		if (!is_named)
			return 0;
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"cannot read --config %s: %s",
			path,
			strerror(errno)
		);
	}
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	if (config_load_text(&config, text, len, path, &report) < 0) {
		if (is_named)
			return twctl_fail(
				twctl,
				TWCTL_EXIT_FAILED,
				"%s has errors; see twctl config check %s",
				path,
				path
			);
		fprintf(stderr, "twctl: %s has errors; going on with the built-in paths\n", path);
		return 0;
	}
	twctl->config = &config;
	snprintf(twctl->socket_path, sizeof(twctl->socket_path), "%s", config.api.socket);
	snprintf(twctl->runtime_dir, sizeof(twctl->runtime_dir), "%s", config.node.runtime_dir);
	return 0;
}

static int find_node(struct twctl *twctl)
{
	const char *config = twctl_args_get(&twctl->args, "--config");
	const char *socket_path = twctl_args_get(&twctl->args, "--socket");
	const char *runtime_dir = twctl_args_get(&twctl->args, "--runtime-dir");
	int code;

	strcpy(twctl->socket_path, DEFAULT_SOCKET);
	strcpy(twctl->runtime_dir, DEFAULT_RUNTIME_DIR);
	code = read_config(twctl, config == NULL ? DEFAULT_CONFIG : config, config != NULL);
	if (code != 0)
		return code;
	if (socket_path != NULL)
		snprintf(twctl->socket_path, sizeof(twctl->socket_path), "%s", socket_path);
	if (runtime_dir != NULL)
		snprintf(twctl->runtime_dir, sizeof(twctl->runtime_dir), "%s", runtime_dir);
	return 0;
}

static bool has_json_flag(int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static struct twctl twctl;
	char err[256];
	int code;

	setlocale(LC_CTYPE, "");
	if (twctl_args_parse(&twctl.args, groups, argc - 1, argv + 1, err, sizeof(err)) < 0) {
		twctl.is_json = has_json_flag(argc, argv);
		return twctl_fail(&twctl, TWCTL_EXIT_USAGE, "%s", err);
	}
	twctl.is_json = twctl_args_get(&twctl.args, "--json") != NULL;
	if (twctl_args_get(&twctl.args, "--version") != NULL) {
		printf("twctl %s\n", TOLLWIRE_VERSION);
		return TWCTL_EXIT_OK;
	}
	if (twctl_args_get(&twctl.args, "--help") != NULL) {
		if (twctl.args.command != NULL)
			twctl_args_help(stdout, twctl.args.command);
		else
			twctl_args_overview(stdout, groups);
		return TWCTL_EXIT_OK;
	}
	if (twctl.args.command == NULL) {
		twctl_args_overview(stderr, groups);
		return TWCTL_EXIT_USAGE;
	}
	code = find_node(&twctl);
	if (code == 0)
		code = twctl.args.command->run(&twctl);
	if (code == TWCTL_EXIT_OK && (fflush(stdout) != 0 || ferror(stdout)))
		return twctl_fail(
			&twctl, TWCTL_EXIT_FAILED, "cannot write the output: %s", strerror(errno)
		);
	return code;
}
