// SPDX-License-Identifier: Apache-2.0
//
// See api_session_json.h. Absent times are null, absent limits are null, never zero.
#include "api_session_json.h"

#include "controlplane/http/api_purchase_json.h"
#include "controlplane/session/client_conf.h"

#include <arpa/inet.h>

// 0 means "none" in the store.
static void put_or_null(struct json_writer *writer, const char *name, uint64_t value)
{
	if (value == 0)
		json_put_null(writer, name);
	else
		json_put_count(writer, name, value);
}

static void put_endpoint(
	struct json_writer *writer, const char *name, const struct abi_endpoint *endpoint
)
{
	char addr[INET6_ADDRSTRLEN];
	bool is_ipv6 = endpoint->family == ABI_FAMILY_IPV6;

	if (endpoint->family == ABI_FAMILY_NONE ||
	    inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, endpoint->addr, addr, sizeof(addr)) == NULL)
		json_put_null(writer, name);
	else if (endpoint->port_be == 0)
		json_put_string(writer, name, addr);
	else
		json_put_format(
			writer,
			name,
			is_ipv6 ? "[%s]:%u" : "%s:%u",
			addr,
			(unsigned)ntohs(endpoint->port_be)
		);
}

static void put_identity(struct json_writer *writer, const struct session *session)
{
	char public_key[45];

	json_put_count(writer, "id", session->id);
	json_put_string(writer, "name", session->name);
	json_put_string(writer, "state", session_state_name(session->state));
	json_put_string(
		writer,
		"source",
		session->identity.source == SESSION_SOURCE_CHAIN ? "chain" : "admin"
	);
	client_conf_key_text(public_key, session->public_key);
	json_put_string(writer, "public_key", session->has_public_key ? public_key : NULL);
	json_put_bool(writer, "has_private_key", session->is_private_key_kept);
	json_put_bool(writer, "has_psk", session->has_psk);
	if (session->has_slot) {
		put_endpoint(writer, "inner_address", &session->inner);
		json_put_count(writer, "slot", session->slot);
		json_put_count(writer, "generation", session->generation);
	} else {
		json_put_null(writer, "inner_address");
		json_put_null(writer, "slot");
		json_put_null(writer, "generation");
	}
	json_begin_array(writer, "reviews");
	for (unsigned i = 0; i < SESSION_N_REVIEW; i++) {
		if (session->reviews >> i & 1)
			json_put_string(writer, NULL, session_state_review_name(i));
	}
	json_end(writer);
}

static void put_limits(struct json_writer *writer, const struct session *session, uint64_t now_sec)
{
	uint64_t expires = session->expires_unix_sec;

	json_put_count(writer, "quota_bytes", session->quota_bytes);
	json_put_string(
		writer, "quota_action", session->is_throttled_on_quota ? "throttle" : "cut"
	);
	json_put_count(writer, "created_unix_sec", session->created_unix_sec);
	json_put_count(writer, "changed_unix_sec", session->changed_unix_sec);
	put_or_null(writer, "expires_unix_sec", expires);
	if (expires == 0)
		json_put_null(writer, "seconds_left");
	else
		json_put_count(writer, "seconds_left", expires > now_sec ? expires - now_sec : 0);
	put_or_null(writer, "rate_out_kbps", session->rate_out_kbps);
	put_or_null(writer, "rate_in_kbps", session->rate_in_kbps);
	json_put_count(writer, "free_rate_kbps", session->free_rate_kbps);
}

static void put_usage(
	struct json_writer *writer, const struct usage_view *usage, const struct session *session
)
{
	uint64_t used = usage->out_bytes + usage->in_bytes, quota_bytes = session->quota_bytes;

	json_begin_object(writer, "usage");
	json_put_count(writer, "used_bytes", used);
	json_put_count(writer, "left_bytes", quota_bytes > used ? quota_bytes - used : 0);
	json_put_count(writer, "out_bytes", usage->out_bytes);
	json_put_count(writer, "in_bytes", usage->in_bytes);
	json_put_count(writer, "out_bits_per_sec", usage->out_bits_per_sec);
	json_put_count(writer, "in_bits_per_sec", usage->in_bits_per_sec);
	json_put_count(writer, "checkpoints", usage->n_checkpoints);
	put_or_null(writer, "last_authentic_unix_sec", usage->last_authentic_unix_ns / NS_PER_SEC);
	put_or_null(writer, "last_handshake_unix_sec", usage->last_handshake_unix_ns / NS_PER_SEC);
	put_endpoint(writer, "endpoint", &usage->endpoint);
	json_put_bool(writer, "is_in_dataplane", usage->is_in_dataplane);
	json_put_string(writer, "gate", usage->is_in_dataplane ? abi_gate_name(usage->gate) : NULL);
	json_put_bool(writer, "is_waiting_for_voucher", usage_view_is_waiting(usage, session));
	json_put_count(writer, "out_pkts", usage->out_pkts);
	json_put_count(writer, "in_pkts", usage->in_pkts);
	json_put_count(writer, "free_out_bytes", usage->free_out_bytes);
	json_put_count(writer, "free_in_bytes", usage->free_in_bytes);
	json_put_count(writer, "originated_bytes", usage->originated_bytes);
	json_put_count(writer, "drop_out_pkts", usage->drop_out_pkts);
	json_put_count(writer, "drop_in_pkts", usage->drop_in_pkts);
	json_end(writer);
}

void api_session_json_put_used(
	struct json_writer *writer, struct control *control, const struct session *session
)
{
	struct usage_view usage;

	if (usage_read(control->usage, session->id, &usage) < 0)
		json_put_null(writer, "used_bytes");
	else
		json_put_count(writer, "used_bytes", usage.out_bytes + usage.in_bytes);
}

void api_session_json_put(
	struct json_writer *writer,
	const char *name,
	struct control *control,
	const struct session *session
)
{
	struct usage_view usage;
	uint64_t used_bytes = 0;

	json_begin_object(writer, name);
	put_identity(writer, session);
	put_limits(writer, session, clock_unix_ns(control->clock) / NS_PER_SEC);
	if (usage_read(control->usage, session->id, &usage) < 0) {
		json_put_null(writer, "usage");
	} else {
		put_usage(writer, &usage, session);
		used_bytes = usage.out_bytes + usage.in_bytes;
	}
	api_purchase_json_put(writer, "purchase", control, session, used_bytes);
	json_end(writer);
}
