// SPDX-License-Identifier: Apache-2.0
//
// What a hostile party calls back with: every guarded function of the escrow, with arguments that
// would do something if it were let in. Keep it complete: a test compares it with the ABI.
import { ethers } from "ethers";
import { Fixture, GB, NATIVE, NO_PERMIT, NO_VOUCHER, ROOT } from "./fixture.mjs";

// Selector of the guard's own error.
export const GUARD = ethers.id("ReentrancyGuardReentrantCall()").slice(0, 10);

export async function attacks(f, id, wallet) {
	const order = await f.order();
	return {
		createSession: Fixture.args(order),
		createSessionWithToken: [
			(({ asset, ...o }) => o)(order),
			f.stranger,
			1n,
			NO_PERMIT,
		],
		topUp: [id, 1n, 0n],
		topUpWithToken: [id, 1n, 0n, f.stranger, 1n, NO_PERMIT],
		closeSession: [id],
		claim: [id, await f.voucher(id, GB)],
		finalizeSession: [id, 0n, ROOT, NO_VOUCHER],
		finalizeAttested: [id, 0n, ROOT, await f.attestation(id, 0n)],
		proposeSettlement: [id, 0n, ROOT],
		dispute: [id, 0n],
		resolve: [id, 0n, ROOT, await f.attestation(id, 0n)],
		execute: [id],
		reclaim: [id],
		withdraw: [NATIVE],
		withdrawTo: [NATIVE, wallet],
		withdrawRefund: [id],
		withdrawRefunds: [[id], wallet],
		finalizeBatch: [f.nodeId, []],
		proposeBatch: [f.nodeId, []],
		executeBatch: [f.nodeId, []],
	};
}
