// SPDX-License-Identifier: Apache-2.0
//
// What the api_metrics*.c files share. Loop's thread.
#pragma once

#include "controlplane/control.h"
#include "controlplane/http/openmetrics.h"

#define API_METRICS_LABEL(name, value) \
	((const struct openmetrics_label[2]){{name, value}, {NULL, NULL}})
#define API_METRICS_LABELS(name, value, other, other_value) \
	((const struct openmetrics_label[2]){{name, value}, {other, other_value}})

// A family of one sample without labels.
void api_metrics_counter(
	struct openmetrics *om, const char *name, const char *unit, const char *help, uint64_t value
);
void api_metrics_gauge(
	struct openmetrics *om, const char *name, const char *unit, const char *help, uint64_t value
);

// Threads, stages, drops, NAT and ports of the attached data plane; only tollwire_dataplane_up when
// there is none.
void api_metrics_put_dataplane(struct openmetrics *om, const struct dp_link *link);

// Chains, settlements, purchases and vouchers.
void api_metrics_put_chains(struct openmetrics *om, struct control *control);
