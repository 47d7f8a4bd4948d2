// SPDX-License-Identifier: Apache-2.0
//
// Each party as a thief: what it can try with its own keys, with what it sees in the pool of pending
// transactions, and with signatures that were made for something else. Every attempt fails, or gives
// it no more than the README's table grants. Orders of transactions stand for front-running: whoever
// orders them, sequencer or bidder, has no more power than that.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { Chain, deployTollwire, mocks } from "./chain.mjs";
import {
	DAY,
	GB,
	Mode,
	NATIVE,
	NO_PERMIT,
	NO_VOUCHER,
	PRICE,
	ROOT,
	Status,
	TYPES,
	compact,
	split,
	useFixture,
} from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const DEPOSIT = 10n * PRICE;
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;
const value_of = (bytes) => split(bytes, 10n * GB, PRICE).cost;
const item = async (f, id, n) => ({
	sessionId: id,
	bytesUsed: n,
	checkpointsRoot: ROOT,
	voucher: await f.voucher(id, n),
});

describe("a thieving buyer", () => {
	const c = useFixture(hooks);
	const propose = (id, n) => c.f.send(c.f.operator, "proposeSettlement", [id, n, ROOT]);
	const paid = async () =>
		(await c.f.withdrawable(c.f.payout)) + (await c.f.withdrawable(c.f.treasury));

	it("steps in front of a finalisation with anything it may call, and still pays what it signed", async () => {
		const { f, chain } = c;
		const steps = {
			nothing: () => {},
			closeSession: (id) => f.send(f.buyer, "closeSession", [id]),
			topUp: (id) => f.send(f.buyer, "topUp", [id, 1n, DAY], { value: PRICE }),
			"topUp, then closeSession": async (id) => {
				await f.send(f.buyer, "topUp", [id, 1n, 0n], { value: PRICE });
				await f.send(f.buyer, "closeSession", [id]);
			},
		};
		for (const [name, step] of Object.entries(steps)) {
			for (const batch of [false, true]) {
				const snapshot = await chain.snapshot();
				const id = await f.buy();
				const pending = await item(f, id, 5n * GB);
				await step(id);
				const receipt = batch
					? await f.send(f.operator, "finalizeBatch", [
							f.nodeId,
							[pending],
						])
					: await f.finalize(id, 5n * GB);
				assert.equal(
					event(receipt, "SessionSettled")?.bytesUsed,
					5n * GB,
					name,
				);
				assert.equal(await paid(), value_of(5n * GB), name);
				await chain.rpc("evm_revert", snapshot);
			}
		}
	});

	it("steps in front of an attestation with a dispute: only down to the proposal, and the attestor still decides", async () => {
		const { f } = c;
		const id = await f.buy({ mode: Mode.attested });
		await propose(id, 8n * GB);
		const attestation = await f.attestation(id, 8n * GB);
		await f.send(f.buyer, "dispute", [id, 0n]);
		await f.fails(
			f.operator,
			"finalizeAttested",
			[id, 8n * GB, ROOT, attestation],
			"WrongStatus",
		);
		// The same signature settles it by the other door.
		await f.send(f.stranger, "resolve", [id, 8n * GB, ROOT, attestation]);
		assert.equal(await paid(), value_of(8n * GB));
	});

	it("draws its refund by every door, in every order: never more than is due", async () => {
		const { f, chain } = c;
		const doors = {
			one: (id) => ["withdrawRefund", [id]],
			many: (id) => ["withdrawRefunds", [[id, id, id], f.stranger]],
		};
		const orders = [
			["one", "many"],
			["many", "one"],
			["many", "many"],
			["one", "one"],
		];
		for (const order of orders) {
			for (const in_dispute of [false, true]) {
				const snapshot = await chain.snapshot();
				// Money of others lies beside, for whoever can take it.
				await f.buy({ dataGB: 100n }, { from: f.stranger });
				const id = await f.buy({
					mode: Mode.optimistic,
					attestor: f.attestor,
				});
				await propose(id, 6n * GB);
				await f.send(f.buyer, "dispute", [id, GB]);
				const draw = async (door) => {
					const [fn, args] = doors[door](id);
					try {
						return await f.send(f.buyer, fn, args);
					} catch (error) {
						assert.equal(error.reason, "NothingToWithdraw");
					}
				};
				if (in_dispute) for (const door of order) await draw(door);
				await f.send(f.stranger, "resolve", [
					id,
					2n * GB,
					ROOT,
					await f.attestation(id, 2n * GB),
				]);
				for (const door of order) await draw(door);
				assert.equal((await f.session(id)).held, 0n);
				assert.equal(
					await chain.balance(f.escrow.target),
					100n * PRICE + (await paid()),
				);
				await chain.rpc("evm_revert", snapshot);
			}
		}
	});

	it("draws nothing of a session that is open, closed or proposed, nor of another's", async () => {
		const { f } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		const others = await f.buy({ mode: Mode.optimistic }, { from: f.stranger });
		for (const step of [
			() => {},
			() => f.send(f.buyer, "closeSession", [id]),
			() => propose(id, GB),
		]) {
			await step();
			await f.fails(f.buyer, "withdrawRefund", [id], "NothingToWithdraw");
			assert.deepEqual(
				(await f.send(f.buyer, "withdrawRefunds", [[id], f.buyer])).events,
				[],
			);
		}
		await f.send(f.operator, "finalizeSession", [others, 0n, ROOT, NO_VOUCHER]);
		await f.fails(f.buyer, "withdrawRefund", [others], "NotBuyer");
		await f.fails(f.buyer, "withdrawRefunds", [[id, others], f.buyer], "NotBuyer");
	});

	it("disputes what it signed: the voucher is paid nevertheless, also where it was not yet claimed", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		const voucher = await f.voucher(id, 5n * GB);
		await propose(id, 6n * GB);
		await f.send(f.buyer, "dispute", [id, 0n]);
		await f.send(f.buyer, "withdrawRefund", [id]);
		await chain.advance(7 * DAY);
		// Who executes at once after the seven days competes with the claim; within them
		// nobody can.
		await f.send(f.operator, "claim", [id, voucher]);
		await f.send(f.buyer, "execute", [id]);
		assert.equal(await paid(), value_of(5n * GB));
	});

	it("tops up where the node settles first: refused, and no wei is left behind", async () => {
		const { f, chain } = c;
		const settled = await f.buy();
		await f.finalize(settled, GB);
		const proposed = await f.buy({ mode: Mode.optimistic });
		await propose(proposed, GB);
		const held = await chain.balance(f.escrow.target);
		for (const id of [settled, proposed])
			await f.fails(
				f.buyer,
				"topUp",
				[id, 1n, 0n],
				{ value: PRICE },
				"WrongStatus",
			);
		assert.equal(await chain.balance(f.escrow.target), held);
	});

	it("spends another's allowance or permit: only the caller ever pays", async () => {
		const { f, chain } = c;
		const token = await chain.deploy(mocks().Stablecoin);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			token.target,
			500000n,
		]);
		await chain.send(token, f.buyer, "mint", [f.buyer, 10n ** 9n]);
		await chain.send(token, f.buyer, "approve", [f.escrow.target, 10n ** 9n]);
		const { asset, ...order } = await f.order({ asset: token.target });
		await f.fails(
			f.stranger,
			"createSessionWithToken",
			[order, token.target, 10n ** 9n, NO_PERMIT],
			"AllowanceTooLow",
		);
		// A permit of the victim, seen in the pool.
		const deadline = ethers.MaxUint256;
		const types = {
			Permit: [
				{ name: "owner", type: "address" },
				{ name: "spender", type: "address" },
				{ name: "value", type: "uint256" },
				{ name: "nonce", type: "uint256" },
				{ name: "deadline", type: "uint256" },
			],
		};
		const domain = {
			name: "Test Dollar",
			version: "1",
			chainId: chain.chainId,
			verifyingContract: token.target,
		};
		const message = {
			owner: f.buyer,
			spender: f.escrow.target,
			value: 10n ** 9n,
			nonce: 0n,
			deadline,
		};
		const { v, r, s } = ethers.Signature.from(
			await Chain.wallet(5).signTypedData(domain, types, message),
		);
		const permit = { value: 10n ** 9n, deadline, v, r, s };
		await f.fails(
			f.stranger,
			"createSessionWithToken",
			[order, token.target, 10n ** 9n, permit],
			"AllowanceTooLow",
		);
		assert.equal(await token.balanceOf(f.buyer), 10n ** 9n);
	});

	it("buys on a false permit: a token whose fallback says yes to it gives no allowance", async () => {
		const { f, chain } = c;
		const token = await chain.deploy(mocks().PhantomToken);
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, token.target, 7n]);
		await chain.send(token, f.buyer, "mint", [f.buyer, 70n]);
		const { asset, ...order } = await f.order({ asset: token.target });
		const permit = { ...NO_PERMIT, value: 70n, deadline: ethers.MaxUint256 };
		const args = [order, token.target, 70n, permit];
		await f.fails(f.buyer, "createSessionWithToken", args, "AllowanceTooLow");
		await chain.send(token, f.buyer, "approve", [f.escrow.target, 70n]);
		await f.send(f.buyer, "createSessionWithToken", args);
		assert.equal(await token.balanceOf(f.escrow.target), 70n);
	});
});

