// SPDX-License-Identifier: Apache-2.0
//
// Starts DPDK from the YAML: its arguments are made here and nowhere else, nobody passes any on the
// command line. Main thread, once a process.
#pragma once

#include "config/config.h"

#include <stddef.h>

#define EAL_MAX_ARGS 32
#define EAL_ARG_CAP (CONFIG_TEXT_CAP + 8)

struct eal_args {
	char *argv[EAL_MAX_ARGS];
	int argc;
	char text[EAL_MAX_ARGS][EAL_ARG_CAP];
	char lcores[CONFIG_MAX_WORKERS * 5 + 8];
};

// Pure: what EAL is told.
void eal_build_args(struct eal_args *ret, const struct config *config);

// Hugepages of one size on this host.
struct eal_hugepages {
	uint64_t page_bytes;
	uint64_t n_free;
	uint64_t n_total;
};

// Pure: whether the pages suffice for memory.size_mb.
//
// Returns: 0, or -ENOMEM with a sentence in err: how many there are, how many are needed, the command.
int eal_check_hugepages(
	const struct config *config,
	const struct eal_hugepages pages[],
	unsigned n_pages,
	char *err,
	size_t err_len
);

// Checks hugepages and starts EAL.
//
// Returns: 0 or -errno with a sentence in err.
int eal_open(const struct config *config, char *err, size_t err_len);
void eal_close(void);
