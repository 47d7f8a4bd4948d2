// SPDX-License-Identifier: Apache-2.0
//
// Holds the C encoders against ethers, an independent client library: thousands of random cases of each kind, made from a seed
// that is printed, so that a failure can be repeated with TOLLWIRE_SEED. The C side is encoder_cases; both sides get the same
// values and must give the same bytes. ethers also opens the keystores that C seals, and C those of ethers.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ethers } from "ethers";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const PROGRAM = join(process.env.TOLLWIRE_BUILD ?? join(root, "build"), "tests/evm/driver/encoder_cases");
const SEED = Number(process.env.TOLLWIRE_SEED ?? Math.floor(Math.random() * 2 ** 32));
console.log(`# TOLLWIRE_SEED=${SEED}`);

// mulberry32: small, fast, repeatable.
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
const word = (value) => ethers.toBeHex(value, 32);
const hex_text = (text) => ethers.hexlify(ethers.toUtf8Bytes(text));

// Numbers of every length up to `bits`, with the edges more often than chance would have them.
function number(bits) {
	switch (below(8)) {
	case 0:
		return pick([0n, 1n, 127n, 128n, 255n, 256n]) & ((1n << BigInt(bits)) - 1n);
	case 1:
		return (1n << BigInt(bits)) - 1n;
	default:
		return BigInt(bytes(32)) >> BigInt(256 - 1 - below(bits));
	}
}

function length() {
	return pick([0, 1, 2, 31, 32, 33, 55, 56, 57, 64, 65, 135, 136, 137, 255, 256, 257, below(600)]);
}

function key() {
	const k = bytes(32);
	return BigInt(k) === 0n || BigInt(k) >= 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n ? key() : k;
}

// Runs all cases in one process; answers are compared one by one.
function compare(cases) {
	const run = spawnSync(PROGRAM, { input: cases.map((c) => c.line + "\n").join(""), encoding: "utf8", maxBuffer: 1 << 30 });
	assert.equal(run.error, undefined, `${PROGRAM}: build it first, or set TOLLWIRE_BUILD`);
	assert.equal(run.status, 0, run.stderr);
	const answers = run.stdout.split("\n");
	assert.equal(answers.length, cases.length + 1);
	cases.forEach((c, i) => assert.equal(answers[i], c.expected, c.line.slice(0, 2000)));
}

function many(n, make) {
	return Array.from({ length: n }, (_, i) => make(i));
}

test("Keccak-256 of every length to 1,000 and beyond", () => {
	compare(many(1200, (i) => {
		const data = bytes(i < 1000 ? i : below(20000));
		return { line: `keccak ${data}`, expected: ethers.keccak256(data) };
	}));
});

test("EIP-55", () => {
	compare(many(5000, () => {
		const address = bytes(20);
		return { line: `address ${address}`, expected: ethers.getAddress(address) };
	}));
});

test("RLP", () => {
	const value = (depth) => (depth < 5 && random() < 0.35 ? many(below(7), () => value(depth + 1)) : bytes(length()));
	const tokens = (v) => (Array.isArray(v) ? ["[", ...v.flatMap(tokens), "]"] : [v]);
	compare(many(3000, () => {
		const v = value(0);
		return { line: `rlp ${tokens(v).join(" ")}`, expected: ethers.encodeRlp(v) };
	}));
});

