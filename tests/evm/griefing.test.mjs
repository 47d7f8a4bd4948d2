// SPDX-License-Identifier: Apache-2.0
//
// Whoever cannot steal may still spoil: chains that split, reorganisations that give ids and node
// numbers to others, the last second of a deadline, batches that are made dear or end halfway, ether
// by the wrong door, amounts of nothing. The parties themselves are tried in thief.test.mjs.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { Fixture, GB, Mode, NATIVE, PRICE, ROOT, Status, split, useFixture } from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const DEPOSIT = 10n * PRICE;
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;
const item = async (f, id, n) => ({
	sessionId: id,
	bytesUsed: n,
	checkpointsRoot: ROOT,
	voucher: await f.voucher(id, n),
});

describe("chains, forks and reorganisations", () => {
	const c = useFixture(hooks);

	it("a chain that splits off with another id honours no voucher of the old one, and keeps its ids apart", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.attested });
		const [voucher, attestation] = [
			await f.voucher(id, GB),
			await f.attestation(id, GB),
		];
		const old_id = await f.escrow.sessionIdOf(f.buyer, ROOT);
		const old_separator = await f.escrow.domainSeparator();
		await chain.rpc("anvil_setChainId", 31338);
		try {
			const separator = await chain.call(
				f.escrow,
				f.buyer,
				"domainSeparator",
				[],
			);
			assert.equal(
				separator,
				ethers.TypedDataEncoder.hashDomain({ ...f.domain, chainId: 31338 }),
			);
			assert.notEqual(separator, old_separator);
			assert.notEqual(
				await chain.call(f.escrow, f.buyer, "sessionIdOf", [f.buyer, ROOT]),
				old_id,
			);
			await f.fails(f.operator, "claim", [id, voucher], "BadVoucher");
			await f.fails(
				f.operator,
				"finalizeAttested",
				[id, GB, ROOT, attestation],
				"BadAttestation",
			);
			const here = { ...f.domain, chainId: 31338 };
			assert.equal(
				await chain.call(f.escrow, f.operator, "claim", [
					id,
					await f.voucher(id, GB, f.voucherWallet, here),
				]),
				GB,
			);
		} finally {
			await chain.rpc("anvil_setChainId", chain.chainId);
		}
		await f.send(f.operator, "claim", [id, voucher]);
	});

	it("two escrows on one chain: same buyer, salt and figures, and neither takes the other's voucher", async () => {
		const { f, chain } = c;
		const g = await Fixture.create(chain);
		const salt = ethers.id("salt");
		const [here, there] = [await f.buy({ salt }), await g.buy({ salt })];
		assert.notEqual(here, there);
		await f.fails(
			f.operator,
			"claim",
			[here, await g.voucher(there, GB)],
			"BadVoucher",
		);
		await f.fails(f.operator, "claim", [here, await g.voucher(here, GB)], "BadVoucher");
		await f.fails(
			f.operator,
			"claim",
			[there, await g.voucher(there, GB)],
			"UnknownSession",
		);
		await g.claim(there, GB);
	});

	it("a reorganisation that gives the node's number to somebody else: the pending purchase reverts", async () => {
		const { f, chain } = c;
		const snapshot = await chain.snapshot();
		const nodeId = await f.register({ name: "exit-2" });
		const order = await f.order({ nodeId });
		await chain.call(f.escrow, f.buyer, "createSession", Fixture.args(order), {
			value: DEPOSIT,
		});
		await chain.rpc("evm_revert", snapshot);
		const thief = { payout: f.stranger, settler: f.stranger };
		for (const settings of [
			thief,
			{ wgPublicKey: ethers.id("mine") },
			{ usageSigner: f.stranger },
		]) {
			const fork = await chain.snapshot();
			assert.equal(await f.register({ settings }, f.stranger), nodeId);
			await f.fails(
				f.buyer,
				"createSession",
				Fixture.args(order),
				{ value: DEPOSIT },
				"TermsMismatch",
			);
			await chain.rpc("evm_revert", fork);
		}
		// Who copies every public value is paid nothing: the money still goes to the payout
		// address that the buyer saw.
		assert.equal(
			await f.register({ settings: { settler: f.stranger } }, f.stranger),
			nodeId,
		);
		const id = await f.buy(order);
		await f.finalize(id, 5n * GB, f.stranger);
		assert.equal(await f.withdrawable(f.stranger), 0n);
		assert.equal(
			await f.withdrawable(f.payout),
			split(5n * GB, 10n * GB, PRICE).operator,
		);
	});

	it("after a reorganisation only the buyer can make its id again, and an old voucher pays no more than the new deposit", async () => {
		const { f, chain } = c;
		const order = await f.order();
		const snapshot = await chain.snapshot();
		const id = await f.buy(order);
		const voucher = await f.voucher(id, 5n * GB);
		await chain.rpc("evm_revert", snapshot);
		await f.fails(f.operator, "claim", [id, voucher], "UnknownSession");
		assert.notEqual(await f.buy(order, { from: f.stranger }), id);
		assert.equal(await f.buy({ ...order, dataGB: 2n }), id);
		await f.send(f.operator, "claim", [id, voucher]);
		assert.equal((await f.session(id)).claimedBytes, 2n * GB);
		assert.equal((await f.session(id)).held, 0n);
		assert.equal(await chain.balance(f.escrow.target), 12n * PRICE);
	});

	it("at every second exactly one side may move: dispute or execute, resolve or execute, top-up or nothing", async () => {
		const { f, chain } = c;
		const allowed = async (who, fn, args, options) => {
			try {
				await chain.call(f.escrow, who, fn, args, options);
				return true;
			} catch (error) {
				if (error.reason === undefined) throw error;
				return false;
			}
		};
		const id = await f.buy({ mode: Mode.attested });
		const { expiry } = await f.session(id);
		for (const [time, can] of [
			[expiry - 1n, true],
			[expiry, false],
			[expiry + 1n, false],
		]) {
			await chain.setTime(time);
			assert.equal(
				await allowed(f.buyer, "topUp", [id, 1n, 0n], { value: PRICE }),
				can,
			);
		}
		await f.send(f.operator, "proposeSettlement", [id, 5n * GB, ROOT]);
		let { deadline } = await f.session(id);
		for (const [time, open] of [
			[deadline - 2n, true],
			[deadline, false],
		]) {
			await chain.setTime(time);
			assert.equal(await allowed(f.stranger, "execute", [id]), !open);
			assert.equal(await allowed(f.buyer, "dispute", [id, 0n]), open);
			if (open) {
				const snapshot = await chain.snapshot();
				await chain.rpc("evm_setNextBlockTimestamp", Number(deadline - 1n));
				await f.send(f.buyer, "dispute", [id, 0n]);
				({ deadline } = await f.session(id));
				const args = [id, GB, ROOT, await f.attestation(id, GB)];
				for (const [at, still] of [
					[deadline - 1n, true],
					[deadline, false],
				]) {
					await chain.setTime(at);
					assert.equal(
						await allowed(f.stranger, "resolve", args),
						still,
					);
					assert.equal(
						await allowed(f.buyer, "execute", [id]),
						!still,
					);
				}
				await chain.rpc("evm_revert", snapshot);
			}
		}
	});
});

