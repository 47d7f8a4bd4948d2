// SPDX-License-Identifier: Apache-2.0
//
// twctl buyer pay: counts what passes a session's tunnel and signs vouchers for what the node claims, as
// long as the claim is right. One thread, one loop: counters many times a second, a round with the node
// when buyer_pace.h says so.
#include "buyer_pay.h"

#include "buyer_chain.h"
#include "buyer_link.h"
#include "buyer_way.h"
#include "twctl_units.h"

#include "common/clock.h"
#include "controlplane/chain/evm/evm_account.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 50000000
#define HOLD_NS 5000000000ull
#define INTERVAL_DEFAULT_SEC 10
#define INTERVAL_MAX_SEC 3600

static volatile sig_atomic_t is_stopped;

static void on_signal(int signal)
{
	(void)signal;
	is_stopped = 1;
}

// "1", "0.5" or "1%", in percent. Returns: 0; -EINVAL.
static int parse_percent(const char *text, uint32_t *ret_bps)
{
	char digits[16];
	size_t len = strlen(text);
	struct u256 bps;
	uint64_t value;

	if (len > 0 && text[len - 1] == '%')
		len--;
	if (len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (u256_parse_units(digits, 2, &bps) < 0 || u256_to_u64(bps, &value) < 0 ||
	    value > BUYER_DECIDE_BPS_MAX)
		return -EINVAL;
	*ret_bps = (uint32_t)value;
	return 0;
}

static int get_wishes(struct buyer_pay *pay)
{
	const char *tolerance = twctl_args_get(&pay->twctl->args, "--tolerance");
	const char *interval = twctl_args_get(&pay->twctl->args, "--interval");
	uint64_t interval_sec = INTERVAL_DEFAULT_SEC;
	struct twctl_chain_way way;
	int code;

	pay->decide_conf = (struct buyer_decide_conf){
		.tolerance_bps = BUYER_DECIDE_BPS_DEFAULT,
		.floor_bytes = BUYER_DECIDE_FLOOR_BYTES,
		.hold_ns = HOLD_NS,
	};
	if (tolerance != NULL && parse_percent(tolerance, &pay->decide_conf.tolerance_bps) < 0)
		return twctl_fail_value(
			pay->twctl, "--tolerance", tolerance, "0 to 100 percent, such as 1 or 0.5%"
		);
	if (interval != NULL &&
	    (twctl_units_parse_duration(interval, &interval_sec) < 0 || interval_sec == 0 ||
	     interval_sec > INTERVAL_MAX_SEC))
		return twctl_fail_value(
			pay->twctl, "--interval", interval, "1s to 1h (" TWCTL_UNITS_DURATIONS ")"
		);
	buyer_pace_init(&pay->pace, interval_sec * NS_PER_SEC);
	code = buyer_way_get_options(pay->twctl, &way);
	if (code != 0)
		return code;
	pay->mark = way.mark;
	pay->device = way.device;
	pay->is_way_given = way.mark != 0 || way.device != NULL;
	return 0;
}

static int open_signer(struct buyer_pay *pay)
{
	const char *path = twctl_args_get(&pay->twctl->args, "--key-file");
	const char *password = twctl_args_get(&pay->twctl->args, "--password-file");
	char signer[EVM_ADDRESS_TEXT_SIZE], given[EVM_ADDRESS_TEXT_SIZE];
	uint8_t account[EVM_ADDRESS_SIZE];
	struct secret_file_why why;

	if (evm_address_is_zero(pay->file.order.voucher_signer))
		return twctl_fail(
			pay->twctl,
			TWCTL_EXIT_FAILED,
			"%s was bought without a voucher signer: there is nothing to sign",
			pay->twctl->args.positional[0]
		);
	if (path == NULL)
		return twctl_fail(pay->twctl, TWCTL_EXIT_USAGE, "--key-file FILE is required");
	if (evm_account_open(&pay->signer, path, password, &why) < 0)
		return twctl_fail(pay->twctl, TWCTL_EXIT_FAILED, "%s", why.text);
	evm_signer_address(pay->signer, account);
	if (memcmp(account, pay->file.order.voucher_signer, EVM_ADDRESS_SIZE) == 0)
		return 0;
	evm_address_format(pay->file.order.voucher_signer, signer);
	evm_address_format(account, given);
	return twctl_fail(
		pay->twctl,
		TWCTL_EXIT_FAILED,
		"--key-file is the key of %s, the session's voucher signer is %s",
		given,
		signer
	);
}

// Returns: the lock's descriptor, or -1 with the message out.
static int open_usage(struct buyer_pay *pay)
{
	const char *path = pay->twctl->args.positional[0];
	const char *interface = twctl_args_get(&pay->twctl->args, "--interface");
	char why[BUYER_USAGE_WHY];
	int fd, r;

	if ((size_t)snprintf(pay->usage_path, sizeof(pay->usage_path), "%s.usage", path) >=
	    sizeof(pay->usage_path)) {
		twctl_fail(pay->twctl, TWCTL_EXIT_USAGE, "the path is too long");
		return -1;
	}
	fd = buyer_usage_open(pay->usage_path, pay->file.session_id, interface, &pay->usage, why);
	if (fd == -ENOENT) {
		twctl_fail(
			pay->twctl,
			TWCTL_EXIT_FAILED,
			"%s is not there: run twctl buyer provision %s first, or name the "
			"tunnel with --interface",
			pay->usage_path,
			path
		);
		return -1;
	}
	if (fd < 0) {
		twctl_fail(pay->twctl, TWCTL_EXIT_FAILED, "%s", why);
		return -1;
	}
	r = pay->usage.meter.has_last ? 0 : buyer_usage_mark(&pay->usage);
	if (r == 0)
		r = buyer_pay_save(pay, true);
	if (r == 0)
		return fd;
	twctl_fail(pay->twctl, TWCTL_EXIT_FAILED, "%s: %s", pay->usage_path, strerror(-r));
	close(fd);
	return -1;
}

static int finish(struct buyer_pay *pay, enum buyer_pay_end end)
{
	int code = end == BUYER_PAY_FAILED ? TWCTL_EXIT_FAILED : TWCTL_EXIT_OK;
	int r;

	if (end != BUYER_PAY_FAILED && buyer_pay_count(pay) != 0)
		code = TWCTL_EXIT_FAILED;
	r = buyer_pay_save(pay, true);
	if (r < 0)
		code = twctl_fail(
			pay->twctl, TWCTL_EXIT_FAILED, "%s: %s", pay->usage_path, strerror(-r)
		);
	return code;
}

static int loop(struct buyer_pay *pay)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	bool is_once = twctl_args_get(&pay->twctl->args, "--once") != NULL;
	enum buyer_pay_end end = BUYER_PAY_GOES_ON;

	while (!is_stopped) {
		if (buyer_pay_count(pay) != 0)
			return finish(pay, BUYER_PAY_FAILED);
		// A disk that is full just now stops the signing, in the round, not the counting.
		(void)!buyer_pay_save(pay, false);
		if (buyer_pace_check(
			    &pay->pace, clock_mono_ns(&clock_system), buyer_pay_own_bytes(pay)
		    ))
			end = buyer_pay_round(pay);
		if (end == BUYER_PAY_OVER || end == BUYER_PAY_FAILED)
			return finish(pay, end);
		if (is_once && end == BUYER_PAY_ANSWERED && !pay->is_holding)
			return finish(pay, end);
		nanosleep(&tick, NULL);
	}
	buyer_pay_tell(
		pay, "stopped", "stopped; %" PRIu64 " bytes are signed", pay->usage.signed_bytes
	);
	return finish(pay, BUYER_PAY_ANSWERED);
}

