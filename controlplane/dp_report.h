// SPDX-License-Identifier: Apache-2.0
//
// What `twctl status` hears about all sessions together: conditions and counts. Decides nothing. Belongs
// to dp_link.c; loop's thread.
#pragma once

#include "controlplane/dp_sessions.h"

// Sets the condition `dataplane`.
void dp_report_no_dataplane(const struct dp_sessions *all);

// Sets the condition `abi`: counters that cannot be attached, since they are of another release, damaged
// or closed to this user. Dead ones hold bytes that nobody has billed, so they stay until a person decides.
void dp_report_unusable(const struct dp_sessions *all, const uint8_t boot_id[16], const char *why);

// When a write had failed: tries one, and clears the condition when it succeeds.
void dp_report_probe_store(struct dp_sessions *all);

// Sets and clears the conditions `review`, `commands` and `slots`.
void dp_report_conditions(struct dp_sessions *all);

void dp_report_count(const struct dp_sessions *all, uint32_t *ret_n_added, uint32_t *ret_n_waiting);
