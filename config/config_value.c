// SPDX-License-Identifier: Apache-2.0
//
// Text to value, one function a kind. Pure. Numbers are decimal digits and nothing
// else: YAML's octal, hexadecimal and sexagesimal forms (010, 1:30) would mean something else than
// they seem to say.
#include "config/config_value.h"

#include "common/abi_session.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool check_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool check_alnum(char c)
{
	return check_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Reads decimal digits at *cursor and moves it behind them.
//
// Returns: false when there are none, one zero too many in front, or more than 64 bits.
static bool take_decimal(const char **cursor, uint64_t *ret)
{
	const char *p = *cursor;
	uint64_t value = 0;

	if (!check_digit(*p) || (*p == '0' && check_digit(p[1])))
		return false;
	for (; check_digit(*p); p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return false;
	}
	*cursor = p;
	*ret = value;
	return true;
}

static bool take_ipv4(const char **cursor, uint32_t *ret)
{
	uint32_t addr = 0;
	uint64_t octet;
	const char *p = *cursor;

	for (int i = 0; i < 4; i++) {
		if (i > 0 && *p++ != '.')
			return false;
		if (!take_decimal(&p, &octet) || octet > 255)
			return false;
		addr = addr << 8 | (uint32_t)octet;
	}
	*cursor = p;
	*ret = addr;
	return true;
}

// Returns: whether a host can have the address: not this network (0/8), loopback, multicast or
//          reserved (RFC 6890).
static bool check_unicast(uint32_t addr)
{
	return addr >> 24 != 0 && addr >> 24 != 127 && addr >> 28 < 0xe;
}

uint64_t config_value_load_uint(const void *field, uint32_t size)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (size) {
	case sizeof(u16):
		memcpy(&u16, field, sizeof(u16));
		return u16;
	case sizeof(u32):
		memcpy(&u32, field, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, field, sizeof(u64));
		return u64;
	}
}

static void store_uint(void *field, uint32_t size, uint64_t value)
{
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;

	switch (size) {
	case sizeof(u16):
		memcpy(field, &u16, sizeof(u16));
		return;
	case sizeof(u32):
		memcpy(field, &u32, sizeof(u32));
		return;
	default:
		memcpy(field, &value, sizeof(value));
		return;
	}
}

static const char *parse_uint(const struct config_key *key, const char *text, void *field)
{
	const char *p = text;
	uint64_t value;

	if (text[strspn(text, "0123456789")] != '\0' || text[0] == '\0')
		return "is not a whole number in decimal digits";
	if (text[0] == '0' && text[1] != '\0')
		return "has a leading zero";
	if (!take_decimal(&p, &value) || value < key->min || value > key->max)
		return "is out of range";
	store_uint(field, key->size, value);
	return NULL;
}

static const char *parse_bool(const char *text, void *field)
{
	bool value = strcmp(text, "true") == 0;

	if (!value && strcmp(text, "false") != 0)
		return "is neither true nor false";
	memcpy(field, &value, sizeof(value));
	return NULL;
}

static const char *parse_choice(const struct config_key *key, const char *text, void *field)
{
	size_t text_len = strlen(text);
	const char *p = key->choices;

	for (int idx = 0; *p != '\0'; idx++) {
		size_t len = strcspn(p, "|");

		if (len == text_len && memcmp(p, text, len) == 0) {
			memcpy(field, &idx, sizeof(idx));
			return NULL;
		}
		p += len + (p[len] == '|');
	}
	return "is not one of the choices";
}

// Bytes of a text: printable ASCII, or above (libyaml has already verified the UTF-8). C1 controls
// (U+0080 to U+009F) are c2 80 to c2 9f.
static bool check_printable(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return false;
	}
	return true;
}

static const char *parse_text(const struct config_key *key, const char *text, void *field)
{
	size_t len = strlen(text);

	if (len < key->min)
		return "is empty";
	if (len > key->max)
		return "is too long";
	if (!check_printable(text))
		return "holds control characters";
	if (key->kind == CONFIG_NAME &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len)
		return "holds other characters than a-z, 0-9, _ and -";
	if (key->kind == CONFIG_PATH && text[0] != '/')
		return "is not an absolute path";
	memset(field, 0, key->size);
	memcpy(field, text, len);
	return NULL;
}

