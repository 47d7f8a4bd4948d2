// SPDX-License-Identifier: Apache-2.0
//
// The two mappings in the runtime directory (tmpfs), and how each side finds, proves and attaches
// them:
//
//   counters.<boot id in hex>   dp: rw, cp: ro (mapped read-only). One per data-plane boot; its
//                               creator holds an exclusive flock on it until it dies. A segment whose
//                               lock can be taken is dead; it is never written again, is harvested
//                               by the control plane (totals committed) and only then unlinked.
//   control.<boot id in hex>    cp: rw, dp: rw but hostile: see abi_control.h.
//
// Attach fails closed on any mismatch of magic, ABI version, layout hash, sizes or boot id, and the
// error text names both sides' values. No key material but public keys ever stands in a mapping.
#pragma once

#include "common/abi_control.h"
#include "common/abi_stats.h"
#include "common/shm_ring.h"

#include <stdbool.h>
#include <stddef.h>

#define ABI_VERSION 1
#define ABI_COUNTERS_MAGIC 0x31544e4352495754ull // "TWIRCNT1"
#define ABI_CONTROL_MAGIC 0x314c544352495754ull // "TWIRCTL1"
#define ABI_MAX_SLOTS (1u << 20)
#define ABI_MAX_THREADS 129 // 128 workers and the slow path
#define ABI_COMMAND_RING 1024 // records; powers of two
#define ABI_ACK_RING 1024
#define ABI_EVENT_RING 4096

// First page of counters.<boot id>. Written once before the magic is published (release), but for
// the words marked live. dp: rw, cp: ro.
struct abi_counters_header {
	uint64_t magic; // stored last, with release
	uint32_t abi_version;
	uint32_t header_bytes;
	uint64_t layout_hash; // abi_layout_hash() of the creator
	uint64_t total_bytes;
	uint8_t boot_id[16]; // random per data-plane boot
	uint8_t node_public_key[32];
	uint64_t started_unix_ns;
	uint64_t tsc_hz;
	uint32_t pid;
	uint32_t n_slots;
	uint32_t n_threads; // workers + 1; the slow path is the last
	uint32_t n_ports;
	uint64_t slots_offset;
	uint64_t threads_offset;
	uint64_t ports_offset;
	uint64_t heartbeat_unix_ns; // live: slow path, at least once a second
	uint64_t is_stopped; // live: 1 after an orderly drain; nothing is counted any more
	uint64_t events_lost; // live: events that found the ring full
	uint64_t commands_refused; // live
	uint64_t control_corrupt; // live: impossible indices seen in the control mapping
	uint64_t is_snapshot_pending; // live
	char version[32]; // of the data plane program
};

// First page of control.<boot id>. Rings follow at the offsets, each a header and its records.
struct abi_control_header {
	uint64_t magic; // stored last, with release, by dp
	uint32_t abi_version;
	uint32_t header_bytes;
	uint64_t layout_hash;
	uint64_t total_bytes;
	uint8_t boot_id[16];
	uint64_t command_offset;
	uint64_t ack_offset;
	uint64_t event_offset;
};

// FNV-1a over every offset, size and name list of the ABI: two builds with an equal hash agree.
uint64_t abi_layout_hash(void);

// ---- data plane side -------------------------------------------------------------------------

struct abi_segment_conf {
	const char *runtime_dir;
	uint32_t n_slots;
	uint32_t n_threads;
	uint32_t n_ports;
	uint64_t tsc_hz;
	const uint8_t *node_public_key; // 32 bytes
	uint8_t dir_mode_group_writable; // 1: control.<id> is 0660, else 0600
};

// The creator's view.
struct abi_segment {
	struct abi_counters_header *header;
	struct abi_session_slot *slots;
	struct abi_thread_stats *threads;
	struct abi_port_stats *ports;
	struct abi_control_header *control;
	struct shm_ring commands; // dp consumes
	struct shm_ring acks; // dp produces
	struct shm_ring events; // dp produces
	uint8_t boot_id[16];
	int counters_fd; // holds the lock
	char counters_path[256];
	char control_path[256];
};

