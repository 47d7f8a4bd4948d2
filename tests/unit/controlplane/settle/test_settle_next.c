// SPDX-License-Identifier: Apache-2.0
//
// Which call follows a refused one, for every kind of end and everything that can stand on the chain.

#include "controlplane/settle/settle_next.h"
#include "tests/unit/test.h"

#include <cmocka.h>

#define NOW 1000
#define NONE CHAIN_EVENT_CREATED

static void test_rows(void **state)
{
	static const struct {
		const char *name;
		enum chain_call_kind kind;
		bool has_attestation;
		enum chain_event_kind last;
		uint64_t deadline;
		bool is_next;
		enum chain_call_kind next;
		uint64_t not_before;
	} rows[] = {
		{"nothing proposed", CHAIN_CALL_FINALIZE, false, NONE, 0, false, 0, 0},
		{"not proposed, not executed", CHAIN_CALL_EXECUTE, false, NONE, 0, false, 0, 0},
		{"too early",
		 CHAIN_CALL_EXECUTE,
		 false,
		 CHAIN_EVENT_PROPOSED,
		 2000,
		 true,
		 CHAIN_CALL_EXECUTE,
		 2000},
		{"the window is over and it is refused",
		 CHAIN_CALL_EXECUTE,
		 false,
		 CHAIN_EVENT_PROPOSED,
		 NOW,
		 false,
		 0,
		 0},
		{"disputed in between",
		 CHAIN_CALL_EXECUTE,
		 false,
		 CHAIN_EVENT_DISPUTED,
		 2000,
		 true,
		 CHAIN_CALL_EXECUTE,
		 2000},
		{"the attestor's time is over and it is refused",
		 CHAIN_CALL_EXECUTE,
		 false,
		 CHAIN_EVENT_DISPUTED,
		 NOW,
		 false,
		 0,
		 0},
		{"proposed by hand",
		 CHAIN_CALL_FINALIZE,
		 false,
		 CHAIN_EVENT_PROPOSED,
		 2000,
		 true,
		 CHAIN_CALL_EXECUTE,
		 2000},
		{"proposed by hand long ago",
		 CHAIN_CALL_FINALIZE,
		 false,
		 CHAIN_EVENT_PROPOSED,
		 500,
		 true,
		 CHAIN_CALL_EXECUTE,
		 0},
		{"attested and proposed: refused for another reason",
		 CHAIN_CALL_FINALIZE_ATTESTED,
		 true,
		 CHAIN_EVENT_PROPOSED,
		 2000,
		 false,
		 0,
		 0},
		{"attested and proposed, the window over: either is taken",
		 CHAIN_CALL_FINALIZE_ATTESTED,
		 true,
		 CHAIN_EVENT_PROPOSED,
		 NOW,
		 true,
		 CHAIN_CALL_EXECUTE,
		 0},
		{"attested and disputed in between",
		 CHAIN_CALL_FINALIZE_ATTESTED,
		 true,
		 CHAIN_EVENT_DISPUTED,
		 2000,
		 true,
		 CHAIN_CALL_RESOLVE,
		 0},
		{"attested, disputed, too late for the attestor",
		 CHAIN_CALL_FINALIZE_ATTESTED,
		 true,
		 CHAIN_EVENT_DISPUTED,
		 NOW,
		 true,
		 CHAIN_CALL_EXECUTE,
		 0},
		{"resolved too late",
		 CHAIN_CALL_RESOLVE,
		 true,
		 CHAIN_EVENT_DISPUTED,
		 999,
		 true,
		 CHAIN_CALL_EXECUTE,
		 0},
		{"resolved in time and refused",
		 CHAIN_CALL_RESOLVE,
		 true,
		 CHAIN_EVENT_DISPUTED,
		 2000,
		 false,
		 0,
		 0},
		{"resolved before a dispute",
		 CHAIN_CALL_RESOLVE,
		 true,
		 CHAIN_EVENT_PROPOSED,
		 2000,
		 true,
		 CHAIN_CALL_FINALIZE_ATTESTED,
		 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct settle_item item = {.kind = rows[i].kind};
		struct chain_event last = {.kind = rows[i].last, .deadline_sec = rows[i].deadline};
		struct settle_next next = {CHAIN_CALL_CLAIM, 7, 7};
		bool is_next;

		item.call.attestation_vs[31] = rows[i].has_attestation;
		is_next = settle_next_end(&item, rows[i].last == NONE ? NULL : &last, NOW, &next);
		if (is_next != rows[i].is_next)
			fail_msg("%s: %d", rows[i].name, is_next);
		if (is_next &&
		    (next.kind != rows[i].next || next.not_before_sec != rows[i].not_before))
			fail_msg(
				"%s: %s from %lu",
				rows[i].name,
				settle_kind_name(next.kind),
				(unsigned long)next.not_before_sec
			);
		// The attestor's word has an end of time, an execution has none.
		if (is_next)
			assert_int_equal(
				next.deadline_sec,
				next.kind == CHAIN_CALL_EXECUTE ? 0 : rows[i].deadline
			);
		if (!is_next && next.not_before_sec != 7)
			fail_msg("%s: changed", rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
