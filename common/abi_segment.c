// SPDX-License-Identifier: Apache-2.0
//
// Creating a boot's two mappings. Files are made under hidden names (".counters.<id>"), reserved,
// filled, locked, and only then renamed, so that a crash in the middle leaves nothing that a reader
// could take for a segment. Data plane, slow path, at start and end only.
#include "common/abi_segment.h"

#include "common/abi_guard.h"
#include "common/abi_layout.h"
#include "common/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNTIME_DIR_MAX 180 // so that every path fits the 256 bytes of struct abi_segment

static void boot_path(
	char *dst,
	size_t len,
	const char *runtime_dir,
	const char *prefix,
	const uint8_t boot_id[16]
)
{
	int n = snprintf(dst, len, "%s/%s.", runtime_dir, prefix);

	for (unsigned i = 0; i < 16 && n >= 0 && (size_t)n < len; i++)
		n += snprintf(dst + n, len - (size_t)n, "%02x", boot_id[i]);
}

void abi_segment_counters_path(
	char *dst, size_t len, const char *runtime_dir, const uint8_t boot_id[16]
)
{
	boot_path(dst, len, runtime_dir, "counters", boot_id);
}

void abi_segment_control_path(
	char *dst, size_t len, const char *runtime_dir, const uint8_t boot_id[16]
)
{
	boot_path(dst, len, runtime_dir, "control", boot_id);
}

struct err_text {
	char *text;
	size_t len;
};

static int fail(const struct err_text *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(const struct err_text *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, err->len, format, args);
	va_end(args);
	return code;
}

static int verify_conf(const struct abi_segment_conf *conf, const struct err_text *err)
{
	if (strlen(conf->runtime_dir) > RUNTIME_DIR_MAX)
		return fail(
			err,
			-ENAMETOOLONG,
			"runtime directory %s: longer than %d bytes",
			conf->runtime_dir,
			RUNTIME_DIR_MAX
		);
	if (!abi_layout_check_counts(conf->n_slots, conf->n_threads, conf->n_ports))
		return fail(
			err,
			-EINVAL,
			"%u slots, %u threads, %u ports; allowed are 1..%u, 1..%u, 1..%u",
			conf->n_slots,
			conf->n_threads,
			conf->n_ports,
			ABI_MAX_SLOTS,
			ABI_MAX_THREADS,
			ABI_MAX_PORTS
		);
	return 0;
}

