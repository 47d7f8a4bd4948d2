// SPDX-License-Identifier: Apache-2.0
//
// mac1, mac2 and cookie replies (paper, sections 5.3 and 5.4.7). A cookie proves that a sender
// receives at its address *and port*. The secret behind cookies lives COOKIE_SECRET_MAX_AGE;
// cookies of an older secret are refused at once, as in the paper: there is no second, previous
// secret. Whether the node is under load, and so asks for mac2, is the caller's decision. Slow path
// only.
#ifndef WG_COOKIE_H
#define WG_COOKIE_H

#include "dataplane/wg/wg_messages.h"
#include "dataplane/wg/wg_source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WG_COOKIE_CHECKED __attribute__((warn_unused_result))

// The side that hands out cookies. Holds a secret.
struct wg_cookie {
	uint8_t secret[WG_HASH_BYTES];
	uint64_t secret_created_ns;
	bool has_secret;
	uint8_t mac1_key[WG_HASH_BYTES]; // HASH("mac1----" || our public key)
	uint8_t reply_key[WG_HASH_BYTES]; // HASH("cookie--" || our public key)
};

// The side that was given one: what an initiator remembers of a peer's cookie.
struct wg_cookie_jar {
	uint8_t cookie[WG_COOKIE_BYTES];
	uint64_t received_ns;
	bool has_cookie;
	// Of the last handshake message sent, which a cookie reply must answer.
	uint8_t last_mac1[WG_MAC_BYTES];
	bool has_last_mac1;
	uint8_t mac1_key[WG_HASH_BYTES]; // HASH("mac1----" || the peer's public key)
	uint8_t reply_key[WG_HASH_BYTES]; // HASH("cookie--" || the peer's public key)
};

void wg_cookie_init(struct wg_cookie *cookie, const uint8_t public_key[WG_KEY_BYTES]);
void wg_cookie_fini(struct wg_cookie *cookie);

// message is a whole initiation or response (wg_message_classify), len its length. 0 or -EBADMSG,
// in constant time.
WG_COOKIE_CHECKED int wg_cookie_verify_mac1(
	const uint8_t mac1_key[WG_HASH_BYTES], const void *message, size_t len
);
// The same for mac2 by the cookie of this source. Draws a new secret if the present one is too old.
WG_COOKIE_CHECKED int wg_cookie_verify_mac2(
	struct wg_cookie *cookie,
	const void *message,
	size_t len,
	const struct wg_source *source,
	uint64_t now_ns
);
// Answers a handshake message, whose mac1 was verified, with a cookie. Costs no X25519.
void wg_cookie_create_reply(
	struct wg_cookie *cookie,
	const void *message,
	size_t len,
	const struct wg_source *source,
	uint64_t now_ns,
	struct wg_message_cookie_reply *ret_reply
);

void wg_cookie_jar_init(struct wg_cookie_jar *jar, const uint8_t peer_public_key[WG_KEY_BYTES]);
void wg_cookie_jar_fini(struct wg_cookie_jar *jar);
// Writes mac1, and mac2 if a fresh cookie is at hand (else zeros), into a message that is complete
// before its macs.
void wg_cookie_jar_add_macs(struct wg_cookie_jar *jar, void *message, size_t len, uint64_t now_ns);
// Takes the cookie out of a reply to the last message sent. -EBADMSG if it answers no message or is
// not authentic. A cookie reply changes nothing else: no endpoint, no timer.
WG_COOKIE_CHECKED int wg_cookie_jar_consume_reply(
	struct wg_cookie_jar *jar, const struct wg_message_cookie_reply *reply, uint64_t now_ns
);

#endif
