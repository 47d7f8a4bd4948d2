// SPDX-License-Identifier: Apache-2.0
//
// The one table of all keys. Loading, range checks, defaults, the manual (config_manual.h), the log at
// start and the YAML writer are loops over it; tollwire.yaml is tested against it. To add a key: a
// field in config.h, a row here, an entry in tollwire.yaml.
#pragma once

#include "config/config.h"

#include <stddef.h>

enum config_kind {
	CONFIG_UINT, // min to max; uint16_t, uint32_t or uint64_t by the field's size
	CONFIG_BOOL,
	CONFIG_CHOICE, // an enum; choices in the enum's order
	CONFIG_NAME, // min to max characters of [a-z0-9_-]
	CONFIG_TEXT, // min to max bytes of printable UTF-8
	CONFIG_PATH, // absolute
	CONFIG_STATE_PATH, // absolute, or relative to node.state_dir
	CONFIG_RUNTIME_PATH, // absolute, or relative to node.runtime_dir
	CONFIG_HOST_PORT, // struct config_host_port
	CONFIG_IPV4, // unicast
	CONFIG_IPV4_OR_NONE, // unicast, or "none" = 0
	CONFIG_CIDR, // an address of ours and its prefix
	CONFIG_NETWORK, // no bits beyond the prefix
	CONFIG_LISTEN, // struct config_listen
	CONFIG_URL, // http or https
	CONFIG_ADDRESS, // of a contract: 0x and 40 hex digits
	CONFIG_TOKEN_AMOUNT, // struct config_token_amount
	CONFIG_MODE, // permission bits in octal, none for others
};

// Who must be restarted for a change to take effect. The control plane restarts without the loss of
// a packet, so CONFIG_CHANGE_CONTROL is what can change at run time.
enum config_change { CONFIG_CHANGE_CONTROL, CONFIG_CHANGE_DATAPLANE, CONFIG_CHANGE_BOTH };

struct config_key {
	const char *path; // "worker.count", "nat.timeouts.udp_sec", "ports[].mtu"
	const char *name; // the part after the last dot
	enum config_kind kind;
	enum config_change change;
	uint32_t offset; // in struct config; of a list's key: in the struct of one item
	uint32_t size; // of the field, or of one element of a list
	uint32_t list_cap; // elements; 0 = not a list
	uint32_t n_offset; // of a list's n_, beside offset
	uint64_t min;
	uint64_t max;
	const char *choices; // "spin|sleep"
	const char *unit; // NULL = none
	// As in the file, elements of a list separated by a comma; NULL = the key is mandatory;
	// "<...>" = depends on other keys (config_derive.c).
	const char *fallback;
	const char *help; // one sentence
};

// A list of sections ("ports[]") has items: one struct for the keys of each, those of the sections
// inside an item ("chains[].batch") too.
struct config_section {
	const char *path; // "worker", "nat.timeouts", "ports[]"
	const char *help;
	// Of a list of sections, otherwise zero:
	uint32_t item_min;
	uint32_t item_cap;
	uint32_t item_size;
	uint32_t offset; // of the first item, in struct config
	uint32_t n_offset; // of the list's n_, in struct config
	const char *items; // how many there may be: "1 or 2 ports"
	const char *item; // one of them, and its first keys: "port", "name, devargs, ..."
	const char *item_keys;
};

extern const struct config_key config_keys[];
extern const uint32_t config_keys_n;
extern const struct config_section config_keys_sections[];
extern const uint32_t config_keys_n_sections;

// Returns: the row, or NULL.
const struct config_key *config_keys_lookup(const char *path);
const struct config_section *config_keys_lookup_section(const char *path);

// Returns: the list of sections that a path of the table belongs to ("ports[].mtu": "ports[]"), or NULL.
const struct config_section *config_keys_lookup_list(const char *path);

// Returns: how many fields a key has: one, or one in each item of its list of sections.
uint32_t config_keys_n_items(const struct config *config, const struct config_key *key);

uint32_t config_keys_list_n_items(const struct config *config, const struct config_section *list);
void config_keys_set_list_n_items(
	struct config *config, const struct config_section *list, uint32_t n
);

// Writes a path of the table with the item's number: "ports[1].mtu"; item_idx is for keys and sections
// of a list.
void config_keys_format_path(const char *path, uint32_t item_idx, char *dst, size_t dst_len);

// Returns: whether the key's default depends on other keys.
bool config_keys_is_derived(const struct config_key *key);

// Returns: the key's field, or the first element of its list; item_idx is for keys of a list of
// sections.
void *config_keys_field(struct config *config, const struct config_key *key, uint32_t item_idx);
const void *config_keys_field_const(
	const struct config *config, const struct config_key *key, uint32_t item_idx
);

// Returns: the number of elements of a list key.
uint32_t config_keys_list_n(
	const struct config *config, const struct config_key *key, uint32_t item_idx
);
void config_keys_set_list_n(
	struct config *config, const struct config_key *key, uint32_t item_idx, uint32_t n
);
