// SPDX-License-Identifier: Apache-2.0
//
// What twctl buyer pay says: a line for each voucher and each change, for people or as JSON.
#include "buyer_pay.h"
#include "twctl_units.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static void put_counts(struct json_writer *w, const struct buyer_pay *pay)
{
	json_put_count(w, "unix_sec", (uint64_t)time(NULL));
	json_put_count(w, "signed_bytes", pay->usage.signed_bytes);
	json_put_count(w, "counted_bytes", buyer_pay_own_bytes(pay));
	json_put_count(w, "claimed_bytes", pay->claim.used_bytes);
	json_put_count(w, "limit_bytes", pay->claim.limit_bytes);
	json_put_count(w, "bought_bytes", buyer_pay_bought_bytes(pay));
}

void buyer_pay_tell_voucher(const struct buyer_pay *pay)
{
	char signed_size[TWCTL_UNITS_TEXT], bought[TWCTL_UNITS_TEXT], own[TWCTL_UNITS_TEXT];
	struct json_writer w;

	if (pay->twctl->is_json) {
		json_writer_init(&w);
		json_begin_object(&w, NULL);
		json_put_string(&w, "event", "voucher");
		put_counts(&w, pay);
		json_end(&w);
		twctl_print(pay->twctl, &w);
		fflush(stdout);
		return;
	}
	printf("signed %s of %s; counted here: %s\n",
	       twctl_units_size(signed_size, pay->usage.signed_bytes),
	       twctl_units_size(bought, buyer_pay_bought_bytes(pay)),
	       twctl_units_size(own, buyer_pay_own_bytes(pay)));
	fflush(stdout);
}

void buyer_pay_tell(const struct buyer_pay *pay, const char *event, const char *format, ...)
{
	char raw[1024], text[1024];
	struct json_writer w;
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	json_quote(text, sizeof(text), raw);
	if (pay->twctl->is_json) {
		json_writer_init(&w);
		json_begin_object(&w, NULL);
		json_put_string(&w, "event", event);
		json_put_string(&w, "text", text);
		put_counts(&w, pay);
		json_end(&w);
		twctl_print(pay->twctl, &w);
		fflush(stdout);
		return;
	}
	fprintf(stderr, "twctl: %s\n", text);
}

int buyer_pay_fail_loss(const struct buyer_pay *pay)
{
	const struct buyer_decide_input input = {
		.claim_bytes = pay->claim.used_bytes,
		.own_bytes = buyer_pay_own_bytes(pay),
	};
	char claim[TWCTL_UNITS_TEXT], own[TWCTL_UNITS_TEXT], loss[TWCTL_UNITS_TEXT];
	char signed_size[TWCTL_UNITS_TEXT], limit[TWCTL_UNITS_TEXT];
	uint64_t limit_bytes = input.own_bytes;

	if (buyer_decide_limit(&pay->decide_conf, input.own_bytes, &limit_bytes) < 0)
		limit_bytes = input.own_bytes;
	return twctl_fail(
		pay->twctl,
		TWCTL_EXIT_FAILED,
		"signing stopped: the node claims %s, %s went through %s: a loss of %s, and no "
		"more "
		"than %s is tolerated; signed so far are %s, nothing more will be. A path that "
		"loses packets needs a higher --tolerance; else end the session: twctl buyer end "
		"%s",
		twctl_units_size(claim, input.claim_bytes),
		twctl_units_size(own, input.own_bytes),
		pay->usage.interface,
		twctl_units_size(loss, buyer_decide_loss(&input)),
		twctl_units_size(limit, limit_bytes - input.own_bytes),
		twctl_units_size(signed_size, pay->usage.signed_bytes),
		pay->twctl->args.positional[0]
	);
}