// Returns: whether text is a DNS name: labels of letters, digits and inner hyphens (RFC 1123 2.1).
//          One that ends in a numeric label would be a mistyped IPv4 address.
static bool check_host_name(const char *text, size_t len)
{
	size_t label_len = 0;
	bool has_letter = false;

	if (len == 0 || len >= CONFIG_HOST_CAP)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.') {
			if (label_len == 0 || text[i - 1] == '-')
				return false;
			label_len = 0;
			has_letter = false;
			continue;
		}
		if (!check_alnum(text[i]) && (text[i] != '-' || label_len == 0))
			return false;
		if (!check_digit(text[i]))
			has_letter = true;
		if (++label_len > 63)
			return false;
	}
	return label_len > 0 && text[len - 1] != '-' && has_letter;
}

// Port 0 says that none was given; config_derive.c puts wireguard.listen_port there.
static const char *parse_host_port(const char *text, void *field)
{
	struct config_host_port value = {0};
	size_t host_len = strcspn(text, ":");
	const char *p = text;
	uint64_t port = 0;
	uint32_t addr;

	if (text[host_len] == ':') {
		const char *q = text + host_len + 1;

		if (!take_decimal(&q, &port) || *q != '\0' || port < 1 || port > 65535)
			return "has no port from 1 to 65535 behind the colon";
	}
	if (!(take_ipv4(&p, &addr) && p == text + host_len && check_unicast(addr)) &&
	    !check_host_name(text, host_len))
		return "is neither an IPv4 address nor a DNS name";
	memcpy(value.host, text, host_len);
	value.port = (uint16_t)port;
	memcpy(field, &value, sizeof(value));
	return NULL;
}

static const char *parse_ipv4(const struct config_key *key, const char *text, void *field)
{
	const char *p = text;
	uint32_t addr = 0;

	if (key->kind != CONFIG_IPV4_OR_NONE || strcmp(text, "none") != 0) {
		if (!take_ipv4(&p, &addr) || *p != '\0')
			return "is not an IPv4 address";
		if (!check_unicast(addr))
			return "is an address that no host can have";
	}
	memcpy(field, &addr, sizeof(addr));
	return NULL;
}

static const char *parse_cidr(const struct config_key *key, const char *text, void *field)
{
	struct config_cidr value = {0};
	const char *p = text;
	uint64_t prefix_len;

	if (!take_ipv4(&p, &value.addr) || *p++ != '/' || !take_decimal(&p, &prefix_len) ||
	    *p != '\0' || prefix_len > 32)
		return "is not an IPv4 address with a prefix length";
	value.prefix_len = (uint8_t)prefix_len;
	if (key->kind == CONFIG_NETWORK && (value.addr & ~config_cidr_mask(value.prefix_len)) != 0)
		return "has bits set beyond its prefix length";
	if (key->kind == CONFIG_CIDR && !check_unicast(value.addr))
		return "is an address that no host can have";
	memcpy(field, &value, sizeof(value));
	return NULL;
}

// Brackets around an IPv6 address (RFC 3986 section 3.2.2).
static const char *parse_listen(const char *text, void *field)
{
	struct config_listen value = {0};
	const char *colon = strrchr(text, ':'), *p;
	char addr[64];
	uint64_t port;
	size_t len;

	if (strcmp(text, "none") == 0) {
		memcpy(field, &value, sizeof(value));
		return NULL;
	}
	if (colon == NULL)
		return "has no port";
	p = colon + 1;
	if (!take_decimal(&p, &port) || *p != '\0' || port < 1 || port > 65535)
		return "has no port from 1 to 65535 behind the colon";
	len = (size_t)(colon - text);
	value.family = text[0] == '[' ? ABI_FAMILY_IPV6 : ABI_FAMILY_IPV4;
	if (text[0] == '[' && len > 2 && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(addr))
		return "is not an IP address and a port";
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(value.family == ABI_FAMILY_IPV6 ? AF_INET6 : AF_INET, addr, value.addr) != 1)
		return "is not an IP address and a port";
	value.port = (uint16_t)port;
	memcpy(field, &value, sizeof(value));
	return NULL;
}

// Returns: whether the text starts with an http or https URL's scheme; *host is set behind it.
static bool take_scheme(const char *text, const char **host)
{
	size_t len = strncmp(text, "http://", 7) == 0 ? 7
		: strncmp(text, "https://", 8) == 0   ? 8
						      : 0;

	*host = text + len;
	return len > 0;
}

