// SPDX-License-Identifier: Apache-2.0
//
// See http_route.h. Pure.
#include "http_route.h"

#include <errno.h>
#include <string.h>

static const char *const method_names[] = {
	[HTTP_GET] = "GET",
	[HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",
	[HTTP_PATCH] = "PATCH",
	[HTTP_DELETE] = "DELETE",
};

int http_method_parse(enum http_method *ret, const char *text)
{
	for (size_t i = 0; i < sizeof(method_names) / sizeof(method_names[0]); i++) {
		if (strcmp(text, method_names[i]) == 0) {
			*ret = (enum http_method)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *http_method_name(enum http_method method)
{
	return method_names[method];
}

static size_t segment_len(const char *text)
{
	return strcspn(text, "/");
}

static bool is_printable_utf8(const char *text, size_t len)
{
	while (len > 0) {
		size_t n = json_scan_utf8(text, len);

		if (n == 0 || (unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

// Returns: 0; -ENOENT when the path is not of the pattern; -EINVAL for an unusable segment.
static int match_pattern(struct http_route_found *found, const char *pattern, const char *path)
{
	found->n_params = 0;
	while (*pattern == '/' && *path == '/') {
		size_t pattern_len = segment_len(++pattern);
		size_t len = segment_len(++path);

		if (*pattern != '{') {
			if (len != pattern_len || memcmp(pattern, path, len) != 0)
				return -ENOENT;
		} else {
			if (len == 0 || found->n_params == HTTP_MAX_PARAMS)
				return -ENOENT;
			if (len >= HTTP_PARAM_CAP || !is_printable_utf8(path, len))
				return -EINVAL;
			memcpy(found->params[found->n_params], path, len);
			found->params[found->n_params++][len] = '\0';
		}
		pattern += pattern_len;
		path += len;
	}
	return *pattern == '\0' && *path == '\0' ? 0 : -ENOENT;
}

int http_route_match(
	struct http_route_found *ret,
	const struct http_route_table *tables,
	size_t n_tables,
	enum http_method method,
	const char *path
)
{
	ret->allowed = 0;
	for (size_t t = 0; t < n_tables; t++) {
		for (size_t i = 0; i < tables[t].n_routes; i++) {
			const struct http_route *route = &tables[t].routes[i];
			int r = match_pattern(ret, route->pattern, path);

			if (r == -EINVAL)
				return r;
			if (r < 0)
				continue;
			ret->allowed |= 1u << route->method;
			if (route->method == method) {
				ret->route = route;
				ret->ctx = tables[t].ctx;
				return 0;
			}
		}
	}
	return ret->allowed != 0 ? -EOPNOTSUPP : -ENOENT;
}

unsigned http_route_cross_origin(
	const struct http_route_table *tables, size_t n_tables, const char *path
)
{
	struct http_route_found found;
	unsigned methods = 0;

	for (size_t t = 0; t < n_tables; t++) {
		for (size_t i = 0; i < tables[t].n_routes; i++) {
			const struct http_route *route = &tables[t].routes[i];

			if (route->access != HTTP_OPERATOR &&
			    match_pattern(&found, route->pattern, path) == 0)
				methods |= 1u << route->method;
		}
	}
	return methods;
}
