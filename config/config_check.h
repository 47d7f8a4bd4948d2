// SPDX-License-Identifier: Apache-2.0
//
// What keys demand of each other, and of the host. Pure. config_check.c holds what is about threads,
// memory and sizes, config_check_addr.c what is about addresses, config_check_chain.c what is about
// chains.
#pragma once

#include "config/config.h"
#include "config/config_doc.h"
#include "config/config_report.h"

struct config_check {
	const struct config *config; // complete
	bool has_roles; // there is exactly one port for each side (config_derive_roles)
	uint32_t n_cpus; // of this host; 0 = not to be looked at
	const struct config_doc *doc;
	struct config_report *report;
};

// A check whose keys already have an error of their own is left out, so that every line of the report
// is a mistake of its own.
void config_check_all(const struct config_check *check);

// The part about addresses and networks.
void config_check_addr(const struct config_check *check);

// The part about chains.
void config_check_chain(const struct config_check *check);

// Returns: whether nothing was reported about the key, its list elements or its section's keys.
bool config_check_is_sound(const struct config_check *check, const char *path);

// Reports `key 'path': value 'value' ` and the text.
void config_check_refuse(
	const struct config_check *check,
	const char *path,
	const char *value,
	const char *format,
	...
) __attribute__((format(printf, 4, 5)));
void config_check_warn(
	const struct config_check *check,
	const char *path,
	const char *value,
	const char *format,
	...
) __attribute__((format(printf, 4, 5)));
