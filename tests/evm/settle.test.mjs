// SPDX-License-Identifier: Apache-2.0
//
// The roads that need no window: finalising, closing, reclaiming after the grace, and drawing what
// is due; figures, bounds, clocks to the second, and where every wei goes.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { mocks } from "./chain.mjs";
import {
	DAY,
	GB,
	HOUR,
	Mode,
	NATIVE,
	NO_VOUCHER,
	PRICE,
	ROOT,
	split,
	useFixture,
} from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;

describe("finalizeSession", () => {
	const c = useFixture(hooks, async ({ f }) => ({ id: await f.buy() }));
	const refused = (bytes, voucher, reason) =>
		c.f.fails(c.f.operator, "finalizeSession", [c.id, bytes, ROOT, voucher], reason);

	it("claimed ≤ bytesUsed ≤ min(voucher, bought)", async () => {
		const { f, id } = c;
		await f.claim(id, 2n * GB);
		await refused(2n * GB - 1n, await f.voucher(id, 5n * GB), "BytesBelowClaimed");
		await refused(5n * GB + 1n, await f.voucher(id, 5n * GB), "BytesAboveVoucher");
		await refused(10n * GB + 1n, await f.voucher(id, 20n * GB), "BytesAboveBought");
		await refused(
			ethers.MaxUint256,
			await f.voucher(id, ethers.MaxUint256),
			"BytesAboveBought",
		);
		for (const n of [2n * GB, 3n * GB, 5n * GB])
			await c.chain.call(f.escrow, f.settler, "finalizeSession", [
				id,
				n,
				ROOT,
				await f.voucher(id, 5n * GB),
			]);
		await c.chain.call(f.escrow, f.operator, "finalizeSession", [
			id,
			10n * GB,
			ROOT,
			await f.voucher(id, 20n * GB),
		]);
	});

	it("without a voucher only what was claimed: giving back needs no signature", async () => {
		const { f, id } = c;
		await refused(1n, NO_VOUCHER, "VoucherRequired");
		await c.chain.call(f.escrow, f.operator, "finalizeSession", [
			id,
			0n,
			ROOT,
			NO_VOUCHER,
		]);
		await f.claim(id, 2n * GB);
		await refused(0n, NO_VOUCHER, "BytesBelowClaimed");
		await refused(2n * GB + 1n, NO_VOUCHER, "VoucherRequired");
		const receipt = await f.send(f.settler, "finalizeSession", [
			id,
			2n * GB,
			ROOT,
			NO_VOUCHER,
		]);
		assert.equal(event(receipt, "SessionSettled").refund, 8n * PRICE);
	});

	it("while open or closed, also long after expiry; not proposed; once", async () => {
		const { f, chain, id } = c;
		await chain.advance(100 * DAY);
		await chain.call(f.escrow, f.operator, "finalizeSession", [
			id,
			GB,
			ROOT,
			await f.voucher(id, GB),
		]);
		await f.send(f.buyer, "closeSession", [id]);
		await f.finalize(id, GB);
		await refused(GB, await f.voucher(id, GB), "WrongStatus");
		const proposed = await f.buy({ mode: Mode.optimistic });
		await f.send(f.operator, "proposeSettlement", [proposed, GB, ROOT]);
		await f.fails(
			f.operator,
			"finalizeSession",
			[proposed, GB, ROOT, await f.voucher(proposed, GB)],
			"WrongStatus",
		);
	});

	it("a changed settler takes over at once, the former one is out", async () => {
		const { f, chain, id } = c;
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, f.stranger]);
		await f.fails(
			f.settler,
			"finalizeSession",
			[id, 0n, ROOT, NO_VOUCHER],
			"NotOperatorOrSettler",
		);
		await chain.call(f.escrow, f.stranger, "finalizeSession", [
			id,
			0n,
			ROOT,
			NO_VOUCHER,
		]);
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, NATIVE]);
		await f.fails(
			f.stranger,
			"finalizeSession",
			[id, 0n, ROOT, NO_VOUCHER],
			"NotOperatorOrSettler",
		);
		await f.fails(
			NATIVE,
			"finalizeSession",
			[id, 0n, ROOT, NO_VOUCHER],
			"NotOperatorOrSettler",
		);
	});

	it("the operator of another node may not", async () => {
		const { f, id } = c;
		await f.register({ settings: { settler: f.stranger } }, f.stranger);
		await f.fails(
			f.stranger,
			"finalizeSession",
			[id, 0n, ROOT, NO_VOUCHER],
			"NotOperatorOrSettler",
		);
	});
});

