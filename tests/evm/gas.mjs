// SPDX-License-Identifier: Apache-2.0
//
// Measures what settling costs and prints the table of perf/results/gas.md (--write puts it there).
//
// Two figures, never mixed: "execution" is what x402's gas snapshots count, the call alone, without
// the 21,000 and the calldata of its transaction, every word warmed in the same transaction by a
// harness (tests/evm/contracts/GasMeter.sol); "receipt" is what the node charges for a transaction
// of its own, everything cold. Gas is a count of the protocol: it does not vary between runs.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { mocks, startChain } from "./chain.mjs";
import { root } from "./compile.mjs";
import { DAY, Fixture, GB, Mode, NATIVE, NO_PERMIT, PRICE, ROOT } from "./fixture.mjs";

export const path = join(root, "perf/results/gas.md");
// x402-foundation/x402, gas snapshots of its batch settlement, and µRaiden's documentation: see the
// project's reference.
export const X402 = {
	claim: 40252,
	claimInBatchOfTen: 19204,
	sweep: 31204,
	firstDeposit: 84770,
	raidenClose: 71182,
};
const USED = 5200000000n;

// Runs everything on `chain` (already started); returns { name: { execution, receipt, each } } in
// gas, `each` sessions a call.
export async function measure(chain) {
	const f = await Fixture.create(chain);
	const meter = await chain.deploy(mocks().GasMeter);
	const results = {};
	const encode = (contract, fn, args) => ({
		target: contract.target,
		data: contract.interface.encodeFunctionData(fn, args),
	});
	const warm_shared = () => [
		encode(f.escrow, "withdrawable", [f.payout, NATIVE]),
		encode(f.escrow, "withdrawable", [f.treasury, NATIVE]),
		encode(f.registry, "getNode", [f.nodeId]),
	];
	const warm = (ids) => [
		...ids.map((id) => encode(f.escrow, "getSession", [id])),
		...warm_shared(),
	];

	// Both ways from the same state: through the harness as settler, then by the settler
	// itself.
	const both = async (
		name,
		ids,
		fn,
		args,
		{
			value = 0n,
			from = f.settler,
			each = ids.length || 1,
			warming,
			metered = args,
		} = {},
	) => {
		const snapshot = await chain.snapshot();
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, meter.target]);
		const call = [warming ?? warm(ids), encode(f.escrow, fn, metered)];
		const measured = await chain.send(meter, f.stranger, "measure", call, { value });
		await chain.rpc("evm_revert", snapshot);
		const receipt = await chain.send(f.escrow, from, fn, args, { value });
		results[name] = {
			execution: Number(measured.events[0].args.gasUsed),
			receipt: Number(receipt.gasUsed),
			each,
		};
	};
	const many = async (n, changes) => {
		const ids = [];
		for (let i = 0; i < n; i++) ids.push(await f.buy(changes));
		return ids;
	};
	const items = async (ids, n = USED) => {
		const list = [];
		for (const id of ids)
			list.push({
				sessionId: id,
				bytesUsed: n,
				checkpointsRoot: ROOT,
				voucher: await f.voucher(id, n),
			});
		return list;
	};

	const order = async () => Fixture.args(await f.order());
	const terms = () => [
		encode(f.escrow, "currentTerms", [f.nodeId, NATIVE, NATIVE]),
		encode(f.registry, "getNode", [f.nodeId]),
	];
	await both("createSession, first under new terms", [], "createSession", await order(), {
		value: 10n * PRICE,
		from: f.buyer,
		warming: terms(),
	});
	await both("createSession, later", [], "createSession", await order(), {
		value: 10n * PRICE,
		from: f.buyer,
		warming: terms(),
	});
	const own = Fixture.args(await f.order({ voucherSigner: f.buyer }));
	// Through the harness the buyer is the harness, which signs for itself there.
	await both(
		"createSession, later, buyer signs its vouchers itself",
		[],
		"createSession",
		own,
		{
			value: 10n * PRICE,
			from: f.buyer,
			warming: terms(),
			metered: own.map((arg, i) => (i === 4 ? meter.target : arg)),
		},
	);

	let ids = await many(10);
	await both("finalizeBatch of 10, first credits", ids, "finalizeBatch", [
		f.nodeId,
		await items(ids),
	]);
	for (const n of [1, 10, 100]) {
		ids = await many(n);
		await both(`finalizeBatch of ${n}`, ids, "finalizeBatch", [
			f.nodeId,
			await items(ids),
		]);
	}
	ids = await many(10);
	for (const id of ids) await f.claim(id, GB);
	await both("finalizeBatch of 10, claimed before", ids, "finalizeBatch", [
		f.nodeId,
		await items(ids),
	]);

	const [one] = await many(1);
	await both("claim, first", [one], "claim", [one, await f.voucher(one, GB)]);
	await both("claim, later", [one], "claim", [one, await f.voucher(one, 2n * GB)]);
	const [single] = await many(1);
	await both("finalizeSession, refund pushed", [single], "finalizeSession", [
		single,
		USED,
		ROOT,
		await f.voucher(single, USED),
	]);

	for (const n of [1, 10, 100]) {
		ids = await many(n, { mode: Mode.optimistic });
		const proposals = ids.map((sessionId) => ({
			sessionId,
			bytesUsed: USED,
			checkpointsRoot: ROOT,
		}));
		await both(`proposeBatch of ${n}`, ids, "proposeBatch", [f.nodeId, proposals]);
		await chain.advance(2 * DAY);
		await both(`executeBatch of ${n}`, ids, "executeBatch", [f.nodeId, ids]);
	}

	const receipt_only = async (name, from, fn, args, options, each = 1) => {
		const receipt = await f.send(from, fn, args, options);
		results[name] = { receipt: Number(receipt.gasUsed), each };
	};
	ids = await many(11);
	await receipt_only("topUp", f.buyer, "topUp", [ids[0], 1n, 0n], { value: PRICE });
	await receipt_only("closeSession", f.buyer, "closeSession", [ids[0]]);
	await f.send(f.operator, "finalizeBatch", [f.nodeId, await items(ids)]);
	await receipt_only("withdrawRefund", f.buyer, "withdrawRefund", [ids[0]]);
	await receipt_only(
		"withdrawRefunds of 10",
		f.buyer,
		"withdrawRefunds",
		[ids.slice(1), f.buyer],
		{},
		10,
	);
	await receipt_only("withdraw", f.payout, "withdraw", [NATIVE]);

	const usd = await chain.deploy(mocks().Stablecoin);
	await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, usd.target, 500000n]);
	await chain.send(usd, f.buyer, "mint", [f.buyer, 10n ** 12n]);
	await chain.send(usd, f.buyer, "approve", [f.escrow.target, 10n ** 12n]);
	for (const name of [
		"createSessionWithToken, first under new terms",
		"createSessionWithToken, later",
	]) {
		const { asset, ...o } = await f.order({ asset: usd.target });
		await receipt_only(name, f.buyer, "createSessionWithToken", [
			o,
			usd.target,
			10n ** 9n,
			NO_PERMIT,
		]);
	}
	const [dispute, reclaim] = await many(2, { mode: Mode.optimistic, attestor: f.attestor });
	await receipt_only("proposeSettlement", f.operator, "proposeSettlement", [
		dispute,
		USED,
		ROOT,
	]);
	await receipt_only("dispute", f.buyer, "dispute", [dispute, GB]);
	await receipt_only("resolve, refund pushed", f.stranger, "resolve", [
		dispute,
		2n * GB,
		ROOT,
		await f.attestation(dispute, 2n * GB),
	]);
	await chain.advance(3 * DAY);
	await receipt_only("reclaim, refund pushed", f.buyer, "reclaim", [reclaim]);
	return results;
}

