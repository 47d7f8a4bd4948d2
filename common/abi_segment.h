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
// This file is the creator's side (data plane, slow path); the reader's is abi_attach.h. No key
// material but public keys ever stands in a mapping.
#pragma once

#include "common/abi_control.h"
#include "common/abi_stats.h"
#include "common/shm_ring.h"

#include <stddef.h>

#define ABI_VERSION 1
#define ABI_PAGE 4096
#define ABI_COUNTERS_MAGIC 0x31544e4352495754ull // "TWIRCNT1"
#define ABI_CONTROL_MAGIC 0x314c544352495754ull // "TWIRCTL1"
#define ABI_MAX_SLOTS (1u << 20)
#define ABI_MAX_THREADS 129 // 128 workers and the slow path
#define ABI_COMMAND_RING 1024 // records; powers of two
#define ABI_ACK_RING 1024
#define ABI_EVENT_RING 4096

// First page of counters.<boot id>. Written once before the magic is published (release), but for
// the words marked live. dp: rw, cp: ro. In every version, the first four fields of both headers stay
// where they are, so that any two versions can tell each other apart.
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

struct abi_segment_conf {
	const char *runtime_dir;
	uint32_t n_slots;
	uint32_t n_threads;
	uint32_t n_ports;
	uint64_t tsc_hz;
	const uint8_t *node_public_key; // 32 bytes
	uint8_t dir_mode_group_writable; // 1: control.<id> is 0660, else 0600; counters.<id> is 0640
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
	int lock_fd; // dataplane.lock
	int counters_fd; // holds the lock that proves life
	size_t counters_bytes;
	size_t control_bytes;
	char counters_path[256];
	char control_path[256];
};

// Looks whether a data plane could be created in runtime_dir, before anything is started that a second
// one would take from the first. abi_segment_create() decides in the end.
//
// Returns: 0, or -EBUSY, -EACCES, … with a sentence in err.
int abi_segment_probe(const char *runtime_dir, char *err_buf, size_t err_len);

// Creates both mappings with a fresh boot id under hidden names, takes the lock, publishes the magics
// and only then renames them into place: a file that a reader can find is complete and locked. All
// memory is reserved here, so a full tmpfs is an error now and not a SIGBUS later. The control mapping
// stands under abi_guard.h: a control plane that cuts the file cannot kill the data plane.
//
// Returns: 0, or -EBUSY, -ENOSPC, -EACCES, -EINVAL, … with a sentence in err (what, which path, the
//          way out). Nothing is left behind on failure.
// Note: also takes `dataplane.lock` in runtime_dir, so that a second data plane on the same directory
//       is refused (-EBUSY, the message names the pid that holds it). The lock dies with the process;
//       a lock file that nobody holds is no obstacle. Control files of dead boots are removed.
int abi_segment_create(
	struct abi_segment *seg, const struct abi_segment_conf *conf, char *err, size_t err_len
);

// Orderly end: unmaps, closes (which releases the lock). The counters file stays for the harvest;
// the control file is unlinked.
void abi_segment_close(struct abi_segment *seg);

// Path of a boot's counters or control file.
void abi_segment_counters_path(
	char *dst, size_t len, const char *runtime_dir, const uint8_t boot_id[16]
);
void abi_segment_control_path(
	char *dst, size_t len, const char *runtime_dir, const uint8_t boot_id[16]
);

static_assert(sizeof(struct abi_counters_header) <= ABI_PAGE, "header is one page");
static_assert(sizeof(struct abi_control_header) <= ABI_PAGE, "header is one page");
