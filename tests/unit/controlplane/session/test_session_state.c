// SPDX-License-Identifier: Apache-2.0
//
// The whole transition table: what is not listed here is illegal.
#include "controlplane/session/session_state.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define N SESSION_N_STATE

static void test_table(void **state)
{
	static const struct {
		enum session_state from, to;
	} legal[] = {
		{SESSION_PENDING, SESSION_PROVISIONED},	 {SESSION_PENDING, SESSION_SETTLING},
		{SESSION_PENDING, SESSION_REFUNDED},	 {SESSION_PENDING, SESSION_VOID},
		{SESSION_PROVISIONED, SESSION_ACTIVE},	 {SESSION_PROVISIONED, SESSION_SUSPENDED},
		{SESSION_PROVISIONED, SESSION_DRAINING}, {SESSION_PROVISIONED, SESSION_VOID},
		{SESSION_ACTIVE, SESSION_SUSPENDED},	 {SESSION_ACTIVE, SESSION_DRAINING},
		{SESSION_ACTIVE, SESSION_VOID},		 {SESSION_SUSPENDED, SESSION_PROVISIONED},
		{SESSION_SUSPENDED, SESSION_ACTIVE},	 {SESSION_SUSPENDED, SESSION_DRAINING},
		{SESSION_SUSPENDED, SESSION_VOID},	 {SESSION_DRAINING, SESSION_SETTLING},
		{SESSION_DRAINING, SESSION_VOID},	 {SESSION_SETTLING, SESSION_SETTLED},
		{SESSION_SETTLING, SESSION_REFUNDED},	 {SESSION_SETTLING, SESSION_DISPUTED},
		{SESSION_SETTLING, SESSION_VOID},	 {SESSION_SETTLED, SESSION_SETTLING},
		{SESSION_REFUNDED, SESSION_SETTLING},	 {SESSION_DISPUTED, SESSION_SETTLING},
		{SESSION_DISPUTED, SESSION_SETTLED},	 {SESSION_DISPUTED, SESSION_REFUNDED},
		{SESSION_DISPUTED, SESSION_VOID},
	};
	bool want[N + 1][N + 1] = {{false}};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(legal); i++)
		want[legal[i].from][legal[i].to] = true;
	for (unsigned former = 0; former < N; former++) {
		for (unsigned from = 0; from <= N; from++) {
			for (unsigned to = 0; to <= N; to++) {
				bool is_legal = want[from][to];
				if (from == SESSION_VOID)
					is_legal = to == former && to != SESSION_VOID;
				assert_int_equal(
					session_state_check_transition(from, to, former), is_legal
				);
			}
		}
	}
}

static void test_names(void **state)
{
	enum session_state parsed;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(session_state_parse(&parsed, session_state_name(i)), 0);
		assert_int_equal(parsed, i);
		assert_true(strlen(session_state_help(i)) > 5);
	}
	assert_int_equal(session_state_parse(&parsed, "unknown"), -EINVAL);
	assert_string_equal(session_state_name(N), "unknown");
	assert_string_equal(session_state_review_name(SESSION_N_REVIEW), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
