// SPDX-License-Identifier: Apache-2.0
//
// mac1, mac2 and cookies, both sides. Both handshake messages have their sender index at the same
// place and end in their macs, so a message is bytes and a length here.
#include "wg_cookie.h"

#include "dataplane/wg/wg_primitives.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

// Bytes of the message that mac1 covers; mac2 covers mac1 too.
static size_t mac1_offset(size_t len)
{
	assert(len == sizeof(struct wg_message_initiation) ||
	       len == sizeof(struct wg_message_response));
	return len - sizeof(struct wg_message_macs);
}

static const struct wg_message_macs *macs_of(const void *message, size_t len)
{
	return (const struct wg_message_macs *)((const uint8_t *)message + mac1_offset(len));
}

void wg_cookie_init(struct wg_cookie *cookie, const uint8_t public_key[WG_KEY_BYTES])
{
	memset(cookie, 0, sizeof(*cookie));
	wg_primitives_hash_label(WG_LABEL_MAC1, public_key, cookie->mac1_key);
	wg_primitives_hash_label(WG_LABEL_COOKIE, public_key, cookie->reply_key);
}

void wg_cookie_fini(struct wg_cookie *cookie)
{
	wg_primitives_zero(cookie, sizeof(*cookie));
}

int wg_cookie_verify_mac1(const uint8_t mac1_key[WG_HASH_BYTES], const void *message, size_t len)
{
	uint8_t mac1[WG_MAC_BYTES];

	// mac1 = MAC(HASH("mac1----" || S_pub), message before mac1)
	wg_primitives_mac(mac1_key, WG_HASH_BYTES, message, mac1_offset(len), mac1);
	return wg_primitives_verify_equal(mac1, macs_of(message, len)->mac1, sizeof(mac1));
}

// cookie = MAC(secret, address || port)
static void make_cookie(
	struct wg_cookie *cookie,
	const struct wg_source *source,
	uint64_t now_ns,
	uint8_t ret_cookie[WG_COOKIE_BYTES]
)
{
	uint8_t input[sizeof(source->address) + sizeof(source->port)];
	size_t address_bytes = source->is_ipv6 ? 16 : 4;

	if (!cookie->has_secret ||
	    (int64_t)(now_ns - cookie->secret_created_ns) >=
		    (int64_t)(WG_COOKIE_SECRET_MAX_AGE_SEC * WG_NS_PER_SEC)) {
		wg_primitives_random(cookie->secret, sizeof(cookie->secret));
		cookie->secret_created_ns = now_ns;
		cookie->has_secret = true;
	}
	memcpy(input, source->address, address_bytes);
	memcpy(input + address_bytes, source->port, sizeof(source->port));
	wg_primitives_mac(
		cookie->secret,
		sizeof(cookie->secret),
		input,
		address_bytes + sizeof(source->port),
		ret_cookie
	);
}

// mac2 = MAC(cookie, message before mac2)
static void make_mac2(
	const uint8_t cookie[WG_COOKIE_BYTES],
	const void *message,
	size_t len,
	uint8_t ret_mac2[WG_MAC_BYTES]
)
{
	wg_primitives_mac(
		cookie, WG_COOKIE_BYTES, message, mac1_offset(len) + WG_MAC_BYTES, ret_mac2
	);
}

int wg_cookie_verify_mac2(
	struct wg_cookie *cookie,
	const void *message,
	size_t len,
	const struct wg_source *source,
	uint64_t now_ns
)
{
	uint8_t value[WG_COOKIE_BYTES], mac2[WG_MAC_BYTES];
	int ret;

	make_cookie(cookie, source, now_ns, value);
	make_mac2(value, message, len, mac2);
	ret = wg_primitives_verify_equal(mac2, macs_of(message, len)->mac2, sizeof(mac2));
	wg_primitives_zero(value, sizeof(value));
	wg_primitives_zero(mac2, sizeof(mac2));
	return ret;
}

void wg_cookie_create_reply(
	struct wg_cookie *cookie,
	const void *message,
	size_t len,
	const struct wg_source *source,
	uint64_t now_ns,
	struct wg_message_cookie_reply *ret_reply
)
{
	const struct wg_message_initiation *head = message; // sender_index is at one place in both
	uint8_t value[WG_COOKIE_BYTES];

	make_cookie(cookie, source, now_ns, value);
	ret_reply->type = htole32(WG_MESSAGE_COOKIE_REPLY);
	ret_reply->receiver_index = head->sender_index;
	wg_primitives_random(ret_reply->iv, sizeof(ret_reply->iv));
	// XAEAD(HASH("cookie--" || S_pub), iv, cookie, the message's mac1)
	wg_primitives_xaead_seal(
		cookie->reply_key,
		ret_reply->iv,
		(struct wg_primitives_span){macs_of(message, len)->mac1, WG_MAC_BYTES},
		(struct wg_primitives_span){value, sizeof(value)},
		ret_reply->encrypted_cookie
	);
	wg_primitives_zero(value, sizeof(value));
}

void wg_cookie_jar_init(struct wg_cookie_jar *jar, const uint8_t peer_public_key[WG_KEY_BYTES])
{
	memset(jar, 0, sizeof(*jar));
	wg_primitives_hash_label(WG_LABEL_MAC1, peer_public_key, jar->mac1_key);
	wg_primitives_hash_label(WG_LABEL_COOKIE, peer_public_key, jar->reply_key);
}

void wg_cookie_jar_fini(struct wg_cookie_jar *jar)
{
	wg_primitives_zero(jar, sizeof(*jar));
}

void wg_cookie_jar_add_macs(struct wg_cookie_jar *jar, void *message, size_t len, uint64_t now_ns)
{
	const int64_t max_age_ns =
		(WG_COOKIE_SECRET_MAX_AGE_SEC - WG_COOKIE_SECRET_LATENCY_SEC) * WG_NS_PER_SEC;
	struct wg_message_macs *macs =
		(struct wg_message_macs *)((uint8_t *)message + mac1_offset(len));

	wg_primitives_mac(jar->mac1_key, WG_HASH_BYTES, message, mac1_offset(len), macs->mac1);
	memcpy(jar->last_mac1, macs->mac1, sizeof(jar->last_mac1));
	jar->has_last_mac1 = true;
	if (jar->has_cookie && (int64_t)(now_ns - jar->received_ns) < max_age_ns)
		make_mac2(jar->cookie, message, len, macs->mac2);
	else
		memset(macs->mac2, 0, sizeof(macs->mac2));
}

int wg_cookie_jar_consume_reply(
	struct wg_cookie_jar *jar, const struct wg_message_cookie_reply *reply, uint64_t now_ns
)
{
	uint8_t cookie[WG_COOKIE_BYTES];
	int ret;

	if (!jar->has_last_mac1)
		return -EBADMSG;
	ret = wg_primitives_xaead_open(
		jar->reply_key,
		reply->iv,
		(struct wg_primitives_span){jar->last_mac1, sizeof(jar->last_mac1)},
		(struct wg_primitives_span
		){reply->encrypted_cookie, sizeof(reply->encrypted_cookie)},
		cookie
	);
	if (ret < 0)
		return ret;
	memcpy(jar->cookie, cookie, sizeof(jar->cookie));
	jar->has_cookie = true;
	jar->received_ns = now_ns;
	jar->has_last_mac1 = false; // one reply for one message
	wg_primitives_zero(cookie, sizeof(cookie));
	return 0;
}
