// SPDX-License-Identifier: Apache-2.0
//
// twctl buyer provision: brings a session's WireGuard public key to the node and writes the configuration
// for the app. What the node says is held against the chain: its WireGuard key must be the one that
// the session's terms name. The private key is made here and stays here.
#include "buyer_api.h"
#include "buyer_chain.h"
#include "buyer_conf.h"
#include "buyer_file.h"
#include "buyer_key.h"
#include "buyer_peer.h"
#include "buyer_usage.h"
#include "buyer_way.h"
#include "twctl.h"
#include "twctl_qr.h"
#include "twctl_units.h"

#include "controlplane/chain/evm/evm_account.h"
#include "controlplane/session/client_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_DEFAULT_SEC 300

struct provision {
	struct twctl *twctl;
	struct buyer_file file;
	struct buyer_key key;
	struct evm_signer *signer;
	const char *url; // of the node's API
	struct buyer_api api;
	struct buyer_conf conf;
	struct twctl_chain_way way;
	struct evm_purchase_node node; // as the registry has it
	char interface[IF_NAMESIZE];
	char key_path[PATH_MAX];
	char conf_path[PATH_MAX];
	char usage_path[PATH_MAX];
	uint64_t wait_sec;
};

// ---- names -----------------------------------------------------------------------------------

static bool check_interface(const char *name)
{
	// What wg-quick(8) takes as the name of its file.
	return name[0] != '\0' && strlen(name) < IF_NAMESIZE && strcmp(name, ".") != 0 &&
		strcmp(name, "..") != 0 &&
		name[strspn(
			name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=+.-"
		)] == '\0';
}

// Cuts an ending off a name. Returns: whether it was there.
static bool cut_ending(char *name, const char *ending)
{
	size_t len = strlen(name), n = strlen(ending);

	if (len <= n || strcmp(name + len - n, ending) != 0)
		return false;
	name[len - n] = '\0';
	return true;
}

// The interface is called as the configuration's file is, since wg-quick does so.
static int take_names(struct provision *p)
{
	const char *path = p->twctl->args.positional[0];
	const char *interface = twctl_args_get(&p->twctl->args, "--interface");
	const char *out = twctl_args_get(&p->twctl->args, "--out");
	char folder_copy[PATH_MAX], name_copy[PATH_MAX], *name;

	if (strlen(path) > PATH_MAX - 64 || (out != NULL && strlen(out) >= PATH_MAX))
		return twctl_fail(p->twctl, TWCTL_EXIT_USAGE, "a path is too long");
	strcpy(name_copy, out != NULL ? out : path);
	name = basename(name_copy);
	(void)(cut_ending(name, ".conf") || cut_ending(name, ".session"));
	if (interface != NULL)
		name = (char *)interface;
	if (!check_interface(name))
		return twctl_fail_value(
			p->twctl,
			"--interface",
			name,
			"1 to 15 of letters, digits and _=+.-, as an interface may be called"
		);
	snprintf(p->interface, sizeof(p->interface), "%s", name);
	snprintf(p->key_path, sizeof(p->key_path), "%s.key", path);
	snprintf(p->usage_path, sizeof(p->usage_path), "%s.usage", path);
	strcpy(folder_copy, path);
	if (out != NULL)
		strcpy(p->conf_path, out);
	else
		snprintf(p->conf_path, sizeof(p->conf_path), "%.*s/%s.conf", PATH_MAX - 32, dirname(folder_copy), p->interface);
	return 0;
}

// ---- the chain -------------------------------------------------------------------------------

