// SPDX-License-Identifier: Apache-2.0
//
// The registry: what an entry must be, who may change it, how it is listed.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { artifact } from "./chain.mjs";
import { DAY, HOUR, NATIVE, PRICE, useFixture } from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const KEY = ethers.id("another key");
const DOCUMENT = ethers.id("another document");

describe("NodeRegistry", () => {
	const c = useFixture(hooks);
	const entry = async (id = c.f.nodeId) =>
		(await c.chain.call(c.f.registry, c.f.stranger, "getNode", [id])).toObject(true);
	const send = (fn, ...args) => c.chain.send(c.f.registry, c.f.operator, fn, args);
	const refused = (who, fn, args, reason) =>
		c.chain.fails(c.f.registry, who, fn, args, reason);

	it("registers: next id, event, defaults of 24 h, active", async () => {
		const { f, chain } = c;
		const args = f.registration({ name: "exit-2" });
		const { events } = await chain.send(f.registry, f.stranger, "registerNode", args);
		assert.equal(events[0].name, "NodeRegistered");
		const told = events[0].args.toObject();
		assert.deepEqual(
			[
				told.nodeId,
				told.operator,
				told.name,
				told.region,
				told.pricePerGB,
				told.bandwidthMbps,
				told.endpoint,
				told.apiUrl,
			],
			[2n, f.stranger, ...args.slice(0, 3), 10000n, ...args.slice(4, 6)],
		);
		assert.equal(told.settings.wgPublicKey, ethers.id("wireguard"));
		const { nodeId, pricePerGB, node } = await entry(2n);
		assert.deepEqual([nodeId, pricePerGB], [2n, PRICE]);
		assert.deepEqual(node, {
			operator: f.stranger,
			active: true,
			bandwidthMbps: 10000n,
			windowSec: BigInt(DAY),
			graceSec: BigInt(DAY),
			payout: f.payout,
			sessions: 0n,
			settler: f.settler,
			servedBytes: 0n,
			usageSigner: f.usageSigner,
			wgPublicKey: ethers.id("wireguard"),
			metadataHash: ethers.id("metadata"),
			name: "exit-2",
			region: "eu-central",
			endpoint: "192.0.2.1:51820",
			apiUrl: "https://192.0.2.1:8443",
		});
	});

	it("refuses entries that cannot be", async () => {
		const { f } = c;
		const cases = [
			[{ name: "" }, "BadText"],
			[{ name: "x".repeat(65) }, "BadText"],
			[{ region: "x".repeat(33) }, "BadText"],
			[{ endpoint: "x".repeat(257) }, "BadText"],
			[{ apiUrl: "x".repeat(257) }, "BadText"],
			[{ pricePerGB: 1n << 96n }, "BadPrice"],
			[{ settings: { payout: NATIVE } }, "BadAddress"],
			[{ settings: { usageSigner: NATIVE } }, "BadAddress"],
			[{ settings: { wgPublicKey: ethers.ZeroHash } }, "BadKey"],
			[{ settings: { windowSec: HOUR - 1 } }, "BadWindow"],
			[{ settings: { windowSec: 7 * DAY + 1 } }, "BadWindow"],
			[{ settings: { graceSec: 6 * HOUR - 1 } }, "BadGrace"],
			[{ settings: { graceSec: 7 * DAY + 1 } }, "BadGrace"],
			[{ settings: { windowSec: 2 ** 32 - 1 } }, "BadWindow"],
			[{ settings: { graceSec: 2 ** 24 + DAY } }, "BadGrace"],
		];
		for (const [changes, reason] of cases)
			await refused(f.stranger, "registerNode", f.registration(changes), reason);
		const widest = {
			name: "x".repeat(64),
			region: "x".repeat(32),
			endpoint: "x".repeat(256),
			apiUrl: "",
			pricePerGB: (1n << 96n) - 1n,
		};
		await f.register({
			...widest,
			settings: {
				settler: NATIVE,
				metadataHash: ethers.ZeroHash,
				windowSec: HOUR,
				graceSec: 6 * HOUR,
			},
		});
		await f.register({
			pricePerGB: 0n,
			settings: { windowSec: 7 * DAY, graceSec: 7 * DAY },
		});
	});

	// Function, arguments after the node id, what the entry becomes, event and its arguments
	// after the node id.
	const SETTERS = [
		[
			"updateNode",
			(f) => ["renamed", "us", 1, "e:1", "u", DOCUMENT],
			{
				name: "renamed",
				region: "us",
				bandwidthMbps: 1n,
				endpoint: "e:1",
				apiUrl: "u",
				metadataHash: DOCUMENT,
			},
			"NodeUpdated",
		],
		["setActive", () => [false], { active: false }, "NodeActiveChanged"],
		[
			"setPayout",
			(f) => [f.stranger],
			(f) => ({ payout: f.stranger }),
			"PayoutChanged",
		],
		[
			"setSettler",
			(f) => [f.stranger],
			(f) => ({ settler: f.stranger }),
			"SettlerChanged",
		],
		[
			"setUsageSigner",
			(f) => [f.stranger],
			(f) => ({ usageSigner: f.stranger }),
			"UsageSignerChanged",
		],
		["setWireGuardKey", () => [KEY], { wgPublicKey: KEY }, "WireGuardKeyChanged"],
		[
			"setWindows",
			() => [HOUR, 6 * HOUR],
			{ windowSec: BigInt(HOUR), graceSec: BigInt(6 * HOUR) },
			"WindowsChanged",
		],
		["setPrice", () => [NATIVE, 5n], {}, "PriceChanged"],
		["setAttestor", (f) => [f.stranger, true], {}, "AttestorChanged"],
	];

	for (const [fn, args_of, change, event] of SETTERS) {
		it(`${fn}: the node's operator alone, and nothing else changes`, async () => {
			const { f } = c;
			const args = args_of(f);
			await f.register({}, f.stranger);
			const [mine, theirs] = [await entry(), await entry(2n)];
			for (const who of f.chain.accounts.filter((a) => a !== f.operator))
				await refused(who, fn, [f.nodeId, ...args], "NotOperator");
			await refused(f.operator, fn, [2n, ...args], "NotOperator");
			for (const id of [0n, 3n, ethers.MaxUint256])
				await refused(f.operator, fn, [id, ...args], "UnknownNode");
			const receipt = await send(fn, f.nodeId, ...args);
			const expected = typeof change === "function" ? change(f) : change;
			const now = await entry();
			assert.deepEqual(now.node, { ...mine.node, ...expected });
			assert.deepEqual(await entry(2n), theirs);
			assert.deepEqual(
				[
					receipt.events.length,
					receipt.events[0].name,
					receipt.events[0].args[0],
				],
				[1, event, f.nodeId],
			);
			const plain = (x) => (typeof x === "number" ? BigInt(x) : x);
			assert.deepEqual(
				receipt.events[0].args.toArray().slice(1),
				args.map(plain),
			);
		});
	}

	it("setters refuse what registering refuses", async () => {
		const { f } = c;
		for (const [fn, args, reason] of [
			["updateNode", ["", "", 1, "", "", ethers.ZeroHash], "BadText"],
			[
				"updateNode",
				["n", "x".repeat(33), 1, "", "", ethers.ZeroHash],
				"BadText",
			],
			["setPayout", [NATIVE], "BadAddress"],
			["setUsageSigner", [NATIVE], "BadAddress"],
			["setAttestor", [NATIVE, true], "BadAddress"],
			["setWireGuardKey", [ethers.ZeroHash], "BadKey"],
			["setWindows", [HOUR - 1, 0], "BadWindow"],
			["setWindows", [0, 7 * DAY + 1], "BadGrace"],
			["setPrice", [NATIVE, 1n << 96n], "BadPrice"],
		]) {
			await refused(f.operator, fn, [f.nodeId, ...args], reason);
		}
		await send("setWindows", f.nodeId, 0, 0);
		assert.deepEqual(
			[(await entry()).node.windowSec, (await entry()).node.graceSec],
			[BigInt(DAY), BigInt(DAY)],
		);
		await send("setSettler", f.nodeId, NATIVE);
	});

	it("prices stand per asset; 0 stops selling for it", async () => {
		const { f, chain } = c;
		const token = f.stranger;
		await send("setPrice", f.nodeId, token, 500000n);
		assert.equal(await f.registry.priceOf(f.nodeId, token), 500000n);
		assert.equal(await f.registry.priceOf(f.nodeId, NATIVE), PRICE);
		assert.equal(
			(
				await chain.call(f.registry, f.stranger, "offerOf", [
					f.nodeId,
					token,
					NATIVE,
				])
			).pricePerGB,
			500000n,
		);
		await send("setPrice", f.nodeId, token, 0n);
		await refused(f.stranger, "offerOf", [f.nodeId, token, NATIVE], "AssetNotPriced");
	});

	it("pages: in order, bounded, total beside, empty past the end", async () => {
		const { f, chain } = c;
		for (let i = 2; i <= 7; i++) await f.register({ name: `exit-${i}` });
		await send("setActive", 3n, false);
		const page = async (offset, limit) => {
			const { page: rows, total } = await chain.call(
				f.registry,
				f.stranger,
				"listNodes",
				[offset, limit],
			);
			assert.equal(total, 7n);
			return rows.map((row) => Number(row.nodeId));
		};
		assert.deepEqual(await page(0, 100), [1, 2, 3, 4, 5, 6, 7]);
		assert.deepEqual(await page(0, 3), [1, 2, 3]);
		assert.deepEqual(await page(3, 3), [4, 5, 6]);
		assert.deepEqual(await page(6, 3), [7]);
		for (const [offset, limit] of [
			[7, 3],
			[0, 0],
			[ethers.MaxUint256, 3],
			[100, ethers.MaxUint256],
		])
			assert.deepEqual(await page(offset, limit), []);
		assert.deepEqual(await page(5, ethers.MaxUint256), [6, 7]);
		await refused(f.stranger, "getNode", [8n], "UnknownNode");
		await refused(f.stranger, "getNode", [0n], "UnknownNode");
	});

	it("a page never has more than 100 rows", async () => {
		const { f, chain } = c;
		for (let i = 0; i < 101; i++) await f.register();
		const { page, total } = await chain.call(
			f.registry,
			f.stranger,
			"listNodes",
			[0, 1000],
		);
		assert.deepEqual([page.length, total], [100, 102n]);
	});

	it("the escrow is bound once, by the deployer, to a contract", async () => {
		const { f, chain } = c;
		await refused(f.owner, "bindEscrow", [f.escrow.target], "AlreadyBound");
		const fresh = await chain.deploy(artifact("NodeRegistry"));
		for (const who of [f.operator, f.stranger])
			await chain.fails(
				fresh,
				who,
				"bindEscrow",
				[f.escrow.target],
				"NotDeployer",
			);
		await chain.fails(fresh, f.owner, "bindEscrow", [f.stranger], "BadAddress");
		await chain.fails(fresh, f.owner, "bindEscrow", [NATIVE], "BadAddress");
		const { events } = await chain.send(fresh, f.owner, "bindEscrow", [
			f.escrow.target,
		]);
		assert.deepEqual(
			[events[0].name, events[0].args.escrow],
			["EscrowBound", f.escrow.target],
		);
		await chain.fails(fresh, f.owner, "bindEscrow", [f.escrow.target], "AlreadyBound");
	});

	it("a total that is full stays full and does not stand in the way of settling", async () => {
		const { f, chain } = c;
		const full = (1n << 96n) - 1n;
		// Word 2 of the entry: settler in the low 160 bits, bytes served in the high 96.
		const coder = ethers.AbiCoder.defaultAbiCoder();
		const base = BigInt(
			ethers.keccak256(coder.encode(["uint256", "uint256"], [f.nodeId, 2n])),
		);
		const word = ((full - 5n) << 160n) | BigInt(f.settler);
		const slot = ethers.toBeHex(base + 2n, 32);
		await chain.rpc(
			"anvil_setStorageAt",
			f.registry.target,
			slot,
			ethers.toBeHex(word, 32),
		);
		assert.deepEqual(
			[(await entry()).node.servedBytes, (await entry()).node.settler],
			[full - 5n, f.settler],
		);
		for (const n of [5n, 1n, 10n ** 9n]) {
			await f.finalize(await f.buy(), n);
			assert.equal((await entry()).node.servedBytes, full);
		}
	});

	it("operator and settler may settle, nobody else; an unknown node has neither", async () => {
		const { f } = c;
		for (const who of f.chain.accounts) {
			assert.equal(
				await f.registry.maySettle(f.nodeId, who),
				who === f.operator || who === f.settler,
			);
			assert.equal(await f.registry.maySettle(99n, who), false);
		}
		assert.equal(await f.registry.maySettle(99n, NATIVE), false);
		await send("setSettler", f.nodeId, NATIVE);
		assert.equal(await f.registry.maySettle(f.nodeId, NATIVE), false);
		assert.equal(await f.registry.isActive(99n), false);
	});
});
