// SPDX-License-Identifier: Apache-2.0
//
// twctl buyer nodes, buy, status, end, dispute and reclaim against a real node and the real contracts: what was bought and what came
// back is read from the chain, never from the tool; a purchase that is broken off is not made twice.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ethers } from "ethers";
import { Chain, mocks, startChain } from "../chain.mjs";
import { DAY, Fixture, GB, HOUR, Mode, NATIVE, PRICE, ROOT, Status } from "../fixture.mjs";
import { TOOL } from "./harness.mjs";

const TWCTL = join(dirname(TOOL), "../../../controlplane/twctl/twctl");
const run = (...args) => spawnSync(TWCTL, ["buyer", ...args], { encoding: "utf8" });

async function withBuyer(body) {
	const chain = await startChain();
	const dir = mkdtempSync(join(tmpdir(), "tollwire-buyer-"));
	try {
		const f = await Fixture.create(chain);
		const key = (i) => {
			const path = join(dir, `key-${i}`);
			if (!existsSync(path)) writeFileSync(path, Chain.wallet(i).privateKey + "\n", { mode: 0o600 });
			return path;
		};
		const b = { chain, f, dir, key, file: (name) => join(dir, name) };
		b.on = ["--rpc", chain.url, "--chain-id", String(chain.chainId), "--escrow", f.escrow.target];
		b.ok = (...args) => {
			const result = run(...args, "--json");
			assert.equal(result.status, 0, `${args}: ${result.stderr}`);
			return JSON.parse(result.stdout);
		};
		b.fails = (code, message, ...args) => {
			const result = run(...args);
			assert.equal(result.status, code, `${args}: ${result.stdout}${result.stderr}`);
			assert.match(result.stderr, message);
		};
		b.order = (name, ...more) => [b.file(name), ...b.on, "--key-file", key(5), "--node", String(f.nodeId), "--gb", "10",
			"--duration", "1d", "--max-price-per-gb", "0.001", ...more];
		b.session = (id) => chain.call(f.escrow, f.buyer, "getSession", [id]);
		b.created = async () => (await chain.provider.getLogs({ address: f.escrow.target, fromBlock: 0,
			topics: [f.escrow.interface.getEvent("SessionCreated").topicHash] })).length;
		await body(b);
	} finally {
		await chain.stop();
		rmSync(dir, { recursive: true, force: true });
	}
}

test("nodes: filter by region and price, sort by price and latency", () => withBuyer(async ({ chain, f, on, ok, fails }) => {
	const server = createServer((socket) => socket.destroy());
	await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
	const there = `http://127.0.0.1:${server.address().port}/x`;
	const gone = "http://127.0.0.1:1";
	const add = (name, region, price, url) => chain.send(f.registry, f.operator, "registerNode",
		[name, region, price, 1000, "192.0.2.1:51820", url, f.settings()]);
	// Two pages of them; number 1 is the fixture's own.
	await add("cheap", "eu-west", PRICE / 4n, gone);
	await add("near\x1b[31m", "EU-central", PRICE / 2n, there);
	await add("token", "eu-west", 0n, there);
	for (let i = 0; i < 25; i++) await add(`far-${i}`, "us-east", PRICE * 3n, gone);
	await chain.send(f.registry, f.operator, "setActive", [5, false]);

	const all = ok("nodes", ...on, "--no-latency");
	assert.equal(all.registered, 29);
	assert.equal(all.nodes.length, 27, "neither the inactive one nor the one for tokens only");
	assert.deepEqual(all.nodes.slice(0, 3).map((n) => n.node_id), ["2", "3", "1"]);
	assert.equal(all.nodes[0].price_per_gb_wei, String(PRICE / 4n));
	assert.equal(all.nodes[0].price_per_gb, "0.00025");
	assert.equal(all.nodes[0].latency_us, null);
	assert.equal(Buffer.from(all.nodes[0].wg_public_key, "base64").toString("hex"), ethers.getBytes(f.settings().wgPublicKey)
		.reduce((hex, byte) => hex + byte.toString(16).padStart(2, "0"), ""));
	assert.equal(ok("nodes", ...on, "--all", "--no-latency").nodes.length, 29);
	assert.equal(ok("nodes", ...on, "--all", "--no-latency").nodes.at(-1).node_id, "4", "no price comes last");

	const eu = ok("nodes", ...on, "--region", "eu", "--sort", "latency");
	assert.deepEqual(eu.nodes.map((n) => n.node_id).slice(0, 2), ["3", "2"]);
	assert.ok(eu.nodes[0].latency_us > 0 && eu.nodes[0].latency_us < 1_500_000);
	assert.equal(eu.nodes[1].latency_us, null);
	assert.deepEqual(ok("nodes", ...on, "--region", "eu", "--best").nodes.map((n) => n.node_id), ["2"]);
	assert.equal(ok("nodes", ...on, "--max-price-per-gb", "0.0005", "--no-latency").nodes.length, 2);
	assert.equal(ok("nodes", ...on, "--min-mbps", "1001", "--no-latency").nodes.every((n) => n.bandwidth_mbps > 1000), true);
	assert.doesNotMatch(run("nodes", ...on, "--no-latency").stdout, /\x1b/, "an operator's text must not drive the terminal");

	fails(1, /none of 29 nodes/, "nodes", ...on, "--region", "mars", "--best");
	fails(1, /not a contract of this kind|refuses|malformed/, "nodes", ...on.slice(0, 4), "--escrow", f.stranger);
	fails(2, /price or latency/, "nodes", ...on, "--sort", "name");
	fails(2, /--rpc URL and --chain-id N/, "nodes", "--escrow", f.escrow.target);
	server.close();
}));

