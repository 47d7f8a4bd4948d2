// SPDX-License-Identifier: Apache-2.0
//
// The AEAD engine on Intel ipsec-mb's job interface: the only file that includes it. ipsec-mb 1.3
// computes a tag and reports "completed", which is not "authentic": comparing is done here, in
// constant time. Jobs may complete out of order, so nothing is concluded from a job before its
// chunk is flushed. The jobs are handed over without ipsec-mb's parameter checks: every field is
// set here, from operations whose form wg_aead.h fixes.
#include "wg_aead.h"

#include "dataplane/wg/wg_messages.h"

#include <intel-ipsec-mb.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = 64, // operations between two flushes; less than ipsec-mb's queue holds
	IV_BYTES = 12,
};

static_assert(CHUNK < IMB_MAX_JOBS, "a chunk fits the job queue");

struct tag {
	uint64_t half[2];
};

static_assert(sizeof(struct tag) == WG_TAG_BYTES, "tag");

struct wg_aead {
	IMB_MGR *mgr;
	struct tag computed[CHUNK]; // opening: what the tags ought to be
	uint8_t iv[CHUNK][IV_BYTES]; // jobs keep pointers to these
};

int wg_aead_create(struct wg_aead **ret_aead)
{
	struct wg_aead *aead;
	IMB_ARCH arch;
	int ret;

	aead = aligned_alloc(64, (sizeof(*aead) + 63) / 64 * 64);
	if (aead == NULL)
		return -ENOMEM;
	memset(aead, 0, sizeof(*aead));
	aead->mgr = alloc_mb_mgr(0);
	if (aead->mgr == NULL) {
		ret = -ENOMEM;
		goto err_free;
	}
	init_mb_mgr_auto(aead->mgr, &arch);
	if (imb_get_errno(aead->mgr) != 0) {
		ret = -ENOTSUP;
		goto err_free_mgr;
	}
	*ret_aead = aead;
	return 0;

err_free_mgr:
	free_mb_mgr(aead->mgr);
err_free:
	free(aead);
	return ret;
}

void wg_aead_destroy(struct wg_aead *aead)
{
	if (aead == NULL)
		return;
	free_mb_mgr(aead->mgr);
	imb_clear_mem(aead, sizeof(*aead));
	free(aead);
}

static inline void submit(
	struct wg_aead *aead, const struct wg_aead_op *op, unsigned int i, IMB_CIPHER_DIRECTION dir
)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(aead->mgr);
	le64 counter = htole64(op->counter);

	memcpy(aead->iv[i] + 4, &counter, sizeof(counter)); // the first four bytes stay zero
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->cipher_direction = dir;
	job->chain_order = dir == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->enc_keys = op->key;
	job->dec_keys = op->key;
	job->key_len_in_bytes = WG_KEY_BYTES;
	job->u.CHACHA20_POLY1305.aad = NULL;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
	job->src = op->data;
	job->dst = op->data;
	job->cipher_start_src_offset_in_bytes = 0;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = op->len;
	job->msg_len_to_hash_in_bytes = op->len;
	job->iv = aead->iv[i];
	job->iv_len_in_bytes = IV_BYTES;
	job->auth_tag_output =
		dir == IMB_DIR_ENCRYPT ? op->data + op->len : (uint8_t *)&aead->computed[i];
	job->auth_tag_output_len_in_bytes = WG_TAG_BYTES;
	(void)IMB_SUBMIT_JOB_NOCHECK(aead->mgr);
}

static inline void run_chunk(
	struct wg_aead *aead,
	const struct wg_aead_op ops[],
	unsigned int n,
	IMB_CIPHER_DIRECTION dir
)
{
	for (unsigned int i = 0; i < n; i++)
		submit(aead, &ops[i], i, dir);
	while (IMB_FLUSH_JOB(aead->mgr) != NULL)
		;
}

void wg_aead_seal(struct wg_aead *aead, const struct wg_aead_op ops[], unsigned int n)
{
	for (unsigned int done = 0; done < n; done += CHUNK)
		run_chunk(aead, ops + done, n - done < CHUNK ? n - done : CHUNK, IMB_DIR_ENCRYPT);
}

// 1 if equal, 0 if not, without a branch or a comparison that depends on the tags.
static inline uint8_t equal(const struct tag *computed, const uint8_t *received)
{
	struct tag tag;
	uint64_t diff;

	memcpy(&tag, received, sizeof(tag));
	diff = (tag.half[0] ^ computed->half[0]) | (tag.half[1] ^ computed->half[1]);
	diff |= diff >> 32;
	diff &= UINT32_MAX;
	// diff - 1 borrows from the upper half only if diff is zero.
	return (uint8_t)((diff - 1) >> 63);
}

void wg_aead_open(
	struct wg_aead *aead, const struct wg_aead_op ops[], uint8_t ret_verdict[], unsigned int n
)
{
	static_assert(WG_AEAD_FORGED == 0 && WG_AEAD_AUTHENTIC == 1, "equal() gives the verdict");

	for (unsigned int done = 0; done < n; done += CHUNK) {
		unsigned int n_chunk = n - done < CHUNK ? n - done : CHUNK;

		run_chunk(aead, ops + done, n_chunk, IMB_DIR_DECRYPT);
		for (unsigned int i = 0; i < n_chunk; i++) {
			const struct wg_aead_op *op = &ops[done + i];

			ret_verdict[done + i] = equal(&aead->computed[i], op->data + op->len);
		}
	}
}
