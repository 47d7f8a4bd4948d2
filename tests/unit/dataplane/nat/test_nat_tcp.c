// SPDX-License-Identifier: Apache-2.0
//
// nat_tcp: connections as strings of segments, the state after each, and the rule that no remote alone
// reaches an established state.
#include "dataplane/nat/nat_tcp.h"
#include "dataplane/net/net_parse.h"
#include "tests/unit/test.h"

#include <ctype.h>

struct row {
	const char *name;
	const char *
		segments; // lower case outbound, upper case inbound: s SYN, k SYN+ACK, a data, f FIN, r RST
	enum nat_tcp_state want;
};

static const struct row rows[] = {
	{"SYN alone", "s", NAT_TCP_SYN_OUT},
	{"no answer, retransmitted", "sss", NAT_TCP_SYN_OUT},
	{"handshake (RFC 5382 REQ-2)", "sKa", NAT_TCP_ESTABLISHED},
	{"answered, not acknowledged", "sK", NAT_TCP_SYN_BOTH},
	{"remote cannot establish", "sKAAA", NAT_TCP_SYN_BOTH},
	{"simultaneous open (RFC 5382 REQ-2a)", "sSkKa", NAT_TCP_ESTABLISHED},
	{"simultaneous open, one SYN lost", "sSa", NAT_TCP_ESTABLISHED},
	{"remote opens to a permitted mapping", "Ska", NAT_TCP_ESTABLISHED},
	{"remote's SYN alone", "S", NAT_TCP_SYN_IN},
	{"client closes first", "sKaf", NAT_TCP_FIN_OUT},
	{"half closed, data inbound", "sKafAAaA", NAT_TCP_FIN_OUT},
	{"remote closes first", "sKaF", NAT_TCP_FIN_IN},
	{"both closed", "sKafAFa", NAT_TCP_CLOSING},
	{"both closed, last ACKs", "sKaFafAa", NAT_TCP_CLOSING},
	{"port used again", "sKafFas", NAT_TCP_SYN_OUT},
	{"port used again, established", "sKafFasKa", NAT_TCP_ESTABLISHED},
	{"reset by client", "sKar", NAT_TCP_RESET},
	{"reset by remote", "sKaR", NAT_TCP_RESET},
	{"refused", "sR", NAT_TCP_RESET},
	{"forged reset, remote goes on alone", "sKaRAAA", NAT_TCP_RESET},
	{"forged reset, both go on (RFC 7857)", "sKaRaAa", NAT_TCP_ESTABLISHED},
	{"under a restart", "aAa", NAT_TCP_ESTABLISHED},
	{"under a restart, remote silent", "aaaa", NAT_TCP_MIDSTREAM_OUT},
	{"FIN before the handshake", "sf", NAT_TCP_CLOSING},
	{"FIN out of nothing", "f", NAT_TCP_CLOSING},
	{"remote's FIN at once", "sKF", NAT_TCP_CLOSING},
};

static enum nat_tcp_state step(enum nat_tcp_state state, char segment)
{
	static const char letters[] = "skafr";
	static const uint8_t flags[] = {
		NET_TCP_SYN,
		NET_TCP_SYN | NET_TCP_ACK,
		NET_TCP_ACK,
		NET_TCP_FIN | NET_TCP_ACK,
		NET_TCP_RST | NET_TCP_ACK,
	};
	enum nat_tcp_direction direction = NAT_TCP_OUTBOUND;
	if (isupper((unsigned char)segment))
		direction = NAT_TCP_INBOUND;
	size_t at = 0;
	while (letters[at] != tolower((unsigned char)segment))
		at++;
	return nat_tcp_next(state, direction, flags[at]);
}

static void test_connections(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		enum nat_tcp_state tcp = NAT_TCP_NONE;
		for (const char *s = rows[i].segments; *s != '\0'; s++)
			tcp = step(tcp, *s);
		if (tcp != rows[i].want)
			fail_msg("%s: %s", rows[i].name, nat_tcp_name(tcp));
	}
}

static void test_every_flag_has_a_state(void **state)
{
	(void)state;
	for (unsigned tcp = 0; tcp < NAT_TCP_N_STATES; tcp++) {
		for (unsigned flags = 0; flags < 256; flags++) {
			enum nat_tcp_state out = nat_tcp_next(
				(enum nat_tcp_state)tcp, NAT_TCP_OUTBOUND, (uint8_t)flags
			);
			enum nat_tcp_state in = nat_tcp_next(
				(enum nat_tcp_state)tcp, NAT_TCP_INBOUND, (uint8_t)flags
			);
			assert_true(out < NAT_TCP_N_STATES && in < NAT_TCP_N_STATES);
			// No inbound segment leads into the established timeout.
			if (nat_tcp_check_established(in))
				assert_true(nat_tcp_check_established((enum nat_tcp_state)tcp));
		}
	}
}

static void test_timeout_class(void **state)
{
	(void)state;
	for (unsigned tcp = 0; tcp < NAT_TCP_N_STATES; tcp++) {
		bool want = tcp == NAT_TCP_ESTABLISHED || tcp == NAT_TCP_FIN_OUT ||
			tcp == NAT_TCP_FIN_IN;
		assert_int_equal(nat_tcp_check_established((enum nat_tcp_state)tcp), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_every_flag_has_a_state),
		cmocka_unit_test(test_timeout_class),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
