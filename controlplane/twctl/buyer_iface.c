// SPDX-License-Identifier: Apache-2.0
//
// See buyer_iface.h.
#include "buyer_iface.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// WireGuard whitepaper, section 5.4.6: type, receiver index and counter are 16 octets, the tag 16.
#define IN_EXTRA_BYTES 32
#define OUT_EXTRA_BYTES 16

int buyer_iface_extra(uint64_t out_pkts, uint64_t in_pkts, uint64_t *ret_bytes)
{
	uint64_t out, in;

	if (__builtin_mul_overflow(out_pkts, OUT_EXTRA_BYTES, &out) ||
	    __builtin_mul_overflow(in_pkts, IN_EXTRA_BYTES, &in) ||
	    __builtin_add_overflow(out, in, &out))
		return -EOVERFLOW;
	*ret_bytes = out;
	return 0;
}

// A small file as text without its line end.
static int read_text(const char *path, char *dst, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENODEV : -errno;
	n = read(fd, dst, cap - 1);
	r = n < 0 ? -errno : 0;
	close(fd);
	if (r < 0)
		return r == -EINVAL ? -ENODEV : r; // sysfs of an interface that is going away
	while (n > 0 && dst[n - 1] == '\n')
		n--;
	dst[n] = '\0';
	return 0;
}

struct dir {
	const char *sysfs;
	const char *name;
	int error; // sticky
};

static uint64_t read_number(struct dir *dir, const char *file)
{
	char path[PATH_MAX], text[32] = "", *end;
	uint64_t value;

	if (dir->error != 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s/%s", dir->sysfs, dir->name, file);
	dir->error = read_text(path, text, sizeof(text));
	if (dir->error != 0)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
		dir->error = -EINVAL;
	return value;
}

static bool is_kernel_wireguard(struct dir *dir)
{
	char path[PATH_MAX], text[1024] = "";

	if (dir->error != 0)
		return false;
	snprintf(path, sizeof(path), "%s/%s/uevent", dir->sysfs, dir->name);
	dir->error = read_text(path, text, sizeof(text));
	for (char *line = text; line != NULL;) {
		char *next = strchr(line, '\n');

		if (next != NULL)
			*next++ = '\0';
		if (strcmp(line, "DEVTYPE=wireguard") == 0)
			return true;
		line = next;
	}
	return false;
}

int buyer_iface_read(
	const char *sysfs, const char *boot_id, const char *name, struct buyer_meter_sample *ret
)
{
	struct dir dir = {.sysfs = sysfs, .name = name};
	struct buyer_meter_sample sample = {0};
	uint64_t ifindex, again, out_pkts = 0, in_pkts = 0;
	int r;

	if (name[0] == '\0' || name[0] == '.' || strlen(name) >= IF_NAMESIZE ||
	    strchr(name, '/') != NULL)
		return -EINVAL;
	ifindex = read_number(&dir, "ifindex");
	// Octets before packets: the sum is rather too low by one packet's extra than too high.
	sample.out_bytes = read_number(&dir, "statistics/tx_bytes");
	sample.in_bytes = read_number(&dir, "statistics/rx_bytes");
	if (is_kernel_wireguard(&dir)) {
		out_pkts = read_number(&dir, "statistics/tx_packets");
		in_pkts = read_number(&dir, "statistics/rx_packets");
	}
	again = read_number(&dir, "ifindex");
	if (dir.error != 0)
		return dir.error;
	if (again != ifindex || ifindex > UINT32_MAX)
		return -EAGAIN;
	r = read_text(boot_id, sample.boot_id, sizeof(sample.boot_id));
	if (r < 0)
		return r;
	sample.ifindex = (uint32_t)ifindex;
	r = buyer_iface_extra(out_pkts, in_pkts, &sample.extra_bytes);
	if (r == 0)
		*ret = sample;
	return r;
}
