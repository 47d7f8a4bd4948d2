// SPDX-License-Identifier: Apache-2.0
//
// Signing in at the real tollwire-control with wallets of ethers: the token it gives, and every credential that is wrong, expired,
// replayed or another's.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ethers } from "ethers";

const build = process.env.TOLLWIRE_BUILD;
const dir = mkdtempSync(join(tmpdir(), "auth-"));
const DOMAIN = "node.example:8443";
let control, log = "", url;

before(async () => {
	const server = createServer();
	const port = await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
	await new Promise((resolve) => server.close(resolve));
	for (const name of ["run", "state"]) mkdirSync(join(dir, name));
	writeFileSync(join(dir, "state/admin.token"), "0123456789abcdef0123456789abcdef\n", { mode: 0o600 });
	writeFileSync(join(dir, "node.yaml"), `node:
  name: test-node
  endpoint: 192.0.2.2:51820
  runtime_dir: ${dir}/run
  state_dir: ${dir}/state
ports:
  - {name: wan, devargs: "net_ring0", role: both, address: 198.51.100.2/24, gateway: 198.51.100.1}
store:
  map_size_mb: 16
api:
  listen: 127.0.0.1:${port}
  requests_per_minute: 100000
  auth_domains: ["${DOMAIN}"]
`);
	url = `http://127.0.0.1:${port}/api/v1`;
	control = spawn(join(build, "controlplane/tollwire-control"), ["--config", join(dir, "node.yaml")]);
	control.stderr.on("data", (d) => (log += d));
	for (let i = 0; i < 1200; i++) {
		if (await fetch(`${url}/node`).then((r) => r.ok, () => false)) return;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	throw new Error(log);
});

after(() => {
	control.kill();
	rmSync(dir, { recursive: true });
});

async function ask(method, path, body, token) {
	const headers = {};
	if (body !== undefined) headers["content-type"] = "application/json";
	if (token !== undefined) headers.authorization = `Bearer ${token}`;
	const reply = await fetch(url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
	const text = await reply.text();
	return { status: reply.status, headers: reply.headers, json: text === "" ? null : JSON.parse(text) };
}

const challenge = async () => (await ask("POST", "/auth/challenge")).json.challenge;
const time = (sec) => new Date(Date.now() + 1000 * sec).toISOString();

async function message(wallet, change = {}) {
	const f = {
		domain: DOMAIN, address: wallet.address, statement: "Sign in to your tunnel.", uri: `https://${DOMAIN}/`, version: "1",
		chain: "31337", nonce: change.nonce ?? await challenge(), issued: time(0), more: "", ...change,
	};
	return `${f.domain} wants you to sign in with your Ethereum account:\n${f.address}\n\n${f.statement}\n\nURI: ${f.uri}\n`
		+ `Version: ${f.version}\nChain ID: ${f.chain}\nNonce: ${f.nonce}\nIssued At: ${f.issued}${f.more}`;
}

async function sign_in(wallet, text) {
	return ask("POST", "/auth", { message: text, signature: await wallet.signMessage(text) });
}

test("a wallet gets a token for an hour, which opens what is a buyer's and nothing else", async () => {
	const wallet = ethers.Wallet.createRandom();
	for (const change of [{}, { more: `\nExpiration Time: ${time(60)}\nNot Before: ${time(-60)}\nRequest ID: 7` }]) {
		const text = await message(wallet, change);
		const before = Math.floor(Date.now() / 1000);
		const reply = await sign_in(wallet, text);
		assert.equal(reply.status, 200, JSON.stringify(reply.json));
		assert.equal(reply.json.buyer, wallet.address);
		assert.equal(reply.json.token_type, "Bearer");
		assert.match(reply.json.token, /^[0-9a-f]{64}$/);
		const from = reply.json.expires_unix_sec - 3600;
		assert.ok(from >= before && from <= Date.now() / 1000, `for an hour from ${from}, asked at ${before}`);
		assert.equal(reply.headers.get("cache-control"), "no-store");
		for (const [method, path] of [["GET", "/status"], ["GET", "/sessions"], ["GET", "/settlements"], ["POST", "/sessions"]])
			assert.equal((await ask(method, path, undefined, reply.json.token)).status, 403, path);
	}
	assert.equal((await ask("GET", "/status", undefined, "0123456789abcdef0123456789abcdef")).status, 200);
	// A session that the admin made belongs to no buyer, and looks like none.
	const admin = "0123456789abcdef0123456789abcdef";
	const made = await ask("POST", "/sessions", { name: "admins", generate_key: true, quota_bytes: 1000, duration_sec: 60 }, admin);
	assert.equal(made.status, 201);
	const token = (await sign_in(wallet, await message(wallet))).json.token;
	for (const path of ["", "/config", "/checkpoints"]) {
		const foreign = await ask("GET", `/sessions/admins${path}`, undefined, token);
		const missing = await ask("GET", `/sessions/nobody${path}`, undefined, token);
		assert.deepEqual([foreign.status, missing.status], [404, 404]);
		assert.equal(foreign.json.detail.replace("admins", "nobody"), missing.json.detail);
	}
	// What comes from a proxy's log must not hold a secret.
	assert.doesNotMatch(log, /[0-9a-f]{64}/);
});

test("a replayed, foreign, forged or stale message is refused", async () => {
	const wallet = ethers.Wallet.createRandom();
	const other = ethers.Wallet.createRandom();
	const good = await message(wallet);
	assert.equal((await sign_in(wallet, good)).status, 200);
	const rows = [
		["replayed", wallet, good, "message", /used before/],
		["the same challenge in another message", other, (await message(other, { nonce: good.match(/Nonce: (.*)/)[1] })), "message", /used before/],
		["another's signature", other, await message(wallet), "signature", /not the address's/],
		["another domain", wallet, await message(wallet, { domain: "evil.example" }), "message", /another domain/],
		["the domain without its port", wallet, await message(wallet, { domain: "node.example" }), "message", /another domain/],
		["another URI", wallet, await message(wallet, { uri: "https://evil.example/" }), "message", /URI is of another/],
		["no URI of a host", wallet, await message(wallet, { uri: "urn:x" }), "message", /URI is of another/],
		["a challenge of nobody", wallet, await message(wallet, { nonce: "ab".repeat(24) }), "message", /not one of this node/],
		["issued long ago", wallet, await message(wallet, { issued: time(-600) }), "message", /too old/],
		["issued in the future", wallet, await message(wallet, { issued: time(600) }), "message", /future/],
		["expired", wallet, await message(wallet, { more: `\nExpiration Time: ${time(-1)}` }), "message", /has expired/],
		["not valid yet", wallet, await message(wallet, { more: `\nNot Before: ${time(60)}` }), "message", /not valid yet/],
		["chain 0", wallet, await message(wallet, { chain: "0" }), "message", /chain 0/],
	];
	for (const [name, signer, text, field, detail] of rows) {
		const reply = await sign_in(signer, text);
		assert.equal(reply.status, 401, name);
		assert.equal(reply.json.field, field, name);
		assert.match(reply.json.detail, detail, name);
		assert.equal(reply.headers.get("content-type"), "application/problem+json");
	}
});

test("a failed attempt does not use up the challenge", async () => {
	const wallet = ethers.Wallet.createRandom();
	const text = await message(wallet);
	assert.equal((await sign_in(ethers.Wallet.createRandom(), text)).status, 401);
	assert.equal((await sign_in(wallet, text)).status, 200);
	assert.equal((await sign_in(wallet, text)).status, 401);
});

test("of every flipped bit of a signature none is accepted", async () => {
	const wallet = ethers.Wallet.createRandom();
	const text = await message(wallet);
	const signature = ethers.getBytes(await wallet.signMessage(text));
	for (let bit = 0; bit < 8 * signature.length; bit += 3) {
		const bad = Uint8Array.from(signature);
		bad[bit >> 3] ^= 1 << (bit & 7);
		assert.equal((await ask("POST", "/auth", { message: text, signature: ethers.hexlify(bad) })).status, 401, `bit ${bit}`);
	}
	// The other half of the curve's symmetry: s' = n - s is the same signature made by somebody else (EIP-2).
	const s = ethers.Signature.from(ethers.hexlify(signature));
	const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
	const high = s.r + ethers.toBeHex(n - BigInt(s.s), 32).slice(2) + (s.v === 27 ? "1c" : "1b");
	assert.equal((await ask("POST", "/auth", { message: text, signature: high })).status, 401);
	assert.equal((await ask("POST", "/auth", { message: text, signature: ethers.hexlify(signature) })).status, 200);
});

test("bodies that are none are a 400 and say why", async () => {
	const wallet = ethers.Wallet.createRandom();
	const text = await message(wallet);
	const signature = await wallet.signMessage(text);
	const rows = [
		[{}, "message"], [{ message: text }, "signature"], [{ signature, message: 7 }, "message"], [{ message: "", signature }, "message"],
		[{ message: text, signature: signature.slice(2) }, "signature"], [{ message: text, signature: signature + "00" }, "signature"],
		[{ message: text, signature: "0x" }, "signature"], [{ message: text, signature, more: 1 }, "more"],
		[{ message: "x".repeat(5000), signature }, "message"], [{ message: text + "\n", signature }, "message"],
		[{ message: text.replace(wallet.address, wallet.address.toLowerCase()), signature }, "message"],
	];
	for (const [body, field] of rows) {
		const reply = await ask("POST", "/auth", body);
		assert.equal(reply.status, 400, JSON.stringify(body));
		assert.equal(reply.json.field, field, JSON.stringify(reply.json));
	}
});
