// SPDX-License-Identifier: Apache-2.0
//
// Writes the OpenMetrics 1.0 text format (OpenMetrics specification, "Text format"): metadata before
// the samples of a family, families not interleaved, "_total" behind counters, "# EOF" at the end.
// Pure but for memory; the first failure sticks and is told at the end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum openmetrics_type {
	OPENMETRICS_COUNTER,
	OPENMETRICS_GAUGE,
	OPENMETRICS_INFO,
};

struct openmetrics {
	char *text;
	size_t len, cap;
	const char *family;
	enum openmetrics_type type;
	bool is_failed;
};

struct openmetrics_label {
	const char *name;
	const char *value; // any UTF-8; escaped here
};

void openmetrics_init(struct openmetrics *om);

// Begins a family. name: with the unit as its last part, without "_total" and "_info". unit: NULL for
// none. All are static text.
void openmetrics_family(
	struct openmetrics *om,
	enum openmetrics_type type,
	const char *name,
	const char *unit,
	const char *help
);

// One sample of the family, with up to two labels; a name of NULL ends them.
void openmetrics_put(
	struct openmetrics *om, const struct openmetrics_label labels[2], uint64_t value
);
void openmetrics_put_real(
	struct openmetrics *om, const struct openmetrics_label labels[2], double value
);

// Takes om. Out: malloc'd text. Returns: 0 or -ENOMEM.
int openmetrics_finish(struct openmetrics *om, char **ret_text);
