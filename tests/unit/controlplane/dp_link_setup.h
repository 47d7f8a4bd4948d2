// SPDX-License-Identifier: Apache-2.0
//
// One session, the control plane's modules and a double of the data plane, for the tests of dp_link.
#pragma once

#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/controlplane/fake_dataplane.h"
#include "tests/unit/test.h"

struct setup {
	struct control_fixture fix;
	struct fake_dataplane dp;
	struct session session;
};

static inline void round_trip(struct setup *set)
{
	for (int i = 0; i < 3; i++) {
		dp_link_tick(set->fix.link);
		if (set->dp.seg.header != NULL)
			fake_dataplane_poll(&set->dp);
	}
	dp_link_tick(set->fix.link);
}

static inline void second(struct setup *set)
{
	clock_manual_advance(&set->fix.manual, NS_PER_SEC);
	round_trip(set);
}

static inline void start_dp(struct setup *set)
{
	assert_int_equal(fake_dataplane_start(&set->dp, set->fix.config.node.runtime_dir), 0);
}

static inline int begin(void **state)
{
	struct setup *set = calloc(1, sizeof(*set));
	const struct session_add add = control_fixture_add("alice", 1);

	control_fixture_init(&set->fix);
	control_fixture_open(&set->fix, true);
	if (session_add(set->fix.sessions, &add, &set->session, &set->fix.err) != 0)
		return -1;
	*state = set;
	return 0;
}

static inline int end(void **state)
{
	struct setup *set = *state;

	if (set->fix.link != NULL)
		control_fixture_close(&set->fix);
	if (set->dp.seg.header != NULL)
		abi_segment_close(&set->dp.seg);
	control_fixture_fini(&set->fix);
	free(set);
	return 0;
}

static inline void restart_control(struct setup *set)
{
	control_fixture_close(&set->fix);
	control_fixture_open(&set->fix, true);
}

static inline uint64_t total(struct setup *set)
{
	struct usage_view view;

	assert_int_equal(usage_read(set->fix.usage, set->session.id, &view), 0);
	return view.out_bytes + view.in_bytes;
}

static inline struct session reload(struct setup *set)
{
	struct session session;

	assert_int_equal(
		session_get(set->fix.sessions, set->session.id, &session, &set->fix.err), 0
	);
	return session;
}

static inline int n_segments(const struct setup *set)
{
	uint8_t ids[8][16];

	return abi_attach_list_boots(set->fix.config.node.runtime_dir, ids, 8);
}