describe("griefing by gas and by value", () => {
	const c = useFixture(hooks);

	it("a hundred sessions under a hundred different terms still fit a transaction (EIP-7825, 2^24 gas)", async () => {
		const { f, chain } = c;
		const items = [];
		const proceeds = {};
		for (let i = 0; i < 100; i++) {
			const price = PRICE + BigInt(i);
			await chain.send(f.registry, f.operator, "setPrice", [
				f.nodeId,
				NATIVE,
				price,
			]);
			const payout = i % 2 ? f.payout : ethers.toBeHex(0x10000 + i, 20);
			await chain.send(f.registry, f.operator, "setPayout", [f.nodeId, payout]);
			const id = await f.buy({}, { price });
			items.push(await item(f, id, 5n * GB));
			const { operator } = split(5n * GB, 10n * GB, price);
			proceeds[payout] = (proceeds[payout] ?? 0n) + operator;
		}
		const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		assert.equal(receipt.events.length, 100);
		for (const [payout, sum] of Object.entries(proceeds))
			assert.equal(await f.withdrawable(payout), sum);
		assert.ok(receipt.gasUsed < 1n << 24n, `${receipt.gasUsed}`);
	});

	it("bad items cost the batch no more than good ones", async () => {
		const { f, chain } = c;
		const good = [];
		for (let i = 0; i < 20; i++) good.push(await item(f, await f.buy(), GB));
		await f.finalize(await f.buy(), GB); // the first credits are there
		const snapshot = await chain.snapshot();
		const settled = (await f.send(f.operator, "finalizeBatch", [f.nodeId, good]))
			.gasUsed;
		await chain.rpc("evm_revert", snapshot);
		const bad = good.map((x, i) => ({ ...x, voucher: good[(i + 1) % 20].voucher }));
		const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, bad]);
		assert.equal(
			receipt.events.filter((e) => e.name === "BatchItemSkipped").length,
			20,
		);
		assert.ok(receipt.gasUsed <= settled, `${receipt.gasUsed} against ${settled}`);
	});

	it("a batch that runs out of gas changes nothing", async () => {
		const { f, chain } = c;
		const items = [];
		for (let i = 0; i < 10; i++) items.push(await item(f, await f.buy(), GB));
		const full = await chain.send(f.escrow, f.operator, "finalizeBatch", [
			f.nodeId,
			[],
		]);
		assert.deepEqual(full.events, []);
		for (const gas of [100000n, 150000n, 200000n]) {
			await assert.rejects(
				f.send(f.operator, "finalizeBatch", [f.nodeId, items], { gas }),
			);
			for (const { sessionId } of items)
				assert.equal((await f.session(sessionId)).status, Status.open);
			assert.equal(await f.withdrawable(f.payout), 0n);
		}
		await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
	});

	it("ether goes in by createSession and topUp alone", async () => {
		const { f } = c;
		const payable = f.escrow.interface.fragments
			.filter((x) => x.type === "function" && x.payable)
			.map((x) => x.name);
		assert.deepEqual(payable.sort(), ["createSession", "topUp"]);
		assert.equal(f.escrow.interface.receive, false);
		assert.equal(f.escrow.interface.fallback, null);
		assert.deepEqual(
			f.registry.interface.fragments.filter((x) => x.payable),
			[],
		);
	});

	it("node ids that only look like a node's after they are cut are nobody's", async () => {
		const { f } = c;
		const fake = (1n << 64n) + f.nodeId;
		const id = await f.buy();
		const order = await f.order({ nodeId: fake, termsHash: ethers.ZeroHash });
		await f.fails(
			f.buyer,
			"createSession",
			Fixture.args(order),
			{ value: DEPOSIT },
			"UnknownNode",
		);
		await f.fails(
			f.operator,
			"finalizeBatch",
			[fake, [await item(f, id, GB)]],
			"NotOperatorOrSettler",
		);
		const receipt = await f.send(f.stranger, "executeBatch", [fake, [id]]);
		assert.equal(
			event(receipt, "BatchItemSkipped").reason,
			f.escrow.interface.getError("WrongNode").selector,
		);
	});

	it("the 2^32 - 1st terms are kept apart like the first; where there can be no more, the old ones still sell", async () => {
		const { f, chain } = c;
		const first = await f.buy();
		// Treasury, fee and the count of terms share a word: the one that begins with the
		// treasury.
		let slot = -1;
		let content;
		do {
			slot++;
			const at = ethers.toBeHex(slot, 32);
			content = BigInt(
				await chain.rpc("eth_getStorageAt", f.escrow.target, at, "latest"),
			);
			assert.ok(slot < 32);
		} while ((content & ((1n << 160n) - 1n)) !== BigInt(f.treasury));
		assert.equal(content >> 160n, (1n << 16n) | 100n, "one record, 1 %");
		const almost = (content & ((1n << 176n) - 1n)) | (((1n << 32n) - 2n) << 176n);
		await chain.rpc(
			"anvil_setStorageAt",
			f.escrow.target,
			ethers.toBeHex(slot, 32),
			ethers.toBeHex(almost, 32),
		);
		const set_price = (price) =>
			chain.send(f.registry, f.operator, "setPrice", [f.nodeId, NATIVE, price]);
		await set_price(7n);
		const last = await f.buy({}, { price: 7n });
		assert.equal((await f.session(last)).pricePerGB, 7n);
		assert.equal((await f.session(first)).pricePerGB, PRICE);
		await set_price(8n);
		const order = Fixture.args(await f.order());
		await f.fails(f.buyer, "createSession", order, { value: 80n }, "Panic");
		await set_price(PRICE);
		const again = await f.buy();
		await f.send(f.operator, "finalizeBatch", [
			f.nodeId,
			[
				await item(f, last, GB),
				await item(f, again, GB),
				await item(f, first, GB),
			],
		]);
		const one = split(GB, 10n * GB, PRICE);
		assert.equal(await f.withdrawable(f.payout), 2n * one.operator + 7n);
	});

	it("dust: sessions whose cost, fee or refund is nothing settle like others", async () => {
		const { f, chain } = c;
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, NATIVE, 1n]);
		for (const n of [0n, 1n, GB - 1n, GB]) {
			const id = await f.buy({ dataGB: 1n }, { price: 1n });
			const settled = event(await f.finalize(id, n), "SessionSettled");
			assert.deepEqual(
				[settled.operatorAmount, settled.feeAmount, settled.refund],
				n === GB ? [1n, 0n, 0n] : [0n, 0n, 1n],
			);
			assert.equal((await f.session(id)).held, 0n);
		}
		assert.equal(await f.withdrawable(f.payout), 1n);
		assert.equal(await chain.balance(f.escrow.target), 1n);
	});
});
