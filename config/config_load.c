// SPDX-License-Identifier: Apache-2.0
//
// The order of loading: the document, its values, keys that are missing, defaults that depend on other
// keys, cross checks. Each step reports and goes on, so that one run shows every mistake; only the
// whole result counts.
#include "config/config_load.h"

#include "config/config_apply.h"
#include "config/config_check.h"
#include "config/config_derive.h"
#include "config/config_doc.h"
#include "config/config_format.h"
#include "config/config_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct load {
	struct config config;
	struct config_doc doc;
	struct config_report *report;
	uint32_t n_cpus; // 0 = unknown
};

static void require_key(struct load *load, const struct config_key *key, uint32_t item_idx)
{
	char section[CONFIG_DOC_PATH_CAP] = "";
	char allowed[CONFIG_FORMAT_CAP];
	char path[CONFIG_DOC_PATH_CAP];
	struct config_doc_node *parent;

	config_keys_format_path(key->path, item_idx, path, sizeof(path));
	if (config_doc_lookup(&load->doc, path) != NULL)
		return;
	memcpy(section, path, strlen(path) - strlen(key->name) - 1);
	parent = config_doc_lookup(&load->doc, section);
	if (parent != NULL && parent->kind != CONFIG_DOC_MAPPING)
		return;
	if (parent != NULL)
		parent->is_bad = true;
	config_format_allowed(key, allowed, sizeof(allowed));
	config_report_add(
		load->report,
		true,
		config_doc_line(&load->doc, path),
		"key '%s': missing, and it has no default; allowed: %s",
		path,
		allowed
	);
}

static void require_items(struct load *load, const struct config_section *list)
{
	char name[CONFIG_DOC_PATH_CAP];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(list->path, "["), list->path);
	if (config_keys_list_n_items(&load->config, list) < list->item_min)
		config_report_add(
			load->report,
			true,
			config_doc_line(&load->doc, name),
			"key '%s': missing, and it has no default; allowed: a list of %s",
			name,
			list->items
		);
}

static void require_keys(struct load *load)
{
	for (uint32_t i = 0; i < config_keys_n_sections; i++) {
		if (config_keys_sections[i].item_cap > 0)
			require_items(load, &config_keys_sections[i]);
	}
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->fallback != NULL)
			continue;
		for (uint32_t j = 0; j < config_keys_n_items(&load->config, key); j++)
			require_key(load, key, j);
	}
}

static void complete(struct load *load)
{
	const char *too_long;
	bool has_roles;

	require_keys(load);
	has_roles = config_derive_roles(&load->config);
	too_long = config_derive_defaults(&load->config);
	if (too_long != NULL)
		config_report_add(
			load->report,
			true,
			config_doc_line(&load->doc, too_long),
			"key '%s': value is too long once it is absolute; allowed: a shorter one",
			too_long
		);
	config_check_all(&(struct config_check){
		.config = &load->config,
		.has_roles = has_roles,
		.n_cpus = load->n_cpus,
		.doc = &load->doc,
		.report = load->report,
	});
}

static int load_text(
	struct config *ret,
	const char *text,
	size_t text_len,
	uint32_t n_cpus,
	struct config_report *report
)
{
	struct load *load = calloc(1, sizeof(*load));
	int rc = -ENOMEM;

	if (load == NULL)
		return rc;
	load->report = report;
	load->n_cpus = n_cpus;
	rc = config_doc_init(&load->doc, text, text_len, report);
	if (rc < 0)
		goto err_free;
	config_apply_nodes(&load->config, &load->doc, report);
	if (load->doc.is_complete)
		complete(load);
	config_report_sort(report);
	rc = report->n_errors > 0 ? -EINVAL : 0;
	if (rc == 0)
		*ret = load->config;
	config_doc_fini(&load->doc);
err_free:
	free(load);
	return rc;
}

int config_load_text(
	struct config *ret,
	const char *text,
	size_t text_len,
	const char *file,
	struct config_report *report
)
{
	config_report_init(report, file);
	return load_text(ret, text, text_len, 0, report);
}

// Returns: the number of bytes read, or -errno; -EFBIG for a file that fills the buffer.
static ssize_t read_file(const char *path, char *buf, size_t cap)
{
	size_t used = 0;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (n > 0 && used < cap) {
		n = read(fd, buf + used, cap - used);
		if (n > 0)
			used += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	return used == cap ? -EFBIG : (ssize_t)used;
}

int config_load(struct config *ret, const char *path, struct config_report *report)
{
	char *text = malloc(CONFIG_LOAD_MAX_BYTES);
	ssize_t len = -ENOMEM;
	int rc;

	config_report_init(report, path);
	if (text != NULL)
		len = read_file(path, text, CONFIG_LOAD_MAX_BYTES);
	if (len < 0) {
		config_report_add(report, true, 0, "cannot be read: %s", strerror((int)-len));
		rc = (int)len;
	} else {
		rc = load_text(
			ret, text, (size_t)len, (uint32_t)sysconf(_SC_NPROCESSORS_CONF), report
		);
	}
	free(text);
	return rc;
}
