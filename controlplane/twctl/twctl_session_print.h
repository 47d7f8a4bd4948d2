// SPDX-License-Identifier: Apache-2.0
//
// A session of the API's JSON as text for people.
#pragma once

#include "controlplane/json/json.h"

void twctl_session_print(const struct json_value *session);

// One line a session, under the head.
void twctl_session_print_head(void);
void twctl_session_print_row(const struct json_value *session);
