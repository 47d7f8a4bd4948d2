// SPDX-License-Identifier: Apache-2.0
//
// Values and what keys allow, in words: for messages, the manual, the log and the YAML writer. Pure.
#include "config/config_format.h"

#include "common/abi_session.h"
#include "config/config_value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// What each kind allows, in words; the first %s is a number of bytes or the range and unit.
static const char *const allowed[] = {
	[CONFIG_UINT] = "%s",
	[CONFIG_BOOL] = "true or false",
	[CONFIG_CHOICE] = "%s",
	[CONFIG_NAME] = "%s characters of a-z, 0-9, _ and -",
	[CONFIG_TEXT] = "%s bytes of text",
	[CONFIG_PATH] = "an absolute path of %s bytes",
	[CONFIG_STATE_PATH] = "a path of %s bytes, absolute or below node.state_dir",
	[CONFIG_RUNTIME_PATH] = "a path of %s bytes, absolute or below node.runtime_dir",
	[CONFIG_HOST_PORT] = "an IPv4 address or DNS name, with or without :port",
	[CONFIG_IPV4] = "a unicast IPv4 address",
	[CONFIG_IPV4_OR_NONE] = "a unicast IPv4 address, or none",
	[CONFIG_CIDR] = "an IPv4 address and its prefix length, such as 192.0.2.2/24",
	[CONFIG_NETWORK] = "an IPv4 network, such as 10.8.0.0/16",
	[CONFIG_LISTEN] = "an address and port, such as 127.0.0.1:8080 or [::]:8443, or none",
	[CONFIG_URL] = "http://host or https://host, with or without :port and path",
	[CONFIG_ADDRESS] = "0x and 40 hex digits",
	[CONFIG_TOKEN_AMOUNT] =
		"TOKEN=AMOUNT: 0x and 40 hex digits, 1 to 10^38 - 1 of the smallest unit",
	[CONFIG_MODE] = "octal, read and write for the owner, nothing for others",
};

void config_format_ipv4(uint32_t addr, char *dst, size_t dst_len)
{
	snprintf(
		dst,
		dst_len,
		"%u.%u.%u.%u",
		addr >> 24,
		addr >> 16 & 0xff,
		addr >> 8 & 0xff,
		addr & 0xff
	);
}

static void format_choice(
	const struct config_key *key, const void *field, char *dst, size_t dst_len
)
{
	const char *p = key->choices;
	int idx;

	memcpy(&idx, field, sizeof(idx));
	while (idx-- > 0)
		p += strcspn(p, "|") + 1;
	snprintf(dst, dst_len, "%.*s", (int)strcspn(p, "|"), p);
}

void config_format_cidr(const struct config_cidr *cidr, char *dst, size_t dst_len)
{
	char addr[16];

	config_format_ipv4(cidr->addr, addr, sizeof(addr));
	snprintf(dst, dst_len, "%s/%u", addr, cidr->prefix_len);
}

static void format_host_port(const void *field, char *dst, size_t dst_len)
{
	struct config_host_port value;

	memcpy(&value, field, sizeof(value));
	snprintf(dst, dst_len, "%s:%u", value.host, value.port);
}

static void format_token_amount(const void *field, char *dst, size_t dst_len)
{
	struct config_token_amount value;

	memcpy(&value, field, sizeof(value));
	snprintf(dst, dst_len, "%s=%s", value.token, value.amount);
}

static void format_listen(const void *field, char *dst, size_t dst_len)
{
	struct config_listen value;
	char addr[INET6_ADDRSTRLEN] = "";
	bool is_ipv6;

	memcpy(&value, field, sizeof(value));
	is_ipv6 = value.family == ABI_FAMILY_IPV6;
	if (value.family == ABI_FAMILY_NONE ||
	    inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, value.addr, addr, sizeof(addr)) == NULL)
		snprintf(dst, dst_len, "none");
	else
		snprintf(dst, dst_len, is_ipv6 ? "[%s]:%u" : "%s:%u", addr, value.port);
}

