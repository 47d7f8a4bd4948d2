// SPDX-License-Identifier: Apache-2.0
//
// Attaching to a boot's mappings. The header is read into private memory first and only the copy is
// judged; offsets are not believed but computed again from the counts. Control plane's loop thread,
// or twctl.
#include "common/abi_attach.h"

#include "common/abi_guard.h"
#include "common/abi_layout.h"
#include "common/counter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 256

// Opens path and reads its first page, in full or not at all.
//
// Returns: the descriptor; -EPROTO when it is no regular file or shorter than a page; other -errno.
static int open_page(
	const char *path,
	int flags,
	uint64_t *ret_bytes,
	uint8_t page[ABI_PAGE],
	char *err,
	size_t err_len
)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int ret;

	if (fd < 0) {
		ret = -errno;
		snprintf(err, err_len, "%s: cannot open: %s", path, strerror(-ret));
		return ret;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < ABI_PAGE ||
	    pread(fd, page, ABI_PAGE, 0) != ABI_PAGE) {
		snprintf(
			err,
			err_len,
			"%s: not a segment: %lld bytes, needs a header of %d; remove it if no data "
			"plane owns it",
			path,
			(long long)st.st_size,
			ABI_PAGE
		);
		close(fd);
		return -EPROTO;
	}
	*ret_bytes = (uint64_t)st.st_size;
	return fd;
}

// The four words that stand first in both headers in every version.
struct prologue {
	uint64_t magic;
	uint32_t abi_version;
	uint32_t header_bytes;
	uint64_t layout_hash;
};

static int verify_prologue(
	const uint8_t page[ABI_PAGE],
	uint64_t magic,
	uint32_t header_bytes,
	const char *path,
	char *err,
	size_t err_len
)
{
	struct prologue pro;

	memcpy(&pro, page, sizeof(pro));
	if (pro.magic == 0) {
		snprintf(err, err_len, "%s: not published yet", path);
		return -EAGAIN;
	}
	if (pro.magic != magic) {
		snprintf(
			err,
			err_len,
			"%s: not a segment: magic %016" PRIx64 ", expected %016" PRIx64,
			path,
			pro.magic,
			magic
		);
		return -EPROTO;
	}
	if (pro.abi_version != ABI_VERSION || pro.layout_hash != abi_layout_hash() ||
	    pro.header_bytes != header_bytes) {
		snprintf(
			err,
			err_len,
			"%s: the data plane has ABI version %u (layout %016" PRIx64
			", header %u bytes), this program (" TOLLWIRE_VERSION
			") has ABI version %u (layout %016" PRIx64
			", header %u bytes): run both from the same release",
			path,
			pro.abi_version,
			pro.layout_hash,
			pro.header_bytes,
			ABI_VERSION,
			abi_layout_hash(),
			header_bytes
		);
		return -EPROTO;
	}
	return 0;
}

static int verify_counters(
	const struct abi_counters_header *hdr,
	uint64_t file_bytes,
	const uint8_t boot_id[16],
	const char *path,
	char *err,
	size_t err_len
)
{
	if (!abi_layout_check_counts(hdr->n_slots, hdr->n_threads, hdr->n_ports)) {
		snprintf(
			err,
			err_len,
			"%s: %u slots, %u threads, %u ports; this program accepts 1..%u, 1..%u, "
			"1..%u",
			path,
			hdr->n_slots,
			hdr->n_threads,
			hdr->n_ports,
			ABI_MAX_SLOTS,
			ABI_MAX_THREADS,
			ABI_MAX_PORTS
		);
		return -EPROTO;
	}
	struct abi_layout want = abi_layout_counters(hdr->n_slots, hdr->n_threads, hdr->n_ports);
	if (hdr->slots_offset != want.slots_offset || hdr->threads_offset != want.threads_offset ||
	    hdr->ports_offset != want.ports_offset) {
		snprintf(
			err,
			err_len,
			"%s: offsets %" PRIu64 ", %" PRIu64 ", %" PRIu64 "; expected %" PRIu64
			", %" PRIu64 ", %" PRIu64,
			path,
			hdr->slots_offset,
			hdr->threads_offset,
			hdr->ports_offset,
			want.slots_offset,
			want.threads_offset,
			want.ports_offset
		);
		return -EPROTO;
	}
	if (hdr->total_bytes != want.total_bytes || file_bytes != want.total_bytes) {
		snprintf(
			err,
			err_len,
			"%s: header says %" PRIu64 " bytes, the file has %" PRIu64
			", this program expects %" PRIu64,
			path,
			hdr->total_bytes,
			file_bytes,
			want.total_bytes
		);
		return -EPROTO;
	}
	if (memcmp(hdr->boot_id, boot_id, 16) != 0) {
		snprintf(err, err_len, "%s: header and file name give different boot ids", path);
		return -EPROTO;
	}
	return 0;
}

