// SPDX-License-Identifier: Apache-2.0
//
// twctl settle list|show|retry: the outbox as the control plane's API shows it.
#include "twctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_CAP 512
#define ATTESTATION_CAP 4096
#define ATTESTATION_ID_CAP 80

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
		return twctl_fail_value(
			twctl, "--state", state, "queued, batched, done, held or withdrawn"
		);
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

// The attestor's file, as it is: {"session_id", "bytes_used", "checkpoints_root", "signature"}.
static char *read_attestation(struct twctl *twctl, char id[ATTESTATION_ID_CAP])
{
	const char *path = twctl->args.positional[0];
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *text = calloc(1, ATTESTATION_CAP);
	struct json_value *json = NULL;
	size_t len = 0;

	if (in != NULL && text != NULL)
		len = fread(text, 1, ATTESTATION_CAP - 1, in);
	if (in == NULL || text == NULL || ferror(in))
		twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "%s: cannot be read: %s", path, strerror(errno)
		);
	else if (json_parse(text, len, &json) != 0)
		twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s: this is no JSON", path);
	else if (json_string(json_member(json, "session_id")) == NULL)
		twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s: it has no 'session_id'", path);
	else
		snprintf(
			id, ATTESTATION_ID_CAP, "%s", json_string(json_member(json, "session_id"))
		);
	if (in != NULL && in != stdin)
		fclose(in);
	if (id[0] == '\0') {
		free(text);
		text = NULL;
	}
	json_free(json);
	return text;
}

static int run_attest(struct twctl *twctl)
{
	char id[ATTESTATION_ID_CAP] = "", escaped[3 * ATTESTATION_ID_CAP], path[PATH_CAP];
	struct twctl_client_reply reply;
	char *text = read_attestation(twctl, id);
	int code;

	if (text == NULL)
		return TWCTL_EXIT_FAILED;
	if (twctl_client_escape(escaped, sizeof(escaped), id) < 0)
		escaped[0] = '\0';
	snprintf(path, sizeof(path), "/api/v1/sessions/%s/attestation", escaped);
	code = twctl_ask(twctl, &reply, "POST", path, text);
	free(text);
	if (code != 0)
		return code;
	if (twctl->is_json)
		puts(reply.text);
	else
		printf("session %" PRIu64 " is settled at %" PRIu64 " B, by the attestor's word\n",
		       twctl_u64(reply.json, "id"),
		       twctl_u64(reply.json, "bytes_used"));
	twctl_client_fini(&reply);
	return TWCTL_EXIT_OK;
}

static const struct twctl_option list_options[] = {
	{"--state", "STATE", "only queued, batched, done, held or withdrawn ones"},
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
	{
		.name = "settle attest",
		.run = run_attest,
		.positional = "FILE",
		.summary = "settle a session by its attestor's word",
		.description =
			"FILE is what the attestor gave: {\"session_id\", \"bytes_used\",\n"
			"\"checkpoints_root\", \"signature\"}; - is stdin. Taken in attested mode "
			"after the\n"
			"session's end, and of any session that has an attestor while it is "
			"disputed.\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
