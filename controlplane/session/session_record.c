// SPDX-License-Identifier: Apache-2.0
//
// Encoding of sessions: a version byte, then the fields in the order of struct session, numbers
// big-endian. Pure.
#include "controlplane/session/session_record.h"

#include "common/cursor.h"

#include <errno.h>
#include <string.h>

#define RECORD_VERSION 3
#define RECORD_VERSION_PEER 3 // has peer_unix_sec and peer_paced_unix_sec
#define RECORD_VERSION_FIRST 1 // without voucher_limit_bytes

#define FLAG_PUBLIC_KEY 0x01u
#define FLAG_PSK 0x02u
#define FLAG_PRIVATE_KEY_KEPT 0x04u
#define FLAG_THROTTLED 0x08u
#define FLAG_SLOT 0x10u
#define FLAG_KEY_REPLACED 0x20u
#define FLAGS_ALL 0x3fu

static void encode_identity(struct cursor_out *out, const struct session_identity *identity)
{
	cursor_out_u8(out, (uint8_t)identity->source);
	cursor_out_be64(out, identity->chain);
	cursor_out_bytes(out, identity->contract, 32);
	cursor_out_bytes(out, identity->id, 32);
}

struct db_key session_record_identity_dbkey(const struct session_identity *identity)
{
	uint8_t bytes[SESSION_IDENTITY_BYTES];
	struct cursor_out out;

	cursor_out_init(&out, bytes, sizeof(bytes));
	encode_identity(&out, identity);
	return db_key_bytes(bytes, sizeof(bytes));
}

static uint8_t flags_of(const struct session *session)
{
	return (uint8_t
	)((session->has_public_key ? FLAG_PUBLIC_KEY : 0) | (session->has_psk ? FLAG_PSK : 0) |
	  (session->is_private_key_kept ? FLAG_PRIVATE_KEY_KEPT : 0) |
	  (session->is_throttled_on_quota ? FLAG_THROTTLED : 0) |
	  (session->has_slot ? FLAG_SLOT : 0) | (session->is_key_replaced ? FLAG_KEY_REPLACED : 0));
}

size_t session_record_encode(uint8_t dst[SESSION_RECORD_CAP], const struct session *session)
{
	size_t name_len = strlen(session->name);
	struct cursor_out out;

	cursor_out_init(&out, dst, SESSION_RECORD_CAP);
	cursor_out_u8(&out, RECORD_VERSION);
	cursor_out_be64(&out, session->id);
	encode_identity(&out, &session->identity);
	cursor_out_u8(&out, (uint8_t)name_len);
	cursor_out_bytes(&out, session->name, name_len);
	cursor_out_u8(&out, (uint8_t)session->state);
	cursor_out_u8(&out, (uint8_t)session->former);
	cursor_out_be32(&out, session->reviews);
	cursor_out_u8(&out, flags_of(session));
	cursor_out_bytes(&out, session->public_key, 32);
	cursor_out_u8(&out, session->inner.family);
	cursor_out_bytes(&out, session->inner.addr, 16);
	cursor_out_be32(&out, session->slot);
	cursor_out_be32(&out, session->generation);
	cursor_out_be64(&out, session->quota_bytes);
	cursor_out_be64(&out, session->created_unix_sec);
	cursor_out_be64(&out, session->changed_unix_sec);
	cursor_out_be64(&out, session->expires_unix_sec);
	cursor_out_be32(&out, session->rate_out_kbps);
	cursor_out_be32(&out, session->rate_in_kbps);
	cursor_out_be32(&out, session->free_rate_kbps);
	cursor_out_be64(&out, session->voucher_limit_bytes);
	cursor_out_be64(&out, session->peer_unix_sec);
	cursor_out_be64(&out, session->peer_paced_unix_sec);
	return cursor_out_ok(&out) ? out.pos : 0;
}

