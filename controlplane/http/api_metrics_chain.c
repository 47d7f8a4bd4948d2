// SPDX-License-Identifier: Apache-2.0
//
// The chains as metrics: how far each is read, what its account has, what waits to be settled there, how
// its endpoints behave; and what became of purchases and vouchers. Labels are the configured chains and
// endpoints, and names of our own. Loop's thread.
#include "api_metrics.h"

#include "controlplane/chain/chain_purchase.h"
#include "controlplane/chain_gauge.h"
#include "controlplane/http/api_voucher.h"
#include "controlplane/settle/settle_outbox.h"

#include <stdlib.h>

struct chain {
	struct chain_gauge_view view;
	struct chain_gauge_queue queue;
};

struct chains {
	struct openmetrics *om;
	struct chain *rows;
	size_t n;
};

static double real_of(struct u256 value)
{
	double real = 0;

	for (int i = 3; i >= 0; i--)
		real = real * 18446744073709551616.0 + (double)value.limb[i];
	return real;
}

// One sample of each chain.
static void put_each(
	const struct chains *chains,
	const char *name,
	const char *unit,
	const char *help,
	double (*value_of)(const struct chain *chain)
)
{
	openmetrics_family(chains->om, OPENMETRICS_GAUGE, name, unit, help);
	for (size_t i = 0; i < chains->n; i++)
		openmetrics_put_real(
			chains->om,
			API_METRICS_LABEL("chain", chains->rows[i].view.name),
			value_of(&chains->rows[i])
		);
}

static uint64_t now_unix_ns;

static double up(const struct chain *chain)
{
	return chain->view.head_number != 0 && chain->view.failure[0] == '\0';
}

static double head(const struct chain *chain)
{
	return (double)chain->view.head_number;
}

static double behind(const struct chain *chain)
{
	return (double)chain->view.blocks_behind;
}

static double lag(const struct chain *chain)
{
	return (double)chain_gauge_head_lag_sec(&chain->view, now_unix_ns);
}

static double skew(const struct chain *chain)
{
	return (double)chain->view.clock_skew_sec;
}

static double balance(const struct chain *chain)
{
	return chain->view.has_balance ? real_of(chain->view.balance_wei) : 0;
}

static double queue_items(const struct chain *chain)
{
	return (double)chain->queue.n_items;
}

static double queue_age(const struct chain *chain)
{
	return (double)chain->queue.age_sec;
}

static double transactions(const struct chain *chain)
{
	return (double)chain->queue.n_txs;
}

static void put_chains(const struct chains *chains)
{
	put_each(chains, "tollwire_chain_up", NULL, "1 while the chain's events can be read.", up);
	put_each(
		chains,
		"tollwire_chain_head_block",
		NULL,
		"Newest block that an endpoint told.",
		head
	);
	put_each(
		chains,
		"tollwire_chain_blocks_behind",
		NULL,
		"Blocks deep enough to be read that are not read yet.",
		behind
	);
	put_each(
		chains,
		"tollwire_chain_lag_seconds",
		"seconds",
		"How far the head's time is behind the host's clock.",
		lag
	);
	put_each(
		chains,
		"tollwire_chain_clock_skew_seconds",
		"seconds",
		"Host's clock against the chain's, while it is an alert.",
		skew
	);
	put_each(
		chains,
		"tollwire_chain_balance_wei",
		"wei",
		"What the settling account has, native coin.",
		balance
	);
	put_each(
		chains,
		"tollwire_settlement_queue_items",
		"items",
		"Settlements that wait for a transaction.",
		queue_items
	);
	put_each(
		chains,
		"tollwire_settlement_queue_age_seconds",
		"seconds",
		"Block time since the settlement that waits longest was first seen.",
		queue_age
	);
	put_each(
		chains,
		"tollwire_settlement_transactions",
		NULL,
		"Settling transactions that are under way or done too lately to be certain.",
		transactions
	);
}

