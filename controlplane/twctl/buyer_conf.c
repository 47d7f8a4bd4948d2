// SPDX-License-Identifier: Apache-2.0
//
// See buyer_conf.h. Pure.
#include "buyer_conf.h"

#include "controlplane/session/client_conf.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_CAP 512
#define MTU_MIN 576 // RFC 791: what every host must take
#define MTU_MAX 9000

enum section { SECTION_NONE, SECTION_INTERFACE, SECTION_PEER };

struct parse {
	struct buyer_conf conf;
	enum section section;
	unsigned int seen; // bit by key: each may stand once
};

struct key {
	const char *name;
	enum section section;
	int (*take)(struct parse *parse, char *value);
	bool is_required;
};

static int take_private_key(struct parse *parse, char *value)
{
	(void)parse;
	return strcmp(value, CLIENT_CONF_KEY_PLACEHOLDER) == 0 ? 0 : -EBADMSG;
}

static int take_number(const char *value, uint16_t min, uint16_t max, uint16_t *ret)
{
	uint32_t n = 0;

	if (value[0] == '\0' || strlen(value) > 5)
		return -EBADMSG;
	for (const char *c = value; *c != '\0'; c++) {
		if (*c < '0' || *c > '9')
			return -EBADMSG;
		n = 10 * n + (uint32_t)(*c - '0');
	}
	if (n < min || n > max)
		return -EBADMSG;
	*ret = (uint16_t)n;
	return 0;
}

// The next item of a list with commas; NULL at its end.
static char *next_item(char **rest)
{
	char *item = *rest, *end;

	if (item == NULL)
		return NULL;
	end = strchr(item, ',');
	*rest = end == NULL ? NULL : end + 1;
	if (end != NULL)
		*end = '\0';
	while (*item == ' ')
		item++;
	for (end = item + strlen(item); end > item && end[-1] == ' ';)
		*--end = '\0';
	return item;
}

// Takes the length off "address/length".
static int cut_length(char *item, const char *length)
{
	char *slash = strchr(item, '/');

	if (slash == NULL || strcmp(slash + 1, length) != 0)
		return -EBADMSG;
	*slash = '\0';
	return 0;
}

static int take_address(struct parse *parse, char *value)
{
	char *four = next_item(&value), *six = next_item(&value);

	if (value != NULL || cut_length(four, "32") < 0 ||
	    inet_pton(AF_INET, four, &parse->conf.address) != 1)
		return -EBADMSG;
	if (six == NULL)
		return 0;
	parse->conf.has_address6 = true;
	return cut_length(six, "128") == 0 && inet_pton(AF_INET6, six, &parse->conf.address6) == 1
		? 0
		: -EBADMSG;
}

static int take_dns(struct parse *parse, char *value)
{
	struct buyer_conf *conf = &parse->conf;

	for (char *item; (item = next_item(&value)) != NULL; conf->n_dns++) {
		if (conf->n_dns == BUYER_CONF_DNS_MAX ||
		    inet_pton(AF_INET, item, &conf->dns[conf->n_dns]) != 1)
			return -EBADMSG;
	}
	return 0;
}

static int take_mtu(struct parse *parse, char *value)
{
	return take_number(value, MTU_MIN, MTU_MAX, &parse->conf.mtu);
}

static int take_public_key(struct parse *parse, char *value)
{
	return client_conf_key_parse(parse->conf.node_public_key, value) < 0 ? -EBADMSG : 0;
}

// A host's name or address, since it goes into a file that a shell script reads.
static bool check_host(const char *host)
{
	for (const char *c = host; *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c) && strchr(".-:", *c) == NULL)
			return false;
	}
	return host[0] != '\0' && host[0] != '-';
}

static int take_endpoint(struct parse *parse, char *value)
{
	char *host = value, *colon = strrchr(value, ':'), *end;

	if (colon == NULL || take_number(colon + 1, 1, UINT16_MAX, &parse->conf.port) < 0)
		return -EBADMSG;
	*colon = '\0';
	if (host[0] == '[') {
		end = strchr(++host, ']');
		if (end == NULL || end[1] != '\0')
			return -EBADMSG;
		*end = '\0';
	} else if (strchr(host, ':') != NULL) {
		return -EBADMSG;
	}
	if (strlen(host) > BUYER_PICK_HOST_MAX || !check_host(host))
		return -EBADMSG;
	strcpy(parse->conf.host, host);
	return 0;
}

// All traffic goes through the tunnel, or the buyer is not where it believes to be.
static int take_allowed_ips(struct parse *parse, char *value)
{
	(void)parse;
	return strcmp(value, "0.0.0.0/0") == 0 || strcmp(value, "0.0.0.0/0, ::/0") == 0 ? 0
											: -EBADMSG;
}

static int take_keepalive(struct parse *parse, char *value)
{
	return take_number(value, 1, UINT16_MAX, &parse->conf.keepalive_sec);
}