static void decode_identity(struct cursor *cur, struct session_identity *identity)
{
	uint8_t source = cursor_u8(cur);

	if (source >= SESSION_N_SOURCE)
		cursor_fail(cur);
	identity->source = (enum session_source)source;
	identity->chain = cursor_be64(cur);
	cursor_bytes(cur, identity->contract, 32);
	cursor_bytes(cur, identity->id, 32);
}

static void decode_flags(struct cursor *cur, struct session *session)
{
	uint8_t flags = cursor_u8(cur);

	if ((flags & ~FLAGS_ALL) != 0)
		cursor_fail(cur);
	session->has_public_key = (flags & FLAG_PUBLIC_KEY) != 0;
	session->has_psk = (flags & FLAG_PSK) != 0;
	session->is_private_key_kept = (flags & FLAG_PRIVATE_KEY_KEPT) != 0;
	session->is_throttled_on_quota = (flags & FLAG_THROTTLED) != 0;
	session->has_slot = (flags & FLAG_SLOT) != 0;
	session->is_key_replaced = (flags & FLAG_KEY_REPLACED) != 0;
}

static enum session_state decode_state(struct cursor *cur)
{
	uint8_t state = cursor_u8(cur);

	if (state >= SESSION_N_STATE)
		cursor_fail(cur);
	return (enum session_state)state;
}

static void decode_name(struct cursor *cur, struct session *session)
{
	uint8_t len = cursor_u8(cur);

	if (len >= SESSION_NAME_CAP) {
		cursor_fail(cur);
		return;
	}
	cursor_bytes(cur, session->name, len);
	if (strlen(session->name) != len || session_record_check_name(session->name) != 0)
		cursor_fail(cur);
}

int session_record_decode(struct session *ret, const void *data, size_t len)
{
	struct session session = {0};
	struct cursor cur;

	cursor_init(&cur, data, len);
	uint8_t version = cursor_u8(&cur);
	if (version < RECORD_VERSION_FIRST || version > RECORD_VERSION)
		return -EBADMSG;
	session.id = cursor_be64(&cur);
	decode_identity(&cur, &session.identity);
	decode_name(&cur, &session);
	session.state = decode_state(&cur);
	session.former = decode_state(&cur);
	session.reviews = cursor_be32(&cur);
	decode_flags(&cur, &session);
	cursor_bytes(&cur, session.public_key, 32);
	session.inner.family = cursor_u8(&cur);
	cursor_bytes(&cur, session.inner.addr, 16);
	session.slot = cursor_be32(&cur);
	session.generation = cursor_be32(&cur);
	session.quota_bytes = cursor_be64(&cur);
	session.created_unix_sec = cursor_be64(&cur);
	session.changed_unix_sec = cursor_be64(&cur);
	session.expires_unix_sec = cursor_be64(&cur);
	session.rate_out_kbps = cursor_be32(&cur);
	session.rate_in_kbps = cursor_be32(&cur);
	session.free_rate_kbps = cursor_be32(&cur);
	if (version > RECORD_VERSION_FIRST)
		session.voucher_limit_bytes = cursor_be64(&cur);
	if (version >= RECORD_VERSION_PEER) {
		session.peer_unix_sec = cursor_be64(&cur);
		session.peer_paced_unix_sec = cursor_be64(&cur);
	}
	if (!cursor_is_done(&cur) || session.id == 0 ||
	    session.quota_bytes > SESSION_QUOTA_MAX_BYTES ||
	    (session.has_slot && session.generation == 0) ||
	    session.reviews >> SESSION_N_REVIEW != 0)
		return -EBADMSG;
	*ret = session;
	return 0;
}

int session_record_check_name(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	if (len == 0 || len >= SESSION_NAME_CAP || strspn(name, allowed) != len)
		return -EINVAL;
	if (name[0] == '-' || name[0] == '.' || strspn(name, "0123456789") == len)
		return -EINVAL;
	return 0;
}
