// SPDX-License-Identifier: Apache-2.0
//
// For test_drops.c: drops that take more than one frame to produce, a row for each, and what both files
// work on. One rig at a time.
#pragma once

#include "tests/rig/worker_rig.h"

#define DROPS_REMOTE 0x06000009u // host on the internet; host order, as the other two
#define DROPS_EXTERNAL 0x06000001u
#define DROPS_NODE_TUNNEL 0x05000001u
#define DROPS_LISTEN_PORT 51820
#define DROPS_SPORT 5000
#define DROPS_DPORT 9000
#define DROPS_QUOTA 1000000

struct drops_test {
	struct worker_rig *rig;
	uint8_t packet[WORKER_RIG_FRAME_CAP];
	uint8_t out[WORKER_RIG_FRAME_CAP];
};

struct drops_history {
	const char *name;
	enum drop_reason drop;
	void (*make)(struct drops_test *test); // ends with the one packet that is dropped
	void (*adjust)(struct config *config); // NULL: the rig's configuration as it is
};

extern const struct drops_history drops_histories[];
extern const unsigned drops_histories_n;

// A packet of client 0 to the host on the internet, in test->packet. Returns: its length.
size_t drops_histories_outbound(
	struct drops_test *test, uint8_t proto, uint16_t sport, uint16_t total_len
);
