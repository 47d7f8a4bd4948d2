// SPDX-License-Identifier: Apache-2.0
//
// The arena of secrets: locked, not dumped, guarded at both ends, zeroed when it goes; and its pools.
#include "dataplane/secret_arena.h"
#include "tests/unit/test.h"

#include <setjmp.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENA_BYTES (1u << 20)

static int setup(void **state)
{
	struct secret_arena *arena = calloc(1, sizeof(*arena));
	char err[512];

	if (secret_arena_create(arena, ARENA_BYTES, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n", err);
		return -1;
	}
	*state = arena;
	return 0;
}

static int teardown(void **state)
{
	secret_arena_destroy(*state);
	free(*state);
	return 0;
}

// Whether the kernel's account of the mapping at `at` has a flag ("lo" locked, "dd" not dumped, "wf"
// wiped in a child), proc(5).
static bool has_flag(const void *at, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool is_inside = false, found = false;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps) != NULL) {
		uintptr_t from, to;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			is_inside = (uintptr_t)at >= from && (uintptr_t)at < to;
		else if (is_inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(maps);
	return found;
}

static void test_mapping(void **state)
{
	const struct secret_arena *arena = *state;

	assert_true(has_flag(arena->base, " lo"));
	assert_true(has_flag(arena->base, " dd"));
	assert_true(has_flag(arena->base, " wf"));
}

// Whether touching a byte kills a child.
static bool is_fatal(uint8_t *at)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL); // cmocka's handler would report a failure
		*(volatile uint8_t *)at = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void test_guards(void **state)
{
	const struct secret_arena *arena = *state;

	assert_true(is_fatal(arena->base - 1));
	assert_true(is_fatal(arena->base + arena->bytes));
	assert_false(is_fatal(arena->base));
	assert_false(is_fatal(arena->base + arena->bytes - 1));
}

static void test_a_child_sees_nothing(void **state)
{
	struct secret_arena *arena = *state;
	uint8_t *secret = secret_arena_take(arena, 32);
	int status = 0;

	memset(secret, 0x5a, 32);
	pid_t child = fork();
	if (child == 0)
		_exit(secret[0] == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(secret[0], 0x5a);
}

static void test_take_is_bounded_and_aligned(void **state)
{
	struct secret_arena *arena = *state;
	uint8_t *first = secret_arena_take(arena, 1), *second = secret_arena_take(arena, 65);

	assert_int_equal((uintptr_t)first % 64, 0);
	assert_int_equal(second - first, 64);
	assert_null(secret_arena_take(arena, arena->bytes - 64 - 128 + 1));
	assert_null(secret_arena_take(arena, SIZE_MAX));
	assert_non_null(secret_arena_take(arena, arena->bytes - 64 - 128));
	assert_null(secret_arena_take(arena, 1));
}

static void test_only_touched_pages_are_resident(void **state)
{
	const struct secret_arena *arena = *state;
	unsigned char resident[ARENA_BYTES / 4096];
	unsigned n = 0;

	assert_int_equal(mincore(arena->base, arena->bytes, resident), 0);
	for (size_t i = 0; i < sizeof(resident); i++)
		n += resident[i] & 1;
	assert_int_equal(n, 0);
	arena->base[5 * 4096] = 1;
	assert_int_equal(mincore(arena->base, arena->bytes, resident), 0);
	assert_true(resident[5] & 1);
	assert_false(resident[6] & 1);
}

static void test_pool(void **state)
{
	struct secret_arena *arena = *state;
	struct secret_pool pool;
	uint8_t *objects[4];

	assert_int_equal(secret_pool_init(&pool, arena, 100, 4), 0);
	for (unsigned i = 0; i < 4; i++) {
		objects[i] = secret_pool_take(&pool);
		assert_non_null(objects[i]);
		for (unsigned j = 0; j < 100; j++)
			assert_int_equal(objects[i][j], 0);
		for (unsigned j = 0; j < i; j++)
			assert_true(labs(objects[i] - objects[j]) >= 100);
		memset(objects[i], (int)i + 1, 100);
	}
	assert_null(secret_pool_take(&pool));
	secret_pool_give(&pool, objects[2]);
	for (unsigned j = 0; j < 100; j++) // wiped at once, not when it is taken again
		assert_int_equal(objects[2][j], 0);
	assert_ptr_equal(secret_pool_take(&pool), objects[2]);
	assert_int_equal(objects[1][99], 2); // neighbours are untouched
	assert_int_equal(objects[3][0], 4);
	secret_pool_fini(&pool);
}

static void test_pool_too_large(void **state)
{
	struct secret_pool pool;

	assert_int_equal(secret_pool_init(&pool, *state, 64, ARENA_BYTES / 64 + 1), -ENOMEM);
}

// The pages are looked at through a second mapping of the same memory: made shared for the purpose by
// the test, under the arena's address.
static void test_destroy_zeroes(void **state)
{
	struct secret_arena arena;
	char err[256];
	int fd = memfd_create("arena", 0);
	uint8_t *view;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(secret_arena_create(&arena, 8 * 4096, err, sizeof(err)), 0);
	assert_int_equal(ftruncate(fd, (off_t)arena.bytes), 0);
	view = mmap(NULL, arena.bytes, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(view != MAP_FAILED);
	assert_ptr_equal(
		mmap(arena.base, arena.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0
		),
		arena.base
	);
	memset(arena.base, 0xaa, 4096);
	memset(arena.base + 5 * 4096, 0xbb, 4096);
	size_t bytes = arena.bytes;
	assert_int_equal(view[5 * 4096], 0xbb);
	secret_arena_destroy(&arena);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(view[i], 0);
	assert_null(arena.base);
	secret_arena_destroy(&arena); // again is harmless
	munmap(view, bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mapping, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guards, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_child_sees_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_take_is_bounded_and_aligned, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_only_touched_pages_are_resident, setup, teardown
		),
		cmocka_unit_test_setup_teardown(test_pool, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pool_too_large, setup, teardown),
		cmocka_unit_test(test_destroy_zeroes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
