// SPDX-License-Identifier: Apache-2.0
//
// What the API does by itself, beside answering: questions to the chains and their answers, the
// registries' listings, what is told to WebSockets. Loop's thread.
#pragma once

#include "controlplane/control.h"

// Fills control->ask, ->registry and ->live; before the chain thread starts, which serves ask.
//
// Returns: 0 or -errno.
int api_work_create(struct control *control);

// Adds timers to control->server. Returns: 0 or -errno.
int api_work_start(struct control *control);

// What waits for the chain gets its reply; before the server is destroyed.
void api_work_cancel(struct control *control);

// After the server and the chain thread. Takes what api_work_create() made, also half of it.
void api_work_destroy(struct control *control);