static int pay_session(struct buyer_pay *pay)
{
	const char *url = twctl_args_get(&pay->twctl->args, "--api");
	struct sigaction action = {.sa_handler = on_signal};
	int code = get_wishes(pay), fd;

	if (code == 0)
		code = open_signer(pay);
	if (code != 0)
		return code;
	if (url != NULL && strlen(url) > BUYER_API_URL_MAX)
		return twctl_fail_value(pay->twctl, "--api", url, "a URL of up to 256 characters");
	evm_escrow_domain(pay->file.chain_id, pay->file.escrow, pay->separator);
	fd = open_usage(pay);
	if (fd < 0)
		return TWCTL_EXIT_FAILED;
	if (url == NULL)
		url = pay->usage.api_url[0] != '\0' ? pay->usage.api_url : pay->file.api_url;
	snprintf(pay->url, sizeof(pay->url), "%s", url);
	pay->decide.signed_bytes = pay->usage.signed_bytes;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	pay->link_fd = buyer_link_open();
	code = loop(pay);
	if (pay->link_fd >= 0)
		close(pay->link_fd);
	close(fd);
	return code;
}

static int run_pay(struct twctl *twctl)
{
	struct buyer_pay pay = {.twctl = twctl, .link_fd = -1};
	char why[BUYER_FILE_WHY];
	int code;

	if (buyer_file_load(twctl->args.positional[0], &pay.file, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	code = pay_session(&pay);
	if (pay.is_api_open)
		buyer_api_close(&pay.api);
	evm_signer_destroy(pay.signer);
	return code;
}

static const struct twctl_option options[] = {
	{"--key-file",
	 "FILE",
	 "the voucher signer's key: a geth keystore or 64 hex digits, mode 0600"},
	{"--password-file", "FILE", "password of the keystore, mode 0600"},
	{"--tolerance",
	 "PERCENT",
	 "of the own count that the node may claim beyond it (default 1, at least 4 MB)"},
	{"--interval", "TIME", "between two vouchers on a quiet line, 1s to 1h (default 10s)"},
	{"--interface", "NAME", "the tunnel (default: as provision named it)"},
	BUYER_WAY_OPTIONS,
	{"--api", "URL", "the node's API, where it is another than provision found"},
	{"--rpc", "URL[,URL...]", "JSON-RPC endpoints instead of those in FILE"},
	{"--once", NULL, "one voucher, then end"},
	{NULL, NULL, NULL},
};

const struct twctl_command buyer_pay_commands[] = {
	{
		.name = "buyer pay",
		.run = run_pay,
		.positional = "FILE",
		.summary = "pay a session as it is used, by signed vouchers",
		.description =
			"Counts what passes the tunnel's interface (inner bytes, both directions) "
			"and signs what the\n"
			"node claims, as long as that is at most the own count and the tolerance; "
			"else it stops and\n"
			"says why. Count and newest voucher stand in FILE.usage and outlive "
			"restarts of the tool, of\n"
			"the interface and of the host. Requests go outside the tunnel, so a gate "
			"that is closed for\n"
			"want of a voucher does not keep the voucher back. Runs until the session "
			"is over. The tunnel\n"
			"must carry this session alone; a counter that is reset loses what it had "
			"counted since the\n"
			"last look, never more.\n",
		.options = options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
