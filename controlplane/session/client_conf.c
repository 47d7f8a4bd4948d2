// SPDX-License-Identifier: Apache-2.0
//
// See client_conf.h. Pure.
#include "client_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void client_conf_key_text(char ret[45], const uint8_t key[32])
{
	char *dst = ret;

	for (int i = 0; i < 30; i += 3) {
		uint32_t bits = (uint32_t)key[i] << 16 | (uint32_t)key[i + 1] << 8 | key[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			*dst++ = alphabet[bits >> shift & 63];
	}
	*dst++ = alphabet[key[30] >> 2];
	*dst++ = alphabet[(key[30] & 3) << 4 | key[31] >> 4];
	*dst++ = alphabet[(key[31] & 15) << 2];
	*dst++ = '=';
	*dst = '\0';
}

int client_conf_key_parse(uint8_t ret[32], const char *text)
{
	uint8_t key[33];
	uint32_t bits = 0;
	size_t len = 0;

	if (strlen(text) != 44 || text[43] != '=')
		return -EINVAL;
	for (int i = 0; i < 44; i++) {
		const char *digit = i == 43 ? alphabet : strchr(alphabet, text[i]);

		if (digit == NULL)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		if (i % 4 != 3)
			continue;
		key[len++] = (uint8_t)(bits >> 16);
		key[len++] = (uint8_t)(bits >> 8);
		key[len++] = (uint8_t)bits;
		bits = 0;
	}
	// The last character's two spare bits must be zero: one key, one text.
	if (key[32] != 0)
		return -EINVAL;
	memcpy(ret, key, 32);
	return 0;
}

void client_conf_inner_ipv6(uint8_t ret[16], uint32_t inner_addr)
{
	static const uint8_t prefix[12] = {0xfd, 0x74, 0x6f, 0x6c, 0x6c, 0x77};
	uint32_t be = htonl(inner_addr);

	memcpy(ret, prefix, sizeof(prefix));
	memcpy(ret + 12, &be, sizeof(be));
}

struct text {
	char *dst;
	size_t cap;
	size_t len;
	bool is_cut; // sticky
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	if (text->is_cut)
		return;
	va_start(args, format);
	n = vsnprintf(text->dst + text->len, text->cap - text->len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= text->cap - text->len)
		text->is_cut = true;
	else
		text->len += (size_t)n;
}

static void put_addr(struct text *text, uint32_t addr)
{
	struct in_addr in = {.s_addr = htonl(addr)};
	char buf[INET_ADDRSTRLEN];

	put(text, "%s", inet_ntop(AF_INET, &in, buf, sizeof(buf)));
}

static void put_interface(struct text *text, const struct client_conf *conf)
{
	const struct config_tunnel *tunnel = &conf->config->tunnel;
	char public_key[45];

	client_conf_key_text(public_key, conf->client_public_key);
	put(text, "# tollwire session %s\n[Interface]\n", conf->name);
	if (conf->private_key != NULL)
		put(text, "PrivateKey = %s\n", conf->private_key);
	else
		put(text,
		    "# The private key that belongs to %s\nPrivateKey "
		    "= " CLIENT_CONF_KEY_PLACEHOLDER "\n",
		    public_key);
	put(text, "Address = ");
	put_addr(text, conf->inner_addr);
	put(text, "/32");
	if (conf->is_ipv6_blocked) {
		char buf[INET6_ADDRSTRLEN];
		uint8_t addr[16];

		client_conf_inner_ipv6(addr, conf->inner_addr);
		put(text, ", %s/128", inet_ntop(AF_INET6, addr, buf, sizeof(buf)));
	}
	for (uint32_t i = 0; i < tunnel->n_dns; i++) {
		put(text, i == 0 ? "\nDNS = " : ", ");
		put_addr(text, tunnel->dns[i]);
	}
	put(text, "\nMTU = %u\n", tunnel->mtu);
}

static void put_peer(struct text *text, const struct client_conf *conf)
{
	const struct config_host_port *endpoint = &conf->config->node.endpoint;
	char public_key[45];

	client_conf_key_text(public_key, conf->node_public_key);
	put(text, "\n[Peer]\nPublicKey = %s\n", public_key);
	if (conf->has_psk)
		put(text, "PresharedKey = " CLIENT_CONF_PSK_PLACEHOLDER "\n");
	put(text, "Endpoint = %s:%u\n", endpoint->host, endpoint->port);
	put(text, "AllowedIPs = 0.0.0.0/0%s\n", conf->is_ipv6_blocked ? ", ::/0" : "");
	if (conf->config->tunnel.persistent_keepalive_sec > 0)
		put(text,
		    "PersistentKeepalive = %u\n",
		    conf->config->tunnel.persistent_keepalive_sec);
}

int client_conf_build(char *dst, size_t cap, const struct client_conf *conf)
{
	struct text text = {.dst = dst, .cap = cap, .is_cut = cap == 0};

	put_interface(&text, conf);
	put_peer(&text, conf);
	if (text.is_cut) {
		explicit_bzero(dst, cap);
		return -ENOSPC;
	}
	return (int)text.len;
}