static int map_guarded(
	void **ret, int fd, size_t bytes, int prot, const char *path, char *err, size_t err_len
)
{
	void *mem = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);

	if (mem == MAP_FAILED) {
		int ret_map = -errno;
		snprintf(
			err,
			err_len,
			"%s: cannot map %zu bytes: %s",
			path,
			bytes,
			strerror(-ret_map)
		);
		return ret_map;
	}
	int ret_guard = abi_guard_add(mem, bytes);
	if (ret_guard < 0) {
		snprintf(err, err_len, "%s: too many mappings attached at once", path);
		munmap(mem, bytes);
		return ret_guard;
	}
	*ret = mem;
	return 0;
}

static void unmap_guarded(const void *mem, size_t bytes)
{
	abi_guard_remove(mem);
	munmap((void *)(uintptr_t)mem, bytes);
}

int abi_attach_open(
	struct abi_attach *ret,
	const char *runtime_dir,
	const uint8_t boot_id[16],
	char *err,
	size_t err_len
)
{
	uint8_t page[ABI_PAGE];
	struct abi_counters_header hdr;
	char path[PATH_BYTES];
	uint64_t bytes;
	void *mem;

	abi_segment_counters_path(path, sizeof(path), runtime_dir, boot_id);
	int fd = open_page(path, O_RDONLY, &bytes, page, err, err_len);
	if (fd < 0)
		return fd;
	memcpy(&hdr, page, sizeof(hdr));
	int rc = verify_prologue(page, ABI_COUNTERS_MAGIC, sizeof(hdr), path, err, err_len);
	if (rc == 0)
		rc = verify_counters(&hdr, bytes, boot_id, path, err, err_len);
	if (rc == 0)
		rc = map_guarded(&mem, fd, bytes, PROT_READ, path, err, err_len);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	const uint8_t *base = mem;
	*ret = (struct abi_attach){
		.header = mem,
		.slots = (const void *)(base + hdr.slots_offset),
		.threads = (const void *)(base + hdr.threads_offset),
		.ports = (const void *)(base + hdr.ports_offset),
		.n_slots = hdr.n_slots,
		.n_threads = hdr.n_threads,
		.n_ports = hdr.n_ports,
		.started_unix_ns = hdr.started_unix_ns,
		.counters_bytes = bytes,
		.counters_fd = fd,
	};
	memcpy(ret->boot_id, boot_id, 16);
	return 0;
}

static int verify_control(
	const struct abi_control_header *hdr,
	uint64_t file_bytes,
	const uint8_t boot_id[16],
	const char *path,
	char *err,
	size_t err_len
)
{
	struct abi_layout_control want = abi_layout_control();

	if (hdr->total_bytes != want.total_bytes || file_bytes != want.total_bytes) {
		snprintf(
			err,
			err_len,
			"%s: header says %" PRIu64 " bytes, the file has %" PRIu64
			", this program expects %" PRIu64,
			path,
			hdr->total_bytes,
			file_bytes,
			want.total_bytes
		);
		return -EPROTO;
	}
	if (hdr->command_offset != want.command_offset || hdr->ack_offset != want.ack_offset ||
	    hdr->event_offset != want.event_offset || memcmp(hdr->boot_id, boot_id, 16) != 0) {
		snprintf(err, err_len, "%s: ring offsets or boot id are not this boot's", path);
		return -EPROTO;
	}
	return 0;
}

int abi_attach_open_control(
	struct abi_attach *att, const char *runtime_dir, char *err, size_t err_len
)
{
	uint8_t page[ABI_PAGE];
	struct abi_control_header hdr;
	char path[PATH_BYTES];
	uint64_t bytes;
	void *mem;

	abi_segment_control_path(path, sizeof(path), runtime_dir, att->boot_id);
	int fd = open_page(path, O_RDWR, &bytes, page, err, err_len);
	if (fd < 0)
		return fd;
	memcpy(&hdr, page, sizeof(hdr));
	int rc = verify_prologue(page, ABI_CONTROL_MAGIC, sizeof(hdr), path, err, err_len);
	if (rc == 0)
		rc = verify_control(&hdr, bytes, att->boot_id, path, err, err_len);
	if (rc == 0)
		rc = map_guarded(&mem, fd, bytes, PROT_READ | PROT_WRITE, path, err, err_len);
	close(fd);
	if (rc < 0)
		return rc;
	uint8_t *base = mem;
	att->control = mem;
	att->control_bytes = bytes;
	shm_ring_attach_producer(
		&att->commands,
		base + hdr.command_offset,
		ABI_COMMAND_RING,
		sizeof(struct abi_command)
	);
	shm_ring_attach_consumer(
		&att->acks, base + hdr.ack_offset, ABI_ACK_RING, sizeof(struct abi_ack)
	);
	shm_ring_attach_consumer(
		&att->events, base + hdr.event_offset, ABI_EVENT_RING, sizeof(struct abi_event)
	);
	return 0;
}

