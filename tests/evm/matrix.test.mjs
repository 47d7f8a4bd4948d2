// SPDX-License-Identifier: Apache-2.0
//
// Every function of the escrow, from every caller, in every state, in every mode: allowed, or
// refused for exactly the reason that the README's table gives. The table here is written from that
// text. Calls only, so each cell meets the same state.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { startChain } from "./chain.mjs";
import { DAY, Fixture, GB, Mode, NO_PERMIT, PRICE, ROOT } from "./fixture.mjs";

const CALLERS = [
	"owner",
	"treasury",
	"operator",
	"settler",
	"payout",
	"buyer",
	"voucherSigner",
	"attestor",
	"stranger",
	"usageSigner",
];
const PROPOSED = 5n * GB;

// How each state is reached from a fresh session, and what it is to the table below.
const STATES = {
	none: { status: "none" },
	open: { status: "open" },
	"open, expired": { status: "open", expired: true, wait: DAY },
	"open, grace passed": { status: "open", expired: true, grace: true, wait: 2 * DAY },
	closed: { status: "closed", build: (c) => c.close() },
	"closed, grace passed": {
		status: "closed",
		grace: true,
		build: (c) => c.close(),
		wait: DAY,
	},
	proposed: { status: "proposed", build: (c) => c.propose() },
	"proposed, window over": {
		status: "proposed",
		late: true,
		build: (c) => c.propose(),
		wait: DAY + 10,
	},
	disputed: { status: "disputed", build: (c) => c.propose().then(() => c.dispute()) },
	"disputed, 7 days over": {
		status: "disputed",
		late: true,
		build: (c) => c.propose().then(() => c.dispute()),
		wait: 7 * DAY,
	},
	settled: { status: "settled", build: (c) => c.settle() },
};

const is_operator = (who) => who === "operator" || who === "settler";
const opened = (s) => s.status === "open" || s.status === "closed";

// Reason, or "ok". `s` is a state of the table above.
const EXPECTED = {
	claim: (who, s) =>
		!is_operator(who)
			? "NotOperatorOrSettler"
			: s.status === "settled"
				? "WrongStatus"
				: "ok",
	finalizeSession: (who, s) =>
		!is_operator(who) ? "NotOperatorOrSettler" : opened(s) ? "ok" : "WrongStatus",
	finalizeAttested: (who, s, mode) => {
		if (!is_operator(who)) return "NotOperatorOrSettler";
		if (mode !== "attested") return "WrongMode";
		return opened(s) || s.status === "proposed" ? "ok" : "WrongStatus";
	},
	proposeSettlement: (who, s, mode) => {
		if (!is_operator(who)) return "NotOperatorOrSettler";
		if (mode === "voucher") return "WrongMode";
		return opened(s) ? "ok" : "WrongStatus";
	},
	closeSession: (who, s) =>
		who !== "buyer" ? "NotBuyer" : s.status === "open" ? "ok" : "WrongStatus",
	topUp: (who, s) => {
		if (who !== "buyer") return "NotBuyer";
		if (s.status !== "open") return "WrongStatus";
		return s.expired ? "Expired" : "ok";
	},
	// The sessions here were paid in the native coin, so the buyer gets as far as that.
	topUpWithToken: (who, s) => {
		const reason = EXPECTED.topUp(who, s);
		return reason === "ok" ? "WrongAsset" : reason;
	},
	dispute: (who, s) => {
		if (who !== "buyer" && who !== "voucherSigner") return "NotBuyerOrVoucherSigner";
		if (s.status !== "proposed") return "WrongStatus";
		return s.late ? "WindowOver" : "ok";
	},
	resolve: (who, s) =>
		s.status !== "disputed" ? "WrongStatus" : s.late ? "WindowOver" : "ok",
	execute: (who, s) => {
		if (s.status !== "proposed" && s.status !== "disputed") return "WrongStatus";
		if (s.late) return "ok";
		return s.status === "proposed" && who === "buyer" ? "ok" : "WindowOpen";
	},
	reclaim: (who, s) => {
		if (who !== "buyer") return "NotBuyer";
		if (!opened(s)) return "WrongStatus";
		return s.grace ? "ok" : "GraceNotOver";
	},
	withdrawRefund: (who, s) => {
		if (who !== "buyer") return "NotBuyer";
		return s.status === "disputed" || s.status === "settled"
			? "ok"
			: "NothingToWithdraw";
	},
	withdrawRefunds: (who) => (who !== "buyer" ? "NotBuyer" : "ok"),
};

