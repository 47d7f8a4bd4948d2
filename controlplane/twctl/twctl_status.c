// SPDX-License-Identifier: Apache-2.0
//
// twctl status.
#include "twctl.h"

#include "controlplane/twctl/twctl_units.h"

#include <string.h>

static void print_dataplane(const struct json_value *dataplane, uint64_t now_sec)
{
	char text[TWCTL_UNITS_TEXT];

	if (!twctl_bool(dataplane, "is_attached")) {
		printf("data plane  not running, or not attached\n");
	} else {
		printf("data plane  %s, pid %" PRIu64 ", up %s, heartbeat %" PRIu64 " ms ago\n",
		       twctl_text(dataplane, "version"),
		       twctl_u64(dataplane, "pid"),
		       twctl_units_duration(
			       text, now_sec - twctl_u64(dataplane, "started_unix_sec")
		       ),
		       twctl_u64(dataplane, "heartbeat_age_ms"));
		printf("slots       %" PRIu64 " of %" PRIu64 " in use, %" PRIu64
		       " commands waiting, %" PRIu64 " refused\n",
		       twctl_u64(dataplane, "sessions"),
		       twctl_u64(dataplane, "slots"),
		       twctl_u64(dataplane, "commands_waiting"),
		       twctl_u64(dataplane, "commands_refused"));
	}
	if (twctl_text(dataplane, "node_public_key")[0] != '\0')
		printf("public key  %s\n", twctl_text(dataplane, "node_public_key"));
}

static void print_sessions(const struct json_value *sessions)
{
	const char *separator = "sessions    ";

	for (const struct json_value *count = json_first(sessions); count != NULL;
	     count = json_next(count)) {
		uint64_t n = twctl_u64(sessions, json_name(count));

		if (n == 0)
			continue;
		printf("%s%" PRIu64 " %s", separator, n, json_name(count));
		separator = ", ";
	}
	printf("%s\n", separator[0] == ',' ? "" : "sessions    none");
}

static void print_status(const struct json_value *status)
{
	const struct json_value *store = json_member(status, "store");
	const struct json_value *condition = json_first(json_member(status, "conditions"));
	uint64_t now_sec = twctl_u64(status, "now_unix_sec");
	char up[TWCTL_UNITS_TEXT], used[TWCTL_UNITS_TEXT], map[TWCTL_UNITS_TEXT];

	printf("node        %s: %s\n",
	       twctl_text(status, "node"),
	       twctl_bool(status, "is_degraded") ? "DEGRADED" : "well");
	printf("control     %s, up %s\n",
	       twctl_text(status, "version"),
	       twctl_units_duration(up, now_sec - twctl_u64(status, "started_unix_sec")));
	print_dataplane(json_member(status, "dataplane"), now_sec);
	print_sessions(json_member(status, "sessions"));
	printf("store       %s, %s of %s\n",
	       twctl_text(store, "path"),
	       twctl_units_size(used, twctl_u64(store, "used_bytes")),
	       twctl_units_size(map, twctl_u64(store, "map_bytes")));
	for (; condition != NULL; condition = json_next(condition))
		printf("! %-10s%s (for %s)\n",
		       twctl_text(condition, "name"),
		       twctl_text(condition, "reason"),
		       twctl_units_duration(up, now_sec - twctl_u64(condition, "since_unix_sec")));
}

static int run_status(struct twctl *twctl)
{
	struct twctl_client_reply reply;
	int code = twctl_ask(twctl, &reply, "GET", "/api/v1/status", NULL);

	if (code != 0)
		return code;
	if (twctl->is_json)
		puts(reply.text);
	else
		print_status(reply.json);
	twctl_client_fini(&reply);
	return TWCTL_EXIT_OK;
}

const struct twctl_command twctl_status_commands[] = {
	{
		.name = "status",
		.run = run_status,
		.positional = "",
		.summary = "is the node well, what runs, how many sessions",
		.description =
			"Asks tollwire-control. A degraded node says under '!' what is wrong; the "
			"exit "
			"code is 0\nas long as an answer came.\n\n"
			"Examples:\n  twctl status\n  twctl status --json | jq .is_degraded\n",
	},
	{.name = NULL},
};
