// SPDX-License-Identifier: Apache-2.0
//
// kill -9 of the control plane at every step that leaves a trace: before and after each commit, each
// command that goes out, each segment that is unlinked. Whatever the step, after a restart the total
// is what was billed and no quota is granted twice.
#include "controlplane/dp_link.h"
#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/controlplane/fake_dataplane.h"
#include "tests/unit/test.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

static int countdown; // steps until death; 0: immortal
static bool is_before; // death before the step, or after it
static pid_t victim; // not the child that checks the store
static atomic_uint *n_polls; // of the data plane, by the parent; shared memory

int __real_db_txn_commit(struct db_txn *txn);
int __wrap_db_txn_commit(struct db_txn *txn);
int __real_shm_ring_push(struct shm_ring *ring, const void *record);
int __wrap_shm_ring_push(struct shm_ring *ring, const void *record);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

static bool is_step_of_death(void)
{
	return countdown != 0 && getpid() == victim && --countdown == 0;
}

#define STEP(call) \
	bool is_last = is_step_of_death(); \
	if (is_last && is_before) \
		kill(getpid(), SIGKILL); \
	int rc = call; \
	if (is_last) \
		kill(getpid(), SIGKILL); \
	return rc

int __wrap_db_txn_commit(struct db_txn *txn)
{
	STEP(__real_db_txn_commit(txn));
}

int __wrap_shm_ring_push(struct shm_ring *ring, const void *record)
{
	STEP(__real_shm_ring_push(ring, record));
}

int __wrap_unlink(const char *path)
{
	STEP(__real_unlink(path));
}

// Until the data plane has taken and answered what was sent before. The poll that is under way may have passed it.
static void await_answers(void)
{
	unsigned before = atomic_load(n_polls);

	for (int i = 0; i < 300000 && atomic_load(n_polls) - before < 2; i++)
		usleep(200);
}

// One life: finds what is there, tops up and removes by what it finds, and goes round a few times.
static void live(struct control_fixture *fix, int rounds)
{
	control_fixture_open(fix, true);
	for (int i = 0; i < rounds; i++) {
		clock_manual_advance(&fix->manual, 61 * NS_PER_SEC);
		dp_link_tick(fix->link);
		await_answers();
	}
	control_fixture_close(fix);
}

// Returns: true when the child lived to its end.
static bool run_child(
	struct control_fixture *fix, struct fake_dataplane *dp, int steps, bool before
)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		countdown = steps;
		is_before = before;
		victim = getpid();
		live(fix, 4);
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		fake_dataplane_poll(dp);
		atomic_fetch_add(n_polls, 1);
		usleep(500);
	}
	fake_dataplane_poll(dp);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static uint64_t add_alice(struct control_fixture *fix)
{
	const struct session_add add = control_fixture_add("alice", 1);
	struct session session;

	control_fixture_open(fix, false);
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), 0);
	control_fixture_close(fix);
	return session.id;
}

static uint64_t total_of(struct control_fixture *fix, uint64_t id)
{
	struct usage_view view;

	control_fixture_open(fix, true);
	dp_link_tick(fix->link);
	assert_int_equal(usage_read(fix->usage, id, &view), 0);
	control_fixture_close(fix);
	return view.out_bytes + view.in_bytes;
}

// Boot A bills and dies, B lives; the control plane is killed at step `steps` of taking over.
static bool take_over(int steps, bool before)
{
	struct control_fixture fix;
	struct fake_dataplane dp;

	control_fixture_init(&fix);
	uint64_t id = add_alice(&fix);
	assert_int_equal(fake_dataplane_start(&dp, fix.config.node.runtime_dir), 0);
	assert_true(run_child(&fix, &dp, 0, false));
	assert_int_equal(fake_dataplane_bill(&dp, 0, 2000, 100), 2100);
	fake_dataplane_kill(&dp);
	assert_int_equal(fake_dataplane_start(&dp, fix.config.node.runtime_dir), 0);

	bool is_done = run_child(&fix, &dp, steps, before);
	uint64_t billed = 2100 + fake_dataplane_bill(&dp, 0, 700, 0);
	assert_true(run_child(&fix, &dp, 0, false)); // the next life
	assert_int_equal(total_of(&fix, id), billed);
	assert_int_equal(dp.adds[0].base_out_bytes + dp.adds[0].base_in_bytes, 2100);
	billed += fake_dataplane_bill(&dp, 0, 5000 - billed, 0);
	assert_int_equal(billed, 5000);
	assert_int_equal(fake_dataplane_bill(&dp, 0, 1, 0), 0);
	assert_int_equal(total_of(&fix, id), 5000);
	abi_segment_close(&dp.seg);
	control_fixture_fini(&fix);
	return is_done;
}

