// SPDX-License-Identifier: Apache-2.0
//
// See api_problem.h. The counters belong to the process, as the metrics that show them do.
#include "api_problem.h"

#include <stdarg.h>
#include <stdio.h>

#define TYPE_ROW(id, status, name, title) {status, API_PROBLEM_TYPE_PREFIX name, title},

static const struct {
	int status;
	const char *type;
	const char *title;
} rows[API_N_PROBLEM] = {API_PROBLEM_LIST(TYPE_ROW)};

static uint64_t counts[API_N_PROBLEM];

void api_reply_problem(
	struct http_reply *reply,
	enum api_problem problem,
	const char *field,
	const char *format,
	...
)
{
	char detail[512];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	counts[problem]++;
	http_reply_typed_problem(
		reply, rows[problem].status, rows[problem].type, rows[problem].title, field, detail
	);
}

const char *api_problem_name(enum api_problem problem)
{
	return rows[problem].type + sizeof(API_PROBLEM_TYPE_PREFIX) - 1;
}

uint64_t api_problem_count(enum api_problem problem)
{
	return counts[problem];
}