void config_format_value(const struct config_key *key, const void *field, char *dst, size_t dst_len)
{
	struct config_cidr cidr;
	bool is_true;

	switch (key->kind) {
	case CONFIG_UINT:
		snprintf(dst, dst_len, "%" PRIu64, config_value_load_uint(field, key->size));
		return;
	case CONFIG_BOOL:
		memcpy(&is_true, field, sizeof(is_true));
		snprintf(dst, dst_len, "%s", is_true ? "true" : "false");
		return;
	case CONFIG_CHOICE:
		format_choice(key, field, dst, dst_len);
		return;
	case CONFIG_NAME:
	case CONFIG_TEXT:
	case CONFIG_PATH:
	case CONFIG_STATE_PATH:
	case CONFIG_RUNTIME_PATH:
	case CONFIG_URL:
	case CONFIG_ADDRESS:
		snprintf(dst, dst_len, "%s", (const char *)field);
		return;
	case CONFIG_HOST_PORT:
		format_host_port(field, dst, dst_len);
		return;
	case CONFIG_IPV4_OR_NONE:
		if (config_value_load_uint(field, key->size) == 0) {
			snprintf(dst, dst_len, "none");
			return;
		}
		// fall through
	case CONFIG_IPV4:
		config_format_ipv4(
			(uint32_t)config_value_load_uint(field, key->size), dst, dst_len
		);
		return;
	case CONFIG_CIDR:
	case CONFIG_NETWORK:
		memcpy(&cidr, field, sizeof(cidr));
		config_format_cidr(&cidr, dst, dst_len);
		return;
	case CONFIG_LISTEN:
		format_listen(field, dst, dst_len);
		return;
	case CONFIG_TOKEN_AMOUNT:
		format_token_amount(field, dst, dst_len);
		return;
	case CONFIG_MODE:
		snprintf(dst, dst_len, "0%o", (unsigned)config_value_load_uint(field, key->size));
		return;
	}
}

void config_format_url_shown(const char *url, char *dst, size_t dst_len)
{
	const char *host = strstr(url, "://");
	size_t scheme_len = host != NULL ? (size_t)(host - url) + 3 : 0;
	size_t host_len;
	const char *at;

	host = url + scheme_len;
	host_len = strcspn(host, "/?#");
	at = memrchr(host, '@', host_len);
	if (at != NULL) {
		host_len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	snprintf(dst, dst_len, "%.*s%.*s", (int)scheme_len, url, (int)host_len, host);
}

void config_format_shown(const struct config_key *key, const void *field, char *dst, size_t dst_len)
{
	if (key->kind == CONFIG_URL)
		config_format_url_shown(field, dst, dst_len);
	else
		config_format_value(key, field, dst, dst_len);
}

static void format_range(const struct config_key *key, char *dst, size_t dst_len)
{
	const char *space = key->unit != NULL ? " " : "",
		   *unit = key->unit != NULL ? key->unit : "";

	if (key->min == key->max)
		snprintf(dst, dst_len, "%" PRIu64 "%s%s", key->min, space, unit);
	else
		snprintf(
			dst,
			dst_len,
			"%" PRIu64 " to %" PRIu64 "%s%s",
			key->min,
			key->max,
			space,
			unit
		);
}

void config_format_allowed(const struct config_key *key, char *dst, size_t dst_len)
{
	char range[128] = "";
	size_t used = 0;

	if (key->kind == CONFIG_CHOICE) {
		for (const char *p = key->choices; *p != '\0' && used + 5 < sizeof(range); p++) {
			bool is_last = strchr(p + 1, '|') == NULL;

			if (*p != '|')
				range[used++] = *p;
			else
				used += (size_t)sprintf(range + used, is_last ? " or " : ", ");
		}
		range[used] = '\0';
	} else {
		format_range(key, range, sizeof(range));
	}
	snprintf(dst, dst_len, allowed[key->kind], range);
}
