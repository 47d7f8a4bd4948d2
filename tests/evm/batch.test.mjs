// SPDX-License-Identifier: Apache-2.0
//
// Batches: a bad item is skipped with its reason and touches nothing else, the reason is what the
// single call reverts with, credits are written once for each account, and nobody but the registry
// is called.
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
	NO_PERMIT,
	NO_VOUCHER,
	PRICE,
	ROOT,
	Status,
	split,
	useFixture,
} from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const item = async (f, id, n, voucher) => ({
	sessionId: id,
	bytesUsed: n,
	checkpointsRoot: ROOT,
	voucher: voucher ?? (await f.voucher(id, n)),
});
const skipped = (receipt) =>
	receipt.events
		.filter((e) => e.name === "BatchItemSkipped")
		.map((e) => [e.args.sessionId, e.args.reason]);
const settled = (receipt) =>
	receipt.events.filter((e) => e.name === "SessionSettled").map((e) => e.args.sessionId);
const selector = (f, name) => f.escrow.interface.getError(name).selector;

// Every address that got a call in a transaction, from the node's own trace.
async function called(chain, hash) {
	const out = new Set();
	const walk = (frame) => {
		for (const inner of frame.calls ?? []) {
			if (inner.type !== "DELEGATECALL")
				out.add(`${inner.type} ${ethers.getAddress(inner.to)}`);
			walk(inner);
		}
	};
	walk(await chain.rpc("debug_traceTransaction", hash, { tracer: "callTracer" }));
	return [...out].sort();
}

