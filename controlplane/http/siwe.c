// SPDX-License-Identifier: Apache-2.0
//
// See siwe.h. The grammar of EIP-4361, "ABNF Message Format", line by line; characters as RFC 3986
// section 2 has them. Pure.
#include "siwe.h"

#include "controlplane/chain/evm/evm_address.h"

#include <errno.h>
#include <string.h>

struct span {
	const char *p;
	size_t len;
};

struct cursor {
	const char *p, *end;
	const char *bad; // the first part that is wrong
};

static void fail(struct cursor *cursor, const char *part)
{
	if (cursor->bad == NULL)
		cursor->bad = part;
}

static bool starts_with(const struct cursor *cursor, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(cursor->end - cursor->p) >= len && memcmp(cursor->p, text, len) == 0;
}

// The rest of the line without its LF, which is taken too; the last line needs none.
static struct span take_line(struct cursor *cursor)
{
	const char *lf = memchr(cursor->p, '\n', (size_t)(cursor->end - cursor->p));
	struct span line = {cursor->p, (size_t)((lf == NULL ? cursor->end : lf) - cursor->p)};

	cursor->p += line.len + (lf != NULL);
	return line;
}

// A line that must begin so. Returns: what follows.
static struct span take_field(struct cursor *cursor, const char *label)
{
	if (!starts_with(cursor, label)) {
		fail(cursor, label);
		return (struct span){cursor->p, 0};
	}
	cursor->p += strlen(label);
	return take_line(cursor);
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Whether all characters are unreserved, of `others`, or (has_percent) percent-encoded.
static bool check_chars(struct span span, const char *others, bool has_percent)
{
	for (size_t i = 0; i < span.len; i++) {
		char c = span.p[i];

		if (has_percent && c == '%') {
			if (span.len - i < 3 || !is_hex(span.p[i + 1]) || !is_hex(span.p[i + 2]))
				return false;
			i += 2;
		} else if (!is_alpha(c) && !is_digit(c) && (c == '\0' || (strchr("-._~", c) == NULL && strchr(others, c) == NULL))) {
			return false;
		}
	}
	return true;
}

#define SUB_DELIMS "!$&'()*+,;="

// RFC 3986 section 3.1.
static size_t scheme_len(struct span span)
{
	size_t n = 0;

	if (span.len == 0 || !is_alpha(span.p[0]))
		return 0;
	while (n < span.len &&
	       (is_alpha(span.p[n]) || is_digit(span.p[n]) || span.p[n] == '+' ||
		span.p[n] == '-' || span.p[n] == '.'))
		n++;
	return n;
}

// RFC 3986 section 3.2, without user information, which only misleads.
static bool check_authority(struct span span)
{
	size_t host = 0;

	if (span.len > 0 && span.p[0] == '[') {
		while (host < span.len && span.p[host] != ']')
			host++;
		if (host == span.len || host < 3 ||
		    !check_chars((struct span){span.p + 1, host - 1}, ":", false))
			return false;
		host++;
	} else {
		while (host < span.len && span.p[host] != ':')
			host++;
		if (host == 0 || !check_chars((struct span){span.p, host}, SUB_DELIMS, true))
			return false;
	}
	if (host == span.len)
		return true;
	if (span.p[host] != ':' || span.len - host > 6)
		return false;
	for (size_t i = host + 1; i < span.len; i++) {
		if (!is_digit(span.p[i]))
			return false;
	}
	return true;
}

static int copy(char *dst, size_t cap, struct span span)
{
	if (span.len >= cap)
		return -EINVAL;
	memcpy(dst, span.p, span.len);
	dst[span.len] = '\0';
	return 0;
}

// An absolute URI of RFC 3986; its authority is checked when it has one.
static int parse_uri(char *authority, size_t cap, struct span uri)
{
	size_t n = scheme_len(uri);
	struct span rest, part;

	if (n == 0 || n >= uri.len || uri.p[n] != ':' ||
	    !check_chars(uri, SUB_DELIMS ":/?#[]@", true))
		return -EINVAL;
	rest = (struct span){uri.p + n + 1, uri.len - n - 1};
	authority[0] = '\0';
	if (rest.len < 2 || memcmp(rest.p, "//", 2) != 0)
		return rest.len > 0 ? 0 : -EINVAL;
	part = (struct span){rest.p + 2, 0};
	while (part.len < rest.len - 2 && strchr("/?#", part.p[part.len]) == NULL)
		part.len++;
	return check_authority(part) ? copy(authority, cap, part) : -EINVAL;
}

// ---- the lines ---------------------------------------------------------------------------------

// [ scheme "://" ] domain " wants you to sign in with your Ethereum account:"
static void take_domain(struct cursor *cursor, struct siwe_message *message)
{
	static const char tail[] = " wants you to sign in with your Ethereum account:";
	struct span line = take_line(cursor);
	size_t n;

	if (line.len < strlen(tail) ||
	    memcmp(line.p + line.len - strlen(tail), tail, strlen(tail)) != 0) {
		fail(cursor, "first line");
		return;
	}
	line.len -= strlen(tail);
	n = scheme_len(line);
	if (n > 0 && line.len - n >= 3 && memcmp(line.p + n, "://", 3) == 0) {
		line.p += n + 3;
		line.len -= n + 3;
	}
	if (!check_authority(line) || copy(message->domain, SIWE_DOMAIN_CAP, line) < 0)
		fail(cursor, "domain");
}

// EIP-55 letters, as the EIP demands: no other spelling.
static void take_address(struct cursor *cursor, struct siwe_message *message)
{
	char text[EVM_ADDRESS_TEXT_SIZE], again[EVM_ADDRESS_TEXT_SIZE];
	struct span line = take_line(cursor);

	if (copy(text, sizeof(text), line) < 0 || evm_address_parse(text, message->address) < 0) {
		fail(cursor, "address");
		return;
	}
	evm_address_format(message->address, again);
	if (strcmp(text, again) != 0)
		fail(cursor, "address");
}

// LF [ statement LF ] LF
static void take_statement(struct cursor *cursor)
{
	struct span line;

	if (take_line(cursor).len != 0) {
		fail(cursor, "empty line after the address");
		return;
	}
	line = take_line(cursor);
	if (line.len == 0)
		return;
	if (!check_chars(line, SUB_DELIMS ":/?#[]@ ", false) || take_line(cursor).len != 0)
		fail(cursor, "statement");
}

static void take_uri(struct cursor *cursor, struct siwe_message *message)
{
	struct span uri = take_field(cursor, "URI: ");

	if (cursor->bad == NULL &&
	    (parse_uri(message->uri_authority, SIWE_DOMAIN_CAP, uri) < 0 ||
	     copy(message->uri, SIWE_URI_CAP, uri) < 0))
		fail(cursor, "URI");
}

static void take_version(struct cursor *cursor)
{
	struct span version = take_field(cursor, "Version: ");

	if (version.len != 1 || version.p[0] != '1')
		fail(cursor, "Version");
}

static void take_chain_id(struct cursor *cursor, struct siwe_message *message)
{
	struct span digits = take_field(cursor, "Chain ID: ");
	uint64_t value = 0;

	if (digits.len == 0 || (digits.len > 1 && digits.p[0] == '0'))
		fail(cursor, "Chain ID");
	for (size_t i = 0; i < digits.len && cursor->bad == NULL; i++) {
		if (!is_digit(digits.p[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(digits.p[i] - '0'), &value))
			fail(cursor, "Chain ID");
	}
	message->chain_id = value;
}

static void take_challenge(struct cursor *cursor, struct siwe_message *message)
{
	struct span text = take_field(cursor, "Nonce: ");

	for (size_t i = 0; i < text.len; i++) {
		if (!is_alpha(text.p[i]) && !is_digit(text.p[i]))
			fail(cursor, "Nonce");
	}
	if (text.len < 8 || copy(message->challenge, SIWE_CHALLENGE_CAP, text) < 0)
		fail(cursor, "Nonce");
}

static void take_time(struct cursor *cursor, const char *label, int64_t *ret)
{
	struct span text = take_field(cursor, label);

	if (cursor->bad == NULL && siwe_time_parse(ret, text.p, text.len) < 0)
		fail(cursor, label);
}

static void take_options(struct cursor *cursor, struct siwe_message *message)
{
	char authority[SIWE_DOMAIN_CAP];
	struct span line;

	message->has_expiry = starts_with(cursor, "Expiration Time: ");
	if (message->has_expiry)
		take_time(cursor, "Expiration Time: ", &message->expires_unix_sec);
	message->has_not_before = starts_with(cursor, "Not Before: ");
	if (message->has_not_before)
		take_time(cursor, "Not Before: ", &message->not_before_unix_sec);
	if (starts_with(cursor, "Request ID: ")) {
		line = take_field(cursor, "Request ID: ");
		if (!check_chars(line, SUB_DELIMS ":@", true))
			fail(cursor, "Request ID");
	}
	if (!starts_with(cursor, "Resources:"))
		return;
	if (take_field(cursor, "Resources:").len != 0)
		fail(cursor, "Resources");
	while (cursor->bad == NULL && starts_with(cursor, "- ")) {
		line = take_field(cursor, "- ");
		if (parse_uri(authority, sizeof(authority), line) < 0)
			fail(cursor, "Resources");
	}
}

int siwe_parse(struct siwe_message *ret, const char *text, size_t len, const char **ret_part)
{
	struct cursor cursor = {.p = text, .end = text + len};
	struct siwe_message message = {0};

	// Lines are separated, not ended: a LF at the end would begin another.
	if (len == 0 || len > SIWE_MESSAGE_MAX || text[len - 1] == '\n')
		fail(&cursor, "length");
	take_domain(&cursor, &message);
	take_address(&cursor, &message);
	take_statement(&cursor);
	take_uri(&cursor, &message);
	take_version(&cursor);
	take_chain_id(&cursor, &message);
	take_challenge(&cursor, &message);
	take_time(&cursor, "Issued At: ", &message.issued_unix_sec);
	take_options(&cursor, &message);
	if (cursor.p != cursor.end)
		fail(&cursor, "end");
	if (cursor.bad != NULL) {
		*ret_part = cursor.bad;
		return -EINVAL;
	}
	*ret = message;
	return 0;
}