describe("closeSession, grace and reclaim", () => {
	const c = useFixture(hooks, async ({ f }) => ({ id: await f.buy() }));

	it("grace runs from expiry, to the second", async () => {
		const { f, chain, id } = c;
		const { expiry } = await f.session(id);
		await f.claim(id, 3n * GB);
		await chain.setTime(expiry + BigInt(DAY) - 1n);
		await f.fails(f.buyer, "reclaim", [id], "GraceNotOver");
		await chain.setTime(expiry + BigInt(DAY));
		const receipt = await f.send(f.buyer, "reclaim", [id]);
		const paid = split(3n * GB, 10n * GB, PRICE);
		assert.deepEqual(event(receipt, "SessionSettled").toArray(), [
			id,
			4n,
			3n * GB,
			ethers.ZeroHash,
			paid.operator,
			paid.fee,
			7n * PRICE,
		]);
		assert.deepEqual(event(receipt, "RefundWithdrawn").toArray(), [
			id,
			f.buyer,
			7n * PRICE,
		]);
		await f.fails(f.buyer, "reclaim", [id], "WrongStatus");
	});

	it("grace runs from closeSession where that is earlier", async () => {
		const { f, chain, id } = c;
		const receipt = await f.send(f.buyer, "closeSession", [id]);
		const from = BigInt(await chain.now()) + BigInt(DAY);
		assert.deepEqual(event(receipt, "SessionClosed").toArray(), [id, from]);
		await chain.setTime(from - 1n);
		await f.fails(f.buyer, "reclaim", [id], "GraceNotOver");
		await chain.setTime(from);
		await f.send(f.buyer, "reclaim", [id]);
	});

	it("closing after expiry does not start the grace again", async () => {
		const { f, chain, id } = c;
		const { expiry } = await f.session(id);
		await chain.setTime(expiry + 1000n);
		await f.send(f.buyer, "closeSession", [id]);
		assert.equal((await f.session(id)).deadline, expiry + BigInt(DAY));
	});

	it("is as long as the node's terms say, 6 h to 7 days", async () => {
		const { f, chain } = c;
		for (const grace of [6 * HOUR, 7 * DAY]) {
			await chain.send(f.registry, f.operator, "setWindows", [
				f.nodeId,
				0,
				grace,
			]);
			const id = await f.buy();
			const { expiry } = await f.session(id);
			await chain.setTime(expiry + BigInt(grace) - 1n);
			await f.fails(f.buyer, "reclaim", [id], "GraceNotOver");
			await chain.setTime(expiry + BigInt(grace));
			await f.send(f.buyer, "reclaim", [id]);
			const closed = await f.buy();
			await f.send(f.buyer, "closeSession", [closed]);
			const from = BigInt((await chain.now()) + grace);
			assert.equal((await f.session(closed)).deadline, from);
			await chain.setTime(from - 1n);
			await f.fails(f.buyer, "reclaim", [closed], "GraceNotOver");
			await chain.setTime(from);
			await f.send(f.buyer, "reclaim", [closed]);
		}
	});

	it("within the grace the operator still gets all that was signed", async () => {
		const { f, chain, id } = c;
		await f.send(f.buyer, "closeSession", [id]);
		await chain.advance(DAY - HOUR);
		await f.claim(id, 6n * GB);
		await chain.advance(HOUR);
		const receipt = await f.send(f.buyer, "reclaim", [id]);
		assert.equal(event(receipt, "SessionSettled").refund, 4n * PRICE);
	});

	it("a proposal stops reclaiming, however late", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		await chain.advance(10 * DAY);
		await f.send(f.operator, "proposeSettlement", [id, GB, ROOT]);
		await chain.advance(10 * DAY);
		await f.fails(f.buyer, "reclaim", [id], "WrongStatus");
	});

	it("the buyer can never settle at once", async () => {
		const { f, id } = c;
		for (const [fn, args] of [
			["finalizeSession", [id, GB, ROOT, await f.voucher(id, GB)]],
			["finalizeSession", [id, 0n, ROOT, NO_VOUCHER]],
			["finalizeAttested", [id, 0n, ROOT, await f.attestation(id, 0n)]],
		]) {
			await f.fails(f.buyer, fn, args, "NotOperatorOrSettler");
		}
		await f.fails(f.buyer, "reclaim", [id], "GraceNotOver");
		await f.fails(f.buyer, "execute", [id], "WrongStatus");
	});
});

