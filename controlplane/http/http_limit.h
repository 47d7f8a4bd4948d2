// SPDX-License-Identifier: Apache-2.0
//
// How much one address may ask: connections at a time and requests a minute, for the clients of the
// TCP listener. An IPv6 client counts by its /64, which is what one subscriber has (RFC 6177). A fixed
// table: the address that matters least gives way, never one with an open connection. Pure but for
// the memory of the table; the loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct http_limit_entry {
	uint8_t addr[16];
	uint32_t n_conns;
	uint32_t n_live; // WebSockets among them: the connections' own count
	bool is_used;
	// When the address will have paid off all it asked, at the permitted rate: the theoretical arrival
	// time of the generic cell rate algorithm (ITU-T I.371).
	uint64_t paid_us;
};

struct http_limit {
	struct http_limit_entry *entries;
	uint64_t seed; // so that nobody can choose addresses that share a place
	uint32_t conns_per_address;
	uint32_t requests_per_minute; // also what may come at once
};

// Returns: 0 or -ENOMEM.
int http_limit_init(
	struct http_limit *limit,
	uint32_t conns_per_address,
	uint32_t requests_per_minute,
	uint64_t seed
);
void http_limit_fini(struct http_limit *limit);

// addr: IPv6, or IPv4 mapped into it. The entry stays valid until http_limit_disconnect().
//
// Returns: NULL when the address has its connections already, or no place is left.
struct http_limit_entry *http_limit_connect(
	struct http_limit *limit, const uint8_t addr[16], uint64_t now_us
);
void http_limit_disconnect(struct http_limit_entry *entry);

// Returns: 0 to go on; the seconds after which the next request is welcome.
uint32_t http_limit_request(
	const struct http_limit *limit, struct http_limit_entry *entry, uint64_t now_us
);