// Creates both mappings with a fresh boot id, takes the lock, publishes the magics last.
//
// Returns: 0, or -EEXIST, -ENOSPC, -EACCES, … with a sentence in err (what, which path, the way out).
//          Nothing is left behind on failure.
// Note: also takes `dataplane.lock` in runtime_dir, so that a second data plane on the same directory
//       is refused (-EBUSY, the message names the pid that holds it). The lock dies with the process.
int abi_segment_create(
	struct abi_segment *seg, const struct abi_segment_conf *conf, char *err, size_t err_len
);

// Orderly end: unmaps, closes (which releases the lock). The counters file stays for the harvest;
// the control file is unlinked.
void abi_segment_close(struct abi_segment *seg);

// ---- control plane side ----------------------------------------------------------------------

// A reader's view; every pointer is into a read-only mapping but the rings.
struct abi_attachment {
	const struct abi_counters_header *header;
	const struct abi_session_slot *slots;
	const struct abi_thread_stats *threads;
	const struct abi_port_stats *ports;
	uint8_t boot_id[16];
	uint64_t counters_bytes;
	struct abi_control_header *control; // NULL when attached read-only
	struct shm_ring commands; // cp produces
	struct shm_ring acks; // cp consumes
	struct shm_ring events; // cp consumes
	int counters_fd;
};

// Attaches one counters file read-only (also a dead one, for harvest), checks everything.
//
// Returns: 0; -EPROTO on a version or layout mismatch (err names both sides' values); -EAGAIN when
//          the creator has not published yet; other -errno. seg untouched on failure.
int abi_attach_counters(struct abi_attachment *ret, const char *path, char *err, size_t err_len);

// Adds the control mapping of the same boot id to an attachment.
int abi_attach_control(
	struct abi_attachment *att, const char *runtime_dir, char *err, size_t err_len
);

void abi_detach(struct abi_attachment *att);

// Returns: true when no process holds the creator's lock on the attached counters file any more.
bool abi_is_dead(const struct abi_attachment *att);

// Lists the boot ids with a counters file in runtime_dir.
//
// Returns: how many there are (at most max are written), or -errno.
int abi_list_boots(const char *runtime_dir, uint8_t (*ret_boot_ids)[16], int max);

// Path of a boot's counters or control file.
void abi_counters_path(char *dst, size_t len, const char *runtime_dir, const uint8_t boot_id[16]);
void abi_control_path(char *dst, size_t len, const char *runtime_dir, const uint8_t boot_id[16]);

static_assert(sizeof(struct abi_counters_header) <= 4096, "header is one page");
static_assert(sizeof(struct abi_control_header) <= 4096, "header is one page");

// One consistent reading of a slot.
struct abi_session_reading {
	uint32_t generation;
	uint8_t state;
	uint8_t gate;
	uint16_t owner;
	uint64_t out_pkts, in_pkts;
	uint64_t out_bytes, in_bytes; // without the base
	uint64_t base_out_bytes, base_in_bytes;
	uint64_t limit_bytes;
	uint64_t last_authentic_unix_ns;
	uint64_t last_handshake_unix_ns;
	struct abi_endpoint endpoint;
	uint32_t expires_unix_sec;
	uint32_t rate_out_kbps, rate_in_kbps;
	uint64_t free_out_bytes, free_in_bytes, originated_bytes;
	uint64_t drop_out_pkts, drop_in_pkts, keepalive_pkts;
};

// Returns: 0; -ESTALE when the slot's generation is not (or does not stay) `generation`; -EAGAIN
//          when the limits' writer never left its section (dead in the middle): everything but the
//          limits line is then filled in.
int abi_session_read(
	struct abi_session_reading *ret, const struct abi_session_slot *slot, uint32_t generation
);