describe("drawing", () => {
	const c = useFixture(hooks);
	const settle_in_batch = async (ids, n) => {
		const items = [];
		for (const id of ids)
			items.push({
				sessionId: id,
				bytesUsed: n,
				checkpointsRoot: ROOT,
				voucher: await c.f.voucher(id, n),
			});
		return c.f.send(c.f.operator, "finalizeBatch", [c.f.nodeId, items]);
	};

	it("a refund once, by the buyer, many at once and to another address", async () => {
		const { f, chain } = c;
		const ids = [await f.buy(), await f.buy(), await f.buy()];
		await settle_in_batch(ids, 4n * GB);
		await f.fails(f.stranger, "withdrawRefund", [ids[0]], "NotBuyer");
		await f.fails(f.stranger, "withdrawRefunds", [ids, f.stranger], "NotBuyer");
		for (const to of [NATIVE, f.escrow.target])
			await f.fails(f.buyer, "withdrawRefunds", [ids, to], "BadAddress");
		const told = await chain.call(f.escrow, f.buyer, "withdrawRefund", [ids[0]]);
		assert.equal(told, 6n * PRICE);
		await f.send(f.buyer, "withdrawRefund", [ids[0]]);
		await f.fails(f.buyer, "withdrawRefund", [ids[0]], "NothingToWithdraw");
		const fresh = ethers.Wallet.createRandom().address;
		const receipt = await f.send(f.buyer, "withdrawRefunds", [[...ids, ids[1]], fresh]);
		assert.deepEqual(
			receipt.events.map((e) => [e.name, ...e.args]),
			[
				["RefundWithdrawn", ids[1], fresh, 6n * PRICE],
				["RefundWithdrawn", ids[2], fresh, 6n * PRICE],
			],
		);
		assert.equal(await chain.balance(fresh), 12n * PRICE);
		assert.equal(await chain.balance(f.escrow.target), 12n * PRICE);
	});

	it("refunds of several assets in one call", async () => {
		const { f, chain } = c;
		const token = await chain.deploy(mocks().Stablecoin);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			token.target,
			1000n,
		]);
		await chain.send(token, f.buyer, "mint", [f.buyer, 10n ** 9n]);
		await chain.send(token, f.buyer, "approve", [f.escrow.target, 10n ** 9n]);
		const by_token = async () => {
			const { asset, ...order } = await f.order({ asset: token.target });
			const permit = {
				value: 0,
				deadline: 0,
				v: 0,
				r: ethers.ZeroHash,
				s: ethers.ZeroHash,
			};
			const r = await f.send(f.buyer, "createSessionWithToken", [
				order,
				token.target,
				10n ** 9n,
				permit,
			]);
			return r.events[0].args.sessionId;
		};
		const ids = [
			await f.buy(),
			await by_token(),
			await by_token(),
			await f.buy(),
			await by_token(),
		];
		await settle_in_batch(ids, 4n * GB);
		const fresh = ethers.Wallet.createRandom().address;
		const receipt = await f.send(f.buyer, "withdrawRefunds", [ids, fresh]);
		assert.equal(await chain.balance(fresh), 12n * PRICE);
		assert.equal(await token.balanceOf(fresh), 18000n);
		assert.equal(
			receipt.logs.filter(
				(l) => l.address.toLowerCase() === token.target.toLowerCase(),
			).length,
			2,
			"one transfer for neighbours",
		);
	});

	it("credits: all of one's own, of one asset, once, to whom one likes", async () => {
		const { f, chain } = c;
		await settle_in_batch([await f.buy()], 10n * GB);
		for (const to of [NATIVE, f.escrow.target])
			await f.fails(f.payout, "withdrawTo", [NATIVE, to], "BadAddress");
		await f.fails(f.operator, "withdraw", [NATIVE], "NothingToWithdraw");
		const fresh = ethers.Wallet.createRandom().address;
		const due = (10n * PRICE * 99n) / 100n;
		for (const [fn, args] of [
			["withdraw", [NATIVE]],
			["withdrawTo", [NATIVE, fresh]],
		])
			assert.equal(await chain.call(f.escrow, f.payout, fn, args), due);
		const receipt = await f.send(f.payout, "withdrawTo", [NATIVE, fresh]);
		assert.deepEqual(event(receipt, "Withdrawn").toArray(), [
			f.payout,
			NATIVE,
			fresh,
			due,
		]);
		assert.equal(await chain.balance(fresh), due);
		await f.fails(f.payout, "withdraw", [NATIVE], "NothingToWithdraw");
		await f.send(f.treasury, "withdraw", [NATIVE]);
		assert.equal(await chain.balance(f.escrow.target), 0n);
	});
});
