// SPDX-License-Identifier: Apache-2.0
//
// twctl verify: a session's checkpoints, from a file or from the control plane, against a signer and a
// root that come from the chain or from whoever asks.
#include "twctl_verify.h"

#include "controlplane/attest/attest_file.h"
#include "controlplane/chain/evm/evm_hex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_CAP 512
#define PAGE 5000

// Returns: the file's text, to be freed; NULL with the message out.
static char *read_text(struct twctl *twctl, const char *path, size_t *ret_len)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	size_t cap = 1 << 16, len = 0;
	char *text = in != NULL ? malloc(cap) : NULL;

	while (text != NULL) {
		len += fread(text + len, 1, cap - len, in);
		if (len < cap)
			break;
		char *more =
			cap <= attest_file_json_limits.max_bytes ? realloc(text, 2 * cap) : NULL;
		if (more == NULL) {
			free(text);
			errno = EFBIG;
		}
		text = more;
		cap *= 2;
	}
	if (text != NULL && ferror(in)) {
		free(text);
		text = NULL;
	}
	if (text == NULL)
		twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "%s: cannot be read: %s", path, strerror(errno)
		);
	if (in != NULL && in != stdin)
		fclose(in);
	*ret_len = len;
	return text;
}

// fault is FORMAT when the text is no file of checkpoints; that is an answer, not a failure to ask.
static int load_file(
	struct twctl *twctl,
	struct attest_file *file,
	bool *is_format,
	char why[ATTEST_FILE_WHY_CAP]
)
{
	struct json_value *json = NULL;
	size_t len;
	char *text = read_text(twctl, twctl->args.positional[0], &len);
	int rc;

	if (text == NULL)
		return TWCTL_EXIT_FAILED;
	rc = json_parse_limited(
		&json, text, len, &attest_file_json_limits, why, ATTEST_FILE_WHY_CAP
	);
	free(text);
	if (rc == 0)
		rc = attest_file_read(file, json, why);
	json_free(json);
	if (rc == -ENOMEM)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "out of memory");
	*is_format = rc == 0;
	return 0;
}

static int load_session(
	struct twctl *twctl,
	const char *name,
	struct attest_file *file,
	bool *is_format,
	char why[ATTEST_FILE_WHY_CAP]
)
{
	struct twctl_client_reply reply;
	char path[PATH_CAP], id[256];
	int rc = 0;

	if (twctl_client_escape(id, sizeof(id), name) < 0 || id[0] == '\0')
		return twctl_fail_value(twctl, "--session", name, "a session's name or number");
	file->next_sequence = 1;
	while (rc == 0 && file->next_sequence != 0) {
		snprintf(
			path,
			sizeof(path),
			"/api/v1/sessions/%s/checkpoints?from=%" PRIu64 "&limit=%d",
			id,
			file->next_sequence,
			PAGE
		);
		int code = twctl_ask(twctl, &reply, "GET", path, NULL);
		if (code != 0)
			return code;
		rc = attest_file_read(file, reply.json, why);
		twctl_client_fini(&reply);
	}
	*is_format = rc == 0;
	return rc == -ENOMEM ? twctl_fail(twctl, TWCTL_EXIT_FAILED, "out of memory") : 0;
}

static int get_hex(struct twctl *twctl, const char *option, uint8_t *ret, size_t len)
{
	const char *text = twctl_args_get(&twctl->args, option);

	if (text == NULL || evm_hex_parse(text, ret, len) == 0)
		return 0;
	return twctl_fail_value(
		twctl, option, text, len == 32 ? "0x and 64 hex digits" : "0x and 40 hex digits"
	);
}

static int trust_chain(
	struct twctl *twctl,
	const struct attest_file *file,
	struct attest_trust *trust,
	struct twctl_verify_chain *chain
)
{
	uint8_t escrow[EVM_ADDRESS_SIZE] = {0};
	uint64_t chain_id;
	int code = get_hex(twctl, "--escrow", escrow, sizeof(escrow));

	if (code == 0)
		code = twctl_get_number(twctl, "--chain-id", 1, UINT64_MAX, 0, &chain_id);
	if (code != 0)
		return code;
	if (evm_address_is_zero(escrow) || chain_id == 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_USAGE,
			"--rpc needs --chain-id N and --escrow ADDRESS: a file may name another "
			"contract"
		);
	if (file->chain_id != chain_id || memcmp(file->escrow, escrow, sizeof(escrow)) != 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"these checkpoints are of another chain or escrow contract"
		);
	code = twctl_verify_ask_chain(twctl, chain_id, escrow, file->session_id, chain);
	if (code != 0)
		return code;
	if (!chain->is_created)
		return twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "the escrow contract knows no such session"
		);
	memcpy(trust->signer, chain->usage_signer, EVM_ADDRESS_SIZE);
	trust->has_root = chain->has_root;
	memcpy(trust->root, chain->root, 32);
	return 0;
}

static int get_trust(
	struct twctl *twctl,
	const struct attest_file *file,
	struct attest_trust *trust,
	struct twctl_verify_chain *chain
)
{
	const char *root = twctl_args_get(&twctl->args, "--root");
	uint8_t wanted[32];
	int code = get_hex(twctl, "--session-id", wanted, sizeof(wanted));

	if (code != 0)
		return code;
	if (twctl_args_get(&twctl->args, "--session-id") != NULL &&
	    memcmp(wanted, file->session_id, 32) != 0)
		return twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "these checkpoints are of another session"
		);
	if (twctl_args_get(&twctl->args, "--rpc") != NULL)
		return trust_chain(twctl, file, trust, chain);
	if (twctl_args_get(&twctl->args, "--signer") == NULL || root == NULL)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_USAGE,
			"who signed and which root is right must not come from the file: give "
			"--rpc, or --signer and --root (\"none\" before the settlement)"
		);
	code = get_hex(twctl, "--signer", trust->signer, sizeof(trust->signer));
	if (code == 0 && strcmp(root, "none") != 0) {
		trust->has_root = true;
		code = get_hex(twctl, "--root", trust->root, sizeof(trust->root));
	}
	return code;
}

