// SPDX-License-Identifier: Apache-2.0
//
// Buying with the native coin: what an order must be, what is copied into a session and never
// changes again, top-ups, and the owner's two settings.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { artifact, mocks } from "./chain.mjs";
import {
	DAY,
	Fixture,
	GB,
	HOUR,
	Mode,
	NATIVE,
	NO_PERMIT,
	PRICE,
	ROOT,
	Status,
	useFixture,
} from "./fixture.mjs";

const hooks = { before, beforeEach, after };

describe("createSession", () => {
	const c = useFixture(hooks);
	const refused = async (changes, value, reason) => {
		const order = await c.f.order(changes);
		await c.f.fails(c.f.buyer, "createSession", Fixture.args(order), { value }, reason);
	};

	it("holds the exact price and emits everything that was copied", async () => {
		const { f, chain } = c;
		const order = await f.order({ attestor: f.attestor, mode: Mode.attested });
		const { terms } = await chain.call(f.escrow, f.buyer, "currentTerms", [
			f.nodeId,
			NATIVE,
			f.attestor,
		]);
		const receipt = await f.send(f.buyer, "createSession", Fixture.args(order), {
			value: 10n * PRICE,
		});
		const [{ name, args }] = receipt.events;
		const now = BigInt(await chain.now());
		assert.equal(name, "SessionCreated");
		assert.equal(args.sessionId, await f.escrow.sessionIdOf(f.buyer, order.salt));
		assert.equal(args.nodeId, f.nodeId);
		assert.equal(args.buyer, f.buyer);
		assert.equal(args.termsHash, order.termsHash);
		assert.deepEqual(args.terms.toArray(), terms.toArray());
		assert.deepEqual(args.terms.toObject(), {
			nodeId: f.nodeId,
			asset: NATIVE,
			pricePerGB: PRICE,
			payout: f.payout,
			feeBps: 100n,
			treasury: f.treasury,
			attestor: f.attestor,
			windowSec: BigInt(DAY),
			graceSec: BigInt(DAY),
			wgPublicKey: ethers.id("wireguard"),
			usageSigner: f.usageSigner,
		});
		assert.equal(args.boughtBytes, 10n * GB);
		assert.equal(args.expiry, now + BigInt(DAY));
		assert.equal(args.mode, 1n);
		assert.equal(args.voucherSigner, f.voucherSigner);
		assert.equal(args.deposit, 10n * PRICE);
		assert.equal(await chain.balance(f.escrow.target), 10n * PRICE);

		const s = await f.session(args.sessionId);
		assert.equal(s.status, Status.open);
		assert.equal(s.mode, 1n);
		assert.equal(s.createdAt, now);
		assert.equal(s.expiry, now + BigInt(DAY));
		assert.equal(s.termsHash, order.termsHash);
		for (const key of [
			"asset",
			"pricePerGB",
			"payout",
			"feeBps",
			"treasury",
			"attestor",
			"windowSec",
			"graceSec",
			"nodeId",
		]) {
			assert.equal(s[key], terms[key], key);
		}
		assert.deepEqual(
			[s.buyer, s.voucherSigner, s.boughtBytes, s.deposit, s.held],
			[f.buyer, f.voucherSigner, 10n * GB, 10n * PRICE, 10n * PRICE],
		);
		assert.deepEqual(
			[s.claimedBytes, s.proposedBytes, s.deadline, s.refundable],
			[0n, 0n, 0n, 0n],
		);
	});

	it("takes neither a wei less nor a wei more", async () => {
		for (const value of [0n, 10n * PRICE - 1n, 10n * PRICE + 1n])
			await refused({}, value, "WrongValue");
	});

	it("takes whole GB only, at least one, at most 2^32 - 1", async () => {
		await refused({ dataGB: 0n }, 0n, "BadDataAmount");
		await refused({ dataGB: 1n << 32n }, 1n, "BadDataAmount");
		await refused({ dataGB: ethers.MaxUint256 }, 1n, "BadDataAmount");
		const { f, chain } = c;
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, NATIVE, 7n]);
		const id = await f.buy({ dataGB: (1n << 32n) - 1n }, { price: 7n });
		assert.equal((await f.session(id)).deposit, 7n * ((1n << 32n) - 1n));
	});

	it("takes at most 90 days", async () => {
		await refused({ duration: 0 }, 10n * PRICE, "BadDuration");
		await refused({ duration: 90 * DAY + 1 }, 10n * PRICE, "BadDuration");
		await refused({ duration: ethers.MaxUint256 }, 10n * PRICE, "BadDuration");
		await c.f.buy({ duration: 90 * DAY });
		await c.f.buy({ duration: 1 });
	});

	it("knows three modes", async () => {
		for (const mode of [3, 255]) await refused({ mode }, 10n * PRICE, "BadMode");
		for (const mode of [0, 1, 2])
			assert.equal(
				(await c.f.session(await c.f.buy({ mode }))).mode,
				BigInt(mode),
			);
	});

	it("needs an attestor in attested mode, and one that the node accepts in any", async () => {
		await refused(
			{ mode: Mode.attested, attestor: NATIVE },
			10n * PRICE,
			"AttestorRequired",
		);
		const termsHash = ethers.ZeroHash;
		for (const mode of [0, 1, 2]) {
			await refused(
				{ mode, attestor: c.f.stranger, termsHash },
				10n * PRICE,
				"AttestorNotAccepted",
			);
		}
		await c.f.buy({ mode: Mode.optimistic, attestor: c.f.attestor });
		// One that the node accepts no longer is refused from then on.
		const order = await c.f.order({ mode: Mode.attested });
		const drop = [c.f.nodeId, c.f.attestor, false];
		await c.chain.send(c.f.registry, c.f.operator, "setAttestor", drop);
		assert.equal(await c.f.registry.acceptsAttestor(c.f.nodeId, c.f.attestor), false);
		await c.f.fails(
			c.f.buyer,
			"createSession",
			Fixture.args(order),
			{ value: 10n * PRICE },
			"AttestorNotAccepted",
		);
	});

	it("needs a voucher signer in voucher mode, where nothing else could ever pay", async () => {
		await refused({ voucherSigner: NATIVE }, 10n * PRICE, "VoucherSignerRequired");
		await c.f.buy({ mode: Mode.optimistic, voucherSigner: NATIVE });
	});

	it("refuses an asset without a price, an inactive and an unknown node", async () => {
		const { f, chain } = c;
		const termsHash = ethers.ZeroHash;
		await refused({ nodeId: 99n, termsHash }, 10n * PRICE, "UnknownNode");
		await refused({ nodeId: 0n, termsHash }, 10n * PRICE, "UnknownNode");
		const order = await f.order();
		await chain.send(f.registry, f.operator, "setActive", [f.nodeId, false]);
		await f.fails(
			f.buyer,
			"createSession",
			Fixture.args(order),
			{ value: 10n * PRICE },
			"NodeInactive",
		);
		await chain.send(f.registry, f.operator, "setActive", [f.nodeId, true]);
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, NATIVE, 0n]);
		await f.fails(
			f.buyer,
			"createSession",
			Fixture.args(order),
			{ value: 10n * PRICE },
			"AssetNotPriced",
		);
	});

	it("refuses when any term differs from what the buyer committed to", async () => {
		const { f, chain } = c;
		const changes = [
			[
				f.registry,
				f.operator,
				"setPrice",
				[f.nodeId, NATIVE, PRICE - 1n],
				PRICE - 1n,
			],
			[f.registry, f.operator, "setPayout", [f.nodeId, f.stranger]],
			[f.registry, f.operator, "setUsageSigner", [f.nodeId, f.stranger]],
			[
				f.registry,
				f.operator,
				"setWireGuardKey",
				[f.nodeId, ethers.id("another key")],
			],
			[f.registry, f.operator, "setWindows", [f.nodeId, 2 * DAY, DAY]],
			[f.registry, f.operator, "setWindows", [f.nodeId, DAY, 2 * DAY]],
			[f.escrow, f.owner, "setFee", [99]],
			[f.escrow, f.owner, "setTreasury", [f.stranger]],
		];
		for (const [contract, who, fn, args, price = PRICE] of changes) {
			const snapshot = await chain.snapshot();
			const order = await f.order();
			await chain.call(f.escrow, f.buyer, "createSession", Fixture.args(order), {
				value: 10n * PRICE,
			});
			await chain.send(contract, who, fn, args);
			await f.fails(
				f.buyer,
				"createSession",
				Fixture.args(order),
				{ value: 10n * price },
				"TermsMismatch",
			);
			await chain.rpc("evm_revert", snapshot);
		}
		// Terms of another attestor, node or asset do not fit either.
		const with_attestor = await f.termsHash(NATIVE, f.attestor);
		await refused({ termsHash: with_attestor }, 10n * PRICE, "TermsMismatch");
		await refused({ termsHash: ethers.ZeroHash }, 10n * PRICE, "TermsMismatch");
		const second = await f.register();
		await refused(
			{ termsHash: await f.termsHash(NATIVE, NATIVE, second) },
			10n * PRICE,
			"TermsMismatch",
		);
	});

	it("copies: later changes touch new sessions only", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic, attestor: f.attestor });
		const earlier = (await f.session(id)).toObject();
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			NATIVE,
			3n * PRICE,
		]);
		await chain.send(f.registry, f.operator, "setPayout", [f.nodeId, f.stranger]);
		await chain.send(f.registry, f.operator, "setWindows", [f.nodeId, HOUR, 6 * HOUR]);
		await chain.send(f.registry, f.operator, "setAttestor", [
			f.nodeId,
			f.attestor,
			false,
		]);
		await chain.send(f.escrow, f.owner, "setFee", [500]);
		await chain.send(f.escrow, f.owner, "setTreasury", [f.stranger]);
		assert.deepEqual((await f.session(id)).toObject(), earlier);
		await f.send(f.operator, "proposeSettlement", [id, 5n * GB, ROOT]);
		await f.send(f.buyer, "dispute", [id, 0n]);
		await f.send(f.stranger, "resolve", [
			id,
			5n * GB,
			ROOT,
			await f.attestation(id, 5n * GB),
		]);
		assert.equal(await f.withdrawable(f.payout), (5n * PRICE * 99n) / 100n);
		assert.equal(await f.withdrawable(f.treasury), (5n * PRICE) / 100n);
		assert.equal(await f.withdrawable(f.stranger), 0n);
		const fresh = await f.session(await f.buy({}, { price: 3n * PRICE }));
		assert.deepEqual(
			[fresh.pricePerGB, fresh.payout, fresh.feeBps, fresh.treasury],
			[3n * PRICE, f.stranger, 500n, f.stranger],
		);
	});

	it("keeps sessions apart though they share a terms record, and makes a new record for each new term", async () => {
		const { f, chain } = c;
		const [a, b] = [await f.buy(), await f.buy({ dataGB: 2n })];
		assert.equal((await f.session(a)).termsHash, (await f.session(b)).termsHash);
		await chain.send(f.registry, f.operator, "setWireGuardKey", [
			f.nodeId,
			ethers.id("rotated"),
		]);
		const third = await f.session(await f.buy());
		assert.notEqual(third.termsHash, (await f.session(a)).termsHash);
		assert.equal((await f.session(a)).boughtBytes, 10n * GB);
		assert.equal((await f.session(b)).boughtBytes, 2n * GB);
	});

	it("id: chain, contract, buyer and salt; a second use is refused, also after the end", async () => {
		const { f, chain } = c;
		const order = await f.order();
		const id = await f.buy(order);
		const coder = ethers.AbiCoder.defaultAbiCoder();
		const preimage = coder.encode(
			["uint256", "address", "address", "bytes32"],
			[chain.chainId, f.escrow.target, f.buyer, order.salt],
		);
		assert.equal(id, ethers.keccak256(preimage));
		await f.fails(
			f.buyer,
			"createSession",
			Fixture.args(order),
			{ value: 10n * PRICE },
			"SessionExists",
		);
		await f.finalize(id, 0n);
		await f.fails(
			f.buyer,
			"createSession",
			Fixture.args(order),
			{ value: 10n * PRICE },
			"SessionExists",
		);
		assert.notEqual(await f.buy(order, { from: f.stranger }), id);
	});

	it("id: a reorganisation that swaps two purchases gives neither the other's id", async () => {
		const { f, chain } = c;
		const snapshot = await chain.snapshot();
		const [mine, theirs] = [await f.order(), await f.order({ dataGB: 2n })];
		const first = [await f.buy(mine), await f.buy(theirs, { from: f.stranger })];
		await chain.rpc("evm_revert", snapshot);
		const second = [
			await f.buy(theirs, { from: f.stranger }),
			await f.buy(mine),
		].reverse();
		assert.deepEqual(second, first);
	});

	it("counts the session in the registry, and nobody but the escrow can", async () => {
		const { f, chain } = c;
		await f.buy();
		await f.buy();
		assert.equal(
			(await chain.call(f.registry, f.stranger, "getNode", [f.nodeId])).node
				.sessions,
			2n,
		);
		for (const who of [f.owner, f.operator, f.stranger]) {
			await chain.fails(
				f.registry,
				who,
				"openSession",
				[f.nodeId, NATIVE, NATIVE],
				"NotEscrow",
			);
			await chain.fails(
				f.registry,
				who,
				"addServed",
				[f.nodeId, 1n],
				"NotEscrow",
			);
		}
	});

	it("takes no ether but by a purchase", async () => {
		await assert.rejects(
			c.chain.rpc(
				"eth_call",
				{ from: c.f.buyer, to: c.f.escrow.target, value: "0x1" },
				"latest",
			),
		);
	});
});

