// SPDX-License-Identifier: Apache-2.0
//
// What every command of twctl has at hand. A command group is one file that exports a table of
// struct twctl_command; twctl.c lists the tables.
#pragma once

#include "controlplane/json/json.h"
#include "controlplane/twctl/twctl_args.h"
#include "controlplane/twctl/twctl_client.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

struct config;

struct twctl {
	struct twctl_args args;
	bool is_json;
	char socket_path[256];
	char runtime_dir[256];
	const struct config *config; // the node's; NULL: there is none, or it has errors
};

// "twctl: ..." on stderr; with --json also {"error":"..."} on stdout.
//
// Returns: exit_code.
int twctl_fail(const struct twctl *twctl, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// A wrong value: names option, value and what is allowed. Returns: TWCTL_EXIT_USAGE.
int twctl_fail_value(
	const struct twctl *twctl, const char *option, const char *value, const char *allowed
);

// Asks the control plane. Returns: 0 with a 2xx reply, to be ended with twctl_client_fini(); else an
// exit code, and the message is out.
int twctl_ask(
	const struct twctl *twctl,
	struct twctl_client_reply *ret,
	const char *method,
	const char *path,
	const char *body
);

// Writes the finished document and a newline to stdout. Takes the writer. Returns: an exit code.
int twctl_print(const struct twctl *twctl, struct json_writer *writer);

// Numbers of an option; fallback when it was not given.
//
// Returns: 0, or TWCTL_EXIT_USAGE with the message out.
int twctl_get_number(
	const struct twctl *twctl,
	const char *option,
	uint64_t min,
	uint64_t max,
	uint64_t fallback,
	uint64_t *ret
);

// Members of a reply for people: 0 or "" when absent.
uint64_t twctl_u64(const struct json_value *object, const char *name);
const char *twctl_text(const struct json_value *object, const char *name);
bool twctl_bool(const struct json_value *object, const char *name);

extern const struct twctl_command twctl_status_commands[];
extern const struct twctl_command twctl_session_commands[];
extern const struct twctl_command twctl_session_config_commands[];
extern const struct twctl_command twctl_session_history_commands[];
extern const struct twctl_command twctl_top_commands[];
extern const struct twctl_command twctl_stages_commands[];
extern const struct twctl_command twctl_drops_commands[];
extern const struct twctl_command twctl_nat_commands[];
extern const struct twctl_command twctl_port_commands[];
extern const struct twctl_command twctl_chain_commands[];
extern const struct twctl_command twctl_chain_deploy_commands[];
extern const struct twctl_command twctl_chain_metadata_commands[];
extern const struct twctl_command twctl_chain_node_commands[];
extern const struct twctl_command twctl_chain_offer_commands[];
extern const struct twctl_command twctl_settle_commands[];
extern const struct twctl_command twctl_verify_commands[];
extern const struct twctl_command twctl_check_commands[];
extern const struct twctl_command buyer_nodes_commands[];
extern const struct twctl_command buyer_buy_commands[];
extern const struct twctl_command buyer_provision_commands[];
extern const struct twctl_command buyer_pay_commands[];
extern const struct twctl_command buyer_session_commands[];
