// SPDX-License-Identifier: Apache-2.0
//
// See eal.h.
#include "dataplane/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HUGEPAGE_DIR "/sys/kernel/mm/hugepages"
#define MAX_PAGE_SIZES 8
#define DEFAULT_PAGE_BYTES (2u << 20)

__attribute__((format(printf, 2, 3))) static void add(
	struct eal_args *args, const char *format, ...
)
{
	char *text = args->text[args->argc];
	va_list list;

	va_start(list, format);
	vsnprintf(text, EAL_ARG_CAP, format, list);
	va_end(list);
	args->argv[args->argc++] = text;
	args->argv[args->argc] = NULL;
}

static bool is_pci(const struct config_port *port)
{
	return port->devargs[strcspn(port->devargs, ":,")] == ':';
}

// DPDK's "info" tells what only its developers want to know.
static const char *level_of(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARN:
	case LOG_LEVEL_INFO:
		return "warning";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "warning";
}

static void add_lcores(struct eal_args *args, const struct config_worker *worker)
{
	int n = snprintf(args->lcores, sizeof(args->lcores), "%u", worker->main_core);

	for (uint32_t i = 0; i < worker->n_cores; i++)
		n += snprintf(
			args->lcores + n, sizeof(args->lcores) - (size_t)n, ",%u", worker->cores[i]
		);
	add(args, "-l");
	args->argv[args->argc++] = args->lcores;
	add(args, "--main-lcore=%u", worker->main_core);
}

static void add_ports(struct eal_args *args, const struct config *config)
{
	bool has_pci = false;

	for (uint32_t i = 0; i < config->n_ports; i++)
		if (is_pci(&config->ports[i])) {
			add(args, "-a");
			add(args, "%s", config->ports[i].devargs);
			has_pci = true;
		}
	if (!has_pci)
		add(args, "--no-pci");
}

void eal_build_args(struct eal_args *ret, const struct config *config)
{
	memset(ret, 0, sizeof(*ret));
	add(ret, "tollwire-dataplane");
	add_lcores(ret, &config->worker);
	// No files: nothing is left behind, two nodes never meet. Without hugepages EAL knows no
	// --in-memory, and keeps no files but by --no-shconf.
	if (config->memory.hugepages)
		add(ret, "--in-memory");
	else
		add(ret, "--no-huge");
	add(ret, "--no-shconf");
	add(ret, "--no-telemetry");
	add(ret, "-m");
	add(ret, "%u", config->memory.size_mb);
	add(ret, "--log-level=%s", level_of(config->node.log_level));
	add_ports(ret, config);
}

int eal_check_hugepages(
	const struct config *config,
	const struct eal_hugepages pages[],
	unsigned n_pages,
	char *err,
	size_t err_len
)
{
	uint64_t wanted_bytes = (uint64_t)config->memory.size_mb << 20;
	uint64_t free_bytes = 0, wanted_pages, n_total = 0, n_free = 0;

	if (!config->memory.hugepages)
		return 0;
	for (unsigned i = 0; i < n_pages; i++) {
		free_bytes += pages[i].page_bytes * pages[i].n_free;
		if (pages[i].page_bytes == DEFAULT_PAGE_BYTES) {
			n_total = pages[i].n_total;
			n_free = pages[i].n_free;
		}
	}
	if (free_bytes >= wanted_bytes)
		return 0;
	wanted_pages = (wanted_bytes + DEFAULT_PAGE_BYTES - 1) / DEFAULT_PAGE_BYTES;
	snprintf(
		err,
		err_len,
		"memory.size_mb: %u needs %" PRIu64 " hugepages of 2 MB, and %" PRIu64
		" of %" PRIu64 " are free: run 'sysctl -w vm.nr_hugepages=%" PRIu64
		"', or set memory.hugepages: false to try it out with ordinary pages",
		config->memory.size_mb,
		wanted_pages,
		n_free,
		n_total,
		n_total - n_free + wanted_pages
	);
	return -ENOMEM;
}

static uint64_t read_number(const char *page_dir, const char *name)
{
	char path[512];
	uint64_t value = 0;
	FILE *file;

	snprintf(path, sizeof(path), HUGEPAGE_DIR "/%s/%s", page_dir, name);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNu64, &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static unsigned read_hugepages(struct eal_hugepages ret[MAX_PAGE_SIZES])
{
	DIR *dir = opendir(HUGEPAGE_DIR);
	const struct dirent *entry;
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while (n < MAX_PAGE_SIZES && (entry = readdir(dir)) != NULL) {
		uint64_t kb;

		if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB", &kb) != 1)
			continue;
		ret[n++] = (struct eal_hugepages){
			.page_bytes = kb << 10,
			.n_free = read_number(entry->d_name, "free_hugepages"),
			.n_total = read_number(entry->d_name, "nr_hugepages"),
		};
	}
	closedir(dir);
	return n;
}

int eal_open(const struct config *config, char *err, size_t err_len)
{
	struct eal_hugepages pages[MAX_PAGE_SIZES];
	unsigned n_pages = read_hugepages(pages);
	struct eal_args args;
	int rc = eal_check_hugepages(config, pages, n_pages, err, err_len);

	if (rc < 0)
		return rc;
	eal_build_args(&args, config);
	if (rte_eal_init(args.argc, args.argv) >= 0)
		return 0;
	rc = rte_errno == 0 ? EINVAL : rte_errno;
	snprintf(
		err,
		err_len,
		"DPDK does not start (%s) on cores %s with %u MB: check worker.cores, "
		"worker.main_core and memory.size_mb; its own messages stand above",
		strerror(rc),
		args.lcores,
		config->memory.size_mb
	);
	return -rc;
}

void eal_close(void)
{
	rte_eal_cleanup();
}