// A random ABI type with a random value: `type` for ethers, and the writer's calls for C. Static tuples and arrays are their
// words in the frame around them; everything dynamic is a frame of its own.
const ATOMS = [
	() => { const v = number(256); return { type: "uint256", value: v, calls: [`word ${word(v)}`] }; },
	() => { const v = number(64); return { type: "uint64", value: v, calls: [`word ${word(v)}`] }; },
	() => { const v = number(255) - number(255); return { type: "int256", value: v, calls: [`word ${word(ethers.toTwos(v, 256))}`] }; },
	() => { const v = random() < 0.5; return { type: "bool", value: v, calls: [`word ${word(v ? 1 : 0)}`] }; },
	() => { const v = bytes(20); return { type: "address", value: v, calls: [`word ${ethers.zeroPadValue(v, 32)}`] }; },
	() => { const v = bytes(32); return { type: "bytes32", value: v, calls: [`word ${v}`] }; },
	() => { const v = bytes(4); return { type: "bytes4", value: v, calls: [`word ${ethers.zeroPadBytes(v, 32)}`] }; },
];
const heads = (v) => (v.dynamic ? 1 : v.calls.length);
const head_sum = (list) => list.reduce((sum, v) => sum + heads(v), 0);

function abi_value(depth, kind) {
	kind ??= depth >= 3 ? pick(["atom", "bytes", "string"]) : pick(["atom", "atom", "bytes", "string", "tuple", "array"]);
	if (kind === "atom") return pick(ATOMS)();
	if (kind === "bytes") {
		const v = bytes(length());
		return { type: "bytes", value: v, calls: [`bytes ${v}`], dynamic: true };
	}
	if (kind === "string") {
		const v = "ü€𝄞 x".slice(0, below(4)) + "a".repeat(below(70));
		return { type: "string", value: v.toWellFormed?.() ?? v, calls: [`bytes ${hex_text(v.toWellFormed?.() ?? v)}`], dynamic: true };
	}
	if (kind === "tuple") {
		const members = many(1 + below(4), () => abi_value(depth + 1));
		const dynamic = members.some((m) => m.dynamic);
		const calls = members.flatMap((m) => m.calls);
		return {
			type: `tuple(${members.map((m) => m.type).join(",")})`,
			value: members.map((m) => m.value),
			calls: dynamic ? [`tuple ${head_sum(members)}`, ...calls, "end"] : calls,
			dynamic,
		};
	}
	// All elements have one type: the first one's shape is drawn again from the same state of the generator.
	const n = below(5);
	const before = state;
	let element = abi_value(depth + 1);
	const elements = [];
	for (let i = 0; i < n; i++) {
		state = before;
		elements.push(abi_value(depth + 1));
	}
	return {
		type: `${element.type}[]`,
		value: elements.map((e) => e.value),
		calls: [`array ${n} ${head_sum(elements)}`, ...elements.flatMap((e) => e.calls), "end"],
		dynamic: true,
	};
}

test("ABI: random types, nested arrays and tuples", () => {
	compare(many(4000, () => {
		const values = many(1 + below(6), () => abi_value(0));
		const calls = [`begin ${head_sum(values)}`, ...values.flatMap((v) => v.calls), "end"];
		const expected = ethers.AbiCoder.defaultAbiCoder().encode(values.map((v) => v.type), values.map((v) => v.value));
		return { line: `abi ${calls.join(" ")}`, expected };
	}));
});

test("transactions of types 1 and 2: bytes, hash and recovered sender", () => {
	compare(many(1500, () => {
		const by = new ethers.Wallet(key());
		const type = 1 + below(2);
		const tip = type === 2 ? number(100) : 0n;
		const fields = {
			type,
			chainId: number(53),
			nonce: Number(number(53)),
			gasLimit: number(64),
			to: random() < 0.1 ? null : ethers.getAddress(bytes(20)),
			value: number(256),
			data: bytes(length()),
			accessList: random() < 0.5 ? [] : many(below(4), () => ({
				address: ethers.getAddress(bytes(20)),
				storageKeys: many(below(4), () => bytes(32)),
			})),
		};
		const fee = tip + number(100);
		Object.assign(fields, type === 2 ? { maxPriorityFeePerGas: tip, maxFeePerGas: fee } : { gasPrice: fee });
		const tx = ethers.Transaction.from(fields);
		tx.signature = by.signingKey.sign(tx.unsignedHash);
		const list = fields.accessList.flatMap((e) => [e.address, e.storageKeys.length, ...e.storageKeys]);
		const line = ["tx", by.privateKey, type, fields.chainId, fields.nonce, tip, fee, fields.gasLimit, fields.to ?? "0x",
			fields.value, fields.data, ...list].join(" ");
		return { line, expected: `${tx.serialized} ${tx.hash} ${by.address.toLowerCase()}` };
	}));
});

