// SPDX-License-Identifier: Apache-2.0
//
// The control plane's end of the shared memory, the only file that touches it: finds the live boot,
// harvests the dead ones, gives sessions to the data plane and reads what it counts. The order is the
// law: what is committed first is sent second. Runs on the loop's thread, never waits.
#pragma once

#include "common/abi_stats.h"
#include "controlplane/health.h"
#include "controlplane/session/session.h"
#include "controlplane/usage/usage.h"

#include <stdbool.h>
#include <stdint.h>

struct dp_link;

struct dp_link_conf {
	const struct config *config;
	const struct clock *clock;
	struct db *db;
	struct session_book *sessions;
	struct usage_book *usage;
	struct health *health;
};

int dp_link_create(struct dp_link **ret, const struct dp_link_conf *conf);

// What has been counted is committed once more; the data plane goes on.
void dp_link_destroy(struct dp_link *link);

// One round: boots, harvest, reconcile, acknowledgements, events, counters. Call every
// usage.poll_interval_ms, and whenever sessions changed.
void dp_link_tick(struct dp_link *link);

// A session changed: the next round sends it. For session_book_conf.changed.
void dp_link_session_changed(void *ctx, const struct session *session);

struct dp_link_status {
	bool is_attached;
	uint8_t boot_id[16];
	char version[32]; // of the data plane
	uint32_t pid;
	uint64_t started_unix_ns;
	uint64_t heartbeat_age_ns;
	uint32_t n_slots;
	uint32_t n_sessions; // in the data plane, acknowledged
	uint32_t n_commands_waiting; // not yet sent, or not yet acknowledged
	uint64_t events_lost;
	uint64_t commands_refused;
	uint64_t n_harvested; // dead boots since this start
	uint8_t node_public_key[32]; // zero while unknown
};

// The counters of the attached boot, for counter_read(). Valid until the next dp_link_tick().
struct dp_link_counters {
	const struct abi_thread_stats *threads;
	const struct abi_port_stats *ports;
	uint32_t n_threads; // the last one is the slow path
	uint32_t n_ports;
	uint64_t tsc_hz;
};

// Returns: false without a data plane, or when its counters were cut.
bool dp_link_counters(const struct dp_link *link, struct dp_link_counters *ret);

void dp_link_status(const struct dp_link *link, struct dp_link_status *ret);
