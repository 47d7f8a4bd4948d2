// SPDX-License-Identifier: Apache-2.0
//
// chain_ask: every question is answered exactly once, whatever becomes of the chain: at once, late,
// never, or after the node began to stop; and nobody can take all the places. What the tests ask for is
// static: some of it is answered at their end.
#include "controlplane/settle/chain_ask.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 1000

static struct clock clk;
static struct clock_manual manual;
static struct chain_ask *ask;
static int n_wakes;

// ---- a chain of the test's -------------------------------------------------------------------

static unsigned n_calls;
static uint64_t last_work;
static void (*while_called)(void);

// Answers a question with itself, doubled; "refuse" is refused.
static int call(
	void *driver,
	const struct chain_query *query,
	uint8_t *buf,
	size_t cap,
	size_t *ret_len,
	char why[CHAIN_WHY_SIZE]
)
{
	(void)driver;
	n_calls++;
	last_work = query->work_max;
	if (while_called != NULL)
		while_called();
	if (query->len == 6 && memcmp(query->data, "refuse", 6) == 0) {
		strcpy(why, "the contract refuses");
		return -EREMOTEIO;
	}
	if (2 * query->len > cap)
		return -ENOSPC;
	memcpy(buf, query->data, query->len);
	memcpy(buf + query->len, query->data, query->len);
	*ret_len = 2 * query->len;
	return 0;
}

static const struct chain_driver_ops ops = {.call = call};
static const struct chain_driver chain = {.ops = &ops, .chain_id = 7};

// ---- who asks --------------------------------------------------------------------------------

struct asked {
	int n; // answers
	int error;
	char text[64];
};

static void answered(void *ctx, const struct chain_ask_answer *answer)
{
	struct asked *asked = ctx;

	asked->n++;
	asked->error = answer->error;
	snprintf(
		asked->text,
		sizeof(asked->text),
		"%.*s",
		(int)answer->len,
		answer->data == NULL ? "" : (const char *)answer->data
	);
}

static int submit(struct asked *asked, const char *text, uint64_t asker)
{
	const struct chain_ask_question question = {
		.chain_id = 7,
		.data = (const uint8_t *)text,
		.len = strlen(text),
		.work_max = 5,
		.answer_max = 32,
		.asker = asker,
	};

	return chain_ask_submit(ask, &question, answered, asked);
}

