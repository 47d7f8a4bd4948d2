// SPDX-License-Identifier: Apache-2.0
//
// The SIGBUS handler of abi_guard.h and its table. The handler makes one system call (mmap) and
// writes one flag; the table is fixed, so nothing is allocated.
#include "common/abi_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#define MAX_GUARDS 8

struct guard {
	uintptr_t start; // 0: free
	size_t len;
	bool is_cut;
};

static struct guard guards[MAX_GUARDS];
static struct sigaction former;

static bool replace(uintptr_t addr)
{
	for (unsigned i = 0; i < MAX_GUARDS; i++) {
		struct guard *guard = &guards[i];
		uintptr_t start = __atomic_load_n(&guard->start, __ATOMIC_ACQUIRE);
		if (start == 0 || addr < start || addr - start >= guard->len)
			continue;
		void *mem =
			mmap((void *)start,
			     guard->len,
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			     -1,
			     0);
		__atomic_store_n(&guard->is_cut, true, __ATOMIC_RELEASE);
		return mem != MAP_FAILED;
	}
	return false;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	if (!replace((uintptr_t)info->si_addr)) {
		if ((former.sa_flags & SA_SIGINFO) != 0 && former.sa_sigaction != NULL)
			former.sa_sigaction(sig, info, context);
		else
			sigaction(SIGBUS, &former, NULL); // the fault comes again and ends there
	}
	errno = saved;
}

// Asked at every call: a library may have put its own handler in between.
static int install(void)
{
	const struct sigaction action = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	struct sigaction current;

	if (sigaction(SIGBUS, NULL, &current) != 0)
		return -errno;
	if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == on_sigbus)
		return 0;
	former = current;
	return sigaction(SIGBUS, &action, NULL) == 0 ? 0 : -errno;
}

int abi_guard_add(void *mem, size_t len)
{
	int rc = install();

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < MAX_GUARDS; i++) {
		if (guards[i].start != 0)
			continue;
		guards[i].len = len;
		guards[i].is_cut = false;
		__atomic_store_n(&guards[i].start, (uintptr_t)mem, __ATOMIC_RELEASE);
		return 0;
	}
	return -ENOSPC;
}

static struct guard *lookup(const void *mem)
{
	for (unsigned i = 0; mem != NULL && i < MAX_GUARDS; i++) {
		if (guards[i].start == (uintptr_t)mem)
			return &guards[i];
	}
	return NULL;
}

void abi_guard_remove(const void *mem)
{
	struct guard *guard = lookup(mem);

	if (guard != NULL)
		__atomic_store_n(&guard->start, 0, __ATOMIC_RELEASE);
}

bool abi_guard_is_cut(const void *mem)
{
	const struct guard *guard = lookup(mem);

	return guard != NULL && __atomic_load_n(&guard->is_cut, __ATOMIC_ACQUIRE);
}
