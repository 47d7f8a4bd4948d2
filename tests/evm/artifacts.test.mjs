// SPDX-License-Identifier: Apache-2.0
//
// The artifacts in the tree are what the sources compile to, octet for octet, and they fit a real
// chain.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PRODUCT, build } from "./build.mjs";
import { artifact, startChain, deployTollwire } from "./chain.mjs";
import { compile_sources, contractsDir, read_sources, settings } from "./compile.mjs";

test("sources compile to exactly the committed artifacts", () => {
	for (const { name, text, committed } of build()) {
		assert.ok(committed, `${name}: no artifact is committed`);
		assert.ok(
			text === committed,
			`${name}: run scripts/build-contracts and commit what it writes`,
		);
	}
});

test("compiling twice gives the same octets", () => {
	const [first, second] = [build(), build()];
	assert.deepEqual(
		first.map((a) => a.text),
		second.map((a) => a.text),
	);
});

test("a changed constant changes the artifact", () => {
	const sources = read_sources(contractsDir);
	const path = Object.keys(sources).find((name) => name.endsWith("/EscrowSettlement.sol"));
	const changed = sources[path].content.replace(
		"RESOLVE_SEC = 7 days",
		"RESOLVE_SEC = 8 days",
	);
	assert.notEqual(changed, sources[path].content);
	const { EscrowPayment, NodeRegistry } = compile_sources({
		...sources,
		[path]: { content: changed },
	});
	assert.notEqual(EscrowPayment.bytecode, artifact("EscrowPayment").bytecode);
	assert.equal(NodeRegistry.bytecode, artifact("NodeRegistry").bytecode);
});

test("compiler and settings are pinned", () => {
	for (const name of PRODUCT) {
		const { outputSelection, ...kept } = settings;
		assert.match(artifact(name).compiler, /^0\.8\.37\+commit\.[0-9a-f]{8}\./);
		assert.deepEqual(artifact(name).settings, kept);
	}
});

test("code sizes are within EIP-170", () => {
	for (const name of PRODUCT) {
		const octets = (artifact(name).deployedBytecode.length - 2) / 2;
		assert.ok(octets <= 24576, `${name}: ${octets} octets`);
	}
});

test("what is deployed is the artifact's code, immutables apart", async (t) => {
	const chain = await startChain();
	t.after(() => chain.stop());
	const contracts = await deployTollwire(chain);
	for (const [name, contract] of [
		["NodeRegistry", contracts.registry],
		["EscrowPayment", contracts.escrow],
	]) {
		const code = await chain.rpc("eth_getCode", contract.target, "latest");
		const expected = artifact(name).deployedBytecode;
		assert.equal(code.length, expected.length);
		// An immutable is a PUSH32 of zeroes in the artifact.
		for (let i = 0; i < code.length; i++) {
			if (code[i] !== expected[i])
				assert.equal(expected[i], "0", `${name}: differs at nibble ${i}`);
		}
	}
});
