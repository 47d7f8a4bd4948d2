// SPDX-License-Identifier: Apache-2.0
//
// The own count of twctl buyer pay: the tunnel interface's counters, summed on the disk.
#include "buyer_iface.h"
#include "buyer_link.h"
#include "buyer_pay.h"

#include "common/clock.h"

#include <errno.h>
#include <string.h>

#define SAVE_NS 1000000000ull
#define COMING_UP_NS 1000000000ull

uint64_t buyer_pay_own_bytes(const struct buyer_pay *pay)
{
	uint64_t sum = 0;

	// A sum beyond 64 bits is no count: 0 tolerates nothing.
	return buyer_meter_sum(&pay->usage.meter, &sum) < 0 ? 0 : sum;
}

static int fail_count(const struct buyer_pay *pay, int r)
{
	return twctl_fail(
		pay->twctl,
		TWCTL_EXIT_FAILED,
		"the counters of %s cannot be read: %s",
		pay->usage.interface,
		strerror(-r)
	);
}

static void tell_up(struct buyer_pay *pay)
{
	buyer_pay_tell(pay, "interface_up", "counting %s", pay->usage.interface);
	// It may have another mark now; whoever brings it up sets mark and routes a moment later.
	pay->way_checked_ns = 0;
	buyer_pace_again(&pay->pace, clock_mono_ns(&clock_system), COMING_UP_NS);
	pay->is_merged = buyer_link_check_merged(pay->usage.interface);
	if (pay->is_merged)
		buyer_pay_tell(
			pay,
			"merged",
			"%s passes TCP segments merged (TSO) and counts the headers of one: this "
			"count can be up to 4 %% too low, and an honest node look like one that "
			"claims too much; turn its offloads off, use the kernel's WireGuard, or "
			"a --tolerance of 5",
			pay->usage.interface
		);
}

int buyer_pay_count(struct buyer_pay *pay)
{
	struct buyer_meter_sample sample;
	int r = 0;

	// First the end of the former interface, then the next one's beginning.
	if (pay->link_fd >= 0 &&
	    buyer_link_read_removed(pay->link_fd, &pay->usage.meter.last, &sample))
		r = buyer_meter_add(&pay->usage.meter, &sample, false);
	if (r < 0)
		return fail_count(pay, r);
	r = buyer_iface_read(BUYER_IFACE_SYSFS, BUYER_IFACE_BOOT_ID, pay->usage.interface, &sample);
	if (r == -EAGAIN)
		return 0; // made anew in this moment: the next look has it
	if (r == -ENODEV) {
		if (pay->is_interface_up)
			buyer_pay_tell(pay, "interface_down", "%s is gone", pay->usage.interface);
		pay->is_interface_up = false;
		return 0;
	}
	if (r == 0)
		r = buyer_meter_add(&pay->usage.meter, &sample, false);
	if (r < 0)
		return fail_count(pay, r);
	if (!pay->is_interface_up)
		tell_up(pay);
	pay->is_interface_up = true;
	return 0;
}

int buyer_pay_save(struct buyer_pay *pay, bool is_now)
{
	uint64_t now_ns = clock_mono_ns(&clock_system), own = buyer_pay_own_bytes(pay);
	int r;

	if (!is_now && (own == pay->saved_bytes || now_ns - pay->saved_ns < SAVE_NS))
		return 0;
	r = buyer_usage_save(pay->usage_path, &pay->usage);
	if (r == 0) {
		pay->saved_bytes = own;
		pay->saved_ns = now_ns;
	}
	return r;
}
