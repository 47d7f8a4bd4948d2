// SPDX-License-Identifier: Apache-2.0
//
// twctl settle list|show|retry: the outbox as the control plane's API shows it.
#include "twctl.h"

#include <stdio.h>
#include <string.h>

#define PATH_CAP 512

static void print_line(const struct json_value *item)
{
	const char *reason = twctl_text(item, "reason");

	printf("%-6" PRIu64 " %-8s %-9s %.18s… %14" PRIu64 " B  %s%s\n",
	       twctl_u64(item, "id"),
	       twctl_text(item, "state"),
	       twctl_text(item, "kind"),
	       twctl_text(item, "session_id"),
	       twctl_u64(item, "bytes"),
	       twctl_bool(item, "needs_review") ? "needs review; " : "",
	       reason);
}

static int run_list(struct twctl *twctl)
{
	const char *state = twctl_args_get(&twctl->args, "--state");
	struct twctl_client_reply reply;
	const struct json_value *list;
	uint64_t from = 0, limit = 0;
	char path[PATH_CAP], escaped[64] = "";
	int code;

	code = twctl_get_number(twctl, "--from", 1, UINT64_MAX - 1, 1, &from);
	if (code == 0)
		code = twctl_get_number(twctl, "--limit", 1, 1000, 100, &limit);
	if (code != 0)
		return code;
	if (state != NULL && twctl_client_escape(escaped, sizeof(escaped), state) < 0)
		return twctl_fail_value(twctl, "--state", state, "queued, batched, done or held");
	snprintf(
		path,
		sizeof(path),
		"/api/v1/settlements?from=%" PRIu64 "&limit=%" PRIu64 "%s%s",
		from,
		limit,
		state != NULL ? "&state=" : "",
		escaped
	);
	code = twctl_ask(twctl, &reply, "GET", path, NULL);
	if (code != 0)
		return code;
	list = json_member(reply.json, "settlements");
	if (twctl->is_json) {
		puts(reply.text);
	} else {
		for (const struct json_value *v = json_first(list); v != NULL; v = json_next(v))
			print_line(v);
		if (json_first(list) == NULL)
			printf("no settlements\n");
		if (twctl_u64(reply.json, "next") != 0)
			printf("more: twctl settle list --from %" PRIu64 "\n",
			       twctl_u64(reply.json, "next"));
	}
	twctl_client_fini(&reply);
	return TWCTL_EXIT_OK;
}

static void print_outcome(const struct json_value *item)
{
	printf("transaction  %s\n", twctl_text(item, "tx_id"));
	printf("block        %" PRIu64 "\n", twctl_u64(item, "block"));
	printf("settled      %" PRIu64 " B\n", twctl_u64(item, "settled_bytes"));
	printf("to operator  %s\n", twctl_text(item, "operator_amount"));
	printf("fee          %s\n", twctl_text(item, "fee_amount"));
	printf("to buyer     %s\n", twctl_text(item, "refund"));
}

static void print_transaction(const struct json_value *tx)
{
	const struct json_value *attempts = json_member(tx, "attempts");

	printf("batch        %s, %" PRIu64 " sessions, account nonce %" PRIu64 ", %" PRIu64
	       " polls%s\n",
	       twctl_text(tx, "state"),
	       twctl_u64(tx, "sessions"),
	       twctl_u64(tx, "account_nonce"),
	       twctl_u64(tx, "polls"),
	       twctl_bool(tx, "needs_review") ? ", needs review" : "");
	for (const struct json_value *v = json_first(attempts); v != NULL; v = json_next(v))
		printf("  sent as    %s at up to %s wei\n",
		       twctl_text(v, "tx_id"),
		       twctl_text(v, "max_fee_wei"));
}

static void print_one(const struct json_value *doc)
{
	const struct json_value *item = json_member(doc, "settlement");
	const struct json_value *tx = json_member(doc, "transaction_detail");

	printf("settlement   %" PRIu64 "\n", twctl_u64(item, "id"));
	printf("session      %s on chain %" PRIu64 "\n",
	       twctl_text(item, "session_id"),
	       twctl_u64(item, "chain_id"));
	printf("state        %s%s\n",
	       twctl_text(item, "state"),
	       twctl_bool(item, "needs_review") ? ", needs review" : "");
	printf("used         %" PRIu64 " B, voucher for %" PRIu64 " B\n",
	       twctl_u64(item, "bytes"),
	       twctl_u64(item, "voucher_bytes"));
	if (twctl_text(item, "reason")[0] != '\0')
		printf("came back    %" PRIu64 " times, last: %s\n",
		       twctl_u64(item, "skips"),
		       twctl_text(item, "reason"));
	if (json_member(item, "tx_id") != NULL)
		print_outcome(item);
	if (tx != NULL)
		print_transaction(tx);
}

static int ask_one(struct twctl *twctl, const char *method, const char *suffix)
{
	struct twctl_client_reply reply;
	char id[64], path[PATH_CAP];
	int code;

	if (twctl_client_escape(id, sizeof(id), twctl->args.positional[0]) < 0 || id[0] == '\0')
		return twctl_fail_value(
			twctl, "ID", twctl->args.positional[0], "a number from settle list"
		);
	snprintf(path, sizeof(path), "/api/v1/settlements/%s%s", id, suffix);
	code = twctl_ask(twctl, &reply, method, path, NULL);
	if (code != 0)
		return code;
	if (twctl->is_json)
		puts(reply.text);
	else
		print_one(reply.json);
	twctl_client_fini(&reply);
	return TWCTL_EXIT_OK;
}

static int run_show(struct twctl *twctl)
{
	return ask_one(twctl, "GET", "");
}

static int run_retry(struct twctl *twctl)
{
	return ask_one(twctl, "POST", "/retry");
}

static const struct twctl_option list_options[] = {
	{"--state", "STATE", "only queued, batched, done or held ones"},
	{"--from", "ID", "start at this number (default 1)"},
	{"--limit", "N", "at most so many, 1 to 1000 (default 100)"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_settle_commands[] = {
	{
		.name = "settle list",
		.run = run_list,
		.positional = "",
		.summary = "list settlements of sessions on their chains",
		.description = "One line a settlement: number, state, way, session, bytes, and why "
			       "it came back.\n"
			       "  queued   waits for a batch\n"
			       "  batched  in a transaction that is under way\n"
			       "  done     its own event stands in a final block\n"
			       "  held     was skipped too often; see why, then settle retry\n",
		.options = list_options,
	},
	{
		.name = "settle show",
		.run = run_show,
		.positional = "ID",
		.summary = "show one settlement, its transaction and its outcome",
		.description = "Amounts are in the smallest unit of the session's asset.\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "settle retry",
		.run = run_retry,
		.positional = "ID",
		.summary = "put a held settlement into the next batch",
		.description =
			"Only for held or queued ones. Nothing is paid twice: the contract settles "
			"a\n"
			"session once, and a settlement is done only by the session's own event.\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
