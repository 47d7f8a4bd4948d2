// SPDX-License-Identifier: Apache-2.0
//
// One round of twctl buyer pay: the newest voucher goes to the node, which answers with what it claims; if
// that is right, it is signed. The order that nothing may change: the amount is on the disk, then the
// signature is made, then it is sent. So whatever breaks off between, the next round sends the voucher
// of what stands on the disk, and never a lower one after it.
#include "buyer_chain.h"
#include "buyer_pay.h"
#include "buyer_route.h"

#include "common/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN_NS 250000000ull // at a claim that is held
#define WAY_CHECK_NS 2000000000ull
#define NO_WAY_CHECK_NS 500000000ull
// A connection from before the tunnel came up ends in it without a word.
#define TIMEOUT_MS 5000

static uint64_t now_ns(void)
{
	return clock_mono_ns(&clock_system);
}

uint64_t buyer_pay_bought_bytes(const struct buyer_pay *pay)
{
	uint64_t ordered = pay->file.order.data_gb * 1000000000ull;

	return pay->usage.bought_bytes > ordered ? pay->usage.bought_bytes : ordered;
}

// ---- the way -------------------------------------------------------------------------------------

static void find_way(struct buyer_pay *pay)
{
	char why[BUYER_ROUTE_WHY];
	uint64_t wait_ns = pay->mark == 0 ? NO_WAY_CHECK_NS : WAY_CHECK_NS;
	uint32_t mark = 0;

	if (pay->is_way_given ||
	    (pay->way_checked_ns != 0 && now_ns() - pay->way_checked_ns < wait_ns))
		return;
	pay->way_checked_ns = now_ns();
	// No such tunnel: then there is nothing to go round.
	if (buyer_route_fwmark(pay->usage.interface, &mark, why) < 0)
		mark = 0;
	if (mark == pay->mark)
		return;
	pay->mark = mark;
	if (pay->is_api_open)
		buyer_api_close(&pay->api);
	pay->is_api_open = false;
}

static int open_way(struct buyer_pay *pay, char why[BUYER_API_WHY])
{
	struct buyer_api_conf conf = {
		.url = pay->url,
		.timeout_ms = TIMEOUT_MS,
		.mark = pay->mark,
		.device = pay->device,
		.address =
			strcmp(pay->url, pay->usage.api_url) == 0 ? pay->usage.api_address : NULL,
	};
	int r;

	if (pay->is_api_open)
		return 0;
	memcpy(conf.session_id, pay->file.session_id, 32);
	r = buyer_api_open(&pay->api, &conf, why);
	pay->is_api_open = r == 0;
	return r;
}

// ---- the node --------------------------------------------------------------------------------

// Sends the voucher of what is signed. Sets claim.
static int send_voucher(struct buyer_pay *pay, char why[BUYER_API_WHY])
{
	struct json_value *reply;
	char *body;
	int r;

	r = buyer_claim_write(
		pay->signer, pay->separator, pay->file.session_id, pay->usage.signed_bytes, &body
	);
	if (r < 0) {
		snprintf(why, BUYER_API_WHY, "the voucher could not be signed");
		return r;
	}
	r = buyer_api_ask(&pay->api, "POST", "/vouchers", body, &reply, why);
	json_free_text(body);
	if (r < 0)
		return r;
	r = buyer_claim_read(reply, &pay->claim, why) < 0 ? -EPROTO : 0;
	json_free(reply);
	if (r == 0)
		buyer_usage_set_api(&pay->usage, pay->url, http_client_address(pay->api.client));
	return r;
}

static enum buyer_pay_end fail_round(struct buyer_pay *pay, int r, const char *why)
{
	bool is_over = strcmp(pay->api.problem, "session-over") == 0, is_blind;
	bool is_too_large = r == -EEXIST && strcmp(pay->api.problem, "voucher-too-large") == 0;

	pay->way_checked_ns = 0; // perhaps it is the wrong one by now
	if (r == -EINTR)
		return BUYER_PAY_GOES_ON;
	if (r == -EEXIST && is_over) {
		buyer_pay_tell(pay, "over", "the session is over: %s", why);
		return BUYER_PAY_OVER;
	}
	// Not found: the node has not seen the purchase yet. Too large: it has not seen the top-up that was
	// signed for, or not yet again after a reorganisation.
	if (r != -ENOENT && !is_too_large && !buyer_api_check_transient(r)) {
		twctl_fail(pay->twctl, TWCTL_EXIT_FAILED, "%s", why);
		return BUYER_PAY_FAILED;
	}
	// Without the right to ask wg, its mark is not known.
	is_blind = !pay->is_way_given && pay->mark == 0 && pay->is_interface_up && geteuid() != 0;
	if (!pay->is_failing)
		buyer_pay_tell(
			pay,
			"waiting",
			"%s; trying again%s",
			why,
			is_blind ? " (if all traffic goes through the tunnel, run this as root, or "
				   "name "
				   "the interface beside it with --device)"
				 : ""
		);
	pay->is_failing = true;
	buyer_pace_failed(&pay->pace, now_ns());
	return BUYER_PAY_GOES_ON;
}

// ---- the claim -------------------------------------------------------------------------------

// Asks the chain whether more was bought. Returns: true when it was.
static bool ask_bought(struct buyer_pay *pay)
{
	const char *urls = twctl_args_get(&pay->twctl->args, "--rpc");
	const struct twctl_chain_way way = {.mark = pay->mark, .device = pay->device};
	struct evm_purchase_session session;
	struct twctl_chain chain;
	bool is_there = false;
	int code;

	code = twctl_chain_connect_by(
		pay->twctl,
		urls != NULL ? urls : pay->file.rpc,
		pay->file.chain_id,
		false,
		&way,
		&chain
	);
	if (code != 0)
		return false;
	code = buyer_chain_session(
		pay->twctl, &chain, pay->file.escrow, pay->file.session_id, &session, &is_there
	);
	twctl_chain_close(&chain);
	if (code != 0 || !is_there || session.bought_bytes <= buyer_pay_bought_bytes(pay))
		return false;
	pay->usage.bought_bytes = session.bought_bytes;
	return true;
}

