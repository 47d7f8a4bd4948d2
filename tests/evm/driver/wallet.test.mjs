// SPDX-License-Identifier: Apache-2.0
//
// Wallets that are contracts, at the real tollwire-control on a real node: signing in and choosing a session's key by ERC-1271;
// contracts that refuse, burn gas, answer with something else; a chain that is silent; a client that does not wait.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { mocks } from "../chain.mjs";
import { Fixture } from "../fixture.mjs";
import { GB, PRICE, Settlement, until } from "./harness.mjs";
import { ApiNode } from "./node.mjs";

const Behaviour = { Owner: 0, Revert: 1, BurnGas: 2, WrongWord: 3, TwoWords: 4, DirtyWord: 5 };
const owner = ethers.Wallet.createRandom();
const sessionKey = ethers.Wallet.createRandom();
let s, node, proxy, wallet, session;

// Passes JSON-RPC through to the chain; eth_call as `mode` says: "pass", or "hang".
class Proxy {
	static async start(target) {
		const p = new Proxy();
		p.mode = "pass";
		p.calls = 0;
		p.held = [];
		p.server = createServer(async (request, response) => {
			let body = "";
			for await (const chunk of request) body += chunk;
			if (body.includes('"eth_call"')) {
				p.calls++;
				if (p.mode === "hang") await new Promise((resolve) => p.held.push(resolve));
			}
			try {
				const reply = await fetch(target, { method: "POST", headers: { "content-type": "application/json" }, body });
				response.writeHead(reply.status, { "content-type": "application/json" }).end(await reply.text());
			} catch {
				response.destroy();
			}
		});
		await new Promise((resolve) => p.server.listen(0, "127.0.0.1", resolve));
		p.url = `http://127.0.0.1:${p.server.address().port}`;
		return p;
	}

	release() {
		this.mode = "pass";
		for (const go of this.held.splice(0)) go();
	}

	stop() {
		this.release();
		this.server.closeAllConnections();
		this.server.close();
	}
}

before(async () => {
	s = await Settlement.create();
	proxy = await Proxy.start(s.chain.url);
	wallet = await s.chain.deploy(mocks().Wallet, [owner.address]);
	node = await ApiNode.start(s, { rpc: proxy.url });
	s.pump(50);
	const order = await s.f.order({ voucherSigner: sessionKey.address, salt: ethers.hexlify(randomBytes(32)) });
	const data = s.f.escrow.interface.encodeFunctionData("createSession", Fixture.args(order));
	await s.chain.send(wallet, s.f.buyer, "run", [s.f.escrow.target, data], { value: BigInt(order.dataGB) * PRICE });
	session = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(
		["uint256", "address", "address", "bytes32"], [s.chain.chainId, s.f.escrow.target, wallet.target, order.salt]));
	assert.equal((await s.f.session(session)).buyer, wallet.target);
	await until("the session at the node", async () => (await node.ask("GET", `/sessions/${session}`, undefined, { token: "0123456789abcdef0123456789abcdef" })).status === 200, 30000);
});

after(async () => {
	await node?.stop("SIGKILL");
	proxy?.stop();
	await s?.close();
});

// What the test's wallet takes for its signature.
const padded = (signature) => signature + "00".repeat(31);
const behave = (name) => s.chain.send(wallet, s.f.buyer, "set", [Behaviour[name]]);
const sign = async (text, by = owner) => padded(await by.signMessage(text));
const signIn = async (change = {}) => {
	const message = change.message ?? await node.message(wallet.target, change);
	return node.ask("POST", "/auth", { message, signature: change.signature ?? await sign(message, change.by) }, change.options);
};

test("a contract wallet signs in, and its token opens its session", async () => {
	const reply = await signIn();
	assert.equal(reply.status, 200, reply.text);
	assert.equal(reply.json.buyer, wallet.target);
	const own = await node.ask("GET", `/sessions/${session}`, undefined, { token: reply.json.token });
	assert.equal(own.status, 200, own.text);
	assert.equal(own.json.name !== undefined, true);
});

test("of another owner, of no contract, of another message: refused", async () => {
	const nobody = ethers.Wallet.createRandom();
	const rows = [
		["another owner", { by: ethers.Wallet.createRandom() }],
		["another message's signature", { signature: await sign("something else") }],
		["an account's signature under a contract's address", { signature: "0x" + "11".repeat(65) }],
		["nothing signed", { signature: "0x" }],
		["an address without code", { message: await node.message(nobody.address) }],
		["a contract that is no wallet", { message: await node.message(s.f.escrow.target) }],
	];
	for (const [name, change] of rows) {
		const reply = await signIn(change);
		assert.equal(reply.status, 401, `${name}: ${reply.text}`);
		assert.equal(reply.json.field, "signature", name);
		assert.equal(reply.headers.get("www-authenticate"), "Bearer", name);
	}
	assert.equal((await signIn({ chain: "1" })).status, 401, "a chain that the node does not sell on");
	assert.equal((await signIn({ signature: "0x" + "11".repeat(4097) })).status, 400, "too long");
	assert.equal((await signIn({ signature: "0x1" })).status, 400, "half an octet");
});

