// SPDX-License-Identifier: Apache-2.0
//
// twctl session config: the buyer's WireGuard configuration as text or as a QR code.
#include "twctl.h"

#include "controlplane/twctl/twctl_qr.h"

#include <errno.h>
#include <string.h>

static bool has(const struct twctl *twctl, const char *option)
{
	return twctl_args_get(&twctl->args, option) != NULL;
}

// Returns: 0 or an exit code with the message out.
static int check_qr_allowed(const struct twctl *twctl, const struct json_value *reply)
{
	if ((!has(twctl, "--qr") && !has(twctl, "--qr-png")) ||
	    twctl_bool(reply, "has_private_key"))
		return 0;
	return twctl_fail(
		twctl,
		TWCTL_EXIT_FAILED,
		"%s has no QR code here: the node does not have its private key, and a code "
		"without it "
		"is of no use; put the key into the output of twctl session config %s, on the "
		"buyer's "
		"machine, and draw the code there",
		twctl_text(reply, "name"),
		twctl_text(reply, "name")
	);
}

static int qr_failed(const struct twctl *twctl, int r, const char *file)
{
	if (r == -ERANGE)
		return twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "the configuration is too long for a QR code"
		);
	if (r == -EEXIST)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"--qr-png '%s': the file exists; remove it or name another",
			file
		);
	return twctl_fail(
		twctl,
		TWCTL_EXIT_FAILED,
		"the QR code could not be written to %s: %s",
		file,
		strerror(-r)
	);
}

static int print_config(struct twctl *twctl, const struct twctl_client_reply *reply)
{
	const char *png = twctl_args_get(&twctl->args, "--qr-png");
	const char *config = twctl_text(reply->json, "config");
	int code, r;

	code = check_qr_allowed(twctl, reply->json);
	if (code != 0)
		return code;
	if (png != NULL) {
		r = twctl_qr_write_png(png, config);
		if (r < 0)
			return qr_failed(twctl, r, png);
	}
	if (twctl->is_json) {
		puts(reply->text);
	} else if (has(twctl, "--qr")) {
		r = twctl_qr_draw(stdout, config);
		if (r < 0)
			return qr_failed(twctl, r, "the terminal");
	} else if (png == NULL) {
		fputs(config, stdout);
	}
	return TWCTL_EXIT_OK;
}

static int forget_key(struct twctl *twctl, const char *name)
{
	struct twctl_client_reply reply;
	char path[512];
	int code;

	snprintf(path, sizeof(path), "/api/v1/sessions/%s/forget-key", name);
	code = twctl_ask(twctl, &reply, "POST", path, NULL);
	if (code != 0)
		return code;
	if (!twctl->is_json)
		fprintf(stderr, "the private key of %s is deleted\n", twctl->args.positional[0]);
	twctl_client_fini(&reply);
	return TWCTL_EXIT_OK;
}

static int run_config(struct twctl *twctl)
{
	struct twctl_client_reply reply;
	char name[256], path[512];
	int code;

	if (twctl->args.positional[0][0] == '\0' ||
	    twctl_client_escape(name, sizeof(name), twctl->args.positional[0]) < 0)
		return twctl_fail_value(
			twctl, "NAME", twctl->args.positional[0], "a session's name or id"
		);
	if (twctl->is_json && has(twctl, "--qr"))
		return twctl_fail(
			twctl,
			TWCTL_EXIT_USAGE,
			"--qr draws on the terminal; with --json use --qr-png"
		);
	snprintf(
		path,
		sizeof(path),
		"/api/v1/sessions/%s/config%s",
		name,
		has(twctl, "--block-ipv6") ? "?block_ipv6=1" : ""
	);
	code = twctl_ask(twctl, &reply, "GET", path, NULL);
	if (code != 0)
		return code;
	code = print_config(twctl, &reply);
	twctl_client_fini(&reply);
	// Only what has been handed out may be forgotten.
	if (code == TWCTL_EXIT_OK && has(twctl, "--forget-key")) {
		if (fflush(stdout) != 0)
			return twctl_fail(
				twctl,
				TWCTL_EXIT_FAILED,
				"cannot write the output (%s): the key is kept",
				strerror(errno)
			);
		code = forget_key(twctl, name);
	}
	return code;
}

static const struct twctl_option config_options[] = {
	{"--qr", NULL, "draw a QR code in the terminal instead of the text"},
	{"--qr-png", "FILE", "write the QR code to a new file, mode 0600"},
	{"--block-ipv6", NULL, "route the client's IPv6 into the tunnel, where it is dropped"},
	{"--forget-key", NULL, "delete the private key on the node once it has been printed"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_session_config_commands[] = {
	{
		.name = "session config",
		.run = run_config,
		.positional = "NAME",
		.summary = "print the client's WireGuard configuration",
		.description =
			"Prints a .conf for wg-quick and the WireGuard apps. With a key that the "
			"node "
			"generated it\nis complete; otherwise PrivateKey is a placeholder, and "
			"there is no "
			"QR code.\n\n"
			"--block-ipv6 gives the client fd74:6f6c:6c77:: with its IPv4 address in "
			"the last "
			"32 bits\nand routes ::/0 into the tunnel: the node carries IPv4 and drops "
			"IPv6 "
			"(inner_ipv6 in\ntwctl drops), so nothing leaks around the tunnel.\n\n"
			"Examples:\n"
			"  twctl session config alice > alice.conf\n"
			"  twctl session config bob --qr --forget-key\n"
			"  twctl session config bob --qr-png bob.png\n",
		.options = config_options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
