// SPDX-License-Identifier: Apache-2.0
//
// The only file of the control plane that touches shared memory. One round: what died is harvested,
// what lives is attached, what the store says is sent, what is counted is read. Decisions about one
// session's commands are in dp_slot.c, transactions in usage/ and dp_sessions.c. Loop's thread.
#include "controlplane/dp_link.h"

#include "common/counter.h"
#include "common/log.h"
#include "controlplane/dp_report.h"
#include "controlplane/usage/usage_harvest.h"

#include <sodium.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BOOTS 64
#define HEARTBEAT_TIMEOUT_NS (5 * NS_PER_SEC)
#define CLOCK_JUMP_NS (5 * NS_PER_SEC)
#define CLOCK_ALERT_NS (60 * NS_PER_SEC)
#define ERR_CAP 600

struct dp_link {
	struct dp_link_conf conf;
	struct dp_sessions sessions;
	struct abi_attach att;
	bool is_attached;
	bool must_scan_strangers;
	bool is_abi_bad; // in this round
	bool is_harvest_bad; // in this round
	uint64_t last_command_id;
	uint64_t heartbeat; // as last seen, and when it moved
	uint64_t heartbeat_mono_ns;
	int64_t unix_minus_mono_ns; // at the last round
	uint64_t clock_alert_mono_ns;
	uint64_t n_harvested;
	uint64_t n_corrupt; // impossible ring indices already reported
};

static uint64_t unix_now(const struct dp_link *link)
{
	return clock_unix_ns(link->conf.clock);
}

static uint64_t mono_now(const struct dp_link *link)
{
	return clock_mono_ns(link->conf.clock);
}

int dp_link_create(struct dp_link **ret, const struct dp_link_conf *conf)
{
	struct dp_link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return -ENOMEM;
	link->conf = *conf;
	link->att.counters_fd = -1;
	int rc = dp_sessions_init(&link->sessions, conf);
	if (rc != 0) {
		free(link);
		return rc;
	}
	link->unix_minus_mono_ns = (int64_t)(unix_now(link) - mono_now(link));
	// Acknowledgements of an earlier life may still stand in the ring. Random, since the clock may
	// have been set back: a wrong match would take old limits for those in force.
	randombytes_buf(&link->last_command_id, sizeof(link->last_command_id));
	link->last_command_id >>= 2;
	*ret = link;
	return 0;
}

void dp_link_destroy(struct dp_link *link)
{
	char err[ERR_CAP];

	if (link == NULL)
		return;
	if (usage_commit(link->conf.usage, true, err, sizeof(err)) < 0)
		log_warn("link", "last checkpoint: %s; the counters keep it", err);
	abi_attach_close(&link->att);
	dp_sessions_fini(&link->sessions);
	free(link);
}

void dp_link_session_changed(void *ctx, const struct session *session)
{
	dp_sessions_set(&((struct dp_link *)ctx)->sessions, session);
}

// ---- boots -----------------------------------------------------------------------------------

static int read_slot(void *ctx, uint32_t slot, uint32_t generation, struct abi_session_reading *ret)
{
	const struct abi_attach *att = ctx;

	if (slot >= att->n_slots)
		return -ESTALE;
	int rc = abi_attach_read_session(ret, &att->slots[slot], generation);
	return abi_attach_is_cut(att) ? -EIO : rc;
}

static struct usage_harvest harvest_of(const struct dp_link *link, const struct abi_attach *att)
{
	return (struct usage_harvest){
		.db = link->conf.db,
		.config = link->conf.config,
		.now_unix_ns = unix_now(link),
		.read = att != NULL ? read_slot : NULL,
		.ctx = (void *)(uintptr_t)att,
	};
}

static void text_of(const uint8_t boot_id[16], char ret[33])
{
	for (unsigned i = 0; i < 16; i++)
		snprintf(ret + 2 * i, 3, "%02x", boot_id[i]);
}

static void unlink_boot(const struct dp_link *link, const uint8_t boot_id[16])
{
	const char *dir = link->conf.config->node.runtime_dir;
	char path[512];

	abi_segment_control_path(path, sizeof(path), dir, boot_id);
	unlink(path);
	abi_segment_counters_path(path, sizeof(path), dir, boot_id);
	if (unlink(path) != 0 && errno != ENOENT)
		log_warn("link", "%s: harvested, but cannot be removed: %s", path, strerror(errno));
}