static const struct key keys[] = {
	{"PrivateKey", SECTION_INTERFACE, take_private_key, false},
	{"Address", SECTION_INTERFACE, take_address, true},
	{"DNS", SECTION_INTERFACE, take_dns, false},
	{"MTU", SECTION_INTERFACE, take_mtu, false},
	{"PublicKey", SECTION_PEER, take_public_key, true},
	{"Endpoint", SECTION_PEER, take_endpoint, true},
	{"AllowedIPs", SECTION_PEER, take_allowed_ips, true},
	{"PersistentKeepalive", SECTION_PEER, take_keepalive, false},
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static int take_pair(struct parse *parse, char *line)
{
	char *equals = strstr(line, " = ");

	if (equals == NULL)
		return -EBADMSG;
	*equals = '\0';
	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].name, line) != 0 || keys[i].section != parse->section)
			continue;
		if (parse->seen & 1u << i)
			return -EBADMSG;
		parse->seen |= 1u << i;
		return keys[i].take(parse, equals + 3);
	}
	return -EBADMSG;
}

static int take_line(struct parse *parse, char *line)
{
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	if (strcmp(line, "[Interface]") == 0 && parse->section == SECTION_NONE) {
		parse->section = SECTION_INTERFACE;
		return 0;
	}
	if (strcmp(line, "[Peer]") == 0 && parse->section == SECTION_INTERFACE) {
		parse->section = SECTION_PEER;
		return 0;
	}
	return take_pair(parse, line);
}

int buyer_conf_parse(struct buyer_conf *ret, const char *text, size_t len, char why[BUYER_CONF_WHY])
{
	struct parse parse = {0};
	unsigned int number = 1;

	for (const char *at = text, *end = text + len; at < end; number++) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		size_t line_len = (size_t)((eol == NULL ? end : eol) - at);
		char line[LINE_CAP];

		if (line_len >= sizeof(line) || memchr(at, '\0', line_len) != NULL) {
			snprintf(why, BUYER_CONF_WHY, "line %u is no text", number);
			return -EBADMSG;
		}
		memcpy(line, at, line_len);
		line[line_len] = '\0';
		if (take_line(&parse, line) < 0) {
			snprintf(
				why,
				BUYER_CONF_WHY,
				"line %u is nothing that belongs into a configuration",
				number
			);
			return -EBADMSG;
		}
		at += line_len + 1;
	}
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].is_required && !(parse.seen & 1u << i)) {
			snprintf(why, BUYER_CONF_WHY, "%s is missing", keys[i].name);
			return -EBADMSG;
		}
	}
	*ret = parse.conf;
	return 0;
}

int buyer_conf_verify_node(const struct buyer_conf *conf, const uint8_t node_public_key[32])
{
	return memcmp(conf->node_public_key, node_public_key, 32) == 0 ? 0 : -EBADMSG;
}

int buyer_conf_build(
	char *dst, size_t cap, const struct buyer_conf *conf, const uint8_t private_key[32]
)
{
	char key[45], public_key[45], address[INET6_ADDRSTRLEN], dns[BUYER_CONF_DNS_MAX * 20] = "";
	char mtu[24] = "", keepalive[48] = "", six[INET6_ADDRSTRLEN + 8] = "";
	bool is_ipv6_host = strchr(conf->host, ':') != NULL;
	int n;

	client_conf_key_text(key, private_key);
	client_conf_key_text(public_key, conf->node_public_key);
	if (conf->has_address6) {
		inet_ntop(AF_INET6, &conf->address6, address, sizeof(address));
		snprintf(six, sizeof(six), ", %s/128", address);
	}
	for (size_t i = 0; i < conf->n_dns; i++) {
		strcat(dns, i == 0 ? "DNS = " : ", ");
		strcat(dns, inet_ntop(AF_INET, &conf->dns[i], address, sizeof(address)));
	}
	if (conf->n_dns > 0)
		strcat(dns, "\n");
	if (conf->mtu != 0)
		snprintf(mtu, sizeof(mtu), "MTU = %u\n", conf->mtu);
	if (conf->keepalive_sec != 0)
		snprintf(
			keepalive,
			sizeof(keepalive),
			"PersistentKeepalive = %u\n",
			conf->keepalive_sec
		);
	inet_ntop(AF_INET, &conf->address, address, sizeof(address));
	n = snprintf(
		dst,
		cap,
		"[Interface]\nPrivateKey = %s\nAddress = %s/32%s\n%s%s\n[Peer]\nPublicKey = %s\n"
		"Endpoint = %s%s%s:%u\nAllowedIPs = 0.0.0.0/0%s\n%s",
		key,
		address,
		six,
		dns,
		mtu,
		public_key,
		is_ipv6_host ? "[" : "",
		conf->host,
		is_ipv6_host ? "]" : "",
		conf->port,
		conf->has_address6 ? ", ::/0" : "",
		keepalive
	);
	explicit_bzero(key, sizeof(key));
	if (n >= 0 && (size_t)n < cap)
		return n;
	explicit_bzero(dst, cap);
	return -ENOSPC;
}
