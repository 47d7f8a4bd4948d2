// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/nodes of the real tollwire-control: what a real registry lists, octets of hostile operators included, in pages and
// filtered; read anew by itself; an entity tag that holds; a chain that goes away and comes back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { PRICE, Settlement, until } from "./harness.mjs";
import { ApiNode, freePort } from "./node.mjs";

const N = 120;
let s, node, ids;

const list = async (query = "", headers = {}) => node.ask("GET", `/nodes${query}`, undefined, { headers });

// Octets that no JavaScript string holds, by way of the call data.
async function registerRaw(name) {
	const args = s.f.registration({ name: "n".repeat(name.length), region: "raw" });
	const data = s.f.registry.interface.encodeFunctionData("registerNode", args);
	const hex = ethers.hexlify(ethers.toUtf8Bytes("n".repeat(name.length))).slice(2);
	assert.ok(data.includes(hex));
	await s.chain.rpc("eth_sendTransaction", {
		from: s.f.operator, to: s.f.registry.target, data: data.replace(hex, ethers.hexlify(name).slice(2)), gas: "0x200000",
	});
	await s.chain.rpc("evm_mine");
}

before(async () => {
	s = await Settlement.create();
	ids = [s.f.nodeId];
	for (let i = 1; i < N; i++)
		ids.push(await s.f.register({ name: `exit-${i}`, region: i % 3 === 0 ? "us-east" : "eu-north", pricePerGB: BigInt(i) * 1000n }));
	node = await ApiNode.start(s, { yaml: "  registry_refresh_sec: 1\n" });
	await until("a listing", async () => (await list()).status === 200, 60000);
});

after(async () => {
	await node?.stop("SIGKILL");
	await s?.close();
});

test("all nodes, in pages, as the registry has them", async () => {
	const all = [];
	let next = 0;
	let pages = 0;
	do {
		const reply = await list(`?limit=50&from=${next}`);
		assert.equal(reply.status, 200, reply.text);
		assert.equal(reply.json.chains.length, 1);
		assert.equal(reply.json.chains[0].registered, N);
		assert.equal(reply.json.chains[0].is_stale, false);
		all.push(...reply.json.nodes);
		next = reply.json.next;
		pages++;
	} while (next !== null);
	assert.equal(pages, 3);
	assert.deepEqual(all.map((n) => BigInt(n.node_id)), ids);
	for (const [i, n] of all.entries()) {
		assert.equal(n.is_this_node, i === 0);
		assert.equal(n.price_per_gb, String(i === 0 ? PRICE : BigInt(i) * 1000n));
		assert.equal(n.operator, s.f.operator);
		assert.equal(n.usage_signer, s.f.usageSigner);
		assert.equal(n.wg_public_key, Buffer.from(ethers.getBytes(ethers.id("wireguard"))).toString("base64"));
	}
	assert.equal((await list()).json.nodes.length, 100);
	assert.equal((await list("?from=1000")).json.nodes.length, 0);
});

test("filtered by region and price", async () => {
	const us = (await list("?region=US&limit=500")).json.nodes;
	assert.equal(us.length, ids.filter((_, i) => i > 0 && i % 3 === 0).length);
	assert.ok(us.every((n) => n.region === "us-east"));
	assert.deepEqual((await list("?max_price_per_gb=5000&region=eu-north")).json.nodes.map((n) => n.price_per_gb), ["1000", "2000", "4000", "5000"]);
	assert.equal((await list("?chain_id=1")).json.nodes.length, 0);
	assert.equal((await list(`?chain_id=${s.chain.chainId}&max_price_per_gb=999`)).json.nodes.length, 0);
	for (const [query, field] of [["?max_price_per_gb=cheap", "max_price_per_gb"], ["?max_price_per_gb=-1", "max_price_per_gb"], ["?limit=501", "limit"],
		["?from=x", "from"], ["?chain_id=0x1", "chain_id"]]) {
		const reply = await list(query);
		assert.equal(reply.status, 400, query);
		assert.equal(reply.json.field, field);
	}
});

test("the entity tag holds until the registry changes; then the change is seen", async () => {
	const first = await list("?max_price_per_gb=3000");
	const tag = first.headers.get("etag");
	assert.match(tag, /^"[0-9a-f]+"$/);
	await new Promise((resolve) => setTimeout(resolve, 2500)); // two readings
	assert.equal((await list("?max_price_per_gb=3000", { "if-none-match": tag })).status, 304);
	await s.chain.send(s.f.registry, s.f.operator, "setPrice", [ids[2], ethers.ZeroAddress, 7000n]);
	await s.chain.send(s.f.registry, s.f.operator, "setActive", [ids[3], false]);
	await until("the change", async () => (await list("?max_price_per_gb=3000", { "if-none-match": tag })).status === 200, 30000);
	await until("both", async () => (await list("?max_price_per_gb=3000")).json.nodes.map((n) => n.price_per_gb).join() === "1000", 30000);
	assert.equal((await list("?max_price_per_gb=3000&inactive")).json.nodes.length, 2);
});

test("one entry in hostile octets leaves the others readable", async () => {
	await registerRaw(Uint8Array.of(0x61, 0x00, 0x62));
	await registerRaw(Uint8Array.of(0xff, 0xfe, 0x1b, 0x5b, 0x32, 0x4a));
	await registerRaw(new TextEncoder().encode('","is_active":true'));
	await until("all three", async () => (await list("?region=raw")).json.nodes.length === 3, 30000);
	const names = (await list("?region=raw")).json.nodes.map((n) => n.name);
	assert.deepEqual(names, ["a?b", "???[2J", '","is_active":true']);
	assert.equal((await list("?limit=500")).json.nodes.length, N - 1 + 3);
});

test("a chain that is down leaves the listing, marked stale, until it is back", async () => {
	s.chain.child.kill("SIGSTOP");
	try {
		await until("stale", async () => (await list()).json.chains[0].is_stale === true, 60000);
		const reply = await list("?limit=500");
		assert.equal(reply.status, 200);
		assert.equal(reply.json.nodes.length, N - 1 + 3);
	} finally {
		s.chain.child.kill("SIGCONT");
	}
	await until("fresh", async () => (await list()).json.chains[0].is_stale === false, 90000);
});

test("before the first reading there is no listing, and the node serves", async () => {
	await node.stop();
	node = undefined;
	const other = await Settlement.create();
	try {
		const cold = await ApiNode.start(other, { rpc: `http://127.0.0.1:${await freePort()}` });
		const reply = await cold.ask("GET", "/nodes");
		assert.equal(reply.status, 503);
		assert.ok(Number(reply.headers.get("retry-after")) > 0);
		assert.equal((await cold.ask("GET", "/node")).status, 200);
		assert.deepEqual(await cold.stop(), { code: 0, signal: null });
	} finally {
		await other.close();
	}
});