// Commas and blanks have no place in it: two URLs in one text are a mistake.
static const char *parse_url(const struct config_key *key, const char *text, void *field)
{
	size_t len = strlen(text), host_len;
	const char *host, *at, *colon;
	uint64_t port;

	if (len >= key->size)
		return "is too long";
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|},", *p) != NULL)
			return "holds a character that no URL has";
	}
	if (!take_scheme(text, &host))
		return "starts with neither http:// nor https://";
	host_len = strcspn(host, "/?#");
	at = memrchr(host, '@', host_len);
	if (at != NULL) {
		host_len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	colon = host[0] == '[' ? strchr(host, ']') : host;
	if (colon == NULL || colon >= host + host_len)
		return "names no host";
	colon = memchr(colon, ':', host_len - (size_t)(colon - host));
	if (colon == host)
		return "names no host";
	if (colon != NULL) {
		const char *p = colon + 1;

		if (!take_decimal(&p, &port) || p != host + host_len || port < 1 || port > 65535)
			return "has no port from 1 to 65535 behind the colon";
	}
	memset(field, 0, key->size);
	memcpy(field, text, len);
	return NULL;
}

static const char *parse_address(const struct config_key *key, const char *text, void *field)
{
	size_t len = strlen(text);

	if (strncmp(text, "0x", 2) != 0)
		return "does not start with 0x";
	if (strspn(text + 2, "0123456789abcdefABCDEF") != len - 2 || len != CONFIG_ADDRESS_CAP - 1)
		return "is not 40 hex digits behind the 0x";
	if (strspn(text + 2, "0") == len - 2)
		return "is the zero address";
	memset(field, 0, key->size);
	memcpy(field, text, len);
	return NULL;
}

// TOKEN=AMOUNT. A list of YAML would take a colon and a blank for a mapping.
static const char *parse_token_amount(const char *text, void *field)
{
	static const struct config_key token_key = {.size = CONFIG_ADDRESS_CAP};
	struct config_token_amount value = {0};
	size_t token_len = strcspn(text, "="), amount_len;
	const char *amount = text + token_len + 1, *wrong;
	char token[CONFIG_ADDRESS_CAP];

	if (text[token_len] == '\0')
		return "has no = between a token and an amount";
	if (token_len >= sizeof(token))
		return "is not 40 hex digits behind the 0x";
	memcpy(token, text, token_len);
	token[token_len] = '\0';
	wrong = parse_address(&token_key, token, value.token);
	if (wrong != NULL)
		return wrong;
	amount_len = strlen(amount);
	if (amount_len == 0 || strspn(amount, "0123456789") != amount_len)
		return "has an amount that is not a whole number in decimal digits";
	if (amount[0] == '0')
		return "has an amount of zero, or with a leading zero";
	if (amount_len >= sizeof(value.amount))
		return "has an amount that is out of range";
	memcpy(value.amount, amount, amount_len);
	memcpy(field, &value, sizeof(value));
	return NULL;
}

static const char *parse_mode(const char *text, void *field)
{
	uint32_t mode = 0;
	size_t len = strlen(text);

	if (len < 3 || len > 4 || (len == 4 && text[0] != '0') || strspn(text, "01234567") != len)
		return "is not a mode in octal";
	for (const char *p = text; *p != '\0'; p++)
		mode = mode << 3 | (uint32_t)(*p - '0');
	if ((mode & 0600) != 0600)
		return "keeps its owner out";
	if ((mode & 0007) != 0)
		return "lets everybody in";
	memcpy(field, &mode, sizeof(mode));
	return NULL;
}

const char *config_value_parse(
	const struct config_key *key, const char *text, bool is_plain, void *field
)
{
	bool is_empty = text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;

	if (is_plain && is_empty)
		return "is empty";
	if (!is_plain && (key->kind == CONFIG_UINT || key->kind == CONFIG_BOOL))
		return "is a text";
	switch (key->kind) {
	case CONFIG_UINT:
		return parse_uint(key, text, field);
	case CONFIG_BOOL:
		return parse_bool(text, field);
	case CONFIG_CHOICE:
		return parse_choice(key, text, field);
	case CONFIG_NAME:
	case CONFIG_TEXT:
	case CONFIG_PATH:
	case CONFIG_STATE_PATH:
	case CONFIG_RUNTIME_PATH:
		return parse_text(key, text, field);
	case CONFIG_HOST_PORT:
		return parse_host_port(text, field);
	case CONFIG_IPV4:
	case CONFIG_IPV4_OR_NONE:
		return parse_ipv4(key, text, field);
	case CONFIG_CIDR:
	case CONFIG_NETWORK:
		return parse_cidr(key, text, field);
	case CONFIG_LISTEN:
		return parse_listen(text, field);
	case CONFIG_URL:
		return parse_url(key, text, field);
	case CONFIG_ADDRESS:
		return parse_address(key, text, field);
	case CONFIG_TOKEN_AMOUNT:
		return parse_token_amount(text, field);
	case CONFIG_MODE:
		return parse_mode(text, field);
	}
	return "has a kind that nobody reads";
}
