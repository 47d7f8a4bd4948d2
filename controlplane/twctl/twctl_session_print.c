// SPDX-License-Identifier: Apache-2.0
//
// See twctl_session_print.h.
#include "twctl_session_print.h"

#include "controlplane/twctl/twctl.h"
#include "controlplane/twctl/twctl_units.h"

#include <time.h>

static const char *time_text(char text[32], uint64_t unix_sec)
{
	time_t t = (time_t)unix_sec;
	struct tm tm;

	if (unix_sec == 0)
		return "never";
	strftime(text, 32, "%Y-%m-%d %H:%M:%SZ", gmtime_r(&t, &tm));
	return text;
}

// A closed gate that a voucher opens is no end: it is said beside the state.
static bool is_waiting(const struct json_value *session)
{
	return twctl_bool(json_member(session, "usage"), "is_waiting_for_voucher");
}

static void print_limits(const struct json_value *session)
{
	char a[TWCTL_UNITS_TEXT], b[TWCTL_UNITS_TEXT], t[32];
	uint64_t out = twctl_u64(session, "rate_out_kbps"), in = twctl_u64(session, "rate_in_kbps");
	uint64_t expires = twctl_u64(session, "expires_unix_sec");

	printf("  expires      %s", time_text(t, expires));
	if (expires != 0)
		printf(" (in %s)", twctl_units_duration(a, twctl_u64(session, "seconds_left")));
	printf("\n  rates        out %s, in %s\n",
	       out == 0 ? "unlimited" : twctl_units_rate(a, out * 1000),
	       in == 0 ? "unlimited" : twctl_units_rate(b, in * 1000));
}

// A session that was bought: by whom, and what pays for it.
static void print_purchase(const struct json_value *purchase)
{
	char a[TWCTL_UNITS_TEXT], b[TWCTL_UNITS_TEXT];

	if (json_first(purchase) == NULL)
		return;
	printf("  bought       %s, on chain %" PRIu64 " by %s\n",
	       twctl_text(purchase, "session_id"),
	       twctl_u64(purchase, "chain_id"),
	       twctl_text(purchase, "buyer"));
	printf("  pays by      %s (now: %s); voucher %s, credit left %s\n",
	       twctl_text(purchase, "mode"),
	       twctl_text(purchase, "settles_by"),
	       twctl_units_size(a, twctl_u64(purchase, "voucher_bytes")),
	       json_is_null(json_member(purchase, "credit_left_bytes"))
		       ? "without vouchers"
		       : twctl_units_size(b, twctl_u64(purchase, "credit_left_bytes")));
}

void twctl_session_print(const struct json_value *session)
{
	const struct json_value *usage = json_member(session, "usage");
	char a[TWCTL_UNITS_TEXT], b[TWCTL_UNITS_TEXT], c[TWCTL_UNITS_TEXT], d[TWCTL_UNITS_TEXT];
	char t[32];

	printf("session %s (id %" PRIu64 "): %s%s\n",
	       twctl_text(session, "name"),
	       twctl_u64(session, "id"),
	       twctl_text(session, "state"),
	       is_waiting(session) ? ", waiting for a voucher" : "");
	printf("  used         %s of %s (out %s, in %s), then %s\n",
	       twctl_units_size(a, twctl_u64(usage, "used_bytes")),
	       twctl_units_size(b, twctl_u64(session, "quota_bytes")),
	       twctl_units_size(c, twctl_u64(usage, "out_bytes")),
	       twctl_units_size(d, twctl_u64(usage, "in_bytes")),
	       twctl_text(session, "quota_action"));
	print_limits(session);
	print_purchase(json_member(session, "purchase"));
	printf("  address      %s\n", twctl_text(session, "inner_address"));
	printf("  public key   %s%s\n",
	       twctl_text(session, "public_key"),
	       twctl_bool(session, "has_private_key") ? " (the node keeps the private key)" : "");
	printf("  endpoint     %s, last heard %s\n",
	       twctl_text(usage, "endpoint")[0] == '\0' ? "unknown" : twctl_text(usage, "endpoint"),
	       time_text(t, twctl_u64(usage, "last_authentic_unix_sec")));
	printf("  gate         %s\n",
	       twctl_bool(usage, "is_in_dataplane") ? twctl_text(usage, "gate")
						    : "not in the data plane");
	for (const struct json_value *review = json_first(json_member(session, "reviews"));
	     review != NULL;
	     review = json_next(review))
		printf("  ! review     %s\n", json_string(review));
}

void twctl_session_print_row(const struct json_value *session)
{
	const struct json_value *usage = json_member(session, "usage");
	char used[TWCTL_UNITS_TEXT], quota[TWCTL_UNITS_TEXT], left[TWCTL_UNITS_TEXT];

	printf("%6" PRIu64 "  %-20s %-12s %-15s %10s / %-10s %s%s\n",
	       twctl_u64(session, "id"),
	       twctl_text(session, "name"),
	       twctl_text(session, "state"),
	       twctl_text(session, "inner_address"),
	       twctl_units_size(used, twctl_u64(usage, "used_bytes")),
	       twctl_units_size(quota, twctl_u64(session, "quota_bytes")),
	       json_is_null(json_member(session, "expires_unix_sec"))
		       ? "never"
		       : twctl_units_duration(left, twctl_u64(session, "seconds_left")),
	       is_waiting(session) ? ", waiting for a voucher" : "");
}

void twctl_session_print_head(void)
{
	printf("    id  name                 state        address               used / "
	       "quota      "
	       "expires in\n");
}
