// SPDX-License-Identifier: Apache-2.0
//
// twctl session add|list|show|extend|top-up|suspend|resume|remove.
#include "twctl.h"

#include "controlplane/session/session.h"
#include "controlplane/twctl/twctl_session_print.h"
#include "controlplane/twctl/twctl_units.h"

#include <errno.h>
#include <string.h>

#define PATH_CAP 512

// ---- values ----------------------------------------------------------------------------------

struct value_kind {
	int (*parse)(const char *text, uint64_t *ret);
	const char *allowed;
};

static const struct value_kind size_kind = {
	twctl_units_parse_size,
	"1 B to 9.2 EB, as a whole number of bytes; units " TWCTL_UNITS_SIZES ", such as 10GB",
};
static const struct value_kind duration_kind = {
	twctl_units_parse_duration,
	"1s to 3650d; units " TWCTL_UNITS_DURATIONS,
};
static const struct value_kind rate_kind = {
	twctl_units_parse_rate,
	"1kbps to 400Gbps, or unlimited; units " TWCTL_UNITS_RATES,
};

// Returns: 0 or TWCTL_EXIT_USAGE with the message out.
static int get_value(
	const struct twctl *twctl,
	const char *option,
	const struct value_kind *kind,
	uint64_t min,
	uint64_t max,
	uint64_t *ret
)
{
	const char *text = twctl_args_get(&twctl->args, option);
	uint64_t value;

	if (text == NULL)
		return twctl_fail(
			twctl, TWCTL_EXIT_USAGE, "%s is required: %s", option, kind->allowed
		);
	if (kind->parse(text, &value) < 0 || value < min || value > max)
		return twctl_fail_value(twctl, option, text, kind->allowed);
	*ret = value;
	return 0;
}

// ---- commands --------------------------------------------------------------------------------

// Asks about the session that the command line names; suffix such as "/extend". Prints the session.
static int ask_about(struct twctl *twctl, const char *method, const char *suffix, const char *body)
{
	struct twctl_client_reply reply;
	char name[256], path[PATH_CAP];
	int code;

	if (twctl->args.positional[0][0] == '\0')
		return twctl_fail_value(twctl, "NAME", "", "a session's name or id");
	if (twctl_client_escape(name, sizeof(name), twctl->args.positional[0]) < 0)
		return twctl_fail_value(
			twctl, "NAME", twctl->args.positional[0], "a session's name or id"
		);
	snprintf(path, sizeof(path), "/api/v1/sessions/%s%s", name, suffix);
	code = twctl_ask(twctl, &reply, method, path, body);
	if (code != 0)
		return code;
	if (twctl->is_json)
		puts(reply.text);
	else
		twctl_session_print(reply.json);
	twctl_client_fini(&reply);
	return TWCTL_EXIT_OK;
}

static int post_number(struct twctl *twctl, const char *suffix, const char *member, uint64_t value)
{
	struct json_writer writer;
	char *body = NULL;
	int code;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_count(&writer, member, value);
	json_end(&writer);
	if (json_writer_finish(&writer, false, &body) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "out of memory");
	code = ask_about(twctl, "POST", suffix, body);
	json_free_text(body);
	return code;
}

static int put_rate(struct twctl *twctl, struct json_writer *writer, const char *option)
{
	const char *member = strcmp(option, "--rate-out") == 0 ? "rate_out_kbps" : "rate_in_kbps";
	uint64_t kbps;
	int code;

	if (twctl_args_get(&twctl->args, option) == NULL)
		return 0;
	code = get_value(twctl, option, &rate_kind, 0, SESSION_RATE_MAX_KBPS, &kbps);
	if (code == 0)
		json_put_count(writer, member, kbps);
	return code;
}

static int put_key(struct twctl *twctl, struct json_writer *writer)
{
	const char *key = twctl_args_get(&twctl->args, "--public-key");
	bool is_generated = twctl_args_get(&twctl->args, "--generate-key") != NULL;

	if (is_generated == (key != NULL))
		return twctl_fail(
			twctl,
			TWCTL_EXIT_USAGE,
			"one of --public-key KEY (the buyer keeps the private key) and "
			"--generate-key "
			"is required"
		);
	if (is_generated)
		json_put_bool(writer, "generate_key", true);
	else
		json_put_string(writer, "public_key", key);
	return 0;
}

