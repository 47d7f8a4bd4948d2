// SPDX-License-Identifier: Apache-2.0
//
// One process per state: a lock file that names its holder. The lock is the kernel's and dies with
// the process, so a file that nobody holds is no obstacle.
#pragma once

#include <stddef.h>

// Takes the lock for this process until the descriptor is closed.
//
// Returns: the descriptor; -EBUSY with the holder's pid in err; other -errno with a sentence in err.
int store_lock_take(const char *path, char *err, size_t err_len);
