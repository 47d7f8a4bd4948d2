// SPDX-License-Identifier: Apache-2.0
//
// Proposals, disputes and attestors: windows to the second, bounds, who may speak and how long.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { Chain } from "./chain.mjs";
import {
	DAY,
	GB,
	HOUR,
	Mode,
	NO_VOUCHER,
	PRICE,
	ROOT,
	compact,
	split,
	useFixture,
} from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;

describe("proposals, disputes, attestors", () => {
	const c = useFixture(hooks, async ({ f }) => ({
		id: await f.buy({ mode: Mode.optimistic, attestor: f.attestor }),
	}));
	const propose = (id, n) => c.f.send(c.f.operator, "proposeSettlement", [id, n, ROOT]);

	it("is refused in voucher mode", async () => {
		const { f } = c;
		const id = await f.buy();
		await f.fails(f.operator, "proposeSettlement", [id, 0n, ROOT], "WrongMode");
	});

	it("claimed ≤ bytesUsed ≤ bought, once", async () => {
		const { f, id } = c;
		await f.claim(id, 2n * GB);
		await f.fails(
			f.operator,
			"proposeSettlement",
			[id, 2n * GB - 1n, ROOT],
			"BytesBelowClaimed",
		);
		await f.fails(
			f.operator,
			"proposeSettlement",
			[id, 10n * GB + 1n, ROOT],
			"BytesAboveBought",
		);
		await f.fails(
			f.operator,
			"proposeSettlement",
			[id, ethers.MaxUint256, ROOT],
			"BytesAboveBought",
		);
		await propose(id, 10n * GB);
		await f.fails(f.operator, "proposeSettlement", [id, 5n * GB, ROOT], "WrongStatus");
	});

	it("window ends at max(now + window, expiry); from closed at now + window; after expiry at now + window", async () => {
		const { f, chain } = c;
		const cases = [
			[10 * DAY, false, 0, (now, expiry) => expiry],
			[HOUR, false, 0, (now) => now + BigInt(DAY)],
			[10 * DAY, true, 0, (now) => now + BigInt(DAY)],
			[DAY, false, 3 * DAY, (now) => now + BigInt(DAY)],
		];
		for (const [duration, close, wait, end] of cases) {
			const id = await f.buy({ mode: Mode.optimistic, duration });
			if (close) await f.send(f.buyer, "closeSession", [id]);
			if (wait) await chain.advance(wait);
			const args = event(await propose(id, GB), "SettlementProposed");
			const expected = end(
				BigInt(await chain.now()),
				(await f.session(id)).expiry,
			);
			assert.deepEqual(args.toArray(), [id, GB, ROOT, expected]);
			await chain.setTime(expected - 1n);
			await f.fails(f.stranger, "execute", [id], "WindowOpen");
			await chain.call(f.escrow, f.buyer, "dispute", [id, 0n]);
			await chain.setTime(expected);
			await f.fails(f.buyer, "dispute", [id, 0n], "WindowOver");
			await f.send(f.stranger, "execute", [id]);
			assert.equal((await f.session(id)).claimedBytes, GB);
		}
	});

	it("window is as long as the node's terms say, 1 h to 7 days", async () => {
		const { f, chain } = c;
		for (const window of [HOUR, 7 * DAY]) {
			await chain.send(f.registry, f.operator, "setWindows", [
				f.nodeId,
				window,
				0,
			]);
			const id = await f.buy({ mode: Mode.optimistic, duration: 1 });
			await propose(id, GB);
			assert.equal(
				(await f.session(id)).deadline,
				BigInt((await chain.now()) + window),
			);
		}
	});

	it("goes on after 2106, when seconds leave 32 bits", async () => {
		const { f, chain } = c;
		const [year_2106, window, grace] = [1n << 32n, 7n * BigInt(DAY), 6n * BigInt(HOUR)];
		await chain.send(f.registry, f.operator, "setWindows", [f.nodeId, window, grace]);
		await chain.setTime(year_2106 - BigInt(HOUR));
		const changes = { mode: Mode.optimistic, duration: 90 * DAY };
		const [id, idle] = [await f.buy(changes), await f.buy(changes)];
		const { expiry } = await f.session(id);
		assert.ok(expiry > year_2106);
		const early = await f.buy({ ...changes, duration: HOUR / 2 });
		const sooner = (await f.session(early)).expiry;
		assert.ok(sooner < year_2106);
		await f.send(f.buyer, "topUp", [early, 1n, HOUR], { value: PRICE });
		assert.equal((await f.session(early)).expiry, sooner + BigInt(HOUR));
		assert.ok((await f.session(early)).expiry > year_2106);
		await f.send(f.operator, "finalizeSession", [early, 0n, ROOT, NO_VOUCHER]);
		await propose(id, 6n * GB);
		assert.equal((await f.session(id)).deadline, expiry);
		await chain.setTime(expiry - 2n);
		await f.fails(f.stranger, "execute", [id], "WindowOpen");
		await chain.rpc("evm_setNextBlockTimestamp", Number(expiry - 1n));
		await f.send(f.buyer, "dispute", [id, GB]);
		const { deadline } = await f.session(id);
		assert.equal(deadline, BigInt((await chain.now()) + 7 * DAY));
		await f.fails(f.stranger, "execute", [id], "WindowOpen");
		const end = (await f.session(idle)).expiry + grace;
		await chain.setTime(end - BigInt(HOUR));
		await f.fails(f.buyer, "reclaim", [idle], "GraceNotOver");
		await f.send(f.buyer, "closeSession", [idle]);
		assert.equal((await f.session(idle)).deadline, end);
		await chain.setTime(end);
		await f.send(f.buyer, "reclaim", [idle]);
		await chain.setTime(deadline);
		await f.send(f.stranger, "execute", [id]);
		// What was accepted, and the deposit of the session that every test begins with.
		assert.equal(await chain.balance(f.escrow.target), PRICE + 10n * PRICE);
	});

	it("the buyer accepts at any time; nobody else before the window is over", async () => {
		const { f, id } = c;
		await propose(id, 4n * GB);
		for (const who of [f.operator, f.settler, f.voucherSigner, f.stranger])
			await f.fails(who, "execute", [id], "WindowOpen");
		const receipt = await f.send(f.buyer, "execute", [id]);
		const paid = split(4n * GB, 10n * GB, PRICE);
		assert.deepEqual(event(receipt, "SessionSettled").toArray(), [
			id,
			2n,
			4n * GB,
			ethers.ZeroHash,
			paid.operator,
			paid.fee,
			6n * PRICE,
		]);
	});

	it("dispute: claimed ≤ accepted < proposed; both ends are credited at once", async () => {
		const { f, chain, id } = c;
		await f.claim(id, GB);
		await propose(id, 6n * GB);
		await f.fails(f.buyer, "dispute", [id, GB - 1n], "BytesBelowClaimed");
		await f.fails(f.buyer, "dispute", [id, 6n * GB], "BytesAboveProposed");
		await f.fails(f.buyer, "dispute", [id, ethers.MaxUint256], "BytesAboveProposed");
		const receipt = await f.send(f.buyer, "dispute", [id, 2n * GB]);
		assert.deepEqual(event(receipt, "SettlementDisputed").toArray(), [
			id,
			f.buyer,
			2n * GB,
			6n * GB,
			BigInt((await chain.now()) + 7 * DAY),
		]);
		const accepted = split(2n * GB, 10n * GB, PRICE);
		assert.equal(await f.withdrawable(f.payout), accepted.operator);
		assert.equal(await f.withdrawable(f.treasury), accepted.fee);
		assert.equal((await f.session(id)).refundable, 4n * PRICE);
		await f.send(f.buyer, "withdrawRefund", [id]);
		await f.fails(f.buyer, "withdrawRefund", [id], "NothingToWithdraw");
		assert.equal((await f.session(id)).held, 4n * PRICE);
		const settled = await f.send(f.stranger, "resolve", [
			id,
			5n * GB,
			ROOT,
			await f.attestation(id, 5n * GB),
		]);
		assert.equal(event(settled, "SessionSettled").path, 3n);
		assert.equal(event(settled, "SessionSettled").checkpointsRoot, ROOT);
		assert.equal(event(settled, "RefundWithdrawn").amount, PRICE);
		assert.equal((await f.session(id)).held, 0n);
	});

	it("the voucher signer may dispute; the excess is drawn with the rest where it was left", async () => {
		const { f, id } = c;
		await propose(id, 6n * GB);
		await f.send(f.voucherSigner, "dispute", [id, 0n]);
		const settled = await f.send(f.stranger, "resolve", [
			id,
			5n * GB,
			ROOT,
			await f.attestation(id, 5n * GB),
		]);
		assert.equal(event(settled, "RefundWithdrawn").amount, 5n * PRICE);
	});

	it("resolve: accepted or claimed ≤ bytes ≤ proposed, by the attestor's signature alone, carried by anyone, within 7 days", async () => {
		const { f, chain, id } = c;
		await propose(id, 6n * GB);
		await f.send(f.buyer, "dispute", [id, 2n * GB]);
		const call = async (n, attestation) => [
			id,
			n,
			ROOT,
			attestation ?? (await f.attestation(id, n)),
		];
		await f.fails(f.stranger, "resolve", await call(2n * GB - 1n), "BytesBelowClaimed");
		await f.fails(
			f.stranger,
			"resolve",
			await call(6n * GB + 1n),
			"BytesAboveProposed",
		);
		for (const n of [2n * GB, 6n * GB])
			await chain.call(f.escrow, f.stranger, "resolve", await call(n));
		for (const wallet of [2, 5, 6, 8]) {
			await f.fails(
				f.attestor,
				"resolve",
				await call(
					3n * GB,
					await f.attestation(
						id,
						3n * GB,
						ROOT,
						Chain.wallet(wallet),
					),
				),
				"BadAttestation",
			);
		}
		await f.fails(
			f.attestor,
			"resolve",
			await call(3n * GB, await f.attestation(id, 4n * GB)),
			"BadAttestation",
		);
		await f.fails(
			f.attestor,
			"resolve",
			await call(3n * GB, await f.attestation(id, 3n * GB, ethers.ZeroHash)),
			"BadAttestation",
		);
		await f.fails(
			f.attestor,
			"resolve",
			await call(3n * GB, { r: ethers.ZeroHash, vs: ethers.ZeroHash }),
			"BadAttestation",
		);
		await f.claim(id, 4n * GB);
		await f.fails(f.stranger, "resolve", await call(3n * GB), "BytesBelowClaimed");
		const { deadline } = await f.session(id);
		await chain.setTime(deadline - 1n);
		await chain.call(f.escrow, f.stranger, "resolve", await call(5n * GB));
		await f.fails(f.buyer, "execute", [id], "WindowOpen");
		await chain.setTime(deadline);
		await f.fails(f.stranger, "resolve", await call(5n * GB), "WindowOver");
		const receipt = await f.send(f.stranger, "execute", [id]);
		assert.equal(event(receipt, "SessionSettled").bytesUsed, 4n * GB);
	});

	it("with attestor 0 every attestation is refused, and silence favours the buyer", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		await propose(id, 6n * GB);
		await f.send(f.buyer, "dispute", [id, 0n]);
		for (const a of [
			await f.attestation(id, GB),
			{ r: ethers.ZeroHash, vs: ethers.ZeroHash },
			{ r: ethers.toBeHex(1, 32), vs: ethers.toBeHex(1, 32) },
		]) {
			await f.fails(f.operator, "resolve", [id, GB, ROOT, a], "BadAttestation");
		}
		await chain.advance(7 * DAY);
		const receipt = await f.send(f.buyer, "execute", [id]);
		assert.equal(event(receipt, "SessionSettled").refund, 10n * PRICE);
	});

	it("finalizeAttested: attested mode, claimed ≤ bytes ≤ bought, before any dispute, also above a proposal", async () => {
		const { f, chain, id } = c;
		await f.fails(
			f.operator,
			"finalizeAttested",
			[id, GB, ROOT, await f.attestation(id, GB)],
			"WrongMode",
		);
		const attested = await f.buy({ mode: Mode.attested });
		await f.claim(attested, 2n * GB);
		const call = async (n, a) => [
			attested,
			n,
			ROOT,
			a ?? (await f.attestation(attested, n)),
		];
		await f.fails(
			f.operator,
			"finalizeAttested",
			await call(2n * GB - 1n),
			"BytesBelowClaimed",
		);
		await f.fails(
			f.operator,
			"finalizeAttested",
			await call(10n * GB + 1n),
			"BytesAboveBought",
		);
		await f.fails(
			f.operator,
			"finalizeAttested",
			await call(GB * 3n, await f.attestation(id, 3n * GB)),
			"BadAttestation",
		);
		await f.fails(
			f.operator,
			"finalizeAttested",
			await call(
				GB * 3n,
				await f.attestation(attested, 3n * GB, ROOT, f.voucherWallet),
			),
			"BadAttestation",
		);
		const voucher_as_attestation = compact(
			f.voucherWallet.signingKey.sign(ethers.id("x")),
		);
		await f.fails(
			f.operator,
			"finalizeAttested",
			await call(GB * 3n, voucher_as_attestation),
			"BadAttestation",
		);
		for (const n of [2n * GB, 10n * GB])
			await chain.call(f.escrow, f.settler, "finalizeAttested", await call(n));
		await propose(attested, 3n * GB);
		const snapshot = await chain.snapshot();
		const receipt = await f.send(f.operator, "finalizeAttested", await call(8n * GB));
		assert.deepEqual(
			[
				event(receipt, "SessionSettled").path,
				event(receipt, "SessionSettled").bytesUsed,
				event(receipt, "SessionSettled").checkpointsRoot,
			],
			[1n, 8n * GB, ROOT],
		);
		assert.equal(event(receipt, "SessionSettled").refund, 2n * PRICE);
		await chain.rpc("evm_revert", snapshot);
		await f.send(f.buyer, "dispute", [attested, 2n * GB]);
		await f.fails(f.operator, "finalizeAttested", await call(3n * GB), "WrongStatus");
	});
});
