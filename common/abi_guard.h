// SPDX-License-Identifier: Apache-2.0
//
// Survives a shared file that shrinks under a mapping. Whoever may write a file may also cut it, and
// the next access of the other process is then a SIGBUS. A guarded mapping turns into private zero
// pages instead and is marked; what reads zeros there is refused by the checks that stand anyway.
// A SIGBUS anywhere else takes its former course. Add and remove from one thread; the handler runs in
// any.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Returns: 0, or -ENOSPC (eight mappings at most), or the error of sigaction.
int abi_guard_add(void *mem, size_t len);

void abi_guard_remove(const void *mem);

// Returns: true when the mapping at mem was cut and now holds zero pages.
bool abi_guard_is_cut(const void *mem);