static int check_registry(
	struct provision *p,
	const struct twctl_chain *chain,
	const struct evm_purchase_session *session
)
{
	uint8_t registry[EVM_ADDRESS_SIZE];
	char sold[45], listed[45];
	int code;

	if (memcmp(session->terms_hash, p->file.order.terms_hash, 32) != 0 ||
	    memcmp(session->buyer, p->file.buyer, EVM_ADDRESS_SIZE) != 0)
		return twctl_fail(
			p->twctl,
			TWCTL_EXIT_FAILED,
			"the escrow's session has other terms than %s; nothing was sent",
			p->twctl->args.positional[0]
		);
	code = buyer_chain_registry(p->twctl, chain, p->file.escrow, registry);
	if (code == 0)
		code = buyer_chain_node(p->twctl, chain, registry, p->file.order.node_id, &p->node);
	if (code != 0)
		return code;
	if (memcmp(p->node.wg_public_key, p->file.terms.wg_public_key, 32) != 0) {
		client_conf_key_text(sold, p->file.terms.wg_public_key);
		client_conf_key_text(listed, p->node.wg_public_key);
		return twctl_fail(
			p->twctl,
			TWCTL_EXIT_FAILED,
			"the registry names WireGuard key %s for this node, the session was sold "
			"with %s; nothing was sent: end the session, or ask the operator",
			listed,
			sold
		);
	}
	// The node may have moved since; what it is called now is where it is.
	strcpy(p->file.api_url, p->node.api_url);
	return 0;
}

static int check_chain(struct provision *p)
{
	const char *urls = twctl_args_get(&p->twctl->args, "--rpc");
	struct evm_purchase_session session;
	struct twctl_chain chain;
	bool is_there = false;
	int code;

	code = twctl_chain_connect_by(
		p->twctl,
		urls != NULL ? urls : p->file.rpc,
		p->file.chain_id,
		false,
		&p->way,
		&chain
	);
	if (code != 0)
		return code;
	code = buyer_chain_session(
		p->twctl, &chain, p->file.escrow, p->file.session_id, &session, &is_there
	);
	if (code == 0 && !is_there)
		code = twctl_fail(
			p->twctl,
			TWCTL_EXIT_FAILED,
			"the escrow has no such session yet: run twctl buyer buy %s again",
			p->twctl->args.positional[0]
		);
	if (code == 0 && session.status != EVM_PURCHASE_OPEN)
		code = twctl_fail(
			p->twctl,
			TWCTL_EXIT_FAILED,
			"the session is %s: no node serves it any more",
			evm_purchase_status_name(session.status)
		);
	if (code == 0)
		code = check_registry(p, &chain, &session);
	twctl_chain_close(&chain);
	return code;
}

// ---- the node --------------------------------------------------------------------------------

static int open_signer(struct provision *p)
{
	const char *path = twctl_args_get(&p->twctl->args, "--key-file");
	const char *password = twctl_args_get(&p->twctl->args, "--password-file");
	uint8_t account[EVM_ADDRESS_SIZE];
	struct secret_file_why why;

	if (path == NULL)
		return twctl_fail(p->twctl, TWCTL_EXIT_USAGE, "--key-file FILE is required");
	if (evm_account_open(&p->signer, path, password, &why) < 0)
		return twctl_fail(p->twctl, TWCTL_EXIT_FAILED, "%s", why.text);
	evm_signer_address(p->signer, account);
	if (memcmp(account, p->file.buyer, EVM_ADDRESS_SIZE) == 0 ||
	    memcmp(account, p->file.order.voucher_signer, EVM_ADDRESS_SIZE) == 0)
		return 0;
	return twctl_fail(
		p->twctl,
		TWCTL_EXIT_FAILED,
		"--key-file is not the key of the session's buyer or voucher signer"
	);
}

static int open_api(struct provision *p)
{
	const char *url = twctl_args_get(&p->twctl->args, "--api");
	struct buyer_api_conf conf = {
		.url = url != NULL ? url : p->file.api_url,
		.mark = p->way.mark,
		.device = p->way.device,
	};
	char why[BUYER_API_WHY];

	if (conf.url[0] == '\0')
		return twctl_fail(
			p->twctl,
			TWCTL_EXIT_FAILED,
			"the registry has no API of this node; name it with --api URL"
		);
	p->url = conf.url;
	memcpy(conf.session_id, p->file.session_id, 32);
	if (buyer_api_open(&p->api, &conf, why) < 0)
		return twctl_fail(p->twctl, TWCTL_EXIT_FAILED, "%s", why);
	return 0;
}

