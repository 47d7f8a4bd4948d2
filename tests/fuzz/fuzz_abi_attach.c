// SPDX-License-Identifier: Apache-2.0
//
// Fuzz target: a counters file whose header is the input, at a size that the input names. Attach
// refuses it or every slot, thread and port that it says it has can be read.
#include "common/abi_attach.h"
#include "common/abi_layout.h"
#include "common/counter.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static const uint8_t boot_id[16] = {0xb0};
static uint8_t image[64 * 1024];

static void remove_dir(void)
{
	rmdir(dir);
}

static void setup(void)
{
	if (dir[0] != '\0')
		return;
	snprintf(dir, sizeof(dir), "/tmp/fuzz_abi_attach.%d", (int)getpid());
	if (mkdir(dir, 0700) != 0)
		abort();
	atexit(remove_dir);
}

// The header that would be accepted; the input is laid over it.
static size_t valid_image(void)
{
	const struct abi_layout layout = abi_layout_counters(4, 2, 1);
	struct abi_counters_header header = {
		.magic = ABI_COUNTERS_MAGIC,
		.abi_version = ABI_VERSION,
		.header_bytes = sizeof(header),
		.layout_hash = abi_layout_hash(),
		.total_bytes = layout.total_bytes,
		.n_slots = 4,
		.n_threads = 2,
		.n_ports = 1,
		.slots_offset = layout.slots_offset,
		.threads_offset = layout.threads_offset,
		.ports_offset = layout.ports_offset,
	};

	memset(image, 0, sizeof(image));
	memcpy(header.boot_id, boot_id, 16);
	memcpy(image, &header, sizeof(header));
	return layout.total_bytes;
}

static volatile uint64_t sink; // what is read goes somewhere, so that it is read

static void read_all(const struct abi_attach *att)
{
	struct abi_session_reading reading;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < att->n_slots; i++) {
		if (abi_attach_read_session(&reading, &att->slots[i], 0) == 0)
			sum += reading.out_bytes;
	}
	for (uint32_t i = 0; i < att->n_threads; i++)
		sum += counter_read(&att->threads[i].nat.ports_total);
	for (uint32_t i = 0; i < att->n_ports; i++)
		sum += counter_read(&att->ports[i].tx_error_pkts);
	sink = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct abi_attach att;
	char path[256], err[600];

	setup();
	size_t bytes = valid_image();
	// Two bytes: by how much the size is off. Two: where the rest is laid over the header.
	if (len >= 4) {
		bytes += (size_t)(int8_t)data[0] * data[1];
		size_t at = (size_t)(data[2] | data[3] << 8) % ABI_PAGE;
		memcpy(image + at, data + 4, len - 4 < ABI_PAGE - at ? len - 4 : ABI_PAGE - at);
	}
	if (bytes > sizeof(image))
		return 0;
	abi_segment_counters_path(path, sizeof(path), dir, boot_id);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, image, bytes) != (ssize_t)bytes)
		abort();
	close(fd);
	if (abi_attach_open(&att, dir, boot_id, err, sizeof(err)) == 0) {
		read_all(&att);
		abi_attach_close(&att);
	}
	unlink(path);
	return 0;
}