static void put_alerts(const struct chains *chains)
{
	openmetrics_family(
		chains->om,
		OPENMETRICS_GAUGE,
		"tollwire_settlement_alert",
		NULL,
		"1 while settlement raises it; twctl status says why."
	);
	for (size_t i = 0; i < chains->n; i++)
		for (unsigned k = 0; k < SETTLE_N_ALERT; k++)
			openmetrics_put(
				chains->om,
				API_METRICS_LABELS(
					"chain",
					chains->rows[i].view.name,
					"alert",
					settle_alert_name(k)
				),
				chains->rows[i].view.alerts[k][0] != '\0'
			);
}

#define FAULT_NAME(id, name, help) name,

static const char *const fault_names[EVM_RPC_N_FAULT] = {EVM_RPC_FAULT_LIST(FAULT_NAME)};

// By endpoint, or by what they did wrong, all of a chain together.
static void put_endpoints(const struct chains *chains)
{
	openmetrics_family(
		chains->om,
		OPENMETRICS_COUNTER,
		"tollwire_chain_calls",
		NULL,
		"Questions to each endpoint."
	);
	for (size_t i = 0; i < chains->n; i++)
		for (size_t k = 0; k < chains->rows[i].view.n_endpoints; k++)
			openmetrics_put(
				chains->om,
				API_METRICS_LABELS(
					"chain",
					chains->rows[i].view.name,
					"endpoint",
					chains->rows[i].view.endpoints[k].endpoint
				),
				chains->rows[i].view.endpoints[k].n_calls
			);
	openmetrics_family(
		chains->om,
		OPENMETRICS_COUNTER,
		"tollwire_chain_faults",
		NULL,
		"What the chain's endpoints did wrong."
	);
	for (size_t i = 0; i < chains->n; i++)
		for (unsigned fault = 0; fault < EVM_RPC_N_FAULT; fault++) {
			const struct chain_gauge_view *view = &chains->rows[i].view;
			uint64_t n = 0;

			for (size_t k = 0; k < view->n_endpoints; k++)
				n += view->endpoints[k].faults[fault];
			openmetrics_put(
				chains->om,
				API_METRICS_LABELS(
					"chain", view->name, "fault", fault_names[fault]
				),
				n
			);
		}
}

static void put_business(struct openmetrics *om)
{
	openmetrics_family(
		om,
		OPENMETRICS_COUNTER,
		"tollwire_purchases",
		NULL,
		"Sessions bought on chains, by what the node said to them."
	);
	for (unsigned i = 0; i < CHAIN_N_PURCHASE; i++)
		openmetrics_put(
			om,
			API_METRICS_LABEL("verdict", chain_purchase_name(i)),
			chain_purchase_count((enum chain_purchase)i)
		);
	openmetrics_family(
		om,
		OPENMETRICS_COUNTER,
		"tollwire_vouchers",
		NULL,
		"Vouchers that were posted, taken or why not."
	);
	for (unsigned i = 0; i < API_N_VOUCHER; i++)
		openmetrics_put(
			om,
			API_METRICS_LABEL("result", api_voucher_name((enum api_voucher_result)i)),
			api_voucher_count((enum api_voucher_result)i)
		);
	openmetrics_family(
		om,
		OPENMETRICS_COUNTER,
		"tollwire_settlement_refusals",
		NULL,
		"Settlements that were not queued."
	);
	for (unsigned i = 0; i < SETTLE_N_REFUSAL; i++)
		openmetrics_put(
			om,
			API_METRICS_LABEL("reason", settle_refusal_name(i)),
			settle_refusal_count((enum settle_refusal)i)
		);
}

void api_metrics_put_chains(struct openmetrics *om, struct control *control)
{
	struct chains chains = {.om = om};
	size_t n = control->gauge == NULL ? 0 : chain_gauge_n(control->gauge);

	chains.rows = calloc(n + 1, sizeof(*chains.rows)); // a view is too large for the stack
	if (chains.rows == NULL) {
		om->is_failed = true;
		return;
	}
	for (; chains.n < n; chains.n++) {
		struct chain *row = &chains.rows[chains.n];

		chain_gauge_get(control->gauge, chains.n, &row->view);
		if (chain_gauge_count_queue(control->db, &row->view, &row->queue) < 0)
			om->is_failed = true;
	}
	now_unix_ns = clock_unix_ns(control->clock);
	put_chains(&chains);
	put_alerts(&chains);
	put_endpoints(&chains);
	put_business(om);
	free(chains.rows);
}
