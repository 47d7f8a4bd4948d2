// SPDX-License-Identifier: Apache-2.0
//
// twctl verify against an independent verifier on 1,000 random files, half of them corrupted: both must say the same about every
// one, "right" of every sound file and the name of a fault of every corrupted one. And the Merkle tree alone, by root and by
// every proof, for random sizes. TOLLWIRE_SEED repeats a run.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { ethers } from "ethers";
import { domain, LEAF, leafOf, message, structHash, TYPES, verify } from "./verifier.mjs";

const build = process.env.TOLLWIRE_BUILD ?? join(dirname(fileURLToPath(import.meta.url)), "../../../build");
const TWCTL = join(build, "controlplane/twctl/twctl");
const TREES = join(build, "tests/evm/attest/merkle_cases");
const FILES = 1000;
const SEED = Number(process.env.TOLLWIRE_SEED ?? Math.floor(Math.random() * 2 ** 32));
console.log(`# TOLLWIRE_SEED=${SEED}`);

let state = SEED >>> 0;
function random() {
	state = (state + 0x6d2b79f5) >>> 0;
	let t = Math.imul(state ^ (state >>> 15), state | 1);
	t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
	return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const bytes = (n) => ethers.hexlify(Uint8Array.from({ length: n }, () => below(256)));
const count = (v) => (v <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(v) : v.toString());
const dir = mkdtempSync(join(tmpdir(), "tollwire-verify-"));
after(() => rmSync(dir, { recursive: true, force: true }));

function sign(wallet, file, c) {
	const digest = ethers.TypedDataEncoder.hash(domain(file.chain_id, file.escrow), TYPES, message(file.session_id, c));
	return wallet.signingKey.sign(digest).serialized;
}

function soundFile(wallet) {
	const chain = random() < 0.7;
	const file = {
		format: "tollwire-checkpoints-1",
		chain_id: chain ? 1 + below(100000) : 0,
		...(chain ? { escrow: bytes(20) } : {}),
		session_id: bytes(32),
		checkpoints: [],
	};
	let out = 0n;
	let inn = 0n;
	let time = 1700000000 + below(1e6);
	let previous = ethers.ZeroHash;
	for (let i = 1, n = 1 + below(pick([1, 4, 12, 40])); i <= n; i++) {
		out += BigInt(below(2 ** 32)) * BigInt(pick([0, 1, 1, 2 ** 28]));
		inn += BigInt(below(2 ** 32));
		time += below(90);
		const c = { sequence: i, out_bytes: count(out), in_bytes: count(inn), time_unix_sec: time, previous_hash: previous };
		previous = structHash(file.session_id, c);
		if (random() < 0.5) c.hash = previous;
		c.signature = sign(wallet, file, c);
		file.checkpoints.push(c);
	}
	file.total_out_bytes = count(out);
	file.total_in_bytes = count(inn);
	if (random() < 0.3) file.next_sequence = null;
	const tree = StandardMerkleTree.of(file.checkpoints.map((c) => leafOf(file.session_id, c)), LEAF);
	if (random() < 0.5) for (const [i, c] of file.checkpoints.entries()) c.proof = tree.getProof(i);
	return { file, root: tree.root, signer: wallet.address };
}

const flip = (hex) => {
	const at = 2 + below(hex.length - 2);
	const digit = (parseInt(hex[at], 16) ^ (1 + below(15))).toString(16);
	return hex.slice(0, at) + digit + hex.slice(at + 1);
};
const nudge = (v) => count(BigInt(v) + BigInt(1 + below(1000)));
const malleable = (signature) => {
	const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
	const s = n - BigInt(`0x${signature.slice(66, 130)}`);
	const v = signature.slice(130) === "1b" ? "1c" : "1b";
	return signature.slice(0, 66) + ethers.toBeHex(s, 32).slice(2) + v;
};

// Each makes a sound case wrong. Where nothing can be done (one checkpoint only), another is drawn.
const CORRUPTIONS = [
	({ file }) => { const c = pick(file.checkpoints); const name = pick(["out_bytes", "in_bytes", "time_unix_sec", "sequence"]); c[name] = nudge(c[name]); },
	({ file }) => { const c = pick(file.checkpoints); c.signature = flip(c.signature); },
	({ file }) => { const c = pick(file.checkpoints); c.signature = malleable(c.signature); },
	({ file }) => { const c = pick(file.checkpoints); c.previous_hash = flip(c.previous_hash); },
	({ file }) => { const c = pick(file.checkpoints); c.hash = flip(structHash(file.session_id, c)); },
	({ file }) => { file.session_id = flip(file.session_id); },
	({ file }) => { file.total_out_bytes = nudge(file.total_out_bytes); },
	({ file }) => { file.total_in_bytes = nudge(file.total_in_bytes); },
	({ file }) => { file.chain_id = file.chain_id === 0 ? 0.5 : file.chain_id + 1; },
	({ file }) => { if (file.escrow === undefined) return false; file.escrow = flip(file.escrow); },
	({ file }) => { file.checkpoints.splice(below(file.checkpoints.length), 1); },
	({ file }) => { file.checkpoints.push(structuredClone(pick(file.checkpoints))); },
	({ file }) => { if (file.checkpoints.length < 2) return false; file.checkpoints.reverse(); },
	({ file }) => { const c = pick(file.checkpoints); if (!c.proof?.length) return false; const i = below(c.proof.length); c.proof[i] = flip(c.proof[i]); },
	({ file }) => { const c = pick(file.checkpoints); if (!c.proof) return false; c.proof.push(bytes(32)); },
	({ file }) => { file.next_sequence = file.checkpoints.length + 1; },
	({ file }) => { file.checkpoints = []; },
	({ file }) => { delete pick(file.checkpoints).signature; },
	({ file }) => { pick(file.checkpoints).comment = "x"; },
	({ file }) => { file.format = "tollwire-checkpoints-2"; },
	(c) => { c.root = flip(c.root); },
	(c) => { c.signer = ethers.Wallet.createRandom().address; },
	// Signed again by the node after the fact, all consistent: only the root on chain gives it away.
	(c, wallet) => {
		const { file } = c;
		const last = file.checkpoints.at(-1);
		last.out_bytes = nudge(last.out_bytes);
		last.signature = sign(wallet, file, last);
		file.total_out_bytes = last.out_bytes;
		delete last.hash;
		for (const one of file.checkpoints) delete one.proof;
	},
	(c) => { c.text = (text) => text.slice(0, below(text.length)); },
	(c) => { c.text = (text) => `${text}x`; },
];

function run(args) {
	return new Promise((resolve, reject) => {
		const child = spawn(TWCTL, args);
		let out = "";
		child.stdout.setEncoding("utf8").on("data", (data) => (out += data));
		child.stderr.resume();
		child.on("error", reject);
		child.on("close", (status) => resolve({ status, out }));
	});
}

test("1,000 random files, half of them corrupted", async () => {
	const wallet = new ethers.Wallet(bytes(32));
	const seen = new Map();
	const judge = async (i) => {
		const c = soundFile(wallet);
		const corrupt = i % 2 === 1;
		let which = -1;
		if (corrupt) {
			do which = below(CORRUPTIONS.length);
			while (CORRUPTIONS[which](c, wallet) === false);
		}
		const text = (c.text ?? ((t) => t))(JSON.stringify(c.file));
		const path = join(dir, `${i}.json`);
		writeFileSync(path, text);
		const { status, out } = await run(["verify", path, "--signer", c.signer, "--root", c.root, "--json"]);
		const theirs = verify(text, { signer: c.signer, root: c.root });
		const ours = JSON.parse(out);
		const label = `file ${i}, corruption ${which}: ${out.trim()}`;
		assert.equal(ours.fault ?? "none", theirs, label);
		assert.equal(theirs !== "none", corrupt, label);
		assert.equal(status, corrupt ? 1 : 0, label);
		if (!corrupt) assert.equal(ours.root, c.root);
		seen.set(theirs, (seen.get(theirs) ?? 0) + 1);
		rmSync(path);
	};
	for (let i = 0; i < FILES; i += 8) await Promise.all(Array.from({ length: Math.min(8, FILES - i) }, (_, k) => judge(i + k)));
	console.log(`# ${[...seen].map(([fault, n]) => `${fault} ${n}`).join(", ")}`);
	assert.equal(seen.get("none"), FILES / 2);
	for (const fault of ["format", "empty", "chain", "signature", "sum", "proof", "root"]) assert.ok(seen.get(fault) > 0, `no file had ${fault}`);
});

test("what is trusted never comes from the file", async () => {
	const c = soundFile(new ethers.Wallet(bytes(32)));
	const path = join(dir, "trust.json");
	writeFileSync(path, JSON.stringify(c.file));
	for (const args of [[], ["--signer", c.signer], ["--root", c.root], ["--rpc", "http://127.0.0.1:1"]]) {
		assert.equal((await run(["verify", path, ...args])).status, 2, args.join(" "));
	}
	const unsettled = await run(["verify", path, "--signer", c.signer, "--root", "none", "--json"]);
	assert.equal(unsettled.status, 0);
	assert.equal(JSON.parse(unsettled.out).root_checked, false);
	const other = await run(["verify", path, "--signer", c.signer, "--root", c.root, "--session-id", bytes(32)]);
	assert.equal(other.status, 1);
	assert.equal((await run(["verify", path, "--signer", c.signer, "--root", c.root, "--session-id", c.file.session_id])).status, 0);
});

test("the tree: root and every proof of random sizes", () => {
	const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, ...Array.from({ length: 30 }, () => 1 + below(400))];
	const cases = sizes.map((n) => {
		const id = bytes(32);
		const values = Array.from({ length: n }, (_, i) => [id, i + 1, BigInt(bytes(8)), BigInt(bytes(7)), BigInt(bytes(5)), bytes(32)]);
		return { values, tree: StandardMerkleTree.of(values, LEAF) };
	});
	const input = cases.map(({ values }) => [values.length, ...values.flat()].join(" ") + "\n").join("");
	const result = spawnSync(TREES, { input, encoding: "utf8", maxBuffer: 1 << 28 });
	assert.equal(result.status, 0, result.stderr);
	const lines = result.stdout.trimEnd().split("\n");
	assert.equal(lines.length, cases.length);
	for (const [i, { values, tree }] of cases.entries()) {
		const [root, ...proofs] = lines[i].split(" ");
		assert.equal(root, tree.root);
		assert.equal(proofs.length, values.length);
		values.forEach((value, k) => {
			const proof = proofs[k] === "-" ? [] : proofs[k].split(",");
			assert.deepEqual(proof, tree.getProof(k));
			assert.ok(StandardMerkleTree.verify(root, LEAF, value, proof));
		});
	}
});