static int put_duration(struct twctl *twctl, struct json_writer *writer)
{
	const char *text = twctl_args_get(&twctl->args, "--duration");
	uint64_t sec = 0;
	int code = 0;

	if (text == NULL || strcmp(text, "never") != 0)
		code = get_value(
			twctl, "--duration", &duration_kind, 1, SESSION_DURATION_MAX_SEC, &sec
		);
	json_put_count(writer, "duration_sec", sec);
	return code;
}

static int build_add(struct twctl *twctl, struct json_writer *writer)
{
	const char *action = twctl_args_get(&twctl->args, "--at-quota");
	uint64_t quota = 0;
	int code = get_value(twctl, "--quota", &size_kind, 1, SESSION_QUOTA_MAX_BYTES, &quota);

	json_begin_object(writer, NULL);
	if (twctl->args.n_positional > 0)
		json_put_string(writer, "name", twctl->args.positional[0]);
	json_put_count(writer, "quota_bytes", quota);
	if (code == 0)
		code = put_duration(twctl, writer);
	if (code == 0)
		code = put_key(twctl, writer);
	if (code == 0)
		code = put_rate(twctl, writer, "--rate-out");
	if (code == 0)
		code = put_rate(twctl, writer, "--rate-in");
	if (code == 0 && action != NULL && strcmp(action, "cut") != 0 &&
	    strcmp(action, "throttle") != 0)
		code = twctl_fail_value(twctl, "--at-quota", action, "cut or throttle");
	if (action != NULL)
		json_put_string(writer, "quota_action", action);
	json_end(writer);
	return code;
}

static int run_add(struct twctl *twctl)
{
	struct twctl_client_reply reply;
	struct json_writer writer;
	char *body = NULL;
	int code;

	json_writer_init(&writer);
	code = build_add(twctl, &writer);
	if (code != 0) {
		json_writer_abort(&writer);
		return code;
	}
	if (json_writer_finish(&writer, false, &body) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "an argument is not UTF-8 text");
	code = twctl_ask(twctl, &reply, "POST", "/api/v1/sessions", body);
	json_free_text(body);
	if (code != 0)
		return code;
	if (twctl->is_json)
		puts(reply.text);
	else
		twctl_session_print(reply.json);
	twctl_client_fini(&reply);
	return TWCTL_EXIT_OK;
}

static int run_list(struct twctl *twctl)
{
	const char *state = twctl_args_get(&twctl->args, "--state");
	const struct json_value *session;
	struct twctl_client_reply reply;
	char path[PATH_CAP], escaped[64];
	uint64_t limit, from;
	int code;

	code = twctl_get_number(twctl, "--limit", 1, 1000, 100, &limit);
	if (code == 0)
		code = twctl_get_number(twctl, "--from", 0, UINT64_MAX - 1, 0, &from);
	if (code == 0 &&
	    twctl_client_escape(escaped, sizeof(escaped), state == NULL ? "" : state) < 0)
		code = twctl_fail_value(twctl, "--state", state, "a session state");
	if (code != 0)
		return code;
	snprintf(
		path,
		sizeof(path),
		"/api/v1/sessions?limit=%" PRIu64 "&from=%" PRIu64 "%s%s",
		limit,
		from,
		state == NULL ? "" : "&state=",
		escaped
	);
	code = twctl_ask(twctl, &reply, "GET", path, NULL);
	if (code != 0)
		return code;
	if (twctl->is_json) {
		puts(reply.text);
	} else {
		twctl_session_print_head();
		session = json_first(json_member(reply.json, "sessions"));
		for (; session != NULL; session = json_next(session))
			twctl_session_print_row(session);
		if (!json_is_null(json_member(reply.json, "next_id")))
			printf("more: twctl session list --from %" PRIu64 "\n",
			       twctl_u64(reply.json, "next_id"));
	}
	twctl_client_fini(&reply);
	return TWCTL_EXIT_OK;
}

static int run_show(struct twctl *twctl)
{
	return ask_about(twctl, "GET", "", NULL);
}

static int run_extend(struct twctl *twctl)
{
	uint64_t sec;
	int code = get_value(twctl, "--by", &duration_kind, 1, SESSION_DURATION_MAX_SEC, &sec);

	return code != 0 ? code : post_number(twctl, "/extend", "duration_sec", sec);
}

static int run_top_up(struct twctl *twctl)
{
	uint64_t bytes;
	int code = get_value(twctl, "--by", &size_kind, 1, SESSION_QUOTA_MAX_BYTES, &bytes);

	return code != 0 ? code : post_number(twctl, "/top-up", "bytes", bytes);
}