static void tell_waiting(const char *why)
{
	char text[BUYER_PEER_WHY];

	json_quote(text, sizeof(text), why);
	fprintf(stderr, "twctl: waiting for the node: %s\n", text);
}

// Brings the key; from then on the node knows no other for this session.
static int bring_key(struct provision *p)
{
	const struct buyer_peer peer = {
		.api = &p->api,
		.file = &p->file,
		.signer = p->signer,
		.public_key = p->key.public_key,
		.operator_address = p->node.operator_address,
		.settler = p->node.settler,
		.wait_sec = p->wait_sec,
		.waiting = tell_waiting,
	};
	char why[BUYER_PEER_WHY];
	int r = buyer_peer_bring(&peer, &p->conf, why);

	if (r < 0)
		return twctl_fail(p->twctl, TWCTL_EXIT_FAILED, "%s", why);
	r = buyer_key_accept(p->key_path, &p->key);
	if (r < 0)
		return twctl_fail(
			p->twctl,
			TWCTL_EXIT_FAILED,
			"the node has the key, but %s could not be written (%s): run this again",
			p->key_path,
			strerror(-r)
		);
	return 0;
}

// ---- what is left on the disk ----------------------------------------------------------------

// The count begins here: an interface of this name that comes up later carries this session alone, so
// that all it counts is the session's.
static int begin_count(struct provision *p)
{
	char why[BUYER_USAGE_WHY];
	struct buyer_usage usage;
	int fd, r;

	fd = buyer_usage_open(p->usage_path, p->file.session_id, p->interface, &usage, why);
	if (fd == -EBUSY)
		return 0; // twctl buyer pay runs: it has begun already
	if (fd < 0)
		return twctl_fail(p->twctl, TWCTL_EXIT_FAILED, "%s", why);
	buyer_usage_set_api(&usage, p->url, http_client_address(p->api.client));
	r = usage.meter.has_last ? 0 : buyer_usage_mark(&usage);
	if (r == 0)
		r = buyer_usage_save(p->usage_path, &usage);
	close(fd);
	if (r < 0)
		return twctl_fail(
			p->twctl, TWCTL_EXIT_FAILED, "%s: %s", p->usage_path, strerror(-r)
		);
	return 0;
}

static int print(struct provision *p, const char *text)
{
	char key[45], address[INET_ADDRSTRLEN];
	struct json_writer w;

	client_conf_key_text(key, p->key.public_key);
	inet_ntop(AF_INET, &p->conf.address, address, sizeof(address));
	if (p->twctl->is_json) {
		json_writer_init(&w);
		json_begin_object(&w, NULL);
		evm_json_put_word(&w, "session_id", p->file.session_id);
		json_put_string(&w, "interface", p->interface);
		json_put_string(&w, "config", p->conf_path);
		json_put_string(&w, "public_key", key);
		json_put_string(&w, "address", address);
		json_put_format(&w, "endpoint", "%s:%u", p->conf.host, (unsigned)p->conf.port);
		json_end(&w);
		return twctl_print(p->twctl, &w);
	}
	if (twctl_args_get(&p->twctl->args, "--qr") != NULL && twctl_qr_draw(stdout, text) < 0)
		return twctl_fail(
			p->twctl, TWCTL_EXIT_FAILED, "the configuration is too long for a QR code"
		);
	printf("configuration  %s (it holds the private key: mode 0600)\n"
	       "public key     %s\n"
	       "address        %s, endpoint %s:%u\n",
	       p->conf_path,
	       key,
	       address,
	       p->conf.host,
	       (unsigned)p->conf.port);
	if (!evm_address_is_zero(p->file.order.voucher_signer))
		printf("pay            twctl buyer pay %s --key-file FILE\n",
		       p->twctl->args.positional[0]);
	return TWCTL_EXIT_OK;
}

