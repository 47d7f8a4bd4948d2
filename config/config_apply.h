// SPDX-License-Identifier: Apache-2.0
//
// Values of a document into the fields of a struct config, by the table of keys. Pure.
#pragma once

#include "config/config.h"
#include "config/config_doc.h"
#include "config/config_report.h"

// Fills in the table's defaults, then what the document says. Nodes that something is wrong with are
// reported and marked bad. Missing keys are not looked for.
void config_apply_nodes(
	struct config *config, const struct config_doc *doc, struct config_report *report
);
