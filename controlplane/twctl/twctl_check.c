// SPDX-License-Identifier: Apache-2.0
//
// twctl config check: everything that is wrong with a configuration file, before anything starts.
#include "twctl.h"

#include "config/config_load.h"
#include "controlplane/chain/evm/evm_address.h"

#include <errno.h>

static void put_lines(struct json_writer *writer, const struct config_report *report, bool is_error)
{
	for (uint32_t i = 0; i < report->n_lines; i++) {
		const struct config_report_line *line = &report->lines[i];

		if (line->is_error != is_error)
			continue;
		json_begin_object(writer, NULL);
		json_put_count(writer, "line", line->line);
		json_put_string(writer, "text", line->text);
		json_end(writer);
	}
}

static int print_json(const struct twctl *twctl, const struct config_report *report, bool is_valid)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "file", report->file);
	json_put_bool(&writer, "is_valid", is_valid);
	json_put_count(&writer, "n_errors", report->n_errors);
	json_put_count(&writer, "n_warnings", report->n_warnings);
	json_begin_array(&writer, "errors");
	put_lines(&writer, report, true);
	json_end(&writer);
	json_begin_array(&writer, "warnings");
	put_lines(&writer, report, false);
	json_end(&writer);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

static void print_text(const struct config_report *report, bool is_valid)
{
	for (uint32_t i = 0; i < report->n_lines; i++)
		printf("%s: %s\n",
		       report->lines[i].is_error ? "error" : "warning",
		       report->lines[i].text);
	if (report->n_errors + report->n_warnings > report->n_lines)
		printf("... and %u more\n",
		       report->n_errors + report->n_warnings - report->n_lines);
	printf("%s: %s, %u errors, %u warnings\n",
	       report->file,
	       is_valid ? "valid" : "NOT VALID",
	       report->n_errors,
	       report->n_warnings);
}

// What the table of keys cannot know: a mistyped digit breaks an address's check sum (EIP-55).
static void check_address(struct config_report *report, const char *path, const char *text)
{
	uint8_t address[EVM_ADDRESS_SIZE];

	if (evm_address_parse(text, address) == -EBADMSG)
		config_report_add(
			report,
			true,
			0,
			"key '%s': value '%s' has a wrong check sum (EIP-55), so a digit is wrong; "
			"copy it again from where it was deployed",
			path,
			text
		);
}

static void check_addresses(const struct config *config, struct config_report *report)
{
	char path[64];

	for (uint32_t i = 0; i < config->n_chains; i++) {
		const struct config_batch *batch = &config->chains[i].batch;

		snprintf(path, sizeof(path), "chains[%u].escrow", i);
		check_address(report, path, config->chains[i].escrow);
		for (uint32_t j = 0; j < batch->n_token_payout_thresholds; j++) {
			snprintf(
				path,
				sizeof(path),
				"chains[%u].batch.token_payout_thresholds[%u]",
				i,
				j
			);
			check_address(report, path, batch->token_payout_thresholds[j].token);
		}
	}
}

static int run_check(struct twctl *twctl)
{
	static struct config_report report;
	static struct config config;
	bool is_valid = config_load(&config, twctl->args.positional[0], &report) == 0;
	int code = TWCTL_EXIT_OK;

	if (is_valid)
		check_addresses(&config, &report);
	is_valid = is_valid && report.n_errors == 0;
	if (twctl->is_json)
		code = print_json(twctl, &report, is_valid);
	else
		print_text(&report, is_valid);
	return is_valid ? code : TWCTL_EXIT_FAILED;
}

const struct twctl_command twctl_check_commands[] = {
	{
		.name = "config check",
		.run = run_check,
		.positional = "FILE",
		.summary = "check a configuration file",
		.description = "Loads the file as both programs do and prints every error with "
			       "file, line, key, "
			       "value and\nwhat is allowed, and warnings, such as a NAT pool too "
			       "small for "
			       "sessions.max. Starts nothing.\nExit code 1 when the programs would "
			       "refuse it.\n\n"
			       "Examples:\n  twctl config check /etc/tollwire/tollwire.yaml\n"
			       "  twctl config check new.yaml --json | jq -r '.errors[].text'\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
