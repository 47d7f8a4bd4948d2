// SPDX-License-Identifier: Apache-2.0
//
// The replay window by rows at its edges, and against a slow, obvious model: the set of all
// counters ever accepted.
#include "dataplane/wg/wg_replay.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW UINT64_C(8128)
#define REJECT WG_REJECT_AFTER_MESSAGES

struct row {
	uint64_t counter;
	bool accepted;
};

struct table {
	const char *name;
	struct row row[16];
	unsigned int n;
};

static const struct table tables[] = {
	{"from zero", {{0, true}, {0, false}, {1, true}, {1, false}, {0, false}}, 5},
	{"first is not zero", {{5, true}, {0, true}, {4, true}, {5, false}, {0, false}}, 5},
	{"reordered", {{9, true}, {8, true}, {7, true}, {7, false}, {3, true}, {9, false}}, 6},
	{"oldest still in the window",
	 {{WINDOW, true},
	  {0, true},
	  {0, false},
	  {WINDOW + 1, true},
	  {0, false},
	  {1, true},
	  {1, false}},
	 7},
	{"just out of the window", {{WINDOW + 1, true}, {0, false}, {1, true}}, 3},
	{"all of the window at once", {{0, true}, {WINDOW, true}, {0, false}, {1, true}}, 4},
	// The ring has 8192 bits: counters one ring apart share a bit.
	{"one ring apart", {{7, true}, {8192 + 7, true}, {7, false}, {8192 + 7, false}}, 4},
	{"a word of the ring before is cleared",
	 {{5, true}, {7, true}, {8192 + 7, true}, {8192 + 5, true}, {8192 + 5, false}},
	 5},
	{"two rings apart", {{7, true}, {2 * 8192 + 7, true}, {2 * 8192 + 6, true}}, 3},
	{"words between are cleared", {{63, true}, {64 * 128 + 63, true}, {64 * 127, true}}, 3},
	{"far jump",
	 {{1, true}, {UINT64_C(1) << 60, true}, {(UINT64_C(1) << 60) - WINDOW, true}, {1, false}},
	 4},
	{"last counter", {{REJECT - 1, true}, {REJECT - 1, false}, {REJECT - 2, true}}, 3},
	{"REJECT_AFTER_MESSAGES",
	 {{REJECT, false}, {REJECT + 1, false}, {UINT64_MAX, false}, {0, true}},
	 4},
	{"refused changes nothing", {{10, true}, {UINT64_MAX, false}, {11, true}, {9, true}}, 4},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(tables); i++) {
		struct wg_replay replay;

		wg_replay_init(&replay);
		for (unsigned int k = 0; k < tables[i].n; k++) {
			const struct row *row = &tables[i].row[k];

			if (wg_replay_accept(&replay, row->counter) != row->accepted)
				fail_msg("%s, row %u", tables[i].name, k);
		}
	}
}

// The model: every counter ever accepted, in a list; greatest by comparison.
struct model {
	uint64_t *seen;
	size_t n;
	uint64_t greatest;
};

static bool model_accept(struct model *model, uint64_t counter)
{
	if (counter >= REJECT)
		return false;
	if (model->n > 0 && counter < model->greatest && model->greatest - counter > WINDOW)
		return false;
	for (size_t i = model->n; i > 0; i--) {
		if (model->seen[i - 1] == counter)
			return false;
	}
	model->seen[model->n++] = counter;
	if (counter > model->greatest)
		model->greatest = counter;
	return true;
}

// How far counters stray from the greatest: near it, about the window's edge, beyond the ring.
static const uint64_t spreads[] = {4, 64, 200, 8000, 8200, 20000};
static const uint64_t starts[] = {0, 63, 8190, UINT64_C(1) << 32, REJECT - 30000};

static void test_model(void **state)
{
	enum { STEPS = 6000 };
	struct model model = {.seen = malloc(STEPS * sizeof(uint64_t))};

	(void)state;
	assert_non_null(model.seen);
	srand(2);
	for (size_t s = 0; s < TEST_N_ROWS(spreads) * TEST_N_ROWS(starts); s++) {
		uint64_t spread = spreads[s % TEST_N_ROWS(spreads)];
		uint64_t base = starts[s / TEST_N_ROWS(spreads)];
		unsigned int n_accepted = 0;
		struct wg_replay replay;

		wg_replay_init(&replay);
		model.n = 0;
		model.greatest = 0;
		for (unsigned int i = 0; i < STEPS; i++) {
			uint64_t top = model.n > 0 ? model.greatest : base;
			uint64_t low = top > spread ? top - spread : 0;
			uint64_t jump = rand() % 500 == 0 ? (uint64_t)rand() % 25000 : 8;
			uint64_t counter = low + (uint64_t)rand() % (spread + jump);
			bool accepted = model_accept(&model, counter);

			assert_int_equal(wg_replay_accept(&replay, counter), accepted);
			n_accepted += accepted;
		}
		assert_true(n_accepted > 10);
	}
	free(model.seen);
}

// The edge of the window, at each position within a word.
static void test_edge_at_each_bit(void **state)
{
	(void)state;
	for (uint64_t offset = 0; offset < 3 * 64; offset++) {
		for (uint64_t distance = WINDOW - 66; distance <= WINDOW + 66; distance++) {
			uint64_t greatest = 100000 + offset;
			struct wg_replay replay;

			wg_replay_init(&replay);
			assert_true(wg_replay_accept(&replay, greatest));
			assert_int_equal(
				wg_replay_accept(&replay, greatest - distance), distance <= WINDOW
			);
			assert_false(wg_replay_accept(&replay, greatest - distance));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_edge_at_each_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