describe("topUp", () => {
	const c = useFixture(hooks, async ({ f }) => ({ id: await f.buy() }));
	const top_up = (gb, duration, value = BigInt(gb) * PRICE) =>
		c.f.send(c.f.buyer, "topUp", [c.id, gb, duration], { value });
	const refused = (gb, duration, value, reason, who = c.f.buyer) =>
		c.f.fails(who, "topUp", [c.id, gb, duration], { value }, reason);

	it("adds data at the session's price, and time where asked", async () => {
		const { f, chain, id } = c;
		const before_ = await f.session(id);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			NATIVE,
			9n * PRICE,
		]);
		let receipt = await top_up(3, 0);
		assert.equal(receipt.events[0].name, "SessionToppedUp");
		assert.deepEqual(receipt.events[0].args.toArray(), [
			id,
			13n * GB,
			before_.expiry,
			3n * PRICE,
		]);
		receipt = await top_up(1, HOUR);
		assert.deepEqual(receipt.events[0].args.toArray(), [
			id,
			14n * GB,
			before_.expiry + BigInt(HOUR),
			PRICE,
		]);
		const s = await f.session(id);
		assert.deepEqual(
			[s.boughtBytes, s.expiry, s.deposit, s.held],
			[14n * GB, before_.expiry + BigInt(HOUR), 14n * PRICE, 14n * PRICE],
		);
		assert.equal(await chain.balance(f.escrow.target), 14n * PRICE);
	});

	it("time alone cannot be bought", () => refused(0, HOUR, 0n, "BadDataAmount"));

	it("takes the exact price", async () => {
		for (const value of [0n, PRICE - 1n, PRICE + 1n])
			await refused(1, 0, value, "WrongValue");
	});

	it("keeps the total below 2^32 GB", async () => {
		await refused((1n << 32n) - 10n, 0, 0n, "BadDataAmount");
		await refused(ethers.MaxUint256, 0, 0n, "BadDataAmount");
		await c.chain.rpc("anvil_setBalance", c.f.buyer, ethers.toQuantity(1n << 120n));
		await top_up((1n << 32n) - 11n, 0);
	});

	it("new expiry at most 90 days from now", async () => {
		const { f, chain, id } = c;
		const left = (await f.session(id)).expiry - BigInt(await chain.now());
		const most = 90n * BigInt(DAY) - left;
		await refused(1, most + 1n, PRICE, "BadDuration");
		await refused(1, ethers.MaxUint256, PRICE, "BadDuration");
		await chain.call(f.escrow, f.buyer, "topUp", [id, 1, most], { value: PRICE });
	});

	it("is the buyer's, while open, unexpired, nothing closed or proposed, and the node sells", async () => {
		const { f, chain, id } = c;
		await refused(1, 0, PRICE, "NotBuyer", f.voucherSigner);
		await chain.send(f.registry, f.operator, "setActive", [f.nodeId, false]);
		await refused(1, 0, PRICE, "NodeInactive");
		await chain.send(f.registry, f.operator, "setActive", [f.nodeId, true]);
		const { expiry } = await f.session(id);
		await chain.setTime(expiry - 1n);
		await chain.call(f.escrow, f.buyer, "topUp", [id, 1, 0], { value: PRICE });
		await chain.setTime(expiry);
		await refused(1, 0, PRICE, "Expired");
		const closed = await f.buy();
		await f.send(f.buyer, "closeSession", [closed]);
		await f.fails(f.buyer, "topUp", [closed, 1, 0], { value: PRICE }, "WrongStatus");
		const proposed = await f.buy({ mode: Mode.optimistic });
		await f.send(f.operator, "proposeSettlement", [proposed, 0n, ROOT]);
		await f.fails(f.buyer, "topUp", [proposed, 1, 0], { value: PRICE }, "WrongStatus");
	});

	it("pays in the session's asset", async () => {
		const token = await c.chain.deploy(mocks().Stablecoin);
		await c.f.fails(
			c.f.buyer,
			"topUpWithToken",
			[c.id, 1, 0, token.target, PRICE, NO_PERMIT],
			"WrongAsset",
		);
		await c.f.fails(
			c.f.buyer,
			"topUpWithToken",
			[c.id, 1, 0, NATIVE, PRICE, NO_PERMIT],
			"WrongAsset",
		);
	});
});

