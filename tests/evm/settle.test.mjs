// SPDX-License-Identifier: Apache-2.0
//
// One session to its end by each road: figures, bounds, clocks to the second, signatures, and where every wei goes.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { Chain, deployTollwire, mocks } from "./chain.mjs";
import { DAY, Fixture, GB, HOUR, Mode, NATIVE, NO_VOUCHER, PRICE, ROOT, Status, compact, split, useFixture } from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;

// Credits, and what the escrow holds. The buyer pays gas, so its refund is read from the event and from the escrow's balance.
const books = async ({ f, chain }, asset = NATIVE) => ({
	operator: await f.withdrawable(f.payout, asset),
	fee: await f.withdrawable(f.treasury, asset),
	escrow: await chain.balance(f.escrow.target),
});

describe("the reference split", () => {
	const c = useFixture(hooks);

	it("10 GB at 0.001 ETH, 5.2 GB used: 0.005148 operator, 0.000052 treasury, 0.0048 back", async () => {
		const { f, chain } = c;
		const id = await f.buy();
		const receipt = await f.finalize(id, 5200000000n);
		const settled = event(receipt, "SessionSettled");
		assert.deepEqual(settled.toArray(), [id, 0n, 5200000000n, ROOT, ethers.parseEther("0.005148"), ethers.parseEther("0.000052"), ethers.parseEther("0.0048")]);
		assert.deepEqual(await books(c), { operator: ethers.parseEther("0.005148"), fee: ethers.parseEther("0.000052"), escrow: ethers.parseEther("0.0052") });
		assert.deepEqual(event(receipt, "RefundWithdrawn").toArray(), [id, f.buyer, ethers.parseEther("0.0048")]);
		const earlier = await chain.balance(f.payout);
		const paid = await f.send(f.payout, "withdraw", [NATIVE]);
		assert.deepEqual(event(paid, "Withdrawn").toArray(), [f.payout, NATIVE, f.payout, ethers.parseEther("0.005148")]);
		const tx = await chain.rpc("eth_getTransactionReceipt", paid.hash);
		assert.equal(await chain.balance(f.payout), earlier + ethers.parseEther("0.005148") - paid.gasUsed * BigInt(tx.effectiveGasPrice));
		await f.send(f.treasury, "withdrawTo", [NATIVE, f.stranger]);
		assert.equal(await chain.balance(f.escrow.target), 0n);
	});

	it("the same by every road and in any split into claims", async () => {
		const roads = {
			finalize: (f, id, n) => f.finalize(id, n),
			"claims, finalize without voucher": async (f, id, n) => {
				for (const part of [1n, 333333333n, 2999999999n, n - 1n, n]) await f.claim(id, part);
				return f.send(f.operator, "finalizeSession", [id, n, ROOT, NO_VOUCHER]);
			},
			"propose, accept": async (f, id, n) => {
				await f.claim(id, 777n);
				await f.send(f.operator, "proposeSettlement", [id, n, ROOT]);
				return f.send(f.buyer, "execute", [id]);
			},
			"dispute, resolve": async (f, id, n) => {
				await f.send(f.operator, "proposeSettlement", [id, 9n * GB, ROOT]);
				await f.send(f.buyer, "dispute", [id, 123456789n]);
				return f.send(f.stranger, "resolve", [id, n, ROOT, await f.attestation(id, n)]);
			},
			"dispute, voucher, execute": async (f, id, n) => {
				await f.send(f.operator, "proposeSettlement", [id, n + 1n, ROOT]);
				await f.send(f.buyer, "dispute", [id, 1n]);
				await f.claim(id, n);
				await f.chain.advance(7 * DAY);
				return f.send(f.stranger, "execute", [id]);
			},
			attested: async (f, id, n) => f.send(f.settler, "finalizeAttested", [id, n, ROOT, await f.attestation(id, n)]),
			"claim, reclaim": async (f, id, n) => {
				await f.claim(id, n);
				await f.chain.advance(2 * DAY);
				return f.send(f.buyer, "reclaim", [id]);
			},
			batch: async (f, id, n) => {
				const item = { sessionId: id, bytesUsed: n, checkpointsRoot: ROOT, voucher: await f.voucher(id, n) };
				const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, [item]]);
				await f.send(f.buyer, "withdrawRefund", [id]);
				return receipt;
			},
		};
		for (const [name, road] of Object.entries(roads)) {
			const snapshot = await c.chain.snapshot();
			const id = await c.f.buy({ mode: Mode.attested });
			const settled = event(await road(c.f, id, 5200000000n), "SessionSettled");
			assert.deepEqual(settled.toArray().slice(4), [5148000000000000n, 52000000000000n, 4800000000000000n], name);
			assert.equal((await c.f.session(id)).status, Status.settled);
			assert.equal((await c.f.session(id)).held - (await c.f.session(id)).refundable, 0n);
			const b = await books(c);
			assert.deepEqual([b.operator, b.fee], [5148000000000000n, 52000000000000n], name);
			if ((await c.f.session(id)).refundable) await c.f.send(c.f.buyer, "withdrawRefund", [id]);
			assert.equal(await c.chain.balance(c.f.escrow.target), b.operator + b.fee, name);
			await c.chain.rpc("evm_revert", snapshot);
		}
	});

	it("floors both ways where a price does not divide", async () => {
		const { f, chain } = c;
		for (const [price, bytes] of [[1n, 999999999n], [3n, 333333333n], [7n, 1n], [1000000007n, 123456789n], [99n, 10n * GB]]) {
			await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, NATIVE, price]);
			const id = await f.buy({}, { price });
			const expected = split(bytes, 10n * GB, price);
			const settled = event(await f.finalize(id, bytes), "SessionSettled");
			assert.deepEqual(settled.toArray().slice(4), [expected.operator, expected.fee, expected.refund]);
			assert.equal(settled.operatorAmount + settled.feeAmount + settled.refund, 10n * price);
		}
	});

	it("counts what was served in the registry, once", async () => {
		const { f, chain } = c;
		const id = await f.buy();
		await f.claim(id, GB);
		await f.finalize(id, 3n * GB);
		await f.finalize(await f.buy(), 0n);
		assert.equal((await chain.call(f.registry, f.stranger, "getNode", [f.nodeId])).node.servedBytes, 3n * GB);
	});
});

