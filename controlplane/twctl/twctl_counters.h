// SPDX-License-Identifier: Apache-2.0
//
// The data plane's counters for twctl: finds the boot to show, alive or dead, reads it, never writes.
// Works while the control plane is down.
#pragma once

#include "common/abi_attach.h"
#include "controlplane/twctl/twctl.h"

struct twctl_counters {
	struct abi_attach att;
	bool is_alive; // its lock is held
	uint64_t heartbeat_age_ns; // of the moment of opening
	uint64_t n_boots; // counters files in the directory
};

// The living boot, or else the youngest dead one; says on stderr when it is dead.
//
// Returns: 0, or an exit code with the message out (no data plane was ever here, another release,
// no permission).
int twctl_counters_open(const struct twctl *twctl, struct twctl_counters *ret);

// The same without a word on stderr; text: what the warning would be, "" when all is well.
int twctl_counters_attach(const struct twctl *twctl, struct twctl_counters *ret, char text[160]);

void twctl_counters_close(struct twctl_counters *counters);

// Members every counter command has: boot_id, is_alive, heartbeat_age_ms, started_unix_sec, pid.
void twctl_counters_put(struct json_writer *writer, const struct twctl_counters *counters);

// Returns: false when the file was cut under us; then the message is out and nothing read is true.
bool twctl_counters_check(const struct twctl *twctl, const struct twctl_counters *counters);
