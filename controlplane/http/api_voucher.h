// SPDX-License-Identifier: Apache-2.0
//
// What became of the vouchers that were posted, for the metrics. Loop's thread.
#pragma once

#include <stdint.h>

// id, name
#define API_VOUCHER_LIST(X) \
	X(TAKEN, "taken") \
	X(WRONG_SIGNER, "wrong_signer") \
	X(TOO_LARGE, "too_large") \
	X(NO_VOUCHERS, "no_vouchers") \
	X(SESSION_OVER, "session_over") \
	X(MALFORMED, "malformed") \
	X(UNKNOWN_SESSION, "unknown_session") \
	X(FAILED, "failed")

#define API_VOUCHER_ENUM(id, name) API_VOUCHER_##id,
enum api_voucher_result { API_VOUCHER_LIST(API_VOUCHER_ENUM) API_N_VOUCHER };

const char *api_voucher_name(enum api_voucher_result result);

// Since the start of the program.
uint64_t api_voucher_count(enum api_voucher_result result);
