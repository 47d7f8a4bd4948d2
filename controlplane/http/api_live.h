// SPDX-License-Identifier: Apache-2.0
//
// WebSockets that tell as it happens: one session's usage, rate, time left and state to whoever may
// GET it, and the node's to the operator. Loop's thread.
#pragma once

#include "controlplane/control.h"

struct api_live;

// Returns: 0 or -ENOMEM.
int api_live_create(struct api_live **ret, struct control *control);

// After the server. NULL is a no-op.
void api_live_destroy(struct api_live *live);

// Sends what moved. Call every second.
void api_live_tick(struct api_live *live);

// A session changed, as session_book_conf.changed says it. NULL is a no-op.
void api_live_session_changed(struct api_live *live, const struct session *session);
