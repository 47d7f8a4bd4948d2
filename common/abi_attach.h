// SPDX-License-Identifier: Apache-2.0
//
// The reader's side of the two mappings (control plane, twctl): find the boots in the runtime
// directory, attach one, prove it dead or alive, read a slot. Attach fails closed on any mismatch of
// magic, ABI version, layout hash, sizes, offsets or boot id, and the error text names both sides'
// values. The counters are mapped read-only: nothing here can change what was counted.
#pragma once

#include "common/abi_segment.h"

#include <stdbool.h>

// Every pointer but those of the control mapping is into read-only memory. Counts are private copies
// that were checked: use these, not the header's.
struct abi_attach {
	const struct abi_counters_header *header;
	const struct abi_session_slot *slots;
	const struct abi_thread_stats *threads;
	const struct abi_port_stats *ports;
	uint32_t n_slots;
	uint32_t n_threads; // the last one is the slow path
	uint32_t n_ports;
	uint8_t boot_id[16];
	uint64_t started_unix_ns;
	size_t counters_bytes;
	int counters_fd;
	struct abi_control_header *control; // NULL when attached read-only
	size_t control_bytes;
	struct shm_ring commands; // cp produces
	struct shm_ring acks; // cp consumes
	struct shm_ring events; // cp consumes
};

// Attaches the counters of one boot read-only (also a dead one, for harvest) and checks everything.
//
// Returns: 0; -EPROTO on a mismatch (err names both sides' values); -EAGAIN when the creator has not
//          published yet; -ENOENT, -EACCES, … . ret untouched on failure.
int abi_attach_open(
	struct abi_attach *ret,
	const char *runtime_dir,
	const uint8_t boot_id[16],
	char *err,
	size_t err_len
);

// Adds the control mapping of the same boot. One process at a time may do this (the control plane's
// own lock sees to it): the command ring has one producer.
//
// Returns: as abi_attach_open(); the attachment stays usable read-only on failure.
int abi_attach_open_control(
	struct abi_attach *att, const char *runtime_dir, char *err, size_t err_len
);

// Takes an attachment that was opened, or one that is all zero with counters_fd -1.
void abi_attach_close(struct abi_attach *att);

// Returns: true when no process holds the creator's lock on the attached counters any more: what they
//          say is final.
bool abi_attach_is_dead(const struct abi_attach *att);

// As above for a boot that cannot be attached, since the lock is the same in every version.
//
// Returns: false also when the file cannot be opened.
bool abi_attach_is_boot_dead(const char *runtime_dir, const uint8_t boot_id[16]);

// Returns: true when a file under the attachment was cut; what it shows is zeros since then and must
//          not be believed.
bool abi_attach_is_cut(const struct abi_attach *att);

// Lists the boot ids with a counters file in runtime_dir, in no order.
//
// Returns: how many there are (at most max are written), or -errno.
int abi_attach_list_boots(const char *runtime_dir, uint8_t (*ret_boot_ids)[16], int max);

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

// Returns: 0; -ESTALE when the slot's generation is not (or does not stay) `generation`, ret is then
//          untouched; -EAGAIN when the limits' writer never left its section (dead in the middle):
//          everything but the limits line is then filled in, and that is zero.
int abi_attach_read_session(
	struct abi_session_reading *ret, const struct abi_session_slot *slot, uint32_t generation
);