describe("a thieving operator or settler", () => {
	const c = useFixture(hooks);

	it("takes a voucher to every counter it has: paid once", async () => {
		const { f, chain } = c;
		const id = await f.buy();
		const [half, whole] = [await f.voucher(id, 3n * GB), await f.voucher(id, 5n * GB)];
		for (const voucher of [whole, whole, half, whole, half])
			await f.send(f.operator, "claim", [id, voucher]);
		await f.send(f.settler, "claim", [id, whole]);
		const again = { sessionId: id, bytesUsed: 5n * GB, checkpointsRoot: ROOT };
		await f.send(f.operator, "finalizeBatch", [
			f.nodeId,
			[
				{ ...again, voucher: whole },
				{ ...again, voucher: whole },
				{ ...again, voucher: NO_VOUCHER },
			],
		]);
		await f.fails(f.operator, "claim", [id, whole], "WrongStatus");
		const paid = split(5n * GB, 10n * GB, PRICE);
		assert.deepEqual(
			[await f.withdrawable(f.payout), await f.withdrawable(f.treasury)],
			[paid.operator, paid.fee],
		);
		await f.send(f.buyer, "withdrawRefund", [id]);
		assert.equal(await chain.balance(f.escrow.target), paid.cost);
	});

	it("steps in front of a close with a proposal of everything: the buyer waits seven days, not for the expiry", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic, duration: 90 * DAY });
		await f.send(f.operator, "proposeSettlement", [id, 10n * GB, ROOT]);
		await f.fails(f.buyer, "closeSession", [id], "WrongStatus");
		await f.send(f.buyer, "dispute", [id, 0n]);
		await chain.advance(7 * DAY);
		const receipt = await f.send(f.buyer, "execute", [id]);
		assert.equal(event(receipt, "SessionSettled").refund, DEPOSIT);
		// Of nothing: the buyer agrees and has all of it back at once.
		const none = await f.buy({ mode: Mode.optimistic, duration: 90 * DAY });
		await f.send(f.operator, "proposeSettlement", [none, 0n, ROOT]);
		const agreed = await f.send(f.buyer, "execute", [none]);
		assert.equal(event(agreed, "SessionSettled").refund, DEPOSIT);
	});

	it("steps in front of a reclaim with a proposal: it opens a window, no more", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		await chain.advance(3 * DAY);
		await chain.call(f.escrow, f.buyer, "reclaim", [id]);
		await f.send(f.operator, "proposeSettlement", [id, 10n * GB, ROOT]);
		await f.fails(f.buyer, "reclaim", [id], "WrongStatus");
		await f.fails(f.operator, "execute", [id], "WindowOpen");
		await f.send(f.buyer, "dispute", [id, 0n]);
		await chain.advance(7 * DAY);
		await f.send(f.buyer, "execute", [id]);
		assert.equal(await f.withdrawable(f.payout), 0n);
		assert.equal(await chain.balance(f.escrow.target), 0n);
	});

	it("steps in front of a dispute with a claim: it can undo a dispute below what was signed, none at or above", async () => {
		const { f } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		await f.send(f.operator, "proposeSettlement", [id, 10n * GB, ROOT]);
		await f.claim(id, GB);
		await f.fails(f.buyer, "dispute", [id, 0n], "BytesBelowClaimed");
		await f.claim(id, 2n * GB);
		await f.fails(f.buyer, "dispute", [id, GB], "BytesBelowClaimed");
		// The buyer accepts all that it ever signed: no voucher is left that stands above.
		await f.claim(id, 2n * GB);
		await f.send(f.buyer, "dispute", [id, 2n * GB]);
		assert.equal((await f.session(id)).refundable, 0n);
		assert.equal((await f.session(id)).claimedBytes, 2n * GB);
	});

	it("proposes above what it may, or twice, or after its own end", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		await f.send(f.operator, "proposeSettlement", [id, GB, ROOT]);
		for (const n of [0n, GB, 10n * GB])
			await f.fails(
				f.operator,
				"proposeSettlement",
				[id, n, ROOT],
				"WrongStatus",
			);
		const receipt = await f.send(f.operator, "proposeBatch", [
			f.nodeId,
			[{ sessionId: id, bytesUsed: 10n * GB, checkpointsRoot: ROOT }],
		]);
		assert.deepEqual(
			receipt.events.map((e) => e.name),
			["BatchItemSkipped"],
		);
		await f.send(f.buyer, "dispute", [id, 0n]);
		await f.fails(f.operator, "proposeSettlement", [id, 10n * GB, ROOT], "WrongStatus");
		await chain.advance(7 * DAY);
		await f.send(f.stranger, "execute", [id]);
		await f.fails(f.operator, "proposeSettlement", [id, GB, ROOT], "WrongStatus");
		await f.fails(f.stranger, "execute", [id], "WrongStatus");
	});

	it("settles another node's sessions through its own node's batches", async () => {
		const { f, chain } = c;
		const thief = f.stranger;
		const mine = await f.register(
			{ settings: { payout: thief, settler: thief } },
			thief,
		);
		const id = await f.buy({ mode: Mode.optimistic });
		const proposed = await f.buy({ mode: Mode.optimistic });
		await f.send(f.operator, "proposeSettlement", [proposed, GB, ROOT]);
		await chain.advance(3 * DAY);
		const earlier = await Promise.all([f.session(id), f.session(proposed)]);
		for (const [fn, items] of [
			["finalizeBatch", [await item(f, id, 5n * GB)]],
			[
				"proposeBatch",
				[{ sessionId: id, bytesUsed: 5n * GB, checkpointsRoot: ROOT }],
			],
			["executeBatch", [proposed]],
		]) {
			const receipt = await f.send(thief, fn, [mine, items]);
			assert.deepEqual(
				receipt.events.map((e) => [e.name, e.args.reason]),
				[
					[
						"BatchItemSkipped",
						f.escrow.interface.getError("WrongNode").selector,
					],
				],
			);
		}
		assert.deepEqual(
			(await Promise.all([f.session(id), f.session(proposed)])).map(String),
			earlier.map(String),
		);
		assert.equal(await f.withdrawable(thief), 0n);
		const { node } = await chain.call(f.registry, thief, "getNode", [mine]);
		assert.equal(node.servedBytes, 0n);
	});

	it("prices the escrow, the registry, a precompile or itself as a token: nothing can be bought", async () => {
		const { f, chain } = c;
		await f.buy();
		const held = await chain.balance(f.escrow.target);
		for (const fake of [
			f.escrow.target,
			f.registry.target,
			"0x0000000000000000000000000000000000000004",
			f.operator,
		]) {
			await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, fake, 1n]);
			const { asset, ...order } = await f.order({ asset: fake });
			for (const deadline of [0n, ethers.MaxUint256])
				await assert.rejects(
					f.send(f.buyer, "createSessionWithToken", [
						order,
						fake,
						10n,
						{ ...NO_PERMIT, deadline },
					]),
				);
		}
		assert.equal(await chain.balance(f.escrow.target), held);
	});

	it("a stolen settler key can settle to the operator's payout only, and is out when it is replaced", async () => {
		const { f, chain } = c;
		const [a, b] = [await f.buy(), await f.buy()];
		await f.claim(a, GB, f.settler);
		await f.send(f.settler, "finalizeSession", [a, GB, ROOT, NO_VOUCHER]);
		assert.equal(await f.withdrawable(f.payout), split(GB, 10n * GB, PRICE).operator);
		for (const [fn, args] of [
			["withdraw", [NATIVE]],
			["withdrawTo", [NATIVE, f.settler]],
		])
			await f.fails(f.settler, fn, args, "NothingToWithdraw");
		for (const [fn, args] of [
			["setPayout", [f.nodeId, f.settler]],
			["setSettler", [f.nodeId, f.stranger]],
			["setPrice", [f.nodeId, NATIVE, 1n]],
			["setActive", [f.nodeId, false]],
		])
			await chain.fails(f.registry, f.settler, fn, args, "NotOperator");
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, f.stranger]);
		await f.fails(
			f.settler,
			"claim",
			[b, await f.voucher(b, GB)],
			"NotOperatorOrSettler",
		);
		await f.claim(b, GB, f.stranger);
	});
});

