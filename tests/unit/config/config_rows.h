// SPDX-License-Identifier: Apache-2.0
//
// Rows of wrong configuration files. A row is a text behind correct lines, and all the messages that
// it must bring, in order and word for word; nothing else may be reported, and what is refused leaves
// the struct alone.
#pragma once

#include "config/config_load.h"
#include "tests/unit/test.h"

#define CONFIG_ROWS_MAX_MESSAGES 8
#define CONFIG_ROWS_WARNING "W " // in front of an expected message; otherwise it is an error

// Lines that are correct; each ends its line.
#define CONFIG_ROWS_NODE "node: {name: exit-1}\n"
#define CONFIG_ROWS_PORT_FIELDS "name: wan, devargs: net_ring0, role: both"
#define CONFIG_ROWS_PORT \
	"ports: [{" CONFIG_ROWS_PORT_FIELDS ", address: 192.0.2.2/24, gateway: 192.0.2.1}]\n"
#define CONFIG_ROWS_GOOD CONFIG_ROWS_NODE CONFIG_ROWS_PORT

struct config_row {
	const char *text;
	const char *messages[CONFIG_ROWS_MAX_MESSAGES];
};

// Loads head and the text of each row.
void config_rows_run(const char *head, const struct config_row *rows, size_t n_rows);
