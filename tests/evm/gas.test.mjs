// SPDX-License-Identifier: Apache-2.0
//
// What settling may cost is part of the contract, and the committed table is what a node measures.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startChain } from "./chain.mjs";
import { contractsDir } from "./compile.mjs";
import { X402, measure, path, table } from "./gas.mjs";

describe("gas", () => {
	let chain, results;
	before(async () => {
		chain = await startChain();
		results = await measure(chain);
	});
	after(() => chain?.stop());
	const execution = (name) => results[name].execution / results[name].each;

	it("finalizeBatch, a voucher each: at most x402's 19,204 a session in a batch of ten", () => {
		assert.ok(
			execution("finalizeBatch of 10") <= X402.claimInBatchOfTen,
			`${execution("finalizeBatch of 10")}`,
		);
		assert.ok(
			execution("finalizeBatch of 10, claimed before") <= X402.claimInBatchOfTen,
		);
	});

	it("also where the batch writes the first credits there are", () => {
		assert.ok(
			execution("finalizeBatch of 10, first credits") <= X402.claimInBatchOfTen,
			`${execution("finalizeBatch of 10, first credits")}`,
		);
	});

	it("less at 100", () => {
		assert.ok(execution("finalizeBatch of 100") < execution("finalizeBatch of 10"));
		assert.ok(
			results["finalizeBatch of 100"].receipt / 100 <
				results["finalizeBatch of 10"].receipt / 10,
		);
	});

	it("a batch of 100 fits a transaction's gas cap (EIP-7825, 2^24)", () => {
		assert.ok(results["finalizeBatch of 100"].receipt < 2 ** 24);
	});

	it("the contracts' README quotes the receipts", () => {
		const readme = readFileSync(join(contractsDir, "README.md"), "utf8");
		for (const name of [
			"createSession, first under new terms",
			"createSession, later",
			"createSession, later, buyer signs its vouchers itself",
			"finalizeBatch of 10",
			"finalizeBatch of 100",
		]) {
			const gas = Math.round(results[name].receipt / results[name].each);
			assert.ok(
				readme.includes(`| ${gas.toLocaleString("en-US")} |`),
				`${name}: ${gas}`,
			);
		}
	});

	it("perf/results/gas.md is what was measured", () => {
		assert.ok(
			readFileSync(path, "utf8") === table(results),
			"run node tests/evm/gas.mjs --write",
		);
	});
});