static int report(
	struct twctl *twctl,
	const struct attest_file *file,
	enum attest_fault fault,
	bool is_root_checked,
	const uint8_t root[32],
	const char *why
)
{
	char id[EVM_HEX_SIZE(32)], root_text[EVM_HEX_SIZE(32)];
	bool is_good = fault == ATTEST_FAULT_NONE;
	struct json_writer writer;
	int code;

	evm_hex_format(file->session_id, 32, id);
	evm_hex_format(root, 32, root_text);
	if (twctl->is_json) {
		json_writer_init(&writer);
		json_begin_object(&writer, NULL);
		json_put_bool(&writer, "verified", is_good);
		json_put_string(&writer, "fault", is_good ? NULL : attest_fault_name(fault));
		json_put_string(&writer, "why", is_good ? NULL : why);
		json_put_string(&writer, "session_id", id);
		json_put_count(&writer, "checkpoints", file->n_items);
		json_put_count(&writer, "total_out_bytes", file->total_out_bytes);
		json_put_count(&writer, "total_in_bytes", file->total_in_bytes);
		json_put_string(&writer, "root", is_good ? root_text : NULL);
		json_put_bool(&writer, "root_checked", is_good && is_root_checked);
		json_end(&writer);
		code = twctl_print(twctl, &writer);
		return is_good ? code : TWCTL_EXIT_FAILED;
	}
	if (!is_good)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"NOT verified (%s): %s",
			attest_fault_name(fault),
			why
		);
	printf("verified     %zu checkpoints: chain, signatures and sums%s\n",
	       file->n_items,
	       is_root_checked ? ", and all are in the root on chain" : "");
	printf("session      %s\n", id);
	printf("total        %" PRIu64 " B out, %" PRIu64 " B in\n",
	       file->total_out_bytes,
	       file->total_in_bytes);
	printf("root         %s%s\n",
	       root_text,
	       is_root_checked ? "" : " (not on chain yet: inclusion is not checked)");
	return TWCTL_EXIT_OK;
}

// What was settled may be below what the node counted (the buyer's voucher decides), never above.
static enum attest_fault check_settled(
	const struct attest_file *file,
	const struct twctl_verify_chain *chain,
	char why[ATTEST_FILE_WHY_CAP]
)
{
	uint64_t total = file->total_out_bytes + file->total_in_bytes; // checked before

	if (chain->settled_bytes <= total)
		return ATTEST_FAULT_NONE;
	snprintf(
		why,
		ATTEST_FILE_WHY_CAP,
		"settled or proposed for %" PRIu64 " bytes, the checkpoints prove %" PRIu64,
		chain->settled_bytes,
		total
	);
	return ATTEST_FAULT_SUM;
}

static int verify(struct twctl *twctl, struct attest_file *file)
{
	const char *session = twctl_args_get(&twctl->args, "--session");
	struct twctl_verify_chain chain = {0};
	char why[ATTEST_FILE_WHY_CAP] = "";
	struct attest_trust trust = {0};
	enum attest_fault fault = ATTEST_FAULT_FORMAT;
	bool is_format = false;
	uint8_t root[32] = {0};
	int code;

	if ((session != NULL) == (twctl->args.n_positional == 1))
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "give FILE or --session, one of them");
	if (session != NULL)
		code = load_session(twctl, session, file, &is_format, why);
	else
		code = load_file(twctl, file, &is_format, why);
	if (code != 0)
		return code;
	if (!is_format)
		return report(twctl, file, fault, false, root, why);
	code = get_trust(twctl, file, &trust, &chain);
	if (code != 0)
		return code;
	fault = attest_file_verify(file, &trust, root, why);
	if (fault == ATTEST_FAULT_NONE)
		fault = check_settled(file, &chain, why);
	return report(twctl, file, fault, trust.has_root, root, why);
}

static int run(struct twctl *twctl)
{
	struct attest_file file = {0};
	int code = verify(twctl, &file);

	attest_file_fini(&file);
	return code;
}

static const struct twctl_option options[] = {
	{"--session", "NAME", "a session of this node, by name or number, instead of FILE"},
	{"--rpc", "URL[,URL...]", "take usage signer and root from the chain's events"},
	{"--chain-id", "N", "with --rpc: the chain; an endpoint of another one is refused"},
	{"--escrow", "ADDRESS", "with --rpc: the escrow contract"},
	{"--signer", "ADDRESS", "the usage signer, known by other means"},
	{"--root",
	 "HASH",
	 "the root of the settlement, known by other means; \"none\": not settled"},
	{"--session-id", "ID", "refuse checkpoints of any other session"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_verify_commands[] = {
	{
		.name = "verify",
		.run = run,
		.positional = "[FILE]",
		.summary = "check the proof of a session's usage",
		.description = "Checks that the checkpoints follow each other, that each is signed "
			       "by the usage\n"
			       "signer, that the totals are right, and that all are under the "
			       "Merkle root of the\n"
			       "settlement. The signer and the root come from the chain or from "
			       "you, never from\n"
			       "the file. FILE is what GET /api/v1/sessions/ID/checkpoints gives; "
			       "- is stdin.\n"
			       "Exit 0 only if everything is right.\n",
		.options = options,
		.max_positional = 1,
	},
	{.name = NULL},
};
