// SPDX-License-Identifier: Apache-2.0
//
// twctl verify against a real chain: a session bought there, used through the real tollwire-control, proposed and executed; the usage
// signer and the root come from the chain's events. Then everything that a node could do to the file, or an endpoint to the question:
// each refused with its sentence and exit code.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { structHash, domain, message, TYPES } from "../attest/verifier.mjs";
import { Chain } from "../chain.mjs";
import { Mode, Status } from "../fixture.mjs";
import { Settlement, TOOL, until } from "../driver/harness.mjs";
import { Liar } from "../driver/liar.mjs";
import { ADMIN, ApiNode } from "../driver/node.mjs";

const build = join(dirname(TOOL), "../../..");
const DAY = 86400;
let s, node, standin, id, n, file;

const ask = async (path) => (await node.ask("GET", path, undefined, { token: ADMIN })).json;

function verify(...args) {
	const words = ["--config", node.yaml, "verify", ...args];
	const result = spawnSync(join(build, "controlplane/twctl/twctl"), words, { encoding: "utf8" });
	const json = spawnSync(join(build, "controlplane/twctl/twctl"), [...words, "--json"], { encoding: "utf8" });
	return { status: result.status, text: result.stdout + result.stderr, json: json.stdout.startsWith("{") ? JSON.parse(json.stdout) : null };
}

const chain = (changes = {}) => Object.entries({ rpc: s.chain.url, "chain-id": s.chain.chainId, escrow: s.f.escrow.target, ...changes }).flatMap(([k, v]) => [`--${k}`, `${v}`]);

// The file as it is, with an endpoint that this process is.
async function verifyAt(rpc) {
	const child = spawn(join(build, "controlplane/twctl/twctl"), ["--config", node.yaml, "verify", forged(() => {}), ...chain({ rpc })]);
	let text = "";
	child.stdout.resume();
	child.stderr.setEncoding("utf8").on("data", (d) => (text += d));
	return { status: await new Promise((resolve) => child.on("close", resolve)), text };
}

// A copy of the file that somebody changed; sign says with which key all is signed anew.
function forged(change, sign) {
	const copy = structuredClone(file);
	change(copy);
	if (sign) {
		let previous = ethers.ZeroHash;
		for (const c of copy.checkpoints) {
			c.previous_hash = previous;
			delete c.proof;
			delete c.hash;
			previous = structHash(copy.session_id, c);
			c.signature = sign.signingKey.sign(ethers.TypedDataEncoder.hash(domain(copy.chain_id, copy.escrow), TYPES, message(copy.session_id, c))).serialized;
		}
	}
	const path = join(s.dir, "forged.json");
	writeFileSync(path, typeof copy.text === "string" ? copy.text : JSON.stringify(copy));
	return path;
}

before(async () => {
	s = await Settlement.create();
	node = await ApiNode.start(s, { usage: "  checkpoint_bytes: 1000000\n  checkpoint_interval_sec: 1\n" });
	standin = spawn(join(build, "tests/netns/dp_standin"), [join(node.dir, "run")], { stdio: ["ignore", "pipe", "inherit"] });
	s.pump(100);
	id = await s.f.buy({ mode: Mode.optimistic });
	await until("the purchase", async () => (await node.ask("GET", `/sessions/${id}`, undefined, { token: ADMIN })).status === 200, 30000);
	n = (await ask(`/sessions/${id}`)).id;
	const buyer = Chain.wallet(5);
	const key = Buffer.alloc(32);
	key[0] = 9;
	const issued = Math.floor(Date.now() / 1000);
	const text = `Use this WireGuard key for my tollwire session.\n\nChain ID: ${s.chain.chainId}\nEscrow: ${s.f.escrow.target}\n`
		+ `Node: ${ethers.toBeHex(s.f.nodeId, 32)}\nSession: ${id}\nPublic Key: ${key.toString("base64")}\nIssued At: ${issued}`;
	const reply = await node.ask("POST", `/sessions/${id}/peer`, { public_key: key.toString("base64"), issued_at: issued, signature: await buyer.signMessage(text) });
	assert.equal(reply.status, 200, reply.text);
	await until("eight checkpoints", async () => (await ask(`/sessions/${id}`)).usage.checkpoints >= 8, 60000);
});

after(async () => {
	standin?.kill("SIGKILL");
	await node?.stop("SIGKILL");
	await s?.close();
});

test("before the settlement: chain, signatures and sums; inclusion is not claimed", () => {
	const { status, json, text } = verify("--session", n, ...chain());
	assert.equal(status, 0, text);
	assert.equal(json.verified, true);
	assert.equal(json.root_checked, false);
	assert.match(text, /not on chain yet: inclusion is not checked/);
});

