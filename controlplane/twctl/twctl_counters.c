// SPDX-License-Identifier: Apache-2.0
//
// See twctl_counters.h.
#include "twctl_counters.h"

#include "common/clock.h"
#include "common/counter.h"
#include "controlplane/twctl/twctl_units.h"

#include <errno.h>
#include <string.h>

#define MAX_BOOTS 64

// A living boot is better than a dead one, a younger one better than an older one.
static bool is_better(const struct twctl_counters *a, const struct twctl_counters *b)
{
	if (a->is_alive != b->is_alive)
		return a->is_alive;
	return a->att.started_unix_ns > b->att.started_unix_ns;
}

// Out: err of the last boot that could not be attached.
static bool find_best(
	const struct twctl *twctl,
	struct twctl_counters *best,
	int n,
	uint8_t (*boots)[16],
	char err[512]
)
{
	bool is_found = false;

	for (int i = 0; i < n; i++) {
		struct twctl_counters next = {0};

		if (abi_attach_open(&next.att, twctl->runtime_dir, boots[i], err, 512) < 0)
			continue;
		next.is_alive = !abi_attach_is_dead(&next.att);
		if (is_found && !is_better(&next, best)) {
			abi_attach_close(&next.att);
			continue;
		}
		if (is_found)
			abi_attach_close(&best->att);
		*best = next;
		is_found = true;
	}
	return is_found;
}

static void describe(const struct twctl_counters *counters, char text[160])
{
	char buf[TWCTL_UNITS_TEXT];
	const char *age = twctl_units_duration(buf, counters->heartbeat_age_ns / NS_PER_SEC);

	text[0] = '\0';
	if (!counters->is_alive)
		snprintf(
			text,
			160,
			"the data plane is dead (its lock is free, last heartbeat %s ago): these "
			"are "
			"its final counters",
			age
		);
	else if (counters->heartbeat_age_ns > 5 * NS_PER_SEC)
		snprintf(text, 160, "the data plane holds its lock but has not moved for %s", age);
}

int twctl_counters_attach(const struct twctl *twctl, struct twctl_counters *ret, char text[160])
{
	uint8_t boots[MAX_BOOTS][16];
	struct twctl_counters best;
	uint64_t now_ns = clock_unix_ns(&clock_system), beat_ns;
	char err[512] = "";
	int n = abi_attach_list_boots(twctl->runtime_dir, boots, MAX_BOOTS);

	if (n < 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"cannot read %s: %s; is this the node's runtime directory (--runtime-dir, "
			"--config)?",
			twctl->runtime_dir,
			strerror(-n)
		);
	if (n == 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"no data plane has run in %s: there are no counters; start "
			"tollwire-dataplane, or "
			"name its runtime directory with --runtime-dir or --config",
			twctl->runtime_dir
		);
	if (!find_best(twctl, &best, n < MAX_BOOTS ? n : MAX_BOOTS, boots, err))
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", err);
	beat_ns = counter_read(&best.att.header->heartbeat_unix_ns);
	best.heartbeat_age_ns = now_ns > beat_ns ? now_ns - beat_ns : 0;
	best.n_boots = (uint64_t)n;
	describe(&best, text);
	*ret = best;
	return 0;
}

int twctl_counters_open(const struct twctl *twctl, struct twctl_counters *ret)
{
	char text[160];
	int code = twctl_counters_attach(twctl, ret, text);

	if (code == 0 && text[0] != '\0')
		fprintf(stderr, "twctl: %s\n", text);
	return code;
}

void twctl_counters_close(struct twctl_counters *counters)
{
	abi_attach_close(&counters->att);
}

void twctl_counters_put(struct json_writer *writer, const struct twctl_counters *counters)
{
	char boot_id[33];

	for (int i = 0; i < 16; i++)
		snprintf(boot_id + 2 * i, 3, "%02x", counters->att.boot_id[i]);
	json_put_string(writer, "boot_id", boot_id);
	json_put_bool(writer, "is_alive", counters->is_alive);
	json_put_count(writer, "heartbeat_age_ms", counters->heartbeat_age_ns / NS_PER_MS);
	json_put_count(writer, "started_unix_sec", counters->att.started_unix_ns / NS_PER_SEC);
}

bool twctl_counters_check(const struct twctl *twctl, const struct twctl_counters *counters)
{
	if (!abi_attach_is_cut(&counters->att))
		return true;
	twctl_fail(
		twctl, TWCTL_EXIT_FAILED, "the counters file was cut while it was read; try again"
	);
	return false;
}
