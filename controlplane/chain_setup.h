// SPDX-License-Identifier: Apache-2.0
//
// The configured chains as the control plane uses them: a driver each, the chain thread and the
// lifecycle of the sessions that are bought there; without any only the lifecycle, which then has
// nothing to do. Start and stop on the main thread; ticks on the loop's.
#pragma once

#include "controlplane/control.h"
#include "controlplane/lifecycle.h"

struct chain_setup;

// kick_fd: an eventfd that wakes the loop when the chain has news. Logs what fails.
int chain_setup_start(struct chain_setup **ret, const struct control *control, int kick_fd);
void chain_setup_stop(struct chain_setup *setup);

struct lifecycle *chain_setup_lifecycle(struct chain_setup *setup);
struct chain_gauge *chain_setup_gauge(struct chain_setup *setup);

// The operator's or settler's account of config.chains[chain_idx]; NULL beyond them. Signing with it is
// safe beside the chain thread.
const struct evm_signer *chain_setup_signer(const struct chain_setup *setup, uint32_t chain_idx);

// One round; sets and clears the conditions about chains.
void chain_setup_tick(struct chain_setup *setup);