test("proposed, then executed: all are under the root on chain, by --session and by FILE", async () => {
	const reply = await node.ask("POST", `/sessions/${id}/end`, {}, { token: ADMIN });
	assert.equal(reply.status, 200, reply.text);
	await until("the proposal", async () => (await s.f.session(id)).status === Status.proposed, 60000);
	for (const _ of [0, 1]) {
		const { status, json, text } = verify("--session", n, ...chain());
		assert.equal(status, 0, text);
		assert.equal(json.root_checked, true);
		assert.match(text, /all are in the root on chain/);
		if ((await s.f.session(id)).status === Status.settled) break;
		await s.chain.advance(DAY + 60);
		await until("the execution", async () => (await s.f.session(id)).status === Status.settled, 60000);
	}
	const own = (await s.settled()).get(id);
	assert.equal(own.length, 1);
	file = await ask(`/sessions/${id}/checkpoints?from=1&limit=5000`);
	assert.equal(own[0].bytesUsed, BigInt(file.total_out_bytes) + BigInt(file.total_in_bytes));
	const { status, json, text } = verify(forged(() => {}), ...chain());
	assert.equal(status, 0, text);
	assert.equal(json.root_checked, true);
	assert.equal(json.checkpoints, file.checkpoints.length);
});

const CASES = {
	"another signer, all consistent": ["signature", () => forged(() => {}, ethers.Wallet.createRandom())],
	"the signer itself, another byte count": ["root", () => forged((f) => {
		const last = f.checkpoints.at(-1);
		f.total_out_bytes = last.out_bytes = Number(last.out_bytes) + 1000;
	}, Chain.wallet(9))],
	"the signer itself, the last checkpoint left out": ["root", () => forged((f) => {
		f.checkpoints.pop();
		f.total_out_bytes = f.checkpoints.at(-1).out_bytes;
		f.total_in_bytes = f.checkpoints.at(-1).in_bytes;
	}, Chain.wallet(9))],
	"the last checkpoint left out": ["sum", () => forged((f) => f.checkpoints.pop())],
	"one in the middle left out": ["chain", () => forged((f) => f.checkpoints.splice(3, 1))],
	"totals that are not those": ["sum", () => forged((f) => { f.total_in_bytes = Number(f.total_in_bytes) + 1; })],
	"a page for the whole": ["sum", () => forged((f) => { f.next_sequence = f.checkpoints.length + 1; })],
	"cut in the middle": ["format", () => forged((f) => { f.text = JSON.stringify(file).slice(0, 700); })],
	"empty": ["format", () => forged((f) => { f.text = ""; })],
	"no checkpoint": ["empty", () => forged((f) => { f.checkpoints = []; })],
};

for (const [name, [fault, make]] of Object.entries(CASES)) {
	test(`refused: ${name}`, () => {
		const { status, json, text } = verify(make(), ...chain());
		assert.equal(status, 1, text);
		assert.equal(json.verified, false);
		assert.equal(json.fault, fault, text);
		assert.match(text, new RegExp(`NOT verified \\(${fault}\\): .{10,}`));
	});
}

test("a file that names another session, chain or escrow is not what was asked for", () => {
	for (const [change, args, sentence] of [
		[(f) => { f.session_id = ethers.id("x"); }, [], /the escrow contract knows no such session/],
		[(f) => { f.chain_id = 1; }, [], /of another chain or escrow contract/],
		[(f) => { f.escrow = ethers.Wallet.createRandom().address; }, [], /of another chain or escrow contract/],
		[() => {}, ["--session-id", ethers.id("x")], /of another session/],
	]) {
		const { status, text } = verify(forged(change), ...chain(), ...args);
		assert.equal(status, 1, text);
		assert.match(text, sentence);
	}
});

test("endpoints that are down, of another chain, or that show other logs", async () => {
	for (const [args, status, sentence] of [
		[chain({ rpc: "http://127.0.0.1:1" }), 1, /the chain cannot be asked: /],
		[chain({ "chain-id": 5 }), 1, /of another chain or escrow contract/],
		[["--rpc", s.chain.url], 2, /--rpc needs --chain-id N and --escrow/],
		[[], 2, /must not come from the file/],
	]) {
		const result = verify(forged(() => {}), ...args);
		assert.equal(result.status, status, result.text);
		assert.match(result.text, sentence);
	}
	const lie = async (change) => {
		const server = createServer(async (request, response) => {
			let body = "";
			for await (const chunk of request) body += chunk;
			const reply = await (await fetch(s.chain.url, { method: "POST", headers: { "content-type": "application/json" }, body })).text();
			response.writeHead(200, { "content-type": "application/json" }).end(change(reply));
		});
		await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
		const result = await verifyAt(`http://127.0.0.1:${server.address().port}`);
		server.closeAllConnections();
		server.close();
		return result;
	};
	const other = ethers.Wallet.createRandom().address.toLowerCase();
	const elsewhere = await lie((reply) => reply.replaceAll(`"address":"${s.f.escrow.target.toLowerCase()}"`, `"address":"${other}"`));
	assert.equal(elsewhere.status, 1);
	assert.match(elsewhere.text, /the chain cannot be asked: an answer that is not what was asked for/);
	const foreign = await lie((reply) => reply.replace('"0x7a69"', '"0x1"'));
	assert.equal(foreign.status, 1);
	assert.match(foreign.text, /the chain cannot be asked: /);
	const broken = await lie((reply) => reply.slice(0, -20));
	assert.equal(broken.status, 1);
	assert.match(broken.text, /the chain cannot be asked: /);
});

test("an endpoint that shows few blocks at a time", async () => {
	await s.chain.rpc("anvil_mine", "0x100");
	const liar = await Liar.start(s.chain.url, "short_ranges");
	const { status, text } = await verifyAt(liar.url);
	liar.stop();
	assert.equal(status, 0, text);
	assert.ok(liar.calls > 10, `${liar.calls} questions`);
});
