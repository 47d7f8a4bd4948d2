// SPDX-License-Identifier: Apache-2.0
//
// What is wrong at the moment, by name. A condition is set by who finds it and cleared by who sees it
// gone; any that is set makes the node degraded, which `twctl status` shows. Each change is logged
// once. Loop's thread; plain memory.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// id, name, help
#define HEALTH_LIST(X) \
	X(DATAPLANE, "dataplane", "no data plane is attached; nobody is served") \
	X(ABI, "abi", "a data plane of another release runs, or left its counters") \
	X(HEARTBEAT, "heartbeat", "the data plane's slow path does not move") \
	X(HARVEST, "harvest", "a dead data plane's counters could not be harvested yet") \
	X(STORE, "store", "the store refused a write; it is tried again") \
	X(CONTROL, "control", "the control mapping is damaged") \
	X(COMMANDS, "commands", "the data plane refused commands") \
	X(SLOTS, "slots", "sessions have slots that the data plane does not; they are not served") \
	X(GATEWAY, "gateway", "a gateway does not answer ARP") \
	X(CLOCK, "clock", "the wall clock jumped") \
	X(REVIEW, "review", "sessions need review") \
	X(CHAIN, "chain", "a bought session could not be taken a step further") \
	X(ENDPOINTS, "endpoints", "a chain cannot be read, or its endpoints disagree") \
	X(SETTLEMENT, "settlement", "something is in the way of a payout") \
	X(CHAIN_CLOCK, "chain_clock", "the host's clock and a chain's part by more than a minute") \
	X(ATTEST, "attest", "usage checkpoints wait for their signature")

#define HEALTH_ENUM(id, name, help) HEALTH_##id,
enum health_condition { HEALTH_LIST(HEALTH_ENUM) HEALTH_N };

#define HEALTH_REASON_CAP 640

struct health {
	struct {
		bool is_set;
		uint64_t since_unix_ns;
		char reason[HEALTH_REASON_CAP];
	} conditions[HEALTH_N];
};

void health_init(struct health *health);

// Logs when the condition is new (since_unix_ns = now_ns) or its reason changed.
void health_set(
	struct health *health,
	enum health_condition condition,
	uint64_t now_unix_ns,
	const char *format,
	...
) __attribute__((format(printf, 4, 5)));
void health_clear(struct health *health, enum health_condition condition);

bool health_is_degraded(const struct health *health);

const char *health_name(unsigned condition);
const char *health_help(unsigned condition);