test("EIP-712: random structs with nested ones, digest and signature", () => {
	const atom = () => {
		switch (below(5)) {
		case 0: { const v = number(256); return ["uint256", v, `word ${word(v)}`]; }
		case 1: { const v = ethers.getAddress(bytes(20)); return ["address", v, `word ${ethers.zeroPadValue(v, 32)}`]; }
		case 2: { const v = bytes(32); return ["bytes32", v, `word ${v}`]; }
		case 3: { const v = bytes(length()); return ["bytes", v, `bytes ${v}`]; }
		default: { const v = "text €".repeat(below(5)); return ["string", v, `bytes ${hex_text(v)}`]; }
		}
	};
	compare(many(1500, () => {
		const by = new ethers.Wallet(key());
		const domain = { name: "Tollwire €".slice(below(8)), version: String(below(100)), chainId: number(64),
			verifyingContract: ethers.getAddress(bytes(20)) };
		const fields = many(1 + below(7), (i) => [`f${i}`, ...atom()]);
		const types = { Top: fields.map(([name, type]) => ({ name, type })) };
		const value = Object.fromEntries(fields.map(([name, , v]) => [name, v]));
		const calls = fields.map((f) => f[3]);
		if (random() < 0.4) {
			const inner = many(1 + below(3), (i) => [`g${i}`, ...atom()]);
			types.Inner = inner.map(([name, type]) => ({ name, type }));
			types.Top.push({ name: "inner", type: "Inner" });
			value.inner = Object.fromEntries(inner.map(([name, , v]) => [name, v]));
			calls.push(`word ${ethers.TypedDataEncoder.hashStruct("Inner", { Inner: types.Inner }, value.inner)}`);
		}
		const digest = ethers.TypedDataEncoder.hash(domain, types, value);
		const type = ethers.TypedDataEncoder.from(types).encodeType("Top");
		const line = ["typed", by.privateKey, hex_text(domain.name), hex_text(domain.version), domain.chainId,
			domain.verifyingContract, hex_text(type), ...calls].join(" ");
		return { line, expected: `${digest} ${by.signingKey.sign(digest).serialized}` };
	}));
});

test("EIP-191 personal messages", () => {
	compare(many(1500, () => {
		const by = new ethers.Wallet(key());
		const data = bytes(length());
		const digest = ethers.hashMessage(ethers.getBytes(data));
		return { line: `personal ${by.privateKey} ${data}`, expected: `${digest} ${by.signingKey.sign(digest).serialized}` };
	}));
});

test("keystores: ours opens theirs, theirs opens ours", async () => {
	const options = { scrypt: { N: 1024, r: 8, p: 1 } };
	const cases = [];
	for (let i = 0; i < 10; i++) {
		const by = new ethers.Wallet(key());
		const password = `secret-${below(1e9)}`;
		const json = await ethers.encryptKeystoreJson({ address: by.address, privateKey: by.privateKey }, password, options);
		cases.push({ line: `open ${password} ${json}`, expected: by.privateKey });
	}
	compare(cases);
	const by = new ethers.Wallet(key());
	// Cost 2^18 is what evm_keystore writes for an operator and what geth writes.
	const run = spawnSync(PROGRAM, { input: `seal ${by.privateKey} pass-1 18\n`, encoding: "utf8" });
	assert.equal(run.status, 0, run.stderr);
	const opened = await ethers.decryptKeystoreJson(run.stdout, "pass-1");
	assert.equal(opened.privateKey, by.privateKey);
	assert.equal(opened.address, by.address);
	await assert.rejects(ethers.decryptKeystoreJson(run.stdout, "pass-2"));
});
