// SPDX-License-Identifier: Apache-2.0
//
// What could hold settlement up for ever: worthless items in front, a price refused at the door, an endpoint that swallows
// transactions or refuses calls, a limit on ranges of logs, a gap in the account's nonces.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ethers } from "ethers";
import { GB, NO_VOUCHER, PRICE, ROOT, Settlement, split, until } from "./harness.mjs";

// A test with a chain of its own.
function scenario(name, run) {
	test(name, async () => {
		const s = await Settlement.create();
		try {
			await run(s);
		} finally {
			await s.close();
		}
	});
}

scenario("what waits for the payout threshold holds up neither another call nor a deadline behind it", async (s) => {
	// A hundred settlements of no worth, as a hostile buyer can make them, then two that must not wait.
	const [first] = await s.sessions(1, { bytes: 1n });
	const dust = [];
	for (let i = 0; i < 100; i++) dust.push({ line: (await s.request(ethers.id(`dust ${i}`), 0n, { voucher: NO_VOUCHER, value: 0n })).line });
	const late = await s.request(first.id, 5n * GB, { value: 1n, deadline: 1 });
	const other = await s.f.buy({ mode: 2 });
	const proposal = await s.request(other, GB, { kind: 1, voucher: NO_VOUCHER, value: 1n, deadline: 1 });
	await s.queue([...dust, late, proposal]);
	s.pump(30);
	const result = await s.run({ threshold: 10n ** 18n, count: 100, skips_max: 1, max_ms: 4000 });
	const { items } = await s.list();
	assert.equal(items[100].state, "done", result.err);
	assert.equal(items[101].state, "done", result.err);
	assert.equal((await s.settled()).get(first.id)[0].bytesUsed, 5n * GB);
});