const number = (n) => (n === undefined ? "" : Math.round(n).toLocaleString("en-US"));

export function table(results) {
	const rows = Object.entries(results).map(([name, r]) => {
		const per = (n) => number(n === undefined ? undefined : n / r.each);
		return `| ${name} | ${per(r.execution)} | ${per(r.receipt)} | ${r.each > 1 ? number(r.receipt) : ""} |`;
	});
	return `# Gas of the escrow

Made by \`node tests/evm/gas.mjs --write\` (after \`npm ci\` in \`tests/\`); \`tests/evm/gas.test.mjs\` fails when it is out of date.

**Receipt**: what the node charges for a transaction of its own, everything cold: the figure to reckon with. **Execution**: the call
alone, without the 21,000 and the calldata of its transaction, every word that it touches warmed by a harness in the same
transaction: how x402 counts, and only good for comparing with it. Gas is counted by the protocol and does not vary.

Per session; native coin, a voucher each, 5.2 of 10 GB used, operator's and treasury's credits not zero unless "first".

| call | execution, a session | receipt, a session | receipt, the batch |
|---|---:|---:|---:|
${rows.join("\n")}

"First credits" is a batch that writes the first credits of payout and treasury in this asset, so two words from zero. "First under
new terms" also writes the record of terms that later sessions share.

## Beside others

| what | x402, execution | here, execution |
|---|---:|---:|
| one claim alone | ${number(X402.claim)} | ${number(results["claim, later"].execution)} |
| one session of a batch of ten | ${number(X402.claimInBatchOfTen)} | ${number(results["finalizeBatch of 10"].execution / 10)} |
| one session of a batch of a hundred | | ${number(results["finalizeBatch of 100"].execution / 100)} |
| first deposit, payer signs | ${number(X402.firstDeposit)} | ${number(results["createSession, later, buyer signs its vouchers itself"].execution)} |

x402: gas snapshots of its batch settlement, warm slots, a mock token where this table has the native coin; its sweep of ${number(X402.sweep)} is the payout that follows the claims. A
claim there leaves the channel open, while \`finalizeBatch\` here also settles the session and frees the refund. µRaiden's cooperative
close: ${number(X402.raidenClose)} (its documentation).
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
	const chain = await startChain();
	try {
		const text = table(await measure(chain));
		if (process.argv.includes("--write")) writeFileSync(path, text);
		else process.stdout.write(text);
	} finally {
		await chain.stop();
	}
}
