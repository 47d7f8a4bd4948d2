// SPDX-License-Identifier: Apache-2.0
//
// twctl session history: what happened to a session and why, from the control plane's audit log.
#include "twctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define PATH_CAP 512
#define PAGE 1000

static void print_entry(const struct json_value *entry)
{
	time_t sec = (time_t)twctl_u64(entry, "time_unix_sec");
	char when[32] = "", what[128], detail[1024];
	struct tm tm;

	if (gmtime_r(&sec, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%SZ", &tm);
	json_quote(what, sizeof(what), twctl_text(entry, "what"));
	json_quote(detail, sizeof(detail), twctl_text(entry, "detail"));
	printf("%s  %-24s  %s\n", when, what, detail);
}

static void put_entry(struct json_writer *writer, const struct json_value *entry)
{
	json_begin_object(writer, NULL);
	json_put_count(writer, "time_unix_sec", twctl_u64(entry, "time_unix_sec"));
	json_put_string(writer, "what", twctl_text(entry, "what"));
	json_put_string(writer, "detail", twctl_text(entry, "detail"));
	json_end(writer);
}

// Returns: 0 or an exit code with the message out.
static int each_page(struct twctl *twctl, const char *id, struct json_writer *writer)
{
	struct twctl_client_reply reply;
	uint64_t from = 1;
	char path[PATH_CAP];

	while (from != 0) {
		snprintf(
			path,
			sizeof(path),
			"/api/v1/sessions/%s/history?from=%" PRIu64 "&limit=%d",
			id,
			from,
			PAGE
		);
		int code = twctl_ask(twctl, &reply, "GET", path, NULL);
		if (code != 0)
			return code;
		const struct json_value *list = json_member(reply.json, "history");
		for (const struct json_value *v = json_first(list); v != NULL; v = json_next(v)) {
			if (twctl->is_json)
				put_entry(writer, v);
			else
				print_entry(v);
		}
		from = twctl_u64(reply.json, "next");
		twctl_client_fini(&reply);
	}
	return 0;
}

static int run_history(struct twctl *twctl)
{
	struct json_writer writer;
	char id[256];
	int code;

	if (twctl_client_escape(id, sizeof(id), twctl->args.positional[0]) < 0 || id[0] == '\0')
		return twctl_fail_value(
			twctl, "NAME", twctl->args.positional[0], "a session's name or number"
		);
	if (!twctl->is_json)
		return each_page(twctl, id, NULL);
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_begin_array(&writer, "history");
	code = each_page(twctl, id, &writer);
	if (code != 0) {
		json_writer_abort(&writer);
		return code;
	}
	json_end(&writer);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

const struct twctl_command twctl_session_history_commands[] = {
	{
		.name = "session history",
		.run = run_history,
		.positional = "NAME",
		.summary = "show what happened to a session, and why",
		.description = "Every change of state, limit and key from the audit log, oldest "
			       "first. NAME may be the id.\n\n"
			       "Example:\n  twctl session history alice\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