static bool is_readable(void)
{
	struct pollfd poll_fd = {.fd = chain_ask_fd(ask), .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void wake(void *ctx)
{
	(void)ctx;
	n_wakes++;
}

static int set_up(void **state)
{
	(void)state;
	n_calls = 0;
	n_wakes = 0;
	while_called = NULL;
	clock_manual_init(&clk, &manual, 0);
	if (chain_ask_create(&ask, &clk, TIMEOUT_MS) < 0)
		return -1;
	chain_ask_serve_with(ask, wake, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	chain_ask_cancel(ask);
	chain_ask_destroy(ask);
	return 0;
}

static void test_answers(void **state)
{
	static struct asked first = {0}, second = {0}, refused = {0}, long_one = {0};

	(void)state;
	assert_int_equal(submit(&first, "one", 1), 0);
	assert_int_equal(submit(&second, "two", 1), 0);
	assert_int_equal(submit(&refused, "refuse", 1), 0);
	assert_int_equal(submit(&long_one, "seventeen letters", 1), 0);
	assert_int_equal(n_wakes, 4);
	chain_ask_collect(ask);
	assert_int_equal(first.n + second.n, 0);
	assert_false(is_readable());
	assert_true(chain_ask_serve(ask, &chain));
	assert_int_equal(last_work, 5);
	assert_true(is_readable());
	chain_ask_collect(ask);
	assert_false(is_readable());
	assert_string_equal(first.text, "oneone"); // the oldest first
	assert_int_equal(second.n, 0);
	while (chain_ask_serve(ask, &chain))
		continue;
	chain_ask_collect(ask);
	chain_ask_collect(ask);
	assert_string_equal(second.text, "twotwo");
	assert_int_equal(refused.error, -EREMOTEIO);
	assert_int_equal(long_one.error, -ENOSPC);
	assert_int_equal(first.n, 1);
	assert_int_equal(second.n, 1);
	assert_int_equal(refused.n, 1);
	assert_int_equal(long_one.n, 1);
}

static void test_another_chain(void **state)
{
	const struct chain_driver other = {.ops = &ops, .chain_id = 8};
	static struct asked asked = {0};

	(void)state;
	assert_int_equal(submit(&asked, "one", 1), 0);
	assert_false(chain_ask_serve(ask, &other));
	assert_true(chain_ask_serve(ask, &chain));
	assert_int_equal(n_calls, 1);
	chain_ask_collect(ask); // asked is this function's
}

static void test_silence(void **state)
{
	static struct asked asked = {0};

	(void)state;
	assert_int_equal(submit(&asked, "one", 1), 0);
	clock_manual_advance(&manual, (TIMEOUT_MS - 1) * NS_PER_MS);
	chain_ask_collect(ask);
	assert_int_equal(asked.n, 0);
	clock_manual_advance(&manual, NS_PER_MS);
	chain_ask_collect(ask);
	assert_int_equal(asked.n, 1);
	assert_int_equal(asked.error, -ETIMEDOUT);
	assert_false(chain_ask_serve(ask, &chain)); // nobody waits for it
	assert_int_equal(n_calls, 0);
}

static void pass_time(void)
{
	clock_manual_advance(&manual, TIMEOUT_MS * NS_PER_MS);
	chain_ask_collect(ask);
}

// The chain answers when nobody waits any more: the answer is dropped and the place is free again.
static void test_late_answer(void **state)
{
	static struct asked asked = {0}, next = {0};

	(void)state;
	while_called = pass_time;
	assert_int_equal(submit(&asked, "one", 1), 0);
	assert_true(chain_ask_serve(ask, &chain));
	chain_ask_collect(ask);
	assert_int_equal(asked.n, 1);
	assert_int_equal(asked.error, -ETIMEDOUT);
	while_called = NULL;
	for (int i = 0; i < CHAIN_ASK_MAX; i++)
		assert_int_equal(submit(&next, "two", 0), 0);
	while (chain_ask_serve(ask, &chain))
		continue;
	chain_ask_collect(ask);
	assert_int_equal(next.n, CHAIN_ASK_MAX);
	assert_int_equal(asked.n, 1);
}

static void test_places(void **state)
{
	static struct asked asked = {0};
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < CHAIN_ASK_PER_ASKER; i++)
		assert_int_equal(submit(&asked, "x", 1), 0);
	assert_int_equal(submit(&asked, "x", 1), -EBUSY);
	for (unsigned asker = 2; asker < 100; asker++)
		n += submit(&asked, "x", asker) == 0;
	assert_int_equal(n, CHAIN_ASK_MAX - CHAIN_ASK_OWN - CHAIN_ASK_PER_ASKER);
	for (unsigned i = 0; i < CHAIN_ASK_OWN; i++)
		assert_int_equal(submit(&asked, "x", 0), 0);
	assert_int_equal(submit(&asked, "x", 0), -EBUSY);
	assert_true(chain_ask_serve(ask, &chain));
	chain_ask_collect(ask);
	assert_int_equal(submit(&asked, "x", 0), 0);
}

static void test_sizes(void **state)
{
	static uint8_t data[CHAIN_ASK_CALL_MAX + 1];
	struct chain_ask_question question = {.chain_id = 7, .data = data, .len = sizeof(data)};
	static struct asked asked = {0};

	(void)state;
	assert_int_equal(chain_ask_submit(ask, &question, answered, &asked), -E2BIG);
	question.len--;
	question.answer_max = CHAIN_ASK_ANSWER_MAX + 1;
	assert_int_equal(chain_ask_submit(ask, &question, answered, &asked), -E2BIG);
	question.answer_max--;
	assert_int_equal(chain_ask_submit(ask, &question, answered, &asked), 0);
}

static void test_cancel(void **state)
{
	static struct asked waiting = {0}, done = {0};

	(void)state;
	assert_int_equal(submit(&done, "one", 1), 0);
	assert_true(chain_ask_serve(ask, &chain));
	assert_int_equal(submit(&waiting, "two", 1), 0);
	chain_ask_cancel(ask);
	chain_ask_cancel(ask);
	assert_int_equal(done.n, 1);
	assert_int_equal(done.error, 0);
	assert_int_equal(waiting.n, 1);
	assert_int_equal(waiting.error, -ECANCELED);
	assert_int_equal(submit(&waiting, "three", 1), -ECANCELED);
}

// ---- two threads -----------------------------------------------------------------------------

#define N_ASKED 2000

static bool is_over; // atomic

static void *serve_all(void *ctx)
{
	(void)ctx;
	while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
		struct timespec pause = {.tv_nsec = 100000};

		if (!chain_ask_serve(ask, &chain))
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void test_threads(void **state)
{
	static struct asked asked[N_ASKED];
	unsigned n_sent = 0, n_answered = 0;
	pthread_t thread;

	(void)state;
	memset(asked, 0, sizeof(asked));
	is_over = false;
	assert_int_equal(pthread_create(&thread, NULL, serve_all, NULL), 0);
	while (n_answered < N_ASKED) {
		struct pollfd poll_fd = {.fd = chain_ask_fd(ask), .events = POLLIN};

		while (n_sent < N_ASKED && submit(&asked[n_sent], "abc", 0) == 0)
			n_sent++;
		assert_int_equal(poll(&poll_fd, 1, 20000), 1);
		if (n_sent % 5 == 0)
			clock_manual_advance(&manual, TIMEOUT_MS * NS_PER_MS); // some are too late
		chain_ask_collect(ask);
		n_answered = 0;
		for (unsigned i = 0; i < n_sent; i++)
			n_answered += asked[i].n == 1;
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < N_ASKED; i++) {
		assert_int_equal(asked[i].n, 1);
		if (asked[i].error == 0)
			assert_string_equal(asked[i].text, "abcabc");
		else
			assert_int_equal(asked[i].error, -ETIMEDOUT);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_another_chain),
		TEST(test_silence),
		TEST(test_late_answer),
		TEST(test_places),
		TEST(test_sizes),
		TEST(test_cancel),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
