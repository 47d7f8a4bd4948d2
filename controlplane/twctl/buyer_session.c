// SPDX-License-Identifier: Apache-2.0
//
// twctl buyer status|end|dispute|reclaim: a session that was bought, on the chain. Each says how the
// session stands afterwards, as the escrow tells it; what is done already is not sent again.
#include "buyer_asset.h"
#include "buyer_chain.h"
#include "buyer_end.h"
#include "buyer_file.h"
#include "buyer_way.h"
#include "twctl.h"
#include "twctl_units.h"

#include "controlplane/chain/evm/evm_hex.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CALL_CAP 256

struct opened {
	struct buyer_file file;
	struct twctl_chain_way way;
	struct twctl_chain chain;
	struct evm_purchase_session session;
};

// The file, the chain it names, and the session there. To be closed with twctl_chain_close().
static int open_session(struct twctl *twctl, bool is_signing, struct opened *ret)
{
	const char *urls = twctl_args_get(&twctl->args, "--rpc");
	char why[BUYER_FILE_WHY];
	bool is_there = false;
	int code;

	if (buyer_file_load(twctl->args.positional[0], &ret->file, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	code = buyer_way_get(twctl, twctl->args.positional[0], &ret->way);
	if (code != 0)
		return code;
	code = twctl_chain_connect_by(
		twctl,
		urls != NULL ? urls : ret->file.rpc,
		ret->file.chain_id,
		is_signing,
		&ret->way,
		&ret->chain
	);
	if (code != 0)
		return code;
	code = buyer_chain_session(
		twctl, &ret->chain, ret->file.escrow, ret->file.session_id, &ret->session, &is_there
	);
	if (code == 0 && !is_there)
		code = twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the escrow has no such session yet: run twctl buyer buy %s again",
			twctl->args.positional[0]
		);
	if (code != 0)
		twctl_chain_close(&ret->chain);
	return code;
}

static const char *format_time(char text[32], uint64_t unix_sec)
{
	time_t t = (time_t)unix_sec;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(text, 32, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		text[0] = '\0';
	return text;
}

static int print_json(struct twctl *twctl, const struct opened *o, const struct buyer_asset *asset)
{
	const struct evm_purchase_session *s = &o->session;
	struct json_writer w;
	char node[U256_DEC_SIZE];

	json_writer_init(&w);
	json_begin_object(&w, NULL);
	evm_json_put_word(&w, "session_id", o->file.session_id);
	u256_format_dec(s->terms.node_id, node);
	json_put_string(&w, "node_id", node);
	json_put_string(&w, "status", evm_purchase_status_name(s->status));
	json_put_string(&w, "mode", evm_purchase_mode_name(s->mode));
	json_put_count(&w, "bought_bytes", s->bought_bytes);
	json_put_count(&w, "claimed_bytes", s->claimed_bytes);
	json_put_count(&w, "proposed_bytes", s->proposed_bytes);
	json_put_count(&w, "expiry_sec", s->expiry_sec);
	json_put_count(&w, "deadline_sec", s->deadline_sec);
	json_put_count(&w, "grace_sec", s->terms.grace_sec);
	evm_json_put_address(&w, "asset", asset->address);
	buyer_asset_put(&w, asset, "deposit_wei", "deposit", s->deposit);
	buyer_asset_put(&w, asset, "held_wei", "held", s->held);
	buyer_asset_put(&w, asset, "refundable_wei", "refundable", s->refundable);
	json_end(&w);
	return twctl_print(twctl, &w);
}

static void print_deadline(const struct evm_purchase_session *s)
{
	char text[32];

	switch (s->status) {
	case EVM_PURCHASE_OPEN:
		printf("reclaim   from %s\n",
		       format_time(text, s->expiry_sec + s->terms.grace_sec));
		break;
	case EVM_PURCHASE_CLOSED:
		printf("reclaim   from %s\n", format_time(text, s->deadline_sec));
		break;
	case EVM_PURCHASE_PROPOSED:
		printf("dispute   until %s\n", format_time(text, s->deadline_sec));
		break;
	case EVM_PURCHASE_DISPUTED:
		printf("attestor  until %s\n", format_time(text, s->deadline_sec));
		break;
	case EVM_PURCHASE_NONE:
	case EVM_PURCHASE_SETTLED:
	case EVM_PURCHASE_N_STATUS:
		break;
	}
}

static int print_session(struct twctl *twctl, const struct opened *o)
{
	const struct evm_purchase_session *s = &o->session;
	char size[TWCTL_UNITS_TEXT], id[EVM_HEX_SIZE(32)], text[32];
	char deposit[BUYER_ASSET_TEXT], refundable[BUYER_ASSET_TEXT];
	struct buyer_asset asset;
	int code = buyer_asset_load(twctl, &o->chain, s->terms.asset, &asset);

	if (code != 0)
		return code;
	if (twctl->is_json)
		return print_json(twctl, o, &asset);
	evm_hex_format(o->file.session_id, 32, id);
	buyer_asset_format(deposit, &asset, s->deposit);
	buyer_asset_format(refundable, &asset, s->refundable);
	printf("session   %s\n", id);
	printf("status    %s, mode %s\n",
	       evm_purchase_status_name(s->status),
	       evm_purchase_mode_name(s->mode));
	printf("bought    %s for %s\n", twctl_units_size(size, s->bought_bytes), deposit);
	printf("claimed   %s\n", twctl_units_size(size, s->claimed_bytes));
	if (s->status == EVM_PURCHASE_PROPOSED || s->status == EVM_PURCHASE_DISPUTED)
		printf("proposed  %s\n", twctl_units_size(size, s->proposed_bytes));
	printf("expires   %s\n", format_time(text, s->expiry_sec));
	print_deadline(s);
	if (!u256_is_zero(s->refundable))
		printf("refund    %s wait: twctl buyer reclaim %s\n",
		       refundable,
		       twctl->args.positional[0]);
	return TWCTL_EXIT_OK;
}

// Sends what w holds to the escrow, reads the session anew and prints it.
static int send_and_print(struct twctl *twctl, struct opened *o, const struct evm_abi_writer *w)
{
	struct evm_admin_result result;
	char why[CHAIN_WHY_SIZE] = "out of memory";
	bool is_there;
	int code;

	if (evm_abi_finish(w) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "the call could not be encoded");
	if (evm_admin_send(&o->chain.admin, o->file.escrow, w->buf, w->len, &result, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	evm_admin_result_fini(&result);
	code = buyer_chain_session(
		twctl, &o->chain, o->file.escrow, o->file.session_id, &o->session, &is_there
	);
	if (code == 0 && !is_there)
		code = twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "the escrow no longer knows the session"
		);
	return code != 0 ? code : print_session(twctl, o);
}

static int check_account(
	struct twctl *twctl, const struct opened *o, bool is_voucher_signer_welcome
)
{
	if (memcmp(o->chain.account, o->session.buyer, EVM_ADDRESS_SIZE) == 0 ||
	    (is_voucher_signer_welcome &&
	     memcmp(o->chain.account, o->session.voucher_signer, EVM_ADDRESS_SIZE) == 0))
		return 0;
	return twctl_fail(
		twctl,
		TWCTL_EXIT_FAILED,
		"--key-file is not the key of the session's buyer%s",
		is_voucher_signer_welcome ? " or voucher signer" : ""
	);
}

static int run_status(struct twctl *twctl)
{
	struct opened o;
	int code = open_session(twctl, false, &o);

	if (code != 0)
		return code;
	code = print_session(twctl, &o);
	twctl_chain_close(&o.chain);
	return code;
}

static int run_end(struct twctl *twctl)
{
	uint8_t call[CALL_CAP];
	struct evm_abi_writer w;
	struct opened o;
	int code = open_session(twctl, true, &o);

	if (code != 0)
		return code;
	code = check_account(twctl, &o, false);
	if (code == 0 && o.session.status != EVM_PURCHASE_OPEN) {
		code = print_session(twctl, &o); // over already: nothing to send
	} else if (code == 0 && twctl_args_get(&twctl->args, "--at-node") != NULL) {
		code = buyer_end_at_node(twctl, &o.file, o.chain.signer, &o.way);
	} else if (code == 0) {
		evm_abi_writer_init(&w, call, sizeof(call));
		evm_purchase_put_close(&w, o.file.session_id);
		code = send_and_print(twctl, &o, &w);
	}
	twctl_chain_close(&o.chain);
	return code;
}

static int dispute(struct twctl *twctl, struct opened *o, uint64_t accepted)
{
	const struct evm_purchase_session *s = &o->session;
	uint8_t call[CALL_CAP];
	struct evm_abi_writer w;

	// The accepted part is paid with the dispute, so claimed is what was accepted.
	if (s->status == EVM_PURCHASE_DISPUTED && s->claimed_bytes == accepted)
		return print_session(twctl, o);
	if (s->status != EVM_PURCHASE_PROPOSED)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the session is %s: only a proposal can be disputed",
			evm_purchase_status_name(s->status)
		);
	if (accepted < s->claimed_bytes || accepted >= s->proposed_bytes)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"--accept %" PRIu64 ": must be from %" PRIu64
			" (covered by vouchers) to below "
			"%" PRIu64 " (proposed)",
			accepted,
			s->claimed_bytes,
			s->proposed_bytes
		);
	evm_abi_writer_init(&w, call, sizeof(call));
	evm_purchase_put_dispute(&w, o->file.session_id, accepted);
	return send_and_print(twctl, o, &w);
}

static int run_dispute(struct twctl *twctl)
{
	const char *text = twctl_args_get(&twctl->args, "--accept");
	uint64_t accepted;
	struct opened o;
	int code;

	if (text == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "--accept SIZE is required");
	if (twctl_units_parse_size(text, &accepted) < 0)
		return twctl_fail_value(twctl, "--accept", text, "a size: " TWCTL_UNITS_SIZES);
	code = open_session(twctl, true, &o);
	if (code != 0)
		return code;
	code = check_account(twctl, &o, true);
	if (code == 0)
		code = dispute(twctl, &o, accepted);
	twctl_chain_close(&o.chain);
	return code;
}

static int run_reclaim(struct twctl *twctl)
{
	uint8_t call[CALL_CAP];
	struct evm_abi_writer w;
	struct opened o;
	int code = open_session(twctl, true, &o);
	bool is_over;

	if (code != 0)
		return code;
	code = check_account(twctl, &o, false);
	is_over = o.session.status == EVM_PURCHASE_SETTLED ||
		o.session.status == EVM_PURCHASE_DISPUTED;
	if (code == 0 && is_over && u256_is_zero(o.session.refundable)) {
		code = print_session(twctl, &o); // drawn already
	} else if (code == 0) {
		evm_abi_writer_init(&w, call, sizeof(call));
		if (is_over)
			evm_purchase_put_withdraw_refund(&w, o.file.session_id);
		else
			evm_purchase_put_reclaim(&w, o.file.session_id);
		code = send_and_print(twctl, &o, &w);
	}
	twctl_chain_close(&o.chain);
	return code;
}

#define RPC_OPTION \
	{ \
		"--rpc", "URL[,URL...]", "JSON-RPC endpoints instead of those in FILE" \
	}

static const struct twctl_option status_options[] = {
	RPC_OPTION,
	BUYER_WAY_OPTIONS,
	{NULL, NULL, NULL},
};
static const struct twctl_option end_options[] = {
	RPC_OPTION,
	BUYER_CHAIN_KEY_OPTIONS,
	{"--at-node", NULL, "ask the node to end it instead: no gas"},
	{"--api", "URL", "the node's API instead of the one in FILE"},
	BUYER_WAY_OPTIONS,
	{NULL, NULL, NULL},
};
static const struct twctl_option sign_options[] = {
	RPC_OPTION,
	BUYER_CHAIN_KEY_OPTIONS,
	BUYER_WAY_OPTIONS,
	{NULL, NULL, NULL},
};
static const struct twctl_option dispute_options[] = {
	RPC_OPTION,
	BUYER_CHAIN_KEY_OPTIONS,
	BUYER_WAY_OPTIONS,
	{"--accept", "SIZE", "bytes that you accept; what vouchers cover cannot be disputed"},
	{NULL, NULL, NULL},
};

const struct twctl_command buyer_session_commands[] = {
	{
		.name = "buyer status",
		.run = run_status,
		.positional = "FILE",
		.summary = "show a session as the escrow holds it",
		.description = "Asks the chain, not the node.\n",
		.options = status_options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "buyer end",
		.run = run_end,
		.positional = "FILE",
		.summary = "end a session early",
		.description = "Closes it on the chain. The node settles what was used, the rest "
			       "comes back; if the node\n"
			       "does not, reclaim it when the grace is over.\n",
		.options = end_options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "buyer dispute",
		.run = run_dispute,
		.positional = "FILE",
		.summary = "dispute a proposed settlement",
		.description = "Accepts some bytes and disputes those above, within the window "
			       "that status shows.\n"
			       "The buyer's key or the voucher signer's.\n",
		.options = dispute_options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{
		.name = "buyer reclaim",
		.run = run_reclaim,
		.positional = "FILE",
		.summary = "get back what a node did not claim in time",
		.description = "From the time that status shows. Of a session that is settled, "
			       "draws a refund that waits.\n",
		.options = sign_options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
