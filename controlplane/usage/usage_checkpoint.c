// SPDX-License-Identifier: Apache-2.0
//
// Hash and encoding of usage checkpoints. Pure.
#include "controlplane/usage/usage_checkpoint.h"

#include "common/cursor.h"
#include "controlplane/chain/evm/evm_eip712.h"

#include <errno.h>
#include <string.h>

#define RECORD_VERSION 1

static const char type[] =
	"UsageCheckpoint(bytes32 sessionId,uint256 sequence,uint256 outBytes,uint256 inBytes,"
	"uint256 time,bytes32 previousHash)";

void usage_checkpoint_hash(const struct usage_checkpoint *checkpoint, uint8_t ret[32])
{
	struct evm_eip712_struct hash;

	evm_eip712_begin(&hash, type);
	evm_eip712_put_word(&hash, checkpoint->session_id);
	evm_eip712_put_u64(&hash, checkpoint->sequence);
	evm_eip712_put_u64(&hash, checkpoint->out_bytes);
	evm_eip712_put_u64(&hash, checkpoint->in_bytes);
	evm_eip712_put_u64(&hash, checkpoint->time_unix_sec);
	evm_eip712_put_word(&hash, checkpoint->previous_hash);
	evm_eip712_end(&hash, ret);
}

void usage_checkpoint_encode(
	const struct usage_checkpoint *checkpoint, uint8_t dst[USAGE_CHECKPOINT_BYTES]
)
{
	struct cursor_out out;

	cursor_out_init(&out, dst, USAGE_CHECKPOINT_BYTES);
	cursor_out_u8(&out, RECORD_VERSION);
	cursor_out_bytes(&out, checkpoint->session_id, 32);
	cursor_out_be64(&out, checkpoint->sequence);
	cursor_out_be64(&out, checkpoint->out_bytes);
	cursor_out_be64(&out, checkpoint->in_bytes);
	cursor_out_be64(&out, checkpoint->time_unix_sec);
	cursor_out_bytes(&out, checkpoint->previous_hash, 32);
}

int usage_checkpoint_decode(struct usage_checkpoint *ret, const void *data, size_t len)
{
	struct usage_checkpoint checkpoint;
	struct cursor cur;

	cursor_init(&cur, data, len);
	if (cursor_u8(&cur) != RECORD_VERSION)
		return -EBADMSG;
	cursor_bytes(&cur, checkpoint.session_id, 32);
	checkpoint.sequence = cursor_be64(&cur);
	checkpoint.out_bytes = cursor_be64(&cur);
	checkpoint.in_bytes = cursor_be64(&cur);
	checkpoint.time_unix_sec = cursor_be64(&cur);
	cursor_bytes(&cur, checkpoint.previous_hash, 32);
	if (!cursor_is_done(&cur) || checkpoint.sequence == 0)
		return -EBADMSG;
	*ret = checkpoint;
	return 0;
}

int usage_checkpoint_verify_next(
	const struct usage_checkpoint *last, const struct usage_checkpoint *next
)
{
	static const uint8_t zero[32];
	uint8_t hash[32];

	if (last == NULL)
		return next->sequence == 1 && memcmp(next->previous_hash, zero, 32) == 0 ? 0
											 : -EBADMSG;
	usage_checkpoint_hash(last, hash);
	if (memcmp(next->session_id, last->session_id, 32) != 0 ||
	    next->sequence != last->sequence + 1 || memcmp(next->previous_hash, hash, 32) != 0 ||
	    next->out_bytes < last->out_bytes || next->in_bytes < last->in_bytes ||
	    next->time_unix_sec < last->time_unix_sec)
		return -EBADMSG;
	return 0;
}