describe("a thieving attestor, signer or relayer", () => {
	const c = useFixture(hooks, async ({ f }) => ({
		id: await f.buy({ mode: Mode.attested }),
	}));

	it("a signature of one type is none of another, though one key signs them all", async () => {
		const { f, chain } = c;
		const wallet = f.attestorWallet;
		const id = await f.buy({ mode: Mode.attested, voucherSigner: f.attestor });
		const voucher = await f.voucher(id, 5n * GB, wallet);
		const attestation = await f.attestation(id, 5n * GB, ROOT, wallet);
		const checkpoint = compact(
			await wallet.signTypedData(f.domain, TYPES.checkpoint, {
				sessionId: id,
				sequence: 5n * GB,
				outBytes: 5n * GB,
				inBytes: 0n,
				time: 0n,
				previousHash: ROOT,
			}),
		);
		const personal = compact(
			await wallet.signMessage(
				ethers.getBytes(
					ethers.TypedDataEncoder.hash(f.domain, TYPES.voucher, {
						sessionId: id,
						cumulativeBytes: 5n * GB,
					}),
				),
			),
		);
		const undomained = compact(
			wallet.signingKey.sign(
				ethers.TypedDataEncoder.from(TYPES.voucher).hash({
					sessionId: id,
					cumulativeBytes: 5n * GB,
				}),
			),
		);
		const cumulativeBytes = 5n * GB;
		for (const wrong of [attestation, checkpoint, personal, undomained])
			await f.fails(
				f.operator,
				"claim",
				[id, { cumulativeBytes, ...wrong }],
				"BadVoucher",
			);
		for (const { r, vs } of [voucher, checkpoint, personal])
			await f.fails(
				f.operator,
				"finalizeAttested",
				[id, 5n * GB, ROOT, { r, vs }],
				"BadAttestation",
			);
		// The two that fit, so that the refusals above are not the fixture's fault.
		await f.send(f.operator, "claim", [id, voucher]);
		await chain.call(f.escrow, f.operator, "finalizeAttested", [
			id,
			5n * GB,
			ROOT,
			attestation,
		]);
	});

	it("an attestation is good for its own session, contract and chain, and settles once", async () => {
		const { f, id } = c;
		const other = await f.buy({ mode: Mode.attested });
		const twin = await deployTollwire(c.chain);
		const args = async (session, domain) => [
			session,
			5n * GB,
			ROOT,
			await f.attestation(id, 5n * GB, ROOT, f.attestorWallet, domain),
		];
		await f.fails(f.operator, "finalizeAttested", await args(other), "BadAttestation");
		for (const domain of [
			{ ...f.domain, chainId: 1 },
			{ ...f.domain, verifyingContract: twin.escrow.target },
			{ ...f.domain, verifyingContract: f.registry.target },
			{ ...f.domain, version: "2" },
		])
			await f.fails(
				f.operator,
				"finalizeAttested",
				await args(id, domain),
				"BadAttestation",
			);
		await f.send(f.operator, "finalizeAttested", await args(id));
		await f.fails(f.operator, "finalizeAttested", await args(id), "WrongStatus");
		await f.fails(f.stranger, "resolve", await args(id), "WrongStatus");
	});

	it("an attestor has no word where it was not named, whatever the mode", async () => {
		const { f, chain } = c;
		await chain.send(f.registry, f.operator, "setAttestor", [
			f.nodeId,
			f.stranger,
			true,
		]);
		const id = await f.buy({ mode: Mode.attested, attestor: f.stranger });
		await f.fails(
			f.operator,
			"finalizeAttested",
			[id, GB, ROOT, await f.attestation(id, GB)],
			"BadAttestation",
		);
		const voucher = await f.buy({ attestor: f.attestor });
		await f.fails(
			f.operator,
			"finalizeAttested",
			[voucher, GB, ROOT, await f.attestation(voucher, GB)],
			"WrongMode",
		);
	});

	it("a relayer can alter nothing of what it carries, nor starve it to its gain", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic, attestor: f.attestor });
		await f.send(f.operator, "proposeSettlement", [id, 6n * GB, ROOT]);
		await f.send(f.buyer, "dispute", [id, 0n]);
		const attestation = await f.attestation(id, 4n * GB);
		for (const [n, root] of [
			[4n * GB - 1n, ROOT],
			[4n * GB + 1n, ROOT],
			[4n * GB, ethers.ZeroHash],
		])
			await f.fails(
				f.stranger,
				"resolve",
				[id, n, root, attestation],
				"BadAttestation",
			);
		const flipped = {
			...attestation,
			vs: ethers.toBeHex(BigInt(attestation.vs) ^ (1n << 255n), 32),
		};
		await f.fails(
			f.stranger,
			"resolve",
			[id, 4n * GB, ROOT, flipped],
			"BadAttestation",
		);
		const earlier = await chain.balance(f.stranger);
		const receipt = await f.send(f.stranger, "resolve", [
			id,
			4n * GB,
			ROOT,
			attestation,
		]);
		assert.equal(event(receipt, "RefundWithdrawn").to, f.buyer);
		assert.ok((await chain.balance(f.stranger)) < earlier);
	});

	it("starving the push of a token holds the refund or fails the whole, never loses or doubles it", async () => {
		const { f, chain } = c;
		const token = await chain.deploy(mocks().Stablecoin);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			token.target,
			1000n,
		]);
		await chain.send(token, f.buyer, "mint", [f.buyer, 20000n]);
		await chain.send(token, f.buyer, "approve", [f.escrow.target, 20000n]);
		const buy = async () => {
			const { asset, ...order } = await f.order({
				asset: token.target,
				mode: Mode.optimistic,
			});
			const r = await f.send(f.buyer, "createSessionWithToken", [
				order,
				token.target,
				10000n,
				NO_PERMIT,
			]);
			return r.events[0].args.sessionId;
		};
		const [id] = [await buy(), await buy()];
		await f.send(f.operator, "proposeSettlement", [id, 4n * GB, ROOT]);
		await chain.advance(2 * DAY);
		let snapshot = await chain.snapshot();
		const full = (await f.send(f.stranger, "execute", [id])).gasUsed;
		const outcomes = new Set();
		for (let gas = full + 40000n; ; gas -= 2000n) {
			snapshot = await chain.revert(snapshot);
			try {
				await f.send(f.stranger, "execute", [id], { gas });
			} catch {
				assert.equal((await f.session(id)).status, Status.proposed);
				assert.equal(await token.balanceOf(f.buyer), 0n);
				outcomes.add("failed");
				break;
			}
			const { held, refundable } = await f.session(id);
			const pushed = await token.balanceOf(f.buyer);
			assert.equal(pushed + refundable, 6000n, `gas ${gas}`);
			assert.equal(held, refundable);
			assert.equal(
				await token.balanceOf(f.escrow.target),
				20000n - pushed,
				`gas ${gas}`,
			);
			outcomes.add(pushed ? "pushed" : "held");
		}
		assert.ok(outcomes.has("pushed") && outcomes.has("failed"), [...outcomes].join());
	});
});