describe("vouchers and claim", () => {
	const c = useFixture(hooks, async ({ f }) => ({ id: await f.buy() }));

	it("pays differences, up to what was bought; a repeat or an older one is a no-op", async () => {
		const { f, id } = c;
		const receipt = await f.claim(id, 4n * GB);
		const expected = split(4n * GB, 10n * GB, PRICE);
		assert.deepEqual(event(receipt, "SessionClaimed").toArray(), [id, 4n * GB, expected.operator, expected.fee]);
		for (const n of [4n * GB, 4n * GB - 1n, 0n]) {
			const repeat = await f.claim(id, n);
			assert.deepEqual(repeat.events, []);
			assert.equal((await f.session(id)).claimedBytes, 4n * GB);
		}
		assert.equal(await f.withdrawable(f.payout), expected.operator);
		await f.claim(id, 11n * GB, f.settler);
		assert.equal((await f.session(id)).claimedBytes, 10n * GB);
		assert.equal((await f.session(id)).held, 0n);
		await f.claim(id, ethers.MaxUint256);
		assert.equal(await f.withdrawable(f.payout), split(10n * GB, 10n * GB, PRICE).operator);
	});

	it("a voucher above what was bought pays more after a top-up", async () => {
		const { f, id } = c;
		await f.claim(id, 12n * GB);
		await f.send(f.buyer, "topUp", [id, 3, 0], { value: 3n * PRICE });
		await f.claim(id, 12n * GB);
		assert.equal((await f.session(id)).claimedBytes, 12n * GB);
	});

	it("in every state before settled; once proposed at most the proposal; after a dispute it raises what was accepted", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		await f.claim(id, GB);
		await f.send(f.buyer, "closeSession", [id]);
		await f.claim(id, 2n * GB);
		await f.send(f.operator, "proposeSettlement", [id, 5n * GB, ROOT]);
		await f.claim(id, 3n * GB);
		await f.send(f.voucherSigner, "dispute", [id, 3n * GB]);
		assert.equal((await f.session(id)).claimedBytes, 3n * GB);
		await f.claim(id, 4n * GB);
		assert.equal((await f.session(id)).claimedBytes, 4n * GB);
		await chain.advance(30 * DAY);
		await f.claim(id, 9n * GB);
		assert.equal((await f.session(id)).claimedBytes, 5n * GB);
		await f.send(f.stranger, "execute", [id]);
		await f.fails(f.operator, "claim", [id, await f.voucher(id, 9n * GB)], "WrongStatus");
		const late = await f.buy();
		await chain.advance(30 * DAY);
		await f.claim(late, GB);
	});

	it("refuses vouchers for other sessions, chains and contracts, of other signers, altered, malleable or malformed", async () => {
		const { f, chain, id } = c;
		const other = await f.buy();
		const good = await f.voucher(id, GB);
		const s = BigInt(good.vs) & ((1n << 255n) - 1n);
		const parity = BigInt(good.vs) >> 255n;
		const high = { ...good, vs: ethers.toBeHex(((parity ^ 1n) << 255n) | ((N - s) & ((1n << 255n) - 1n)), 32) };
		const twin = await deployTollwire(chain);
		const bad = {
			"another session": await f.voucher(other, GB),
			"another chain": await f.voucher(id, GB, f.voucherWallet, { ...f.domain, chainId: 1 }),
			"another contract": await f.voucher(id, GB, f.voucherWallet, { ...f.domain, verifyingContract: twin.escrow.target }),
			"another version": await f.voucher(id, GB, f.voucherWallet, { ...f.domain, version: "2" }),
			"another name": await f.voucher(id, GB, f.voucherWallet, { ...f.domain, name: "tollwire" }),
			"the buyer, who named another signer": await f.voucher(id, GB, Chain.wallet(5)),
			"the operator": await f.voucher(id, GB, Chain.wallet(2)),
			"another figure": { ...good, cumulativeBytes: GB + 1n },
			"flipped parity": { ...good, vs: ethers.toBeHex(BigInt(good.vs) ^ (1n << 255n), 32) },
			"high s": high,
			"r of 0": { ...good, r: ethers.ZeroHash },
			"s of 0": { ...good, vs: ethers.ZeroHash },
			"r above the order": { ...good, r: ethers.toBeHex(N, 32) },
			none: { ...NO_VOUCHER, cumulativeBytes: GB },
			"an attestation's type": { cumulativeBytes: GB, ...(await f.attestation(id, GB, ethers.ZeroHash, f.voucherWallet)) },
		};
		for (const [name, voucher] of Object.entries(bad)) {
			await assert.doesNotReject(f.fails(f.operator, "claim", [id, voucher], "BadVoucher"), name);
			if (name === "none") continue;
			await assert.doesNotReject(f.fails(f.operator, "finalizeSession", [id, GB, ROOT, voucher], voucher.cumulativeBytes < GB ? "BytesAboveVoucher" : "BadVoucher"), name);
		}
		for (let bit = 0; bit < 256; bit++) {
			const flip = (x) => ethers.toBeHex(BigInt(x) ^ (1n << BigInt(bit)), 32);
			await f.fails(f.operator, "claim", [id, { ...good, r: flip(good.r) }], "BadVoucher");
			await f.fails(f.operator, "claim", [id, { ...good, vs: flip(good.vs) }], "BadVoucher");
		}
		await f.send(f.operator, "claim", [id, good]);
	});

	it("a contract wallet's ERC-1271 yes is never asked for; its session key signs", async () => {
		const { f, chain } = c;
		const wallet = await chain.deploy(mocks().Actor);
		assert.equal(await wallet.isValidSignature(ethers.ZeroHash, "0x"), "0x1626ba7e");
		const id = await f.buy({ voucherSigner: wallet.target });
		for (const key of [5, 6, 8]) {
			await f.fails(f.operator, "claim", [id, await f.voucher(id, GB, Chain.wallet(key))], "BadVoucher");
		}
		// Code that appears at the signer's address later changes nothing either way.
		const signed = await f.buy();
		const voucher = await f.voucher(signed, GB);
		await chain.rpc("anvil_setCode", f.voucherSigner, mocks().Actor.deployedBytecode);
		await f.send(f.operator, "claim", [signed, voucher]);
	});

	it("a buyer that names itself signs its own vouchers, and nobody else does", async () => {
		const { f, chain } = c;
		const buyer_wallet = Chain.wallet(5);
		assert.equal(buyer_wallet.address, f.buyer);
		const id = await f.buy({ voucherSigner: f.buyer, mode: Mode.optimistic });
		assert.equal((await f.session(id)).voucherSigner, f.buyer);
		await f.fails(f.operator, "claim", [id, await f.voucher(id, GB)], "BadVoucher");
		await f.send(f.operator, "claim", [id, await f.voucher(id, GB, buyer_wallet)]);
		await f.send(f.operator, "proposeSettlement", [id, 3n * GB, ROOT]);
		await f.fails(f.voucherSigner, "dispute", [id, GB], "NotBuyerOrVoucherSigner");
		await f.send(f.buyer, "dispute", [id, GB]);
		await f.send(f.buyer, "withdrawRefund", [id]);
		await f.send(f.operator, "claim", [id, await f.voucher(id, 2n * GB, buyer_wallet)]);
		await chain.advance(7 * DAY);
		await f.send(f.buyer, "execute", [id]);
		assert.deepEqual([(await f.session(id)).claimedBytes, (await f.session(id)).held], [2n * GB, 0n]);
	});

	it("with voucher signer 0 every voucher is refused", async () => {
		const { f } = c;
		const id = await f.buy({ mode: Mode.optimistic, voucherSigner: NATIVE });
		for (const voucher of [await f.voucher(id, GB), { ...NO_VOUCHER, cumulativeBytes: GB }, { cumulativeBytes: GB, r: ethers.toBeHex(1, 32), vs: ethers.toBeHex(1, 32) }]) {
			await f.fails(f.operator, "claim", [id, voucher], "BadVoucher");
		}
		await f.fails(f.operator, "finalizeSession", [id, GB, ROOT, await f.voucher(id, GB)], "BadVoucher");
	});
});