test("buy: the exact price, the terms checked, once", () => withBuyer(async ({ chain, f, dir, on, ok, fails, key, file, order, session, created }) => {
	const before = await chain.balance(f.buyer);
	const bought = ok("buy", ...order("a"));
	assert.equal(bought.cost_wei, String(10n * PRICE));
	const s = await session(bought.session_id);
	assert.equal(s.status, Status.open);
	assert.equal(s.mode, BigInt(Mode.voucher));
	assert.equal(s.buyer, f.buyer);
	assert.equal(s.voucherSigner, f.buyer);
	assert.equal(s.boughtBytes, 10n * GB);
	assert.equal(s.deposit, 10n * PRICE);
	assert.equal(s.expiry - s.createdAt, BigInt(DAY));
	assert.equal(bought.terms_hash, (await f.escrow.currentTerms(f.nodeId, NATIVE, NATIVE)).termsHash);
	assert.equal(await chain.balance(f.escrow.target), 10n * PRICE);
	assert.equal(statSync(file("a")).mode & 0o777, 0o600);
	assert.doesNotMatch(readFileSync(file("a"), "utf8"), new RegExp(Chain.wallet(5).privateKey.slice(2)));

	// Again, with all options or with the key alone: the same session, nothing paid.
	const after = await chain.balance(f.buyer);
	assert.equal(ok("buy", ...order("a")).session_id, bought.session_id);
	assert.equal(ok("buy", file("a"), "--key-file", key(5)).session_id, bought.session_id);
	assert.equal(await chain.balance(f.buyer), after);
	assert.equal(await created(), 1);
	fails(1, /holds another order/, "buy", ...order("a").map((x) => (x === "10" ? "11" : x)));
	fails(1, /another account/, "buy", file("a"), "--key-file", key(8));

	// Broken off after the file and before the transaction: what is on the disk is what is bought.
	const kept = JSON.parse(readFileSync(file("a"), "utf8"));
	const salt = ethers.id("another");
	const id = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(["uint256", "address", "address", "bytes32"],
		[chain.chainId, f.escrow.target, f.buyer, salt]));
	const write = (name, doc) => writeFileSync(file(name), JSON.stringify(doc), { mode: 0o600 });
	write("b", { ...kept, session_id: id, order: { ...kept.order, salt } });
	fails(1, /asks 0\.001 coins for a GB/, "buy", file("b"), "--key-file", key(5), "--max-price-per-gb", "0.0009");
	fails(1, /fee is 100\/10,000/, "buy", file("b"), "--key-file", key(5), "--max-fee-bps", "99");
	assert.equal(await created(), 1);
	assert.equal(ok("buy", file("b"), "--key-file", key(5)).session_id, id);
	assert.equal(await created(), 2);

	// A file that somebody changed: no sum of it may be believed.
	for (const [name, doc] of Object.entries({
		cost: { ...kept, cost_wei: "1" },
		key: { ...kept, terms: { ...kept.terms, wg_public_key: ethers.id("evil") } },
		salt: { ...kept, order: { ...kept.order, salt } },
		more: { ...kept, more: 1 },
	})) {
		write(name, doc);
		fails(1, /was changed|no session file|unknown|more/, "buy", file(name), "--key-file", key(5));
	}
	chmodSync(file("a"), 0o644);
	fails(1, /0644/, "status", file("a"));
	chmodSync(file("a"), 0o600);

	// Other modes and signers.
	const other = ok("buy", ...order("c", "--mode", "attested", "--voucher-signer", f.voucherSigner, "--attestor", f.attestor));
	assert.equal((await session(other.session_id)).voucherSigner, f.voucherSigner);
	assert.equal((await session(other.session_id)).attestor, f.attestor);
	const none = ok("buy", ...order("d", "--mode", "optimistic", "--voucher-signer", "none"));
	assert.equal((await session(none.session_id)).voucherSigner, NATIVE);

	// What must be refused before anything is sent, and leaves no file.
	const sessions = await created();
	const without = (option) => {
		const args = order("x");
		args.splice(args.indexOf(option), 2);
		return args;
	};
	const change = (option, value) => order("x").map((v, i, all) => (all[i - 1] === option ? value : v));
	fails(1, /asks 0\.001 coins for a GB/, "buy", ...change("--max-price-per-gb", "0.0009"));
	fails(1, /fee is 100\/10,000/, "buy", ...order("x", "--max-fee-bps", "99"));
	fails(2, /--max-price-per-gb AMOUNT is required/, "buy", ...without("--max-price-per-gb"));
	fails(2, /--key-file FILE is required/, "buy", ...without("--key-file"));
	fails(2, /1s to 90d/, "buy", ...change("--duration", "91d"));
	fails(2, /--gb/, "buy", ...change("--gb", "0"));
	fails(2, /needs a voucher signer/, "buy", ...order("x", "--voucher-signer", "none"));
	fails(2, /needs --attestor/, "buy", ...order("x", "--mode", "attested"));
	fails(1, /UnknownNode/, "buy", ...change("--node", "77"));
	fails(1, /AttestorNotAccepted/, "buy", ...order("x", "--attestor", f.stranger));
	assert.equal(existsSync(file("x")), false);
	assert.equal(await created(), sessions);

	// The price goes up between the two runs: the order names its terms, so it is refused, not paid.
	write("e", { ...kept, session_id: ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(["uint256", "address", "address", "bytes32"],
		[chain.chainId, f.escrow.target, f.buyer, ethers.id("e")])), order: { ...kept.order, salt: ethers.id("e") } });
	await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, NATIVE, PRICE * 2n]);
	fails(1, /TermsMismatch.*remove the file/, "buy", file("e"), "--key-file", key(5));
	assert.equal(await created(), sessions);
	assert.ok(before > after);
}));

