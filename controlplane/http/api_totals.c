// SPDX-License-Identifier: Apache-2.0
//
// See api_totals.h. Reading every session takes the loop's time: who asks more often gets the same again.
#include "api_totals.h"

#include <stddef.h>

#define LIFE_NS (5 * NS_PER_SEC)

struct reading {
	struct control *control;
	struct api_totals totals;
	uint64_t fresh_until_ns;
	bool is_failed;
};

static bool add_session(void *ctx, const struct session *session)
{
	struct reading *reading = ctx;
	struct api_totals *totals = &reading->totals;
	struct usage_view usage;

	if (session->state < SESSION_N_STATE)
		totals->by_state[session->state]++;
	totals->n_review += session->reviews != 0;
	if (usage_read(reading->control->usage, session->id, &usage) < 0) {
		reading->is_failed = true;
		return false;
	}
	totals->out_bytes += usage.out_bytes;
	totals->in_bytes += usage.in_bytes;
	return true;
}

const struct api_totals *api_totals_read(struct control *control)
{
	static struct reading reading;
	uint64_t now_ns = clock_mono_ns(control->clock);
	struct session_error err;

	if (reading.control == control && now_ns < reading.fresh_until_ns)
		return &reading.totals;
	reading = (struct reading){.control = control};
	if (session_each(control->sessions, 0, add_session, &reading, &err) != 0 ||
	    reading.is_failed) {
		reading.control = NULL;
		return NULL;
	}
	reading.fresh_until_ns =
		now_ns + api_totals_life_ns(clock_mono_ns(control->clock) - now_ns, LIFE_NS);
	return &reading.totals;
}