// Returns: GOES_ON when there is a new voucher to send.
static enum buyer_pay_end sign(struct buyer_pay *pay)
{
	uint64_t before = pay->usage.signed_bytes;
	int r;

	pay->usage.signed_bytes = pay->claim.used_bytes;
	r = buyer_pay_save(pay, true);
	if (r == 0) {
		pay->decide.signed_bytes = pay->usage.signed_bytes;
		return BUYER_PAY_GOES_ON;
	}
	pay->usage.signed_bytes = before;
	twctl_fail(
		pay->twctl,
		TWCTL_EXIT_FAILED,
		"%s cannot be written (%s): nothing is signed that cannot be remembered",
		pay->usage_path,
		strerror(-r)
	);
	return BUYER_PAY_FAILED;
}

static enum buyer_pay_end hold(struct buyer_pay *pay, uint64_t loss_bytes)
{
	if (!pay->is_holding)
		buyer_pay_tell(
			pay,
			"holding",
			"the node claims %" PRIu64 " bytes more than were counted; looking again",
			loss_bytes
		);
	pay->is_holding = true;
	buyer_pace_again(&pay->pace, now_ns(), LOOK_AGAIN_NS);
	return BUYER_PAY_ANSWERED;
}

// Returns: GOES_ON when there is a new voucher to send, ANSWERED when there is nothing to do.
static enum buyer_pay_end judge(struct buyer_pay *pay)
{
	struct buyer_decide_input input = {
		.claim_bytes = pay->claim.used_bytes,
		.own_bytes = buyer_pay_own_bytes(pay),
		.bought_bytes = buyer_pay_bought_bytes(pay),
		.now_ns = now_ns(),
	};
	enum buyer_decide_verdict verdict;
	bool was_asked = false;

	if (input.claim_bytes > input.bought_bytes) {
		was_asked = true;
		if (ask_bought(pay))
			input.bought_bytes = buyer_pay_bought_bytes(pay);
	}
	if (buyer_decide_next(&pay->decide, &pay->decide_conf, &input, &verdict) < 0) {
		twctl_fail(pay->twctl, TWCTL_EXIT_FAILED, "the count is beyond 64 bits");
		return BUYER_PAY_FAILED;
	}
	switch (verdict) {
	case BUYER_DECIDE_IDLE:
		pay->is_holding = false;
		return BUYER_PAY_ANSWERED;
	case BUYER_DECIDE_SIGN:
		pay->is_holding = false;
		return sign(pay);
	case BUYER_DECIDE_HOLD:
		return hold(pay, buyer_decide_loss(&input));
	case BUYER_DECIDE_STOP_LOSS:
		buyer_pay_fail_loss(pay);
		return BUYER_PAY_FAILED;
	case BUYER_DECIDE_STOP_BOUGHT:
		break;
	}
	twctl_fail(
		pay->twctl,
		TWCTL_EXIT_FAILED,
		"signing stopped: the node claims %" PRIu64 " bytes, bought were %" PRIu64 "%s",
		input.claim_bytes,
		input.bought_bytes,
		was_asked ? ", says the chain" : ""
	);
	return BUYER_PAY_FAILED;
}

// What may still pass before the gate closes for want of a voucher; UINT64_MAX: no voucher is wanting.
static uint64_t credit_left(const struct buyer_pay *pay)
{
	uint64_t used = pay->claim.used_bytes, own = buyer_pay_own_bytes(pay);
	uint64_t passed = own > used ? own : used; // the node's poll may lag behind

	if (pay->claim.limit_bytes >= buyer_pay_bought_bytes(pay))
		return UINT64_MAX;
	return pay->claim.limit_bytes > passed ? pay->claim.limit_bytes - passed : 0;
}

static enum buyer_pay_end end_round(struct buyer_pay *pay)
{
	if (buyer_claim_check_final(&pay->claim) &&
	    pay->claim.used_bytes <= pay->usage.signed_bytes) {
		buyer_pay_tell(
			pay,
			"over",
			"the session is over (%s); %" PRIu64 " bytes are signed",
			pay->claim.state,
			pay->usage.signed_bytes
		);
		return BUYER_PAY_OVER;
	}
	if (!pay->is_holding) {
		buyer_pace_answered(
			&pay->pace, now_ns(), buyer_pay_own_bytes(pay), credit_left(pay)
		);
		if (pay->claim.is_waiting)
			buyer_pace_again(&pay->pace, now_ns(), LOOK_AGAIN_NS);
	}
	return BUYER_PAY_ANSWERED;
}

enum buyer_pay_end buyer_pay_round(struct buyer_pay *pay)
{
	enum buyer_pay_end end = BUYER_PAY_ANSWERED;
	char why[BUYER_API_WHY];
	int r;

	find_way(pay);
	r = open_way(pay, why);
	if (r == 0)
		r = send_voucher(pay, why);
	if (r == 0) {
		pay->is_failing = false;
		// After the claim: what it is about has passed the interface by now.
		end = buyer_pay_count(pay) == 0 ? judge(pay) : BUYER_PAY_FAILED;
	}
	if (r == 0 && end == BUYER_PAY_GOES_ON) {
		r = send_voucher(pay, why);
		if (r == 0)
			buyer_pay_tell_voucher(pay);
	}
	if (r < 0)
		return fail_round(pay, r, why);
	return end == BUYER_PAY_FAILED ? end : end_round(pay);
}