// Commits what a boot that is over has counted; att is NULL when its segment is gone. Only then is
// the segment removed.
static void harvest(struct dp_link *link, const uint8_t boot_id[16], const struct abi_attach *att)
{
	const struct usage_harvest what = harvest_of(link, att);
	char err[ERR_CAP], text[33];
	int n = usage_harvest_boot(&what, boot_id, err, sizeof(err));

	text_of(boot_id, text);
	if (n < 0) {
		link->is_harvest_bad = true;
		health_set(
			link->conf.health,
			HEALTH_HARVEST,
			unix_now(link),
			"boot %s: %s; its counters are kept and tried again",
			text,
			err
		);
		return;
	}
	log_info(
		"link",
		"boot %s harvested: %d sessions%s",
		text,
		n,
		att == NULL ? ", from their last checkpoints: its counters are gone" : ""
	);
	unlink_boot(link, boot_id);
	link->n_harvested++;
	dp_sessions_reload(&link->sessions);
}

static void attach(struct dp_link *link, const uint8_t boot_id[16])
{
	const char *dir = link->conf.config->node.runtime_dir;
	char err[ERR_CAP], text[33];
	struct abi_attach att;

	int rc = abi_attach_open(&att, dir, boot_id, err, sizeof(err));
	if (rc == 0) {
		rc = abi_attach_open_control(&att, dir, err, sizeof(err));
		if (rc != 0)
			abi_attach_close(&att);
	}
	if (rc != 0) {
		link->is_abi_bad = true;
		health_set(link->conf.health, HEALTH_ABI, unix_now(link), "%s", err);
		return;
	}
	link->att = att;
	link->is_attached = true;
	link->must_scan_strangers = true;
	link->heartbeat = 0;
	link->heartbeat_mono_ns = mono_now(link);
	link->n_corrupt = 0;
	dp_sessions_reset(&link->sessions, att.n_slots);
	text_of(boot_id, text);
	log_info("link", "attached to boot %s, pid %u", text, att.header->pid);
	health_clear(link->conf.health, HEALTH_DATAPLANE);
	health_clear(link->conf.health, HEALTH_CONTROL);
}

// Each boot in the directory: the dead ones are harvested, a live one is remembered.
//
// Returns: true when live_id is one to attach to.
static bool scan_boots(struct dp_link *link, uint8_t live_id[16])
{
	const char *dir = link->conf.config->node.runtime_dir;
	uint8_t ids[MAX_BOOTS][16];
	uint64_t live_started_ns = 0;
	char err[ERR_CAP];
	bool has_live = false;
	int n = abi_attach_list_boots(dir, ids, MAX_BOOTS);

	for (int i = 0; i < n && i < MAX_BOOTS; i++) {
		struct abi_attach att;
		if (link->is_attached && memcmp(ids[i], link->att.boot_id, 16) == 0)
			continue;
		int rc = abi_attach_open(&att, dir, ids[i], err, sizeof(err));
		if (rc != 0 && rc != -EAGAIN && rc != -ENOENT) {
			link->is_abi_bad = true;
			dp_report_unusable(&link->sessions, ids[i], err);
		}
		if (rc != 0)
			continue;
		if (abi_attach_is_dead(&att)) {
			harvest(link, ids[i], &att);
		} else if (!has_live || att.started_unix_ns > live_started_ns) {
			has_live = true;
			live_started_ns = att.started_unix_ns;
			memcpy(live_id, ids[i], 16);
		}
		abi_attach_close(&att);
	}
	return has_live;
}

// Ledgers that are bound to a boot of which nothing is left, as after a reboot of the host.
static void harvest_gone(struct dp_link *link)
{
	uint8_t ids[MAX_BOOTS][16];
	char path[512];
	int n = usage_harvest_list(link->conf.db, ids, MAX_BOOTS);

	for (int i = 0; i < n && i < MAX_BOOTS; i++) {
		if (link->is_attached && memcmp(ids[i], link->att.boot_id, 16) == 0)
			continue;
		abi_segment_counters_path(
			path, sizeof(path), link->conf.config->node.runtime_dir, ids[i]
		);
		if (access(path, F_OK) != 0 && errno == ENOENT)
			harvest(link, ids[i], NULL);
	}
	link->sessions.has_foreign_ledger = false;
}