describe("owner's settings", () => {
	const c = useFixture(hooks, undefined, { feeCapBps: 250 });

	it("1 % by default, never above the cap fixed at deployment", async () => {
		const { f } = c;
		assert.equal(await f.escrow.feeBps(), 100n);
		assert.equal(await f.escrow.feeCapBps(), 250n);
		await f.fails(f.owner, "setFee", [251], "BadFee");
		await f.fails(f.owner, "setFee", [65536 + 100], "BadFee");
		for (const bps of [250n, 0n]) {
			const { events } = await f.send(f.owner, "setFee", [bps]);
			assert.deepEqual(
				[events[0].name, events[0].args.feeBps],
				["FeeChanged", bps],
			);
			assert.equal(await f.escrow.feeBps(), bps);
		}
		const { events } = await f.send(f.owner, "setTreasury", [f.stranger]);
		assert.deepEqual(
			[events[0].name, events[0].args.treasury],
			["TreasuryChanged", f.stranger],
		);
		assert.equal(await f.escrow.treasury(), f.stranger);
		for (const treasury of [NATIVE, f.escrow.target])
			await f.fails(f.owner, "setTreasury", [treasury], "BadAddress");
	});

	it("without a fee, and with the whole as fee where a deployment allows it", async () => {
		const { f, chain } = c;
		await f.send(f.owner, "setFee", [0]);
		const id = await f.buy();
		await f.finalize(id, 5n * GB);
		assert.deepEqual(
			[await f.withdrawable(f.payout), await f.withdrawable(f.treasury)],
			[5n * PRICE, 0n],
		);
		const whole = await Fixture.create(chain, { feeCapBps: 10000 });
		await whole.send(whole.owner, "setFee", [10000]);
		await whole.finalize(await whole.buy(), 5n * GB);
		assert.deepEqual(
			[
				await whole.withdrawable(whole.payout),
				await whole.withdrawable(whole.treasury),
			],
			[0n, 5n * PRICE],
		);
	});

	it("ownership moves in two steps", async () => {
		const { f } = c;
		const started = await f.send(f.owner, "transferOwnership", [f.stranger]);
		assert.equal(started.events[0].name, "OwnershipTransferStarted");
		assert.equal(await f.escrow.pendingOwner(), f.stranger);
		await f.fails(f.stranger, "setFee", [1], "OwnableUnauthorizedAccount");
		await f.fails(f.buyer, "acceptOwnership", [], "OwnableUnauthorizedAccount");
		const { events } = await f.send(f.stranger, "acceptOwnership", []);
		assert.equal(events[0].name, "OwnershipTransferred");
		assert.equal(await f.escrow.owner(), f.stranger);
		await f.send(f.stranger, "setFee", [1]);
	});

	it("deployment refuses a cap above the whole, no registry, no treasury, no owner", async () => {
		const { f, chain } = c;
		const deploy = (...args) => chain.deploy(artifact("EscrowPayment"), args);
		const fails = (args, reason) =>
			assert.rejects(
				deploy(...args),
				(e) => (assert.equal(e.reason, reason), true),
			);
		await fails([f.registry.target, f.owner, f.treasury, 10001], "BadFee");
		await fails([f.stranger, f.owner, f.treasury, 100], "BadAddress");
		await fails([f.registry.target, f.owner, NATIVE, 100], "BadAddress");
		await fails([f.registry.target, NATIVE, f.treasury, 100], "OwnableInvalidOwner");
		// A second escrow that the registry is not bound to sells nothing.
		const other = await deploy(f.registry.target, f.owner, f.treasury, 100);
		const { termsHash } = await chain.call(other, f.buyer, "currentTerms", [
			f.nodeId,
			NATIVE,
			NATIVE,
		]);
		await chain.fails(
			other,
			f.buyer,
			"createSession",
			Fixture.args(await f.order({ termsHash })),
			{ value: 10n * PRICE },
			f.registry.interface.getError("NotEscrow").selector,
		);
		assert.equal(
			await (await deploy(f.registry.target, f.owner, f.treasury, 30)).feeBps(),
			30n,
		);
	});
});