static void test_kill_at_every_step_of_taking_over(void **state)
{
	(void)state;
	for (int before = 0; before <= 1; before++) {
		int steps = 1;
		while (!take_over(steps, before != 0))
			assert_true(++steps < 200);
		assert_true(steps > 5); // the steps were there
	}
}

// The session is removed and the control plane killed at each step of finishing it.
static bool finish(int steps, bool before)
{
	struct control_fixture fix;
	struct fake_dataplane dp;
	struct session session;

	control_fixture_init(&fix);
	uint64_t id = add_alice(&fix);
	assert_int_equal(fake_dataplane_start(&dp, fix.config.node.runtime_dir), 0);
	assert_true(run_child(&fix, &dp, 0, false));
	fake_dataplane_bill(&dp, 0, 1500, 23);
	control_fixture_open(&fix, false);
	assert_int_equal(session_remove(fix.sessions, id, NULL, &fix.err), 0);
	control_fixture_close(&fix);

	bool is_done = run_child(&fix, &dp, steps, before);
	assert_true(run_child(&fix, &dp, 0, false));
	assert_int_equal(total_of(&fix, id), 1523);
	control_fixture_open(&fix, false);
	assert_int_equal(session_get(fix.sessions, id, &session, &fix.err), 0);
	assert_int_equal(session.state, SESSION_SETTLED);
	assert_false(session.has_slot);
	control_fixture_close(&fix);
	abi_segment_close(&dp.seg);
	control_fixture_fini(&fix);
	return is_done;
}

static void test_kill_at_every_step_of_finishing(void **state)
{
	(void)state;
	for (int before = 0; before <= 1; before++) {
		int steps = 1;
		while (!finish(steps, before != 0))
			assert_true(++steps < 200);
		assert_true(steps > 3);
	}
}

static bool has_key(const struct fake_dataplane *dp, const uint8_t key[32])
{
	return dp->adds[0].generation != 0 && memcmp(dp->adds[0].public_key, key, 32) == 0;
}

// The buyer's key is replaced and the control plane killed at each step until the data plane has it.
static bool replace_key(int steps, bool before)
{
	struct control_fixture fix;
	struct fake_dataplane dp;
	struct session session;
	uint8_t key[32];
	const struct session_peer peer = {.public_key = key, .chosen_unix_sec = FIXTURE_UNIX_SEC};

	control_fixture_public_key(key, 2);
	control_fixture_init(&fix);
	uint64_t id = add_alice(&fix);
	assert_int_equal(fake_dataplane_start(&dp, fix.config.node.runtime_dir), 0);
	assert_true(run_child(&fix, &dp, 0, false));
	uint64_t billed = fake_dataplane_bill(&dp, 0, 1500, 23);
	control_fixture_open(&fix, false);
	assert_int_equal(session_set_peer(fix.sessions, id, &peer, &session, &fix.err), 0);
	control_fixture_close(&fix);

	bool is_done = run_child(&fix, &dp, steps, before) && has_key(&dp, key);
	if (dp.adds[0].generation != 0) // else it is between the keys
		billed += fake_dataplane_bill(&dp, 0, 1, 0);
	assert_true(run_child(&fix, &dp, 0, false)); // the next life
	control_fixture_open(&fix, false);
	assert_int_equal(session_get(fix.sessions, id, &session, &fix.err), 0);
	control_fixture_close(&fix);
	assert_false(session.is_key_replaced);
	assert_int_equal(session.peer_unix_sec, FIXTURE_UNIX_SEC);
	assert_memory_equal(session.public_key, key, 32);
	assert_memory_equal(dp.adds[0].public_key, key, 32);
	assert_int_equal(dp.adds[0].generation, session.generation);
	assert_int_equal(fake_dataplane_bill(&dp, 0, 5000 - billed + 1, 0), 0);
	billed += fake_dataplane_bill(&dp, 0, 5000 - billed, 0);
	assert_int_equal(total_of(&fix, id), billed);
	assert_int_equal(billed, 5000);
	abi_segment_close(&dp.seg);
	control_fixture_fini(&fix);
	return is_done;
}

static void test_kill_at_every_step_of_replacing_a_key(void **state)
{
	(void)state;
	for (int before = 0; before <= 1; before++) {
		int steps = 1;
		while (!replace_key(steps, before != 0))
			assert_true(++steps < 200);
		assert_true(steps > 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill_at_every_step_of_taking_over),
		cmocka_unit_test(test_kill_at_every_step_of_finishing),
		cmocka_unit_test(test_kill_at_every_step_of_replacing_a_key),
	};
	n_polls = mmap(
		NULL, sizeof(*n_polls), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0
	);
	if (n_polls == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