static void find_boot(struct dp_link *link)
{
	uint8_t live_id[16];

	if (link->is_attached && abi_attach_is_dead(&link->att)) {
		log_warn("link", "the data plane (pid %u) has ended", link->att.header->pid);
		abi_attach_close(&link->att);
		link->is_attached = false;
		dp_sessions_reset(&link->sessions, 0);
	}
	link->is_abi_bad = false;
	link->is_harvest_bad = false;
	if (scan_boots(link, live_id) && !link->is_attached)
		attach(link, live_id);
	if (!link->is_abi_bad)
		health_clear(link->conf.health, HEALTH_ABI);
	if (link->sessions.has_foreign_ledger)
		harvest_gone(link);
	if (!link->is_harvest_bad)
		health_clear(link->conf.health, HEALTH_HARVEST);
	if (!link->is_attached)
		dp_report_no_dataplane(&link->sessions);
}

// ---- commands, acknowledgements, events ------------------------------------------------------

// Returns: false when the ring is full: the next round goes on.
static bool push(struct dp_link *link, struct abi_command *command)
{
	command->id = ++link->last_command_id;
	return shm_ring_push(&link->att.commands, command) == 0;
}

// Sessions that the data plane has and the store does not know in that place: a store put back from
// a backup. They would be served for nothing.
static void remove_strangers(struct dp_link *link)
{
	link->must_scan_strangers = false;
	for (uint32_t i = 0; i < link->att.n_slots; i++) {
		const struct abi_session_slot *slot = &link->att.slots[i];
		uint32_t generation = __atomic_load_n(&slot->live.generation, __ATOMIC_ACQUIRE);
		uint8_t state = __atomic_load_n(&slot->live.state, __ATOMIC_RELAXED);
		if (generation == 0 || state == ABI_SLOT_REMOVED || state == ABI_SLOT_FREE ||
		    dp_sessions_is_known(&link->sessions, i, generation))
			continue;
		struct abi_command command = {
			.kind = ABI_COMMAND_REMOVE,
			.slot = i,
			.generation = generation,
		};
		log_warn(
			"link", "slot %u holds a session that the store does not know: removed", i
		);
		if (!push(link, &command)) {
			link->must_scan_strangers = true;
			return;
		}
	}
}

static void send_commands(struct dp_link *link)
{
	uint64_t now_ns = mono_now(link);
	struct abi_command command;

	for (uint32_t i = 0; i < link->sessions.n_used && i < link->att.n_slots; i++) {
		struct dp_slot *slot = &link->sessions.slots[i];
		if (!dp_slot_next(slot, now_ns, &command))
			continue;
		if (command.kind == ABI_COMMAND_ADD)
			usage_base(link->conf.usage, i, &command);
		if (!push(link, &command))
			return;
		dp_slot_sent(slot, &command, now_ns);
	}
}

static void take_acks(struct dp_link *link)
{
	const struct usage_harvest live = harvest_of(link, &link->att);
	struct abi_ack ack;

	for (unsigned i = 0; i < ABI_ACK_RING; i++) {
		int rc = shm_ring_pop(&link->att.acks, &ack);
		if (rc == 0)
			return;
		if (rc == 1)
			dp_sessions_ack(&link->sessions, &ack, &live);
	}
}

static void take_event(struct dp_link *link, const struct abi_event *event)
{
	if (event->kind == ABI_EVENT_GATEWAY_LOST)
		health_set(
			link->conf.health,
			HEALTH_GATEWAY,
			unix_now(link),
			"the gateway of port %u does not answer ARP",
			event->port
		);
	else if (event->kind == ABI_EVENT_GATEWAY_FOUND)
		health_clear(link->conf.health, HEALTH_GATEWAY);
	else
		dp_sessions_log_event(&link->sessions, event);
}

static void take_events(struct dp_link *link)
{
	struct abi_event event;

	// Hints: a lost one costs nothing, since every slot is read in each round.
	for (unsigned i = 0; i < ABI_EVENT_RING; i++) {
		int rc = shm_ring_pop(&link->att.events, &event);
		if (rc == 0)
			return;
		if (rc == 1)
			take_event(link, &event);
	}
}

// ---- what is watched -------------------------------------------------------------------------

static void watch_heartbeat(struct dp_link *link)
{
	uint64_t beat = counter_read(&link->att.header->heartbeat_unix_ns);
	uint64_t now_ns = mono_now(link);

	if (beat != link->heartbeat) {
		link->heartbeat = beat;
		link->heartbeat_mono_ns = now_ns;
		health_clear(link->conf.health, HEALTH_HEARTBEAT);
	} else if (now_ns - link->heartbeat_mono_ns >= HEARTBEAT_TIMEOUT_NS) {
		health_set(
			link->conf.health,
			HEALTH_HEARTBEAT,
			unix_now(link),
			"the data plane's slow path (pid %u) has not moved for more than 5 s",
			link->att.header->pid
		);
	}
}