test("tokens: price, allowance and permit, to the last unit", () => withBuyer(async ({ chain, f, on, ok, fails, file, order, session, created }) => {
	const unit = 10n ** 6n;
	const dollar = await chain.deploy(mocks().Stablecoin);
	const legacy = await chain.deploy(mocks().LegacyToken);
	for (const token of [dollar, legacy]) await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, token.target, 3n * unit / 2n]);
	await chain.send(f.registry, f.operator, "registerNode", ["cheap", "eu-west", PRICE, 1000, "192.0.2.1:51820", "http://127.0.0.1:1", f.settings()]);
	await chain.send(f.registry, f.operator, "setPrice", [2, dollar.target, unit]);
	await chain.send(f.registry, f.operator, "registerNode", ["coins", "eu-west", 1n, 1000, "192.0.2.1:51820", "http://127.0.0.1:1", f.settings()]);

	// Prices are those in the token; a node that does not take it is not listed, however cheap in coins.
	const listed = ok("nodes", ...on, "--token", dollar.target, "--no-latency");
	assert.deepEqual(listed.nodes.map((n) => [n.node_id, n.price_per_gb]), [["2", "1"], ["1", "1.5"]]);
	assert.equal(listed.asset, dollar.target);
	assert.deepEqual(ok("nodes", ...on, "--token", dollar.target, "--max-price-per-gb", "1.2", "--no-latency").nodes.length, 1);
	assert.match(run("nodes", ...on, "--token", dollar.target, "--no-latency").stdout, /1\.5 TUSD/);
	fails(2, /up to 6 decimals/, "nodes", ...on, "--token", dollar.target, "--max-price-per-gb", "0.0000001", "--no-latency");
	fails(1, /is no token|not a contract|reverts|refuses/, "nodes", ...on, "--token", f.stranger, "--no-latency");

	const buy = (name, token, ...more) => order(name, "--token", token.target, ...more).map((v, i, all) => (all[i - 1] === "--max-price-per-gb" ? "1.5" : v));
	const allowance = (token) => chain.call(token, f.buyer, "allowance", [f.buyer, f.escrow.target]);
	const nonces = () => chain.call(dollar, f.buyer, "nonces", [f.buyer]);
	fails(1, /has 0 TUSD, the session costs 15 TUSD; the order is kept/, "buy", ...buy("poor", dollar));
	await chain.send(dollar, f.buyer, "mint", [f.buyer, 45n * unit]);

	// By a transaction for exactly the cost, and what was begun with too little goes on.
	const first = ok("buy", ...buy("poor", dollar));
	assert.equal(first.cost, "15");
	assert.equal(first.cost_wei, String(15n * unit));
	assert.equal(first.asset, dollar.target);
	assert.equal(await dollar.balanceOf(f.escrow.target), 15n * unit);
	assert.equal(await allowance(dollar), 0n);
	const s = await session(first.session_id);
	assert.deepEqual([s.asset, s.deposit, s.pricePerGB, s.buyer], [dollar.target, 15n * unit, 3n * unit / 2n, f.buyer]);
	assert.equal(ok("buy", ...buy("poor", dollar)).session_id, first.session_id);
	fails(1, /holds another order/, "buy", ...order("poor"));
	assert.equal(ok("status", file("poor")).deposit, "15");
	assert.match(run("status", file("poor")).stdout, /^bought {4}10\.0 GB for 15 TUSD$/m);

	// By a signature: one transaction, and the permit is used up.
	const before = Number(await chain.rpc("eth_getTransactionCount", f.buyer, "latest"));
	ok("buy", ...buy("permit", dollar, "--permit"));
	assert.equal(Number(await chain.rpc("eth_getTransactionCount", f.buyer, "latest")), before + 1);
	assert.equal(await nonces(), 1n);
	assert.equal(await allowance(dollar), 0n);
	assert.equal(await dollar.balanceOf(f.escrow.target), 30n * unit);

	// An allowance that suffices is used; a permit is then not even signed.
	await chain.send(dollar, f.buyer, "approve", [f.escrow.target, 15n * unit]);
	ok("buy", ...buy("allowed", dollar, "--permit"));
	assert.equal(await nonces(), 1n);
	assert.equal(await dollar.balanceOf(f.buyer), 0n);

	// A token that knows no permits, and takes a new allowance only from nothing.
	await chain.send(legacy, f.buyer, "mint", [f.buyer, 15n * unit]);
	await chain.send(legacy, f.buyer, "approve", [f.escrow.target, 7n]);
	const n = await created();
	fails(1, /.+/, "buy", ...buy("legacy", legacy, "--permit"));
	assert.equal(await created(), n);
	const transactions = Number(await chain.rpc("eth_getTransactionCount", f.buyer, "latest"));
	assert.equal(ok("buy", ...buy("legacy", legacy)).cost, "15");
	assert.equal(Number(await chain.rpc("eth_getTransactionCount", f.buyer, "latest")), transactions + 3, "to 0, to the cost, the purchase");
	assert.equal(await allowance(legacy), 0n);
	assert.equal(await created(), n + 1);
	assert.match(run("status", file("legacy")).stdout, /for 15 tokens$/m);
}));