static int run_suspend(struct twctl *twctl)
{
	return ask_about(twctl, "POST", "/suspend", NULL);
}

static int run_resume(struct twctl *twctl)
{
	return ask_about(twctl, "POST", "/resume", NULL);
}

static int run_remove(struct twctl *twctl)
{
	return ask_about(twctl, "DELETE", "", NULL);
}

// ---- table -----------------------------------------------------------------------------------

static const struct twctl_option add_options[] = {
	{"--quota", "SIZE", "bytes of both directions together; 1 GB = 10^9 B; required"},
	{"--duration", "TIME", "until it expires: 90s, 10m, 24h, 30d, or never; required"},
	{"--public-key", "KEY", "the client's, base64; its private key stays with the buyer"},
	{"--generate-key", NULL, "the node makes the key pair and keeps it until --forget-key"},
	{"--rate-out",
	 "RATE",
	 "client to internet, e.g. 50Mbps, or unlimited; default from the YAML"},
	{"--rate-in", "RATE", "internet to client; default from the YAML"},
	{"--at-quota", "ACTION", "cut or throttle; default from the YAML"},
	{NULL, NULL, NULL},
};

static const struct twctl_option list_options[] = {
	{"--state", "STATE", "only these: pending, provisioned, active, suspended, draining, ..."},
	{"--limit", "N", "at most so many, 1 to 1000; default 100"},
	{"--from", "ID", "ids from here upwards; default 0"},
	{NULL, NULL, NULL},
};

static const struct twctl_option extend_options[] = {
	{"--by", "TIME", "90s, 10m, 24h, 30d; required"},
	{NULL, NULL, NULL},
};

static const struct twctl_option top_up_options[] = {
	{"--by", "SIZE", "bytes to add to the quota, e.g. 10GB; required"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_session_commands[] = {
	{
		.name = "session add",
		.run = run_add,
		.positional = "[NAME]",
		.summary = "create a session",
		.description =
			"Creates a session that the admin answers for, with an inner address and a "
			"place "
			"in the\ndata plane. NAME: 1 to 63 of A-Z a-z 0-9 . _ -; without it the "
			"session is "
			"called s<id>.\n\n"
			"Examples:\n"
			"  twctl session add alice --quota 10GB --duration 30d --public-key KEY\n"
			"  twctl session add bob --quota 500MB --duration 24h --generate-key "
			"--rate-in "
			"20Mbps\n",
		.options = add_options,
		.max_positional = 1,
	},
	{
		.name = "session list",
		.run = run_list,
		.positional = "",
		.summary = "list sessions",
		.description = "Lists sessions with what they used, ids upwards.\n\n"
			       "Examples:\n  twctl session list --state active\n"
			       "  twctl session list --json | jq -r '.sessions[].name'\n",
		.options = list_options,
	},
	{
		.name = "session show",
		.run = run_show,
		.positional = "NAME",
		.summary = "show one session",
		.description =
			"Shows state, usage, limits, address, endpoint and gate. NAME may be "
			"the id.\n\nExample:\n  twctl session show alice\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "session extend",
		.run = run_extend,
		.positional = "NAME",
		.summary = "move the expiry of a session",
		.description = "Moves the expiry later: from what it is, or from now if it has "
			       "passed.\n\nExample:\n  twctl session extend alice --by 30d\n",
		.options = extend_options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "session top-up",
		.run = run_top_up,
		.positional = "NAME",
		.summary = "add bytes to a session's quota",
		.description = "Adds to the quota; a gate that the quota closed opens at once.\n\n"
			       "Example:\n  twctl session top-up alice --by 10GB\n",
		.options = top_up_options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "session suspend",
		.run = run_suspend,
		.positional = "NAME",
		.summary = "close a session's gate",
		.description = "No packet passes until twctl session resume; time goes on.\n\n"
			       "Example:\n  twctl session suspend alice\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "session resume",
		.run = run_resume,
		.positional = "NAME",
		.summary = "open the gate of a suspended session",
		.description = "Undoes twctl session suspend.\n\n"
			       "Example:\n  twctl session resume alice\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "session remove",
		.run = run_remove,
		.positional = "NAME",
		.summary = "end a session",
		.description =
			"Takes the session out of the data plane for good. What it used stays "
			"on record; a\nprivate key that the node kept is deleted.\n\n"
			"Example:\n  twctl session remove alice\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