describe("finalizeSession", () => {
	const c = useFixture(hooks, async ({ f }) => ({ id: await f.buy() }));
	const refused = (bytes, voucher, reason) => c.f.fails(c.f.operator, "finalizeSession", [c.id, bytes, ROOT, voucher], reason);

	it("claimed ≤ bytesUsed ≤ min(voucher, bought)", async () => {
		const { f, id } = c;
		await f.claim(id, 2n * GB);
		await refused(2n * GB - 1n, await f.voucher(id, 5n * GB), "BytesBelowClaimed");
		await refused(5n * GB + 1n, await f.voucher(id, 5n * GB), "BytesAboveVoucher");
		await refused(10n * GB + 1n, await f.voucher(id, 20n * GB), "BytesAboveBought");
		await refused(ethers.MaxUint256, await f.voucher(id, ethers.MaxUint256), "BytesAboveBought");
		for (const n of [2n * GB, 3n * GB, 5n * GB]) await c.chain.call(f.escrow, f.settler, "finalizeSession", [id, n, ROOT, await f.voucher(id, 5n * GB)]);
		await c.chain.call(f.escrow, f.operator, "finalizeSession", [id, 10n * GB, ROOT, await f.voucher(id, 20n * GB)]);
	});

	it("without a voucher only what was claimed: giving back needs no signature", async () => {
		const { f, id } = c;
		await refused(1n, NO_VOUCHER, "VoucherRequired");
		await c.chain.call(f.escrow, f.operator, "finalizeSession", [id, 0n, ROOT, NO_VOUCHER]);
		await f.claim(id, 2n * GB);
		await refused(0n, NO_VOUCHER, "BytesBelowClaimed");
		await refused(2n * GB + 1n, NO_VOUCHER, "VoucherRequired");
		const receipt = await f.send(f.settler, "finalizeSession", [id, 2n * GB, ROOT, NO_VOUCHER]);
		assert.equal(event(receipt, "SessionSettled").refund, 8n * PRICE);
	});

	it("while open or closed, also long after expiry; not proposed; once", async () => {
		const { f, chain, id } = c;
		await chain.advance(100 * DAY);
		await chain.call(f.escrow, f.operator, "finalizeSession", [id, GB, ROOT, await f.voucher(id, GB)]);
		await f.send(f.buyer, "closeSession", [id]);
		await f.finalize(id, GB);
		await refused(GB, await f.voucher(id, GB), "WrongStatus");
		const proposed = await f.buy({ mode: Mode.optimistic });
		await f.send(f.operator, "proposeSettlement", [proposed, GB, ROOT]);
		await f.fails(f.operator, "finalizeSession", [proposed, GB, ROOT, await f.voucher(proposed, GB)], "WrongStatus");
	});

	it("a changed settler takes over at once, the former one is out", async () => {
		const { f, chain, id } = c;
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, f.stranger]);
		await f.fails(f.settler, "finalizeSession", [id, 0n, ROOT, NO_VOUCHER], "NotOperatorOrSettler");
		await chain.call(f.escrow, f.stranger, "finalizeSession", [id, 0n, ROOT, NO_VOUCHER]);
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, NATIVE]);
		await f.fails(f.stranger, "finalizeSession", [id, 0n, ROOT, NO_VOUCHER], "NotOperatorOrSettler");
		await f.fails(NATIVE, "finalizeSession", [id, 0n, ROOT, NO_VOUCHER], "NotOperatorOrSettler");
	});

	it("the operator of another node may not", async () => {
		const { f, id } = c;
		await f.register({ settings: { settler: f.stranger } }, f.stranger);
		await f.fails(f.stranger, "finalizeSession", [id, 0n, ROOT, NO_VOUCHER], "NotOperatorOrSettler");
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
		assert.deepEqual(event(receipt, "SessionSettled").toArray(), [id, 4n, 3n * GB, ethers.ZeroHash, paid.operator, paid.fee, 7n * PRICE]);
		assert.deepEqual(event(receipt, "RefundWithdrawn").toArray(), [id, f.buyer, 7n * PRICE]);
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
			await chain.send(f.registry, f.operator, "setWindows", [f.nodeId, 0, grace]);
			const id = await f.buy();
			const { expiry } = await f.session(id);
			await chain.setTime(expiry + BigInt(grace) - 1n);
			await f.fails(f.buyer, "reclaim", [id], "GraceNotOver");
			await chain.setTime(expiry + BigInt(grace));
			await f.send(f.buyer, "reclaim", [id]);
		}
	});

	it("within the grace the operator still gets all that was signed", async () => {
		const { f, chain, id } = c;
		await f.send(f.buyer, "closeSession", [id]);
		await chain.advance(DAY - 60);
		await f.claim(id, 6n * GB);
		await chain.advance(60);
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

describe("proposals, disputes, attestors", () => {
	const c = useFixture(hooks, async ({ f }) => ({ id: await f.buy({ mode: Mode.optimistic, attestor: f.attestor }) }));
	const propose = (id, n) => c.f.send(c.f.operator, "proposeSettlement", [id, n, ROOT]);

	it("is refused in voucher mode", async () => {
		const { f } = c;
		const id = await f.buy();
		await f.fails(f.operator, "proposeSettlement", [id, 0n, ROOT], "WrongMode");
	});

	it("claimed ≤ bytesUsed ≤ bought, once", async () => {
		const { f, id } = c;
		await f.claim(id, 2n * GB);
		await f.fails(f.operator, "proposeSettlement", [id, 2n * GB - 1n, ROOT], "BytesBelowClaimed");
		await f.fails(f.operator, "proposeSettlement", [id, 10n * GB + 1n, ROOT], "BytesAboveBought");
		await f.fails(f.operator, "proposeSettlement", [id, ethers.MaxUint256, ROOT], "BytesAboveBought");
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
			const expected = end(BigInt(await chain.now()), (await f.session(id)).expiry);
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
			await chain.send(f.registry, f.operator, "setWindows", [f.nodeId, window, 0]);
			const id = await f.buy({ mode: Mode.optimistic, duration: 1 });
			await propose(id, GB);
			assert.equal((await f.session(id)).deadline, BigInt((await chain.now()) + window));
		}
	});

	it("the buyer accepts at any time; nobody else before the window is over", async () => {
		const { f, id } = c;
		await propose(id, 4n * GB);
		for (const who of [f.operator, f.settler, f.voucherSigner, f.stranger]) await f.fails(who, "execute", [id], "WindowOpen");
		const receipt = await f.send(f.buyer, "execute", [id]);
		const paid = split(4n * GB, 10n * GB, PRICE);
		assert.deepEqual(event(receipt, "SessionSettled").toArray(), [id, 2n, 4n * GB, ethers.ZeroHash, paid.operator, paid.fee, 6n * PRICE]);
	});

	it("dispute: claimed ≤ accepted < proposed; both ends are credited at once", async () => {
		const { f, chain, id } = c;
		await f.claim(id, GB);
		await propose(id, 6n * GB);
		await f.fails(f.buyer, "dispute", [id, GB - 1n], "BytesBelowClaimed");
		await f.fails(f.buyer, "dispute", [id, 6n * GB], "BytesAboveProposed");
		await f.fails(f.buyer, "dispute", [id, ethers.MaxUint256], "BytesAboveProposed");
		const receipt = await f.send(f.buyer, "dispute", [id, 2n * GB]);
		assert.deepEqual(event(receipt, "SettlementDisputed").toArray(), [id, f.buyer, 2n * GB, 6n * GB, BigInt((await chain.now()) + 7 * DAY)]);
		const accepted = split(2n * GB, 10n * GB, PRICE);
		assert.equal(await f.withdrawable(f.payout), accepted.operator);
		assert.equal(await f.withdrawable(f.treasury), accepted.fee);
		assert.equal((await f.session(id)).refundable, 4n * PRICE);
		await f.send(f.buyer, "withdrawRefund", [id]);
		await f.fails(f.buyer, "withdrawRefund", [id], "NothingToWithdraw");
		assert.equal((await f.session(id)).held, 4n * PRICE);
		const settled = await f.send(f.stranger, "resolve", [id, 5n * GB, ROOT, await f.attestation(id, 5n * GB)]);
		assert.equal(event(settled, "SessionSettled").path, 3n);
		assert.equal(event(settled, "RefundWithdrawn").amount, PRICE);
		assert.equal((await f.session(id)).held, 0n);
	});

	it("the voucher signer may dispute; the excess is drawn with the rest where it was left", async () => {
		const { f, id } = c;
		await propose(id, 6n * GB);
		await f.send(f.voucherSigner, "dispute", [id, 0n]);
		const settled = await f.send(f.stranger, "resolve", [id, 5n * GB, ROOT, await f.attestation(id, 5n * GB)]);
		assert.equal(event(settled, "RefundWithdrawn").amount, 5n * PRICE);
	});

	it("resolve: accepted or claimed ≤ bytes ≤ proposed, by the attestor's signature alone, carried by anyone, within 7 days", async () => {
		const { f, chain, id } = c;
		await propose(id, 6n * GB);
		await f.send(f.buyer, "dispute", [id, 2n * GB]);
		const call = async (n, attestation) => [id, n, ROOT, attestation ?? (await f.attestation(id, n))];
		await f.fails(f.stranger, "resolve", await call(2n * GB - 1n), "BytesBelowClaimed");
		await f.fails(f.stranger, "resolve", await call(6n * GB + 1n), "BytesAboveProposed");
		for (const n of [2n * GB, 6n * GB]) await chain.call(f.escrow, f.stranger, "resolve", await call(n));
		for (const wallet of [2, 5, 6, 8]) {
			await f.fails(f.attestor, "resolve", await call(3n * GB, await f.attestation(id, 3n * GB, ROOT, Chain.wallet(wallet))), "BadAttestation");
		}
		await f.fails(f.attestor, "resolve", await call(3n * GB, await f.attestation(id, 4n * GB)), "BadAttestation");
		await f.fails(f.attestor, "resolve", await call(3n * GB, await f.attestation(id, 3n * GB, ethers.ZeroHash)), "BadAttestation");
		await f.fails(f.attestor, "resolve", await call(3n * GB, { r: ethers.ZeroHash, vs: ethers.ZeroHash }), "BadAttestation");
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
		for (const a of [await f.attestation(id, GB), { r: ethers.ZeroHash, vs: ethers.ZeroHash }, { r: ethers.toBeHex(1, 32), vs: ethers.toBeHex(1, 32) }]) {
			await f.fails(f.operator, "resolve", [id, GB, ROOT, a], "BadAttestation");
		}
		await chain.advance(7 * DAY);
		const receipt = await f.send(f.buyer, "execute", [id]);
		assert.equal(event(receipt, "SessionSettled").refund, 10n * PRICE);
	});

	it("finalizeAttested: attested mode, claimed ≤ bytes ≤ bought, before any dispute, also above a proposal", async () => {
		const { f, chain, id } = c;
		await f.fails(f.operator, "finalizeAttested", [id, GB, ROOT, await f.attestation(id, GB)], "WrongMode");
		const attested = await f.buy({ mode: Mode.attested });
		await f.claim(attested, 2n * GB);
		const call = async (n, a) => [attested, n, ROOT, a ?? (await f.attestation(attested, n))];
		await f.fails(f.operator, "finalizeAttested", await call(2n * GB - 1n), "BytesBelowClaimed");
		await f.fails(f.operator, "finalizeAttested", await call(10n * GB + 1n), "BytesAboveBought");
		await f.fails(f.operator, "finalizeAttested", await call(GB * 3n, await f.attestation(id, 3n * GB)), "BadAttestation");
		await f.fails(f.operator, "finalizeAttested", await call(GB * 3n, await f.attestation(attested, 3n * GB, ROOT, f.voucherWallet)), "BadAttestation");
		const voucher_as_attestation = compact(f.voucherWallet.signingKey.sign(ethers.id("x")));
		await f.fails(f.operator, "finalizeAttested", await call(GB * 3n, voucher_as_attestation), "BadAttestation");
		for (const n of [2n * GB, 10n * GB]) await chain.call(f.escrow, f.settler, "finalizeAttested", await call(n));
		await propose(attested, 3n * GB);
		const snapshot = await chain.snapshot();
		const receipt = await f.send(f.operator, "finalizeAttested", await call(8n * GB));
		assert.deepEqual([event(receipt, "SessionSettled").path, event(receipt, "SessionSettled").bytesUsed], [1n, 8n * GB]);
		assert.equal(event(receipt, "SessionSettled").refund, 2n * PRICE);
		await chain.rpc("evm_revert", snapshot);
		await f.send(f.buyer, "dispute", [attested, 2n * GB]);
		await f.fails(f.operator, "finalizeAttested", await call(3n * GB), "WrongStatus");
	});
});

describe("drawing", () => {
	const c = useFixture(hooks);
	const settle_in_batch = async (ids, n) => {
		const items = [];
		for (const id of ids) items.push({ sessionId: id, bytesUsed: n, checkpointsRoot: ROOT, voucher: await c.f.voucher(id, n) });
		return c.f.send(c.f.operator, "finalizeBatch", [c.f.nodeId, items]);
	};

	it("a refund once, by the buyer, many at once and to another address", async () => {
		const { f, chain } = c;
		const ids = [await f.buy(), await f.buy(), await f.buy()];
		await settle_in_batch(ids, 4n * GB);
		await f.fails(f.stranger, "withdrawRefund", [ids[0]], "NotBuyer");
		await f.fails(f.stranger, "withdrawRefunds", [ids, f.stranger], "NotBuyer");
		for (const to of [NATIVE, f.escrow.target]) await f.fails(f.buyer, "withdrawRefunds", [ids, to], "BadAddress");
		await f.send(f.buyer, "withdrawRefund", [ids[0]]);
		await f.fails(f.buyer, "withdrawRefund", [ids[0]], "NothingToWithdraw");
		const fresh = ethers.Wallet.createRandom().address;
		const receipt = await f.send(f.buyer, "withdrawRefunds", [[...ids, ids[1]], fresh]);
		assert.deepEqual(receipt.events.map((e) => [e.name, e.args.sessionId]), [["RefundWithdrawn", ids[1]], ["RefundWithdrawn", ids[2]]]);
		assert.equal(await chain.balance(fresh), 12n * PRICE);
		assert.equal(await chain.balance(f.escrow.target), 12n * PRICE);
	});

	it("refunds of several assets in one call", async () => {
		const { f, chain } = c;
		const token = await chain.deploy(mocks().Stablecoin);
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, token.target, 1000n]);
		await chain.send(token, f.buyer, "mint", [f.buyer, 10n ** 9n]);
		await chain.send(token, f.buyer, "approve", [f.escrow.target, 10n ** 9n]);
		const by_token = async () => {
			const { asset, ...order } = await f.order({ asset: token.target });
			const permit = { value: 0, deadline: 0, v: 0, r: ethers.ZeroHash, s: ethers.ZeroHash };
			const r = await f.send(f.buyer, "createSessionWithToken", [order, token.target, 10n ** 9n, permit]);
			return r.events[0].args.sessionId;
		};
		const ids = [await f.buy(), await by_token(), await by_token(), await f.buy(), await by_token()];
		await settle_in_batch(ids, 4n * GB);
		const fresh = ethers.Wallet.createRandom().address;
		const receipt = await f.send(f.buyer, "withdrawRefunds", [ids, fresh]);
		assert.equal(await chain.balance(fresh), 12n * PRICE);
		assert.equal(await token.balanceOf(fresh), 18000n);
		assert.equal(receipt.logs.filter((l) => l.address.toLowerCase() === token.target.toLowerCase()).length, 2, "one transfer for neighbours");
	});

	it("credits: all of one's own, of one asset, once, to whom one likes", async () => {
		const { f, chain } = c;
		await settle_in_batch([await f.buy()], 10n * GB);
		for (const to of [NATIVE, f.escrow.target]) await f.fails(f.payout, "withdrawTo", [NATIVE, to], "BadAddress");
		await f.fails(f.operator, "withdraw", [NATIVE], "NothingToWithdraw");
		const fresh = ethers.Wallet.createRandom().address;
		await f.send(f.payout, "withdrawTo", [NATIVE, fresh]);
		assert.equal(await chain.balance(fresh), (10n * PRICE * 99n) / 100n);
		await f.fails(f.payout, "withdraw", [NATIVE], "NothingToWithdraw");
		await f.send(f.treasury, "withdraw", [NATIVE]);
		assert.equal(await chain.balance(f.escrow.target), 0n);
	});
});