void abi_attach_close(struct abi_attach *att)
{
	if (att->header != NULL)
		unmap_guarded(att->header, att->counters_bytes);
	if (att->control != NULL)
		unmap_guarded(att->control, att->control_bytes);
	if (att->counters_fd >= 0)
		close(att->counters_fd);
	*att = (struct abi_attach){.counters_fd = -1};
}

static bool is_unlocked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) != 0)
		return false;
	flock(fd, LOCK_UN);
	return true;
}

bool abi_attach_is_dead(const struct abi_attach *att)
{
	return is_unlocked(att->counters_fd);
}

bool abi_attach_is_boot_dead(const char *runtime_dir, const uint8_t boot_id[16])
{
	char path[PATH_BYTES];

	abi_segment_counters_path(path, sizeof(path), runtime_dir, boot_id);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	bool is_dead = is_unlocked(fd);
	close(fd);
	return is_dead;
}

bool abi_attach_is_cut(const struct abi_attach *att)
{
	return abi_guard_is_cut(att->header) || abi_guard_is_cut(att->control);
}

static bool parse_boot_name(const char *name, uint8_t ret_boot_id[16])
{
	static const char prefix[] = "counters.";
	static const char digits[] = "0123456789abcdef";

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return false;
	name += sizeof(prefix) - 1;
	if (strlen(name) != 32 || strspn(name, digits) != 32)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		unsigned hi = (unsigned)(strchr(digits, name[2 * i]) - digits);
		unsigned lo = (unsigned)(strchr(digits, name[2 * i + 1]) - digits);
		ret_boot_id[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

int abi_attach_list_boots(const char *runtime_dir, uint8_t (*ret_boot_ids)[16], int max)
{
	DIR *dir = opendir(runtime_dir);
	const struct dirent *entry;
	uint8_t boot_id[16];
	int n = 0;

	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		if (!parse_boot_name(entry->d_name, boot_id))
			continue;
		if (n < max)
			memcpy(ret_boot_ids[n], boot_id, 16);
		n++;
	}
	closedir(dir);
	return n;
}

static void read_live(struct abi_session_reading *reading, const struct abi_session_slot *slot)
{
	reading->state = __atomic_load_n(&slot->live.state, __ATOMIC_RELAXED);
	reading->gate = __atomic_load_n(&slot->live.gate, __ATOMIC_RELAXED);
	reading->out_pkts = counter_read(&slot->live.out_pkts);
	reading->in_pkts = counter_read(&slot->live.in_pkts);
	reading->out_bytes = counter_read(&slot->live.out_bytes);
	reading->in_bytes = counter_read(&slot->live.in_bytes);
	reading->last_authentic_unix_ns = counter_read(&slot->live.last_authentic_unix_ns);
	reading->free_out_bytes = counter_read(&slot->free.free_out_bytes);
	reading->free_in_bytes = counter_read(&slot->free.free_in_bytes);
	reading->originated_bytes = counter_read(&slot->free.originated_bytes);
	reading->drop_out_pkts = counter_read(&slot->free.drop_out_pkts);
	reading->drop_in_pkts = counter_read(&slot->free.drop_in_pkts);
	reading->keepalive_pkts = counter_read(&slot->free.keepalive_pkts);
	reading->rate_out_kbps = __atomic_load_n(&slot->free.rate_out_kbps, __ATOMIC_RELAXED);
	reading->rate_in_kbps = __atomic_load_n(&slot->free.rate_in_kbps, __ATOMIC_RELAXED);
}

static int read_limits(struct abi_session_reading *reading, const struct abi_session_slot *slot)
{
	struct abi_session_limits copy;
	size_t from = offsetof(struct abi_session_limits, base_out_bytes);

	if (!seqcount_read(
		    &slot->limits.seq,
		    (uint8_t *)&copy + from,
		    (const uint8_t *)&slot->limits + from,
		    sizeof(copy) - from
	    ))
		return -EAGAIN;
	reading->base_out_bytes = copy.base_out_bytes;
	reading->base_in_bytes = copy.base_in_bytes;
	reading->limit_bytes = copy.limit_bytes;
	reading->last_handshake_unix_ns = copy.last_handshake_unix_ns;
	reading->expires_unix_sec = copy.expires_unix_sec;
	memcpy(reading->endpoint.addr, copy.endpoint_addr, 16);
	reading->endpoint.port_be = copy.endpoint_port_be;
	reading->endpoint.family = copy.endpoint_family;
	return 0;
}

int abi_attach_read_session(
	struct abi_session_reading *ret, const struct abi_session_slot *slot, uint32_t generation
)
{
	struct abi_session_reading reading = {.generation = generation};

	if (__atomic_load_n(&slot->live.generation, __ATOMIC_ACQUIRE) != generation)
		return -ESTALE;
	read_live(&reading, slot);
	int rc = read_limits(&reading, slot);
	reading.owner = __atomic_load_n(&slot->limits.owner, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&slot->live.generation, __ATOMIC_RELAXED) != generation)
		return -ESTALE;
	*ret = reading;
	return rc;
}