test("a challenge is good once, also for two at a time", async () => {
	const message = await node.message(wallet.target);
	const replies = await Promise.all([1, 2, 3].map(() => signIn({ message })));
	assert.deepEqual(replies.map((r) => r.status).sort(), [200, 401, 401]);
	assert.equal((await signIn({ message })).status, 401);
});

test("wallets that misbehave are no reason to let anybody in", async () => {
	for (const name of ["Revert", "BurnGas", "WrongWord", "TwoWords", "DirtyWord"]) {
		await behave(name);
		const message = await node.message(wallet.target);
		const reply = await signIn({ message });
		assert.equal(reply.status, 401, `${name}: ${reply.text}`);
		await behave("Owner");
		assert.equal((await signIn({ message })).status, 200, `after ${name}`);
	}
});

test("a silent chain is a 503, others are served meanwhile, and who hangs up disturbs nobody", async () => {
	proxy.mode = "hang";
	const before = proxy.calls;
	const impatient = new AbortController();
	const gone = signIn({ options: { signal: impatient.signal } }).catch((error) => error.name);
	await until("a question", () => proxy.calls > before, 30000);
	const waiting = Array.from({ length: 12 }, () => signIn());
	impatient.abort();
	assert.equal(await gone, "AbortError");
	const first = await Promise.race(waiting);
	assert.equal(first.status, 503, first.text);
	assert.equal((await node.ask("GET", "/node")).status, 200);
	const account = ethers.Wallet.createRandom();
	await node.signIn(account);
	const replies = await Promise.all(waiting);
	assert.ok(replies.every((r) => r.status === 503), replies.map((r) => r.text).join());
	assert.ok(replies.some((r) => /too many questions/.test(r.json.detail)), "none was refused at once");
	assert.ok(replies.some((r) => /not answered in time/.test(r.json.detail)), "none has waited");
	assert.ok(replies.every((r) => Number(r.headers.get("retry-after")) > 0));
	proxy.release();
	await until("the chain again", async () => (await signIn()).status === 200, 60000);
});

// ---- POST /peer -----------------------------------------------------------------------------

const key = () => randomBytes(32).toString("base64");

async function peer(publicKey, { signers = [owner], issued = Math.floor(Date.now() / 1000), change = (text) => text, encode = padded } = {}) {
	const text = `Use this WireGuard key for my tollwire session.\n\nChain ID: ${s.chain.chainId}\nEscrow: ${s.f.escrow.target}\n`
		+ `Node: ${ethers.toBeHex(s.f.nodeId, 32)}\nSession: ${session}\nPublic Key: ${publicKey}\nIssued At: ${issued}`;
	const signature = encode(await signers[0].signMessage(change(text)));
	const post = () => node.ask("POST", `/sessions/${session}/peer`, { public_key: publicKey, issued_at: issued, signature });
	let reply = await post();
	// As it says: the chain was slow, or is asked again only after a while.
	for (let i = 0; i < 10 && reply.status === 503; i++) {
		await new Promise((resolve) => setTimeout(resolve, 1000));
		reply = await post();
	}
	return reply;
}

test("a contract wallet chooses its session's key", async () => {
	const now = Math.floor(Date.now() / 1000);
	const first = key();
	let reply = await peer(first, { issued: now - 20 });
	assert.equal(reply.status, 200, reply.text);
	assert.equal(reply.json.public_key, first);
	reply = await peer(first, { issued: now - 20 });
	assert.equal(reply.status, 200, "the same again changes nothing");
	reply = await peer(key(), { issued: now - 20 });
	assert.equal(reply.status, 409, reply.text);
	assert.match(reply.json.type, /replayed-proof/);
	reply = await peer(key(), { issued: now - 1000 });
	assert.match(reply.json.type, /stale-proof/);
	reply = await peer(key(), { issued: now - 10, signers: [ethers.Wallet.createRandom()] });
	assert.equal(reply.status, 403, reply.text);
	assert.match(reply.json.type, /wrong-signer/);
	reply = await peer(key(), { issued: now - 10, change: (text) => text.replace(session, ethers.ZeroHash) });
	assert.equal(reply.status, 403, reply.text);
	// The session key is an account: its signature needs no question.
	const calls = proxy.calls;
	const second = key();
	reply = await peer(second, { issued: now - 5, signers: [sessionKey], encode: (x) => x });
	assert.equal(reply.status, 200, reply.text);
	assert.equal(proxy.calls, calls);
	reply = await peer(key(), { issued: now - 15 });
	assert.equal(reply.status, 409, "older than the newest");
});

test("a stop while questions wait answers them and ends well", async () => {
	proxy.mode = "hang";
	const before = proxy.calls;
	const waiting = [signIn(), signIn()];
	await until("a question", () => proxy.calls > before, 30000);
	const end = node.stop();
	const replies = await Promise.all(waiting.map((p) => p.catch((error) => ({ status: 0, error }))));
	assert.deepEqual(await end, { code: 0, signal: null }, node.log);
	assert.ok(replies.every((r) => r.status === 0 || r.status === 503));
	proxy.release();
});
