// SPDX-License-Identifier: Apache-2.0
//
// The configuration loader on any bytes. What it accepts must be writable and load again to the same;
// what it refuses must have an error and leave the struct alone.
#include "config/config_load.h"
#include "config/config_write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int is_true)
{
	if (!is_true)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config, again;
	static struct config_report report;
	char *text = NULL;
	size_t len = 0;
	FILE *out;
	int rc;

	if (size > 16384)
		return 0;
	memset(&config, 0xa5, sizeof(config));
	rc = config_load_text(&config, (const char *)data, size, "fuzz", &report);
	if (rc < 0) {
		demand(report.n_errors > 0);
		demand(config.n_ports == 0xa5a5a5a5);
		return 0;
	}
	demand(report.n_errors == 0);
	out = open_memstream(&text, &len);
	demand(out != NULL && config_write_yaml(&config, out) == 0 && fclose(out) == 0);
	demand(config_load_text(&again, text, len, "again", &report) == 0);
	demand(memcmp(&config, &again, sizeof(config)) == 0);
	free(text);
	return 0;
}