describe("finalizeBatch", () => {
	const c = useFixture(hooks, undefined, { anvil: ["--steps-tracing"] });

	it("settles all good items; each bad one is skipped with the single call's reason", async () => {
		const { f, chain } = c;
		const other_node = await f.register();
		const unknown = ethers.id("unknown");
		const make = {
			UnknownSession: async () => item(f, unknown, GB),
			WrongNode: async () => item(f, await f.buy({ nodeId: other_node }), GB),
			WrongStatus: async () => {
				const id = await f.buy({ mode: Mode.optimistic });
				await f.send(f.operator, "proposeSettlement", [id, GB, ROOT]);
				return item(f, id, GB);
			},
			BytesBelowClaimed: async () => {
				const id = await f.buy();
				await f.claim(id, 2n * GB);
				return item(f, id, GB);
			},
			BytesAboveBought: async () => item(f, await f.buy(), 11n * GB),
			BytesAboveVoucher: async () => {
				const id = await f.buy();
				return item(f, id, GB, await f.voucher(id, GB - 1n));
			},
			VoucherRequired: async () => item(f, await f.buy(), GB, NO_VOUCHER),
			BadVoucher: async () => {
				const [id, wrong] = [await f.buy(), await f.buy()];
				return item(f, id, GB, await f.voucher(wrong, GB));
			},
		};
		const items = [];
		const expected = [];
		const good = [];
		for (const [reason, build] of Object.entries(make)) {
			const bad = await build();
			if (reason !== "WrongNode") {
				await f.fails(
					f.operator,
					"finalizeSession",
					[bad.sessionId, bad.bytesUsed, ROOT, bad.voucher],
					reason,
				);
			}
			const id = await f.buy();
			good.push(id);
			items.push(bad, await item(f, id, 5200000000n));
			expected.push([bad.sessionId, selector(f, reason)]);
		}
		const earlier = [await f.withdrawable(f.payout), await f.withdrawable(f.treasury)];
		const untouched = await Promise.all(
			expected.filter(([id]) => id !== unknown).map(([id]) => f.session(id)),
		);
		const receipt = await f.send(f.settler, "finalizeBatch", [f.nodeId, items]);
		assert.deepEqual(skipped(receipt), expected);
		assert.deepEqual(settled(receipt), good);
		const one = split(5200000000n, 10n * GB, PRICE);
		assert.equal(
			(await f.withdrawable(f.payout)) - earlier[0],
			one.operator * BigInt(good.length),
		);
		assert.equal(
			(await f.withdrawable(f.treasury)) - earlier[1],
			one.fee * BigInt(good.length),
		);
		for (const [i, [id]] of expected.filter(([id]) => id !== unknown).entries()) {
			assert.deepEqual((await f.session(id)).toArray(), untouched[i].toArray());
		}
		const { node } = await chain.call(f.registry, f.stranger, "getNode", [f.nodeId]);
		assert.equal(node.servedBytes, 5200000000n * BigInt(good.length));
	});

	it("the same session twice settles once", async () => {
		const { f } = c;
		const id = await f.buy();
		const receipt = await f.send(f.operator, "finalizeBatch", [
			f.nodeId,
			[await item(f, id, GB), await item(f, id, 2n * GB)],
		]);
		assert.deepEqual(settled(receipt), [id]);
		assert.deepEqual(skipped(receipt), [[id, selector(f, "WrongStatus")]]);
		assert.equal(await f.withdrawable(f.payout), split(GB, 10n * GB, PRICE).operator);
	});

	it("pays the difference only, where something was claimed", async () => {
		const { f } = c;
		const ids = [await f.buy(), await f.buy(), await f.buy()];
		await f.claim(ids[0], 333333333n);
		await f.claim(ids[1], 3n * GB);
		const items = [];
		for (const id of ids) items.push(await item(f, id, 3n * GB));
		await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		assert.equal(
			await f.withdrawable(f.payout),
			3n * split(3n * GB, 10n * GB, PRICE).operator,
		);
		assert.equal(
			await f.withdrawable(f.treasury),
			3n * split(3n * GB, 10n * GB, PRICE).fee,
		);
	});

	it("mixed terms: each payout, treasury and asset gets its own, written once", async () => {
		const { f, chain } = c;
		const [a, b] = [f.payout, f.stranger];
		const plan = [
			[a, f.treasury, PRICE, 100n],
			[b, f.treasury, PRICE, 100n],
			[a, b, 3n * PRICE, 250n],
			[b, a, 7n, 500n],
			[a, f.treasury, PRICE, 0n],
			[b, b, PRICE, 333n],
		];
		const items = [];
		const expected = {};
		for (let round = 0; round < 2; round++) {
			for (const [payout, treasury, price, fee] of plan) {
				await chain.send(f.registry, f.operator, "setPayout", [
					f.nodeId,
					payout,
				]);
				await chain.send(f.registry, f.operator, "setPrice", [
					f.nodeId,
					NATIVE,
					price,
				]);
				await chain.send(f.escrow, f.owner, "setTreasury", [treasury]);
				await chain.send(f.escrow, f.owner, "setFee", [fee]);
				const id = await f.buy({}, { price });
				const used = 1234567890n + BigInt(items.length);
				items.push(await item(f, id, used));
				const s = split(used, 10n * GB, price, fee);
				expected[payout] = (expected[payout] ?? 0n) + s.operator;
				expected[treasury] = (expected[treasury] ?? 0n) + s.fee;
			}
		}
		const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		assert.deepEqual(skipped(receipt), []);
		for (const [account, sum] of Object.entries(expected))
			assert.equal(await f.withdrawable(account), sum);
		const trace = await chain.rpc("debug_traceTransaction", receipt.hash, {
			disableMemory: true,
			disableStorage: true,
		});
		const writes = trace.structLogs.filter((l) => l.op === "SSTORE").length;
		// One word a session, three credits, the node's total.
		assert.equal(writes, items.length + 3 + 1);
	});

	it("mixed assets: each stays in its own, though payout and treasury are the same", async () => {
		const { f, chain } = c;
		const prices = { [NATIVE]: PRICE };
		const bought = [await f.buy()];
		for (const price of [500000n, 7000n]) {
			const token = (await chain.deploy(mocks().Stablecoin)).target;
			prices[token] = price;
			await chain.send(f.registry, f.operator, "setPrice", [
				f.nodeId,
				token,
				price,
			]);
			const usd = new ethers.Contract(
				token,
				mocks().Stablecoin.abi,
				chain.provider,
			);
			await chain.send(usd, f.buyer, "mint", [f.buyer, 10n * price]);
			await chain.send(usd, f.buyer, "approve", [f.escrow.target, 10n * price]);
			const { asset, ...order } = await f.order({ asset: token });
			const receipt = await f.send(f.buyer, "createSessionWithToken", [
				order,
				token,
				10n * price,
				NO_PERMIT,
			]);
			bought.push(receipt.events[0].args.sessionId);
		}
		const items = [];
		for (const id of [...bought, await f.buy()])
			items.push(await item(f, id, 5200000000n));
		const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		assert.deepEqual(skipped(receipt), []);
		for (const [asset, price] of Object.entries(prices)) {
			const sold = asset === NATIVE ? 2n : 1n;
			const one = split(5200000000n, 10n * GB, price);
			assert.equal(await f.withdrawable(f.payout, asset), sold * one.operator);
			assert.equal(await f.withdrawable(f.treasury, asset), sold * one.fee);
		}
	});

	it("calls the registry once before and once after, and nobody else", async () => {
		const { f, chain } = c;
		const wallet = await chain.deploy(mocks().Actor);
		await chain.send(f.registry, f.operator, "setPayout", [f.nodeId, wallet.target]);
		const items = [];
		for (let i = 0; i < 3; i++)
			items.push(
				await item(
					f,
					await f.buy({
						voucherSigner: i ? f.voucherSigner : wallet.target,
					}),
					GB,
				),
			);
		const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		assert.equal(settled(receipt).length, 2);
		const ECRECOVER = "0x0000000000000000000000000000000000000001";
		const calls = (await called(chain, receipt.hash)).filter(
			(x) => !x.endsWith(ECRECOVER),
		);
		assert.deepEqual(calls, [
			`CALL ${f.registry.target}`,
			`STATICCALL ${f.registry.target}`,
		]);
		const count = async () => {
			const trace = await chain.rpc("debug_traceTransaction", receipt.hash, {
				tracer: "callTracer",
			});
			return trace.calls.filter(
				(x) => ethers.getAddress(x.to) === f.registry.target,
			).length;
		};
		assert.equal(await count(), 2);
	});

	it("what was served is counted for the batch's own node", async () => {
		const { f, chain } = c;
		const nodeId = await f.register({}, f.stranger);
		const items = [await item(f, await f.buy({ nodeId }), 3n * GB)];
		await f.send(f.stranger, "finalizeBatch", [nodeId, items]);
		const served = async (id) =>
			(await chain.call(f.registry, f.stranger, "getNode", [id])).node
				.servedBytes;
		assert.deepEqual([await served(nodeId), await served(f.nodeId)], [3n * GB, 0n]);
		const id = await f.buy({ nodeId, mode: Mode.optimistic });
		await f.send(f.stranger, "proposeSettlement", [id, GB, ROOT]);
		await chain.advance(2 * DAY);
		await f.send(f.buyer, "executeBatch", [nodeId, [id]]);
		assert.deepEqual([await served(nodeId), await served(f.nodeId)], [4n * GB, 0n]);
	});

	it("an empty batch is nothing; a hundred items settle in one", async () => {
		const { f } = c;
		assert.deepEqual(
			(await f.send(f.operator, "finalizeBatch", [f.nodeId, []])).events,
			[],
		);
		const items = [];
		for (let i = 0; i < 100; i++)
			items.push({
				...(await item(f, await f.buy(), BigInt(i) * 100000000n)),
				checkpointsRoot: ethers.id(`root ${i}`),
			});
		const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		assert.deepEqual(
			receipt.events.map((e) => [
				e.name,
				e.args.sessionId,
				e.args.path,
				e.args.bytesUsed,
				e.args.checkpointsRoot,
			]),
			items.map((x) => [
				"SessionSettled",
				x.sessionId,
				0n,
				x.bytesUsed,
				x.checkpointsRoot,
			]),
		);
	});
});