for (const mode of Object.keys(Mode)) {
	describe(`${mode} mode`, () => {
		let chain, f, id, absent, fresh, args;
		const build = {
			close: () => f.send(f.buyer, "closeSession", [id]),
			propose: () =>
				f.send(f.operator, "proposeSettlement", [id, PROPOSED, ROOT]),
			dispute: () => f.send(f.buyer, "dispute", [id, GB]),
			settle: async () =>
				f.send(f.operator, "finalizeBatch", [
					f.nodeId,
					[
						{
							sessionId: id,
							bytesUsed: GB,
							checkpointsRoot: ROOT,
							voucher: await f.voucher(id, GB),
						},
					],
				]),
		};
		const arguments_for = async (session) => ({
			claim: [[session, await f.voucher(session, 6n * GB)]],
			finalizeSession: [
				[session, 6n * GB, ROOT, await f.voucher(session, 6n * GB)],
			],
			finalizeAttested: [
				[session, 4n * GB, ROOT, await f.attestation(session, 4n * GB)],
			],
			proposeSettlement: [[session, PROPOSED, ROOT]],
			closeSession: [[session]],
			topUp: [[session, 1n, 0n], { value: PRICE }],
			topUpWithToken: [[session, 1n, 0n, f.stranger, PRICE, NO_PERMIT]],
			dispute: [[session, GB]],
			resolve: [[session, 3n * GB, ROOT, await f.attestation(session, 3n * GB)]],
			execute: [[session]],
			reclaim: [[session]],
			withdrawRefund: [[session]],
			withdrawRefunds: [[[session], f.stranger]],
		});

		before(async () => {
			chain = await startChain();
			f = await Fixture.create(chain);
			id = await f.buy({ mode: Mode[mode], attestor: f.attestor });
			absent = `0x${"ab".repeat(32)}`;
			fresh = await chain.snapshot();
			args = await arguments_for(id);
		});
		after(() => chain?.stop());

		for (const [name, state] of Object.entries(STATES)) {
			if (
				mode === "voucher" &&
				(state.status === "proposed" || state.status === "disputed")
			)
				continue;
			it(name, async () => {
				fresh = await chain.revert(fresh);
				await state.build?.(build);
				if (state.wait) await chain.advance(state.wait);
				const given =
					state.status === "none"
						? await arguments_for(absent)
						: args;
				const wrong = [];
				for (const [fn, expected] of Object.entries(EXPECTED)) {
					for (const who of CALLERS) {
						const [call_args, options] = given[fn];
						const want =
							state.status === "none"
								? "UnknownSession"
								: expected(who, state, mode);
						let got = "ok";
						try {
							await chain.call(
								f.escrow,
								f[who],
								fn,
								call_args,
								options,
							);
						} catch (error) {
							got = error.reason ?? error.message;
						}
						if (got !== want)
							wrong.push(
								`${fn} by ${who}: ${got}, not ${want}`,
							);
					}
				}
				assert.deepEqual(wrong, []);
			});
		}
	});
}

describe("whole contracts", () => {
	let chain, f;
	before(async () => {
		chain = await startChain();
		f = await Fixture.create(chain);
	});
	after(() => chain?.stop());

	it("batches: finalize and propose are the node's, execute is anyone's", async () => {
		for (const who of CALLERS) {
			for (const fn of ["finalizeBatch", "proposeBatch"]) {
				if (is_operator(who))
					await chain.call(f.escrow, f[who], fn, [f.nodeId, []]);
				else
					await f.fails(
						f[who],
						fn,
						[f.nodeId, []],
						"NotOperatorOrSettler",
					);
				await f.fails(f[who], fn, [99, []], "NotOperatorOrSettler");
			}
			await chain.call(f.escrow, f[who], "executeBatch", [f.nodeId, []]);
		}
	});

	it("fee and treasury: the owner alone", async () => {
		for (const who of CALLERS) {
			for (const [fn, args] of [
				["setFee", [1]],
				["setTreasury", [f.stranger]],
				["transferOwnership", [f.stranger]],
				["renounceOwnership", []],
			]) {
				if (who === "owner") await chain.call(f.escrow, f[who], fn, args);
				else await f.fails(f[who], fn, args, "OwnableUnauthorizedAccount");
			}
		}
	});

	it("withdraw: nobody who has no credits", async () => {
		for (const who of CALLERS)
			await f.fails(
				f[who],
				"withdraw",
				[`0x${"00".repeat(20)}`],
				"NothingToWithdraw",
			);
	});

	it("pushToken: nobody", async () => {
		for (const who of CALLERS) {
			await f.fails(
				f[who],
				"pushToken",
				[f.escrow.target, f[who], 1n],
				"NotSelf",
			);
		}
	});

	it("every function that writes is in one of these tables", () => {
		const covered = new Set([
			"pushToken",
			...Object.keys(EXPECTED),
			"finalizeBatch",
			"proposeBatch",
			"executeBatch",
			"setFee",
			"setTreasury",
		]);
		for (const name of ["transferOwnership", "renounceOwnership", "withdraw"])
			covered.add(name);
		// Purchases have no wrong caller; acceptOwnership and withdrawTo have tests of
		// their own.
		for (const name of [
			"createSession",
			"createSessionWithToken",
			"acceptOwnership",
			"withdrawTo",
		])
			covered.add(name);
		const writing = f.escrow.interface.fragments
			.filter((x) => x.type === "function" && !x.constant)
			.map((x) => x.name);
		assert.deepEqual(
			writing.filter((name) => !covered.has(name)),
			[],
		);
	});

	it("every error and every event is named by a test", () => {
		const out_of_reach = [
			// OpenZeppelin's: for longer names than ours, and for an escrow that holds less
			// than it owes.
			"InvalidShortString",
			"StringTooLong",
			"EIP712DomainChanged",
			"InsufficientBalance",
		];
		const here = fileURLToPath(new URL(".", import.meta.url));
		const tests = readdirSync(here)
			.filter((name) => name.endsWith(".mjs"))
			.map((name) => readFileSync(join(here, name), "utf8"))
			.join("");
		for (const contract of [f.registry, f.escrow]) {
			const names = contract.interface.fragments
				.filter((x) => x.type === "error" || x.type === "event")
				.map((x) => x.name);
			assert.deepEqual(
				names.filter(
					(name) =>
						!out_of_reach.includes(name) &&
						!new RegExp(`"${name}["(]`).test(tests),
				),
				[],
			);
		}
	});
});
