// SPDX-License-Identifier: Apache-2.0
//
// From a YAML file to a struct config, or to the complete list of what is wrong with it. Run once,
// before anything starts; changes nothing in the system.
#pragma once

#include "config/config.h"
#include "config/config_report.h"

#include <stddef.h>

#define CONFIG_LOAD_MAX_BYTES (1u << 20)

// Loads, completes and checks a file, and that this host has the cores it names.
//
// Returns: 0 (the report may hold warnings); -EINVAL when the report holds errors; -ENOENT, -EACCES,
//          -EFBIG, ... when the file cannot be read (the report says so too).
// Out: ret, untouched unless 0 is returned. report, always set; it keeps a pointer to path.
int config_load(struct config *ret, const char *path, struct config_report *report)
	__attribute__((warn_unused_result));

// The same for a text in memory, without looking at the host; `file` is what the messages call it.
int config_load_text(
	struct config *ret,
	const char *text,
	size_t text_len,
	const char *file,
	struct config_report *report
) __attribute__((warn_unused_result));