describe("proposeBatch and executeBatch", () => {
	const c = useFixture(hooks);

	it("propose like the single call, and skip with its reasons", async () => {
		const { f } = c;
		const other_node = await f.register();
		const proposed = await f.buy({ mode: Mode.optimistic });
		await f.send(f.operator, "proposeSettlement", [proposed, GB, ROOT]);
		const claimed = await f.buy({ mode: Mode.optimistic });
		await f.claim(claimed, 2n * GB);
		const [good, closed] = [
			await f.buy({ mode: Mode.optimistic }),
			await f.buy({ mode: Mode.attested }),
		];
		await f.send(f.buyer, "closeSession", [closed]);
		const cases = [
			[ethers.id("unknown"), GB, "UnknownSession"],
			[
				await f.buy({ nodeId: other_node, mode: Mode.optimistic }),
				GB,
				"WrongNode",
			],
			[await f.buy(), GB, "WrongMode"],
			[proposed, GB, "WrongStatus"],
			[claimed, GB, "BytesBelowClaimed"],
			[await f.buy({ mode: Mode.optimistic }), 11n * GB, "BytesAboveBought"],
		];
		for (const [id, n, reason] of cases) {
			if (reason !== "WrongNode")
				await f.fails(
					f.operator,
					"proposeSettlement",
					[id, n, ROOT],
					reason,
				);
		}
		const items = [[good, GB], ...cases, [closed, 2n * GB]].map(
			([sessionId, bytesUsed]) => ({
				sessionId,
				bytesUsed,
				checkpointsRoot: ROOT,
			}),
		);
		const receipt = await f.send(f.settler, "proposeBatch", [f.nodeId, items]);
		assert.deepEqual(
			skipped(receipt),
			cases.map(([id, , reason]) => [id, selector(f, reason)]),
		);
		const proposals = receipt.events
			.filter((e) => e.name === "SettlementProposed")
			.map((e) => e.args);
		const now = BigInt(await c.chain.now());
		assert.deepEqual(
			proposals.map((p) => p.toArray()),
			[
				[
					good,
					GB,
					ROOT,
					(await f.session(good)).expiry > now + BigInt(DAY)
						? (await f.session(good)).expiry
						: now + BigInt(DAY),
				],
				[closed, 2n * GB, ROOT, now + BigInt(DAY)],
			],
		);
	});

	it("each session's window is that of its own terms, and not its grace", async () => {
		const { f, chain } = c;
		const items = [];
		const windows = [HOUR, 7 * DAY, 2 * HOUR];
		for (const window of windows) {
			await chain.send(f.registry, f.operator, "setWindows", [
				f.nodeId,
				window,
				6 * HOUR,
			]);
			const sessionId = await f.buy({ mode: Mode.optimistic, duration: 1 });
			items.push({ sessionId, bytesUsed: GB, checkpointsRoot: ROOT });
		}
		await f.send(f.operator, "proposeBatch", [f.nodeId, items]);
		const now = await chain.now();
		for (const [i, { sessionId }] of items.entries())
			assert.equal(
				(await f.session(sessionId)).deadline,
				BigInt(now + windows[i]),
			);
	});

	it("execute like the single call: anyone after the window, the buyer before, and skip with its reasons", async () => {
		const { f, chain } = c;
		const make = async (mode = Mode.optimistic) => {
			const id = await f.buy({ mode });
			await f.send(f.operator, "proposeSettlement", [id, 2n * GB, ROOT]);
			return id;
		};
		const open = await f.buy();
		const ids = [await make(), open, await make()];
		let receipt = await f.send(f.stranger, "executeBatch", [f.nodeId, ids]);
		assert.deepEqual(skipped(receipt), [
			[ids[0], selector(f, "WindowOpen")],
			[open, selector(f, "WrongStatus")],
			[ids[2], selector(f, "WindowOpen")],
		]);
		receipt = await f.send(f.buyer, "executeBatch", [f.nodeId, [ids[0]]]);
		assert.deepEqual(settled(receipt), [ids[0]]);
		const disputed = await make();
		await f.send(f.buyer, "dispute", [disputed, GB]);
		await chain.advance(2 * DAY);
		receipt = await f.send(f.stranger, "executeBatch", [
			f.nodeId,
			[ids[0], ids[2], disputed, ethers.id("unknown")],
		]);
		assert.deepEqual(settled(receipt), [ids[2]]);
		assert.deepEqual(
			skipped(receipt).map(([, reason]) => reason),
			["WrongStatus", "WindowOpen", "UnknownSession"].map((r) => selector(f, r)),
		);
		await chain.advance(7 * DAY);
		receipt = await f.send(f.stranger, "executeBatch", [f.nodeId, [disputed]]);
		assert.deepEqual(
			receipt.events.map((e) => e.args.bytesUsed),
			[GB],
		);
		assert.equal((await f.session(disputed)).status, Status.settled);
		assert.equal(
			await f.withdrawable(f.payout),
			split(2n * GB, 10n * GB, PRICE).operator * 2n +
				split(GB, 10n * GB, PRICE).operator,
		);
		receipt = await f.send(f.stranger, "executeBatch", [99n, [ids[2]]]);
		assert.deepEqual(skipped(receipt), [[ids[2], selector(f, "WrongNode")]]);
	});
});