test("buy: killed at any moment, one session", () => withBuyer(async ({ chain, f, file, key, order, ok, created }) => {
	for (let i = 0; i < 8; i++) {
		const child = spawn(TWCTL, ["buyer", "buy", ...order(`k${i}`)], { stdio: "ignore" });
		const gone = new Promise((resolve) => child.on("exit", resolve));
		setTimeout(() => child.kill("SIGKILL"), 10 * i);
		await gone;
		const again = ok("buy", ...order(`k${i}`));
		assert.equal((await chain.call(f.escrow, f.buyer, "getSession", [again.session_id])).status, Status.open);
		assert.equal(ok("buy", file(`k${i}`), "--key-file", key(5)).session_id, again.session_id);
	}
	assert.equal(await created(), 8);
}));

test("status, end, reclaim", () => withBuyer(async ({ chain, f, file, key, order, ok, fails, session }) => {
	const { session_id: id } = ok("buy", ...order("a"));
	const shown = ok("status", file("a"));
	assert.equal(shown.status, "open");
	assert.equal(shown.deposit_wei, String(10n * PRICE));
	assert.match(run("status", file("a")).stdout, /^bought {4}10\.0 GB for 0\.01 coins$/m);
	fails(1, /not the key of the session's buyer/, "end", file("a"), "--key-file", key(8));
	fails(1, /GraceNotOver/, "reclaim", file("a"), "--key-file", key(5));
	assert.equal(ok("end", file("a"), "--key-file", key(5)).status, "closed");
	assert.equal((await session(id)).status, Status.closed);
	assert.equal(ok("end", file("a"), "--key-file", key(5)).status, "closed", "twice is once");

	// The node claims a part and vanishes; the rest comes back when the grace is over.
	await chain.send(f.escrow, f.operator, "claim", [id, await f.voucher(id, GB, Chain.wallet(5))]);
	fails(1, /GraceNotOver/, "reclaim", file("a"), "--key-file", key(5));
	await chain.setTime((await session(id)).deadline);
	const before = await chain.balance(f.buyer);
	const settled = ok("reclaim", file("a"), "--key-file", key(5));
	assert.equal(settled.status, "settled");
	assert.equal(settled.claimed_bytes, Number(GB));
	assert.equal(settled.held_wei, "0");
	const gained = (await chain.balance(f.buyer)) - before;
	assert.ok(gained > 9n * PRICE - PRICE / 10n && gained <= 9n * PRICE, `9 GB less gas, not ${gained}`);
	const again = await chain.balance(f.buyer);
	assert.equal(ok("reclaim", file("a"), "--key-file", key(5)).status, "settled");
	assert.equal(await chain.balance(f.buyer), again, "nothing is sent for a session that is over");

	// Never ended: reclaimed after expiry and grace.
	const open = ok("buy", ...order("b"));
	await chain.advance(DAY + HOUR);
	fails(1, /GraceNotOver/, "reclaim", file("b"), "--key-file", key(5));
	await chain.setTime((await session(open.session_id)).expiry + BigInt(ok("status", file("b")).grace_sec));
	assert.equal(ok("reclaim", file("b"), "--key-file", key(5)).status, "settled");

	// Settled in a batch: the refund waits and is drawn.
	const batch = ok("buy", ...order("c"));
	await chain.send(f.escrow, f.operator, "finalizeBatch", [f.nodeId, [{ sessionId: batch.session_id, bytesUsed: GB, checkpointsRoot: ROOT,
		voucher: await f.voucher(batch.session_id, GB, Chain.wallet(5)) }]]);
	assert.equal(ok("status", file("c")).refundable_wei, String(9n * PRICE));
	assert.equal(ok("reclaim", file("c"), "--key-file", key(5)).refundable_wei, "0");
	assert.equal((await session(batch.session_id)).held, 0n);
	fails(1, /file/, "status", file("nowhere"));
}));

test("dispute", () => withBuyer(async ({ chain, f, file, key, order, ok, fails, session }) => {
	const { session_id: id } = ok("buy", ...order("a", "--mode", "optimistic", "--voucher-signer", f.voucherSigner));
	fails(1, /is open: only a proposal/, "dispute", file("a"), "--key-file", key(5), "--accept", "1GB");
	await chain.send(f.escrow, f.operator, "proposeSettlement", [id, 5n * GB, ROOT]);
	assert.equal(ok("status", file("a")).proposed_bytes, Number(5n * GB));
	assert.match(run("status", file("a")).stdout, /^dispute {3}until 20/m);
	fails(2, /--accept SIZE is required/, "dispute", file("a"), "--key-file", key(5));
	fails(1, /to below 5000000000/, "dispute", file("a"), "--key-file", key(5), "--accept", "5GB");
	fails(1, /buyer or voucher signer/, "dispute", file("a"), "--key-file", key(8), "--accept", "1GB");
	const disputed = ok("dispute", file("a"), "--key-file", key(6), "--accept", "1.5GB");
	assert.equal(disputed.status, "disputed");
	assert.equal((await session(id)).claimedBytes, 3n * GB / 2n);
	assert.equal(disputed.refundable_wei, String(5n * PRICE), "what lies above the proposal");
	assert.equal(ok("dispute", file("a"), "--key-file", key(6), "--accept", "1.5GB").status, "disputed", "twice is once");
	fails(1, /is disputed: only/, "dispute", file("a"), "--key-file", key(5), "--accept", "1GB");
	assert.equal(ok("reclaim", file("a"), "--key-file", key(5)).refundable_wei, "0");
}));