// Returns: the descriptor that holds dataplane.lock, or -errno.
static int take_lock(const char *runtime_dir, const struct err_text *err)
{
	char path[256];
	char text[32] = "";

	if (mkdir(runtime_dir, 0755) != 0 && errno != EEXIST)
		return fail(
			err,
			-errno,
			"runtime directory %s: cannot create: %s",
			runtime_dir,
			strerror(errno)
		);
	snprintf(path, sizeof(path), "%s/dataplane.lock", runtime_dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return fail(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		close(fd);
		return fail(
			err,
			-EBUSY,
			"%s: a data plane already runs on %s (pid %ld): stop it first, or give "
			"this one its "
			"own runtime directory",
			path,
			runtime_dir,
			n > 0 ? strtol(text, NULL, 10) : 0l
		);
	}
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
		int rc = fail(err, -errno, "%s: cannot write: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	return fd;
}

int abi_segment_probe(const char *runtime_dir, char *err_buf, size_t err_len)
{
	const struct err_text err = {err_buf, err_len};
	int fd;

	if (strlen(runtime_dir) > RUNTIME_DIR_MAX)
		return fail(
			&err,
			-ENAMETOOLONG,
			"runtime directory %s: longer than %d bytes",
			runtime_dir,
			RUNTIME_DIR_MAX
		);
	fd = take_lock(runtime_dir, &err);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

// Exactly ours: other things in the directory may begin alike (the API's control.sock does).
static bool is_boot_file(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 && strlen(name + len) == 32 &&
		strspn(name + len, "0123456789abcdef") == 32;
}

// Half-made files and control files of boots before this one. The lock is held, so they have no owner.
static void remove_stale(const char *runtime_dir)
{
	DIR *dir = opendir(runtime_dir);
	const struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (is_boot_file(entry->d_name, "control.") ||
		    is_boot_file(entry->d_name, ".control.") ||
		    is_boot_file(entry->d_name, ".counters."))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

// Creates, locks, reserves and maps one file.
//
// Out: ret_mem, zeroed memory of `bytes`. Returns: the descriptor, or -errno and no file.
static int create_mapping(
	void **ret_mem, const char *path, size_t bytes, mode_t mode, const struct err_text *err
)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return fail(err, -errno, "%s: cannot create: %s", path, strerror(errno));
	if (fchmod(fd, mode) != 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
		rc = fail(err, -errno, "%s: cannot set mode or lock: %s", path, strerror(errno));
		goto err_unlink;
	}
	rc = posix_fallocate(fd, 0, (off_t)bytes);
	if (rc != 0) {
		rc =
			fail(err,
			     -rc,
			     "%s: cannot reserve %zu bytes: %s; free space there or lower the "
			     "number of sessions",
			     path,
			     bytes,
			     strerror(rc));
		goto err_unlink;
	}
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED) {
		rc = fail(
			err, -errno, "%s: cannot map %zu bytes: %s", path, bytes, strerror(errno)
		);
		goto err_unlink;
	}
	*ret_mem = mem;
	return fd;

err_unlink:
	unlink(path);
	close(fd);
	return rc;
}

static void fill_counters(struct abi_segment *seg, const struct abi_segment_conf *conf)
{
	struct abi_layout layout =
		abi_layout_counters(conf->n_slots, conf->n_threads, conf->n_ports);
	uint8_t *base = (uint8_t *)seg->header;
	uint64_t now_ns = clock_unix_ns(&clock_system);

	seg->slots = (void *)(base + layout.slots_offset);
	seg->threads = (void *)(base + layout.threads_offset);
	seg->ports = (void *)(base + layout.ports_offset);
	struct abi_counters_header *hdr = seg->header;
	hdr->abi_version = ABI_VERSION;
	hdr->header_bytes = sizeof(*hdr);
	hdr->layout_hash = abi_layout_hash();
	hdr->total_bytes = layout.total_bytes;
	memcpy(hdr->boot_id, seg->boot_id, 16);
	memcpy(hdr->node_public_key, conf->node_public_key, 32);
	hdr->started_unix_ns = now_ns;
	hdr->heartbeat_unix_ns = now_ns;
	hdr->tsc_hz = conf->tsc_hz;
	hdr->pid = (uint32_t)getpid();
	hdr->n_slots = conf->n_slots;
	hdr->n_threads = conf->n_threads;
	hdr->n_ports = conf->n_ports;
	hdr->slots_offset = layout.slots_offset;
	hdr->threads_offset = layout.threads_offset;
	hdr->ports_offset = layout.ports_offset;
	snprintf(hdr->version, sizeof(hdr->version), "%s", TOLLWIRE_VERSION);
	__atomic_store_n(&hdr->magic, ABI_COUNTERS_MAGIC, __ATOMIC_RELEASE);
}

static void fill_control(struct abi_segment *seg)
{
	struct abi_layout_control layout = abi_layout_control();
	uint8_t *base = (uint8_t *)seg->control;
	struct abi_control_header *hdr = seg->control;

	hdr->abi_version = ABI_VERSION;
	hdr->header_bytes = sizeof(*hdr);
	hdr->layout_hash = abi_layout_hash();
	hdr->total_bytes = layout.total_bytes;
	memcpy(hdr->boot_id, seg->boot_id, 16);
	hdr->command_offset = layout.command_offset;
	hdr->ack_offset = layout.ack_offset;
	hdr->event_offset = layout.event_offset;
	shm_ring_attach_consumer(
		&seg->commands,
		base + layout.command_offset,
		ABI_COMMAND_RING,
		sizeof(struct abi_command)
	);
	shm_ring_attach_producer(
		&seg->acks, base + layout.ack_offset, ABI_ACK_RING, sizeof(struct abi_ack)
	);
	shm_ring_attach_producer(
		&seg->events, base + layout.event_offset, ABI_EVENT_RING, sizeof(struct abi_event)
	);
	__atomic_store_n(&hdr->magic, ABI_CONTROL_MAGIC, __ATOMIC_RELEASE);
}

static int create_control(
	struct abi_segment *seg, const char *hidden, mode_t mode, const struct err_text *err
)
{
	void *mem;
	int fd = create_mapping(&mem, hidden, seg->control_bytes, mode, err);

	if (fd < 0)
		return fd;
	close(fd); // life is proved by the counters' lock; this one only needs to be mapped
	int rc = abi_guard_add(mem, seg->control_bytes);
	if (rc < 0) {
		munmap(mem, seg->control_bytes);
		unlink(hidden);
		return fail(err, rc, "%s: too many mappings guarded at once", hidden);
	}
	seg->control = mem;
	fill_control(seg);
	return 0;
}

// The control file first: whoever finds the counters finds both.
static int rename_both(
	struct abi_segment *seg,
	const char *hidden_counters,
	const char *hidden_control,
	const struct err_text *err
)
{
	if (rename(hidden_control, seg->control_path) != 0)
		return fail(err, -errno, "%s: cannot rename: %s", hidden_control, strerror(errno));
	if (rename(hidden_counters, seg->counters_path) != 0) {
		int rc =
			fail(err, -errno, "%s: cannot rename: %s", hidden_counters, strerror(errno)
			);
		unlink(seg->control_path);
		return rc;
	}
	return 0;
}

int abi_segment_create(
	struct abi_segment *seg, const struct abi_segment_conf *conf, char *err_buf, size_t err_len
)
{
	const struct err_text err = {.text = err_buf, .len = err_len};
	const char *dir = conf->runtime_dir;
	struct abi_segment made = {.counters_fd = -1};
	char hidden_counters[256], hidden_control[256];
	void *mem;

	int rc = verify_conf(conf, &err);
	if (rc < 0)
		return rc;
	made.lock_fd = take_lock(dir, &err);
	if (made.lock_fd < 0)
		return made.lock_fd;
	remove_stale(dir);
	if (getrandom(made.boot_id, 16, 0) != 16) {
		rc = fail(&err, -EIO, "no random bytes from the system");
		goto err_unlock;
	}
	abi_segment_counters_path(made.counters_path, 256, dir, made.boot_id);
	abi_segment_control_path(made.control_path, 256, dir, made.boot_id);
	boot_path(hidden_counters, 256, dir, ".counters", made.boot_id);
	boot_path(hidden_control, 256, dir, ".control", made.boot_id);
	made.counters_bytes =
		abi_layout_counters(conf->n_slots, conf->n_threads, conf->n_ports).total_bytes;
	made.control_bytes = abi_layout_control().total_bytes;

	rc = create_mapping(&mem, hidden_counters, made.counters_bytes, 0640, &err);
	if (rc < 0)
		goto err_unlock;
	made.counters_fd = rc;
	made.header = mem;
	fill_counters(&made, conf);
	rc = create_control(
		&made, hidden_control, conf->dir_mode_group_writable ? 0660 : 0600, &err
	);
	if (rc < 0)
		goto err_counters;
	rc = rename_both(&made, hidden_counters, hidden_control, &err);
	if (rc < 0)
		goto err_control;
	*seg = made;
	return 0;

err_control:
	unlink(hidden_control);
	abi_guard_remove(made.control);
	munmap(made.control, made.control_bytes);
err_counters:
	unlink(hidden_counters);
	munmap(made.header, made.counters_bytes);
	close(made.counters_fd);
err_unlock:
	close(made.lock_fd);
	return rc;
}

void abi_segment_close(struct abi_segment *seg)
{
	unlink(seg->control_path);
	abi_guard_remove(seg->control);
	munmap(seg->control, seg->control_bytes);
	munmap(seg->header, seg->counters_bytes);
	close(seg->counters_fd);
	close(seg->lock_fd);
	*seg = (struct abi_segment){.lock_fd = -1, .counters_fd = -1};
}