static void watch_rings(struct dp_link *link)
{
	uint64_t n_corrupt = link->att.commands.n_corrupt + link->att.acks.n_corrupt +
		link->att.events.n_corrupt;

	if (n_corrupt == link->n_corrupt && !abi_attach_is_cut(&link->att))
		return;
	link->n_corrupt = n_corrupt;
	health_set(
		link->conf.health,
		HEALTH_CONTROL,
		unix_now(link),
		"the control mapping is damaged: restart tollwire-dataplane; nothing that was "
		"counted is lost"
	);
}

static void watch_clock(struct dp_link *link)
{
	int64_t offset_ns = (int64_t)(unix_now(link) - mono_now(link));
	int64_t jump_ns = offset_ns - link->unix_minus_mono_ns;

	link->unix_minus_mono_ns = offset_ns;
	if (jump_ns > (int64_t)CLOCK_JUMP_NS || jump_ns < -(int64_t)CLOCK_JUMP_NS) {
		link->clock_alert_mono_ns = mono_now(link);
		health_set(
			link->conf.health,
			HEALTH_CLOCK,
			unix_now(link),
			"the wall clock jumped by %" PRId64 " s: expiries are judged by it",
			jump_ns / (int64_t)NS_PER_SEC
		);
		// The data plane turned expiries into intervals when it got them.
		dp_sessions_resend(&link->sessions);
	} else if (mono_now(link) - link->clock_alert_mono_ns >= CLOCK_ALERT_NS) {
		health_clear(link->conf.health, HEALTH_CLOCK);
	}
}

void dp_link_tick(struct dp_link *link)
{
	char err[ERR_CAP];

	watch_clock(link);
	find_boot(link);
	if (link->sessions.is_incomplete)
		dp_sessions_reload(&link->sessions);
	if (link->is_attached) {
		const struct usage_harvest live = harvest_of(link, &link->att);
		watch_heartbeat(link);
		take_acks(link);
		take_events(link);
		dp_sessions_bind(&link->sessions, link->att.boot_id, &live);
		if (link->must_scan_strangers && !link->sessions.is_incomplete)
			remove_strangers(link);
		send_commands(link);
		dp_sessions_poll(&link->sessions, &live);
		watch_rings(link);
	}
	const struct usage_harvest gone = harvest_of(link, NULL);
	dp_sessions_finish(&link->sessions, &gone);
	if (usage_commit(link->conf.usage, false, err, sizeof(err)) < 0)
		health_set(link->conf.health, HEALTH_STORE, unix_now(link), "%s", err);
	else
		dp_report_probe_store(&link->sessions);
	dp_report_conditions(&link->sessions);
}

void dp_link_status(const struct dp_link *link, struct dp_link_status *ret)
{
	*ret = (struct dp_link_status){
		.is_attached = link->is_attached,
		.n_harvested = link->n_harvested,
	};
	dp_report_count(&link->sessions, &ret->n_sessions, &ret->n_commands_waiting);
	if (!link->is_attached)
		return;
	const struct abi_counters_header *header = link->att.header;
	memcpy(ret->boot_id, link->att.boot_id, 16);
	memcpy(ret->version, header->version, sizeof(ret->version) - 1);
	memcpy(ret->node_public_key, header->node_public_key, 32);
	ret->pid = header->pid;
	ret->started_unix_ns = header->started_unix_ns;
	ret->heartbeat_age_ns = mono_now(link) - link->heartbeat_mono_ns;
	ret->n_slots = link->att.n_slots;
	ret->events_lost = counter_read(&header->events_lost);
	ret->commands_refused = counter_read(&header->commands_refused);
}

bool dp_link_counters(const struct dp_link *link, struct dp_link_counters *ret)
{
	if (!link->is_attached || abi_attach_is_cut(&link->att))
		return false;
	*ret = (struct dp_link_counters){
		.threads = link->att.threads,
		.ports = link->att.ports,
		.n_threads = link->att.n_threads,
		.n_ports = link->att.n_ports,
		.tsc_hz = link->att.header->tsc_hz,
	};
	return true;
}
