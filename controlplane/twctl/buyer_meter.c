// SPDX-License-Identifier: Apache-2.0
//
// See buyer_meter.h. Pure.
#include "buyer_meter.h"

#include <errno.h>
#include <string.h>

// The same interface still counting on. When one counter fell both were reset, whatever the other
// shows.
static bool continues(const struct buyer_meter_sample *last, const struct buyer_meter_sample *now)
{
	return strcmp(last->boot_id, now->boot_id) == 0 && last->ifindex == now->ifindex &&
		now->out_bytes >= last->out_bytes && now->in_bytes >= last->in_bytes &&
		now->extra_bytes >= last->extra_bytes;
}

int buyer_meter_add(
	struct buyer_meter *meter, const struct buyer_meter_sample *sample, bool is_new_interface
)
{
	uint64_t out = sample->out_bytes, in = sample->in_bytes, extra = sample->extra_bytes;

	if (!meter->has_last && !is_new_interface) {
		out = 0;
		in = 0;
		extra = 0;
	} else if (meter->has_last && continues(&meter->last, sample)) {
		out -= meter->last.out_bytes;
		in -= meter->last.in_bytes;
		extra -= meter->last.extra_bytes;
	}
	if (__builtin_add_overflow(meter->out_bytes, out, &out) ||
	    __builtin_add_overflow(meter->in_bytes, in, &in) ||
	    __builtin_add_overflow(meter->extra_bytes, extra, &extra))
		return -EOVERFLOW;
	meter->out_bytes = out;
	meter->in_bytes = in;
	meter->extra_bytes = extra;
	meter->has_last = true;
	meter->last = *sample;
	return 0;
}

int buyer_meter_sum(const struct buyer_meter *meter, uint64_t *ret_bytes)
{
	uint64_t sum;

	if (__builtin_add_overflow(meter->out_bytes, meter->in_bytes, &sum))
		return -EOVERFLOW;
	// A sample in mid-packet may hold the extra of a packet whose octets come with the next one.
	*ret_bytes = sum > meter->extra_bytes ? sum - meter->extra_bytes : 0;
	return 0;
}