static int keep(struct provision *p)
{
	char text[BUYER_CONF_CAP];
	int code, r;

	if (buyer_conf_build(text, sizeof(text), &p->conf, p->key.private_key) < 0)
		return twctl_fail(p->twctl, TWCTL_EXIT_FAILED, "the configuration is too long");
	r = buyer_file_put(p->conf_path, text, false);
	code = r < 0 ? twctl_fail(p->twctl, TWCTL_EXIT_FAILED, "%s: %s", p->conf_path, strerror(-r))
		     : begin_count(p);
	if (code == 0)
		code = print(p, text);
	explicit_bzero(text, sizeof(text));
	return code;
}

static int provision(struct provision *p)
{
	char why[BUYER_KEY_WHY];
	int code = take_names(p);

	if (code == 0)
		code = buyer_way_get(p->twctl, p->twctl->args.positional[0], &p->way);
	if (code == 0)
		code = open_signer(p);
	if (code == 0)
		code = check_chain(p);
	if (code == 0)
		code = open_api(p);
	if (code != 0)
		return code;
	if (buyer_key_open(
		    p->key_path, twctl_args_get(&p->twctl->args, "--new-key") != NULL, &p->key, why
	    ) < 0)
		return twctl_fail(p->twctl, TWCTL_EXIT_FAILED, "%s", why);
	code = bring_key(p);
	return code == 0 ? keep(p) : code;
}

static int run_provision(struct twctl *twctl)
{
	struct provision p = {.twctl = twctl, .wait_sec = WAIT_DEFAULT_SEC};
	const char *wait = twctl_args_get(&twctl->args, "--wait");
	char why[BUYER_FILE_WHY];
	int code;

	if (wait != NULL && twctl_units_parse_duration(wait, &p.wait_sec) < 0)
		return twctl_fail_value(twctl, "--wait", wait, TWCTL_UNITS_DURATIONS);
	if (buyer_file_load(twctl->args.positional[0], &p.file, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	code = provision(&p);
	buyer_api_close(&p.api);
	evm_signer_destroy(p.signer);
	explicit_bzero(&p.key, sizeof(p.key));
	return code;
}

static const struct twctl_option options[] = {
	BUYER_CHAIN_KEY_OPTIONS,
	{"--interface", "NAME", "the tunnel's name (default: as FILE is called)"},
	{"--out", "FILE.conf", "the configuration (default: the interface's name beside FILE)"},
	{"--qr", NULL, "also draw it as a QR code for a phone"},
	{"--new-key", NULL, "make a new key pair; the old one is refused from then on"},
	{"--wait", "TIME", "for the node to see the purchase (default 5m)"},
	{"--api", "URL", "the node's API instead of the one in the registry"},
	{"--rpc", "URL[,URL...]", "JSON-RPC endpoints instead of those in FILE"},
	BUYER_WAY_OPTIONS,
	{NULL, NULL, NULL},
};

const struct twctl_command buyer_provision_commands[] = {
	{
		.name = "buyer provision",
		.run = run_provision,
		.positional = "FILE",
		.summary = "get the WireGuard configuration of a session",
		.description =
			"Makes a key pair (FILE.key, mode 0600; it never leaves), proves to the "
			"node that its\n"
			"public half is the session's, and writes a configuration for wg-quick or "
			"the app. The\n"
			"node's own key must be the one that the registry and the session's terms "
			"name. May be run\n"
			"again: the same key, the same address. The key file is the buyer's or the "
			"voucher signer's.\n\n"
			"Example:\n"
			"  twctl buyer provision home.session --key-file key --out "
			"/etc/wireguard/home.conf\n"
			"  twctl buyer pay home.session --key-file key &\n"
			"  wg-quick up home\n",
		.options = options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
