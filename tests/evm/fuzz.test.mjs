// SPDX-License-Identifier: Apache-2.0
//
// Random calls by random callers with random figures, in random order and time, against a slow and
// obvious model: each call must be refused for the reason that the model gives or do what it does,
// and after each one, for each asset, balance of the escrow = Σ held by open and disputed sessions
// + Σ refunds not drawn + Σ withdrawable. TOLLWIRE_FUZZ_SEED and TOLLWIRE_FUZZ_STEPS choose other
// runs; a failure prints its seed.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ethers } from "ethers";
import { Chain, mocks, startChain } from "./chain.mjs";
import { Model, generator } from "./model.mjs";
import {
	DAY,
	Fixture,
	GB,
	HOUR,
	Mode,
	NATIVE,
	NO_PERMIT,
	NO_VOUCHER,
	PRICE,
	ROOT,
	split,
	useFixture,
} from "./fixture.mjs";

const SEED = Number(process.env.TOLLWIRE_FUZZ_SEED ?? 20260101);
const STEPS = Number(process.env.TOLLWIRE_FUZZ_STEPS ?? 500);
const PRICES = [1n, 7n, 999999999n, 500000n, PRICE, 10n ** 18n + 1n, (1n << 96n) - 1n];

async function run(c, seed, steps) {
	const { chain, f, usd } = c;
	const r = generator(seed);
	const m = new Model(f);
	const people = [
		f.operator,
		f.settler,
		f.payout,
		f.buyer,
		f.voucherSigner,
		f.attestor,
		f.stranger,
		f.owner,
		f.treasury,
	];
	const state = {
		fee: 100n,
		treasury: f.treasury,
		payout: f.payout,
		window: BigInt(DAY),
		grace: BigInt(DAY),
		price: { [NATIVE]: PRICE, [usd.target]: 500000n },
	};
	const tally = { done: 0, refused: {} };
	m.now = BigInt(await chain.now());

	const who = (...likely) => (r.chance(0.85) ? r.pick(likely) : r.pick(people));
	const bytes = (s) => {
		const edges = [
			0n,
			s.claimed - 1n,
			s.claimed,
			s.claimed + 1n,
			s.proposed - 1n,
			s.proposed,
			s.proposed + 1n,
			s.bought,
			s.bought + 1n,
		];
		const n = r.chance(0.5)
			? s.claimed + r.below(s.bought - s.claimed + 1n)
			: r.pick([...edges, ethers.MaxUint256, r.below(s.bought + 1n)]);
		return n < 0n ? 0n : n;
	};
	const voucher = async (s, n) => {
		const good = r.chance(0.93);
		const [right, wrong] =
			s.signer === f.buyer
				? [Chain.wallet(5), f.voucherWallet]
				: [f.voucherWallet, Chain.wallet(5)];
		return [await f.voucher(s.id, n, good ? right : wrong), good];
	};
	const attestation = async (s, n) => {
		const good = r.chance(0.93);
		return [
			await f.attestation(
				s.id,
				n,
				ROOT,
				good ? f.attestorWallet : f.voucherWallet,
			),
			good,
		];
	};

	// Sends at the model's time and compares; `expected` runs against the model after the clock
	// has moved.
	const attempt = async (from, fn, args, expected, options, contract = f.escrow) => {
		await chain.rpc("evm_setNextBlockTimestamp", Number(m.now));
		let reason, receipt;
		try {
			receipt = await chain.send(contract, from, fn, args, options);
		} catch (error) {
			if (error.reason === undefined) throw error;
			reason = error.reason;
		}
		const want = expected();
		assert.equal(reason, want, `${fn} at step ${tally.done}`);
		tally.refused[reason ?? "none"] = (tally.refused[reason ?? "none"] ?? 0) + 1;
		return receipt;
	};

	const buy = async () => {
		const asset = r.chance(0.6) ? NATIVE : usd.target;
		const mode = r.int(3);
		const attestor = mode === Mode.attested || r.chance(0.4) ? f.attestor : NATIVE;
		const dataGB = BigInt(1 + r.int(20));
		const duration = r.pick([1, HOUR, DAY, 30 * DAY, 90 * DAY]);
		const signer = r.chance(0.4) ? f.buyer : f.voucherSigner;
		const { asset: _, ...order } = await f.order({
			asset,
			mode,
			attestor,
			dataGB,
			duration,
			voucherSigner: signer,
		});
		const price = state.price[asset];
		const create = () => {
			const id = ethers.keccak256(
				ethers.AbiCoder.defaultAbiCoder().encode(
					["uint256", "address", "address", "bytes32"],
					[chain.chainId, f.escrow.target, f.buyer, order.salt],
				),
			);
			const { fee, treasury, payout, window, grace } = state;
			const expiry = m.now + BigInt(duration);
			m.sessions.set(id, {
				id,
				asset,
				mode,
				attestor,
				price,
				fee,
				treasury,
				payout,
				window,
				grace,
				buyer: f.buyer,
				signer,
				bought: dataGB * GB,
				held: dataGB * price,
				claimed: 0n,
				proposed: 0n,
				expiry,
				deadline: 0n,
				refundable: 0n,
				status: "open",
			});
		};
		if (asset === NATIVE)
			return attempt(f.buyer, "createSession", Fixture.args(order), create, {
				value: dataGB * price,
			});
		return attempt(
			f.buyer,
			"createSessionWithToken",
			[order, asset, dataGB * price, NO_PERMIT],
			create,
		);
	};

	const ACTIONS = {
		claim: async (s) => {
			const [from, n] = [who(f.operator, f.settler), bytes(s)];
			const [v, good] = await voucher(s, n);
			return attempt(from, "claim", [s.id, v], () => m.claim(from, s, n, good));
		},
		finalizeSession: async (s) => {
			const [from, n] = [who(f.operator, f.settler), bytes(s)];
			const covered = r.chance(0.8) ? n : bytes(s);
			const [v, good] = r.chance(0.85)
				? await voucher(s, covered)
				: [NO_VOUCHER, undefined];
			const check = () => {
				if (!m.operator(from)) return "NotOperatorOrSettler";
				const reason = m.check_finalize(
					s,
					n,
					good === undefined ? undefined : covered,
					good,
				);
				if (!reason) m.settle(s, n, true);
				return reason;
			};
			return attempt(from, "finalizeSession", [s.id, n, ROOT, v], check);
		},
		finalizeAttested: async (s) => {
			const [from, n] = [who(f.operator, f.settler), bytes(s)];
			const [a, good] = await attestation(s, n);
			return attempt(from, "finalizeAttested", [s.id, n, ROOT, a], () =>
				m.attested(from, s, n, good),
			);
		},
		closeSession: async (s) => {
			const from = who(f.buyer);
			return attempt(from, "closeSession", [s.id], () => m.close(from, s));
		},
		proposeSettlement: async (s) => {
			const [from, n] = [who(f.operator, f.settler), bytes(s)];
			const check = () => {
				const reason = m.operator(from)
					? m.check_propose(s, n)
					: "NotOperatorOrSettler";
				if (!reason) m.do_propose(s, n);
				return reason;
			};
			return attempt(from, "proposeSettlement", [s.id, n, ROOT], check);
		},
		dispute: async (s) => {
			const [from, n] = [who(f.buyer, f.voucherSigner), bytes(s)];
			return attempt(from, "dispute", [s.id, n], () => m.dispute(from, s, n));
		},
		resolve: async (s) => {
			const [from, n] = [r.pick(people), bytes(s)];
			const [a, good] = await attestation(s, n);
			return attempt(from, "resolve", [s.id, n, ROOT, a], () =>
				m.resolve(s, n, good),
			);
		},
		execute: async (s) => {
			const from = who(f.buyer, f.stranger);
			const check = () => {
				const reason = m.check_execute(from, s);
				if (!reason)
					m.settle(
						s,
						s.status === "proposed" ? s.proposed : s.claimed,
						true,
					);
				return reason;
			};
			return attempt(from, "execute", [s.id], check);
		},
		reclaim: async (s) => {
			const from = who(f.buyer);
			return attempt(from, "reclaim", [s.id], () => m.reclaim(from, s));
		},
		topUp: async (s) => {
			const [from, gb] = [who(f.buyer), BigInt(r.int(4))];
			const extra = BigInt(r.pick([0, 0, HOUR, DAY, 89 * DAY, 91 * DAY]));
			const value = gb * s.price + BigInt(r.chance(0.1) ? 1 : 0);
			return attempt(
				from,
				"topUp",
				[s.id, gb, extra],
				() => m.top_up(from, s, gb, extra, value),
				{ value },
			);
		},
		topUpWithToken: async (s) => {
			const [from, gb] = [who(f.buyer), BigInt(r.int(4))];
			const extra = BigInt(r.pick([0, 0, HOUR, 91 * DAY]));
			const most = gb * s.price - BigInt(gb && r.chance(0.1) ? 1 : 0);
			return attempt(
				from,
				"topUpWithToken",
				[s.id, gb, extra, usd.target, most, NO_PERMIT],
				() => m.top_up(from, s, gb, extra, most, usd.target),
			);
		},
		withdrawRefunds: async () => {
			const [from, plan] = [who(f.buyer), []];
			for (let i = r.int(6); i >= 0; i--)
				plan.push(r.pick([...m.sessions.values()]));
			const check = () => {
				if (from !== f.buyer) return "NotBuyer";
				for (const s of plan) m.draw(s);
			};
			return attempt(
				from,
				"withdrawRefunds",
				[plan.map((s) => s.id), r.pick([f.buyer, f.stranger])],
				check,
			);
		},
		withdrawRefund: async (s) => {
			const from = who(f.buyer);
			const check = () => {
				if (from !== s.buyer) return "NotBuyer";
				if (s.refundable === 0n) return "NothingToWithdraw";
				m.draw(s);
			};
			return attempt(from, "withdrawRefund", [s.id], check);
		},
		withdraw: async () => {
			const [from, asset] = [
				who(f.payout, f.treasury, f.stranger),
				r.pick([NATIVE, usd.target]),
			];
			const check = () => {
				if (!m.credits.get(`${from} ${asset}`)) return "NothingToWithdraw";
				m.credits.delete(`${from} ${asset}`);
			};
			return attempt(from, "withdraw", [asset], check);
		},
		finalizeBatch: async () => {
			const from = who(f.operator, f.settler);
			const plan = [];
			for (let i = r.int(6); i >= 0; i--) {
				const s = r.pick([...m.sessions.values()]);
				const n = bytes(s);
				plan.push([s, n, ...(await voucher(s, n))]);
			}
			const items = plan.map(([s, n, v]) => ({
				sessionId: s.id,
				bytesUsed: n,
				checkpointsRoot: ROOT,
				voucher: v,
			}));
			const skipped = [];
			const check = () => {
				if (!m.operator(from)) return "NotOperatorOrSettler";
				for (const [s, n, , good] of plan) {
					const reason = m.check_finalize(s, n, n, good);
					if (reason)
						skipped.push([
							s.id,
							f.escrow.interface.getError(reason)
								.selector,
						]);
					else m.settle(s, n, false);
				}
			};
			const receipt = await attempt(
				from,
				"finalizeBatch",
				[f.nodeId, items],
				check,
			);
			const told = receipt?.events
				.filter((e) => e.name === "BatchItemSkipped")
				.map((e) => e.args.toArray());
			assert.deepEqual(told ?? [], skipped);
		},
		proposeBatch: async () => {
			const from = who(f.operator, f.settler);
			const plan = [];
			for (let i = r.int(4); i >= 0; i--) {
				const s = r.pick([...m.sessions.values()]);
				plan.push([s, bytes(s)]);
			}
			const items = plan.map(([s, n]) => ({
				sessionId: s.id,
				bytesUsed: n,
				checkpointsRoot: ROOT,
			}));
			const skipped = [];
			const check = () => {
				if (!m.operator(from)) return "NotOperatorOrSettler";
				for (const [s, n] of plan) {
					const reason = m.check_propose(s, n);
					if (reason)
						skipped.push([
							s.id,
							f.escrow.interface.getError(reason)
								.selector,
						]);
					else m.do_propose(s, n);
				}
			};
			const receipt = await attempt(
				from,
				"proposeBatch",
				[f.nodeId, items],
				check,
			);
			const told = receipt?.events
				.filter((e) => e.name === "BatchItemSkipped")
				.map((e) => e.args.toArray());
			assert.deepEqual(told ?? [], skipped);
		},
		executeBatch: async () => {
			const from = who(f.buyer, f.stranger);
			const plan = [];
			for (let i = r.int(6); i >= 0; i--)
				plan.push(r.pick([...m.sessions.values()]));
			const check = () => {
				for (const s of plan) {
					if (!m.check_execute(from, s))
						m.settle(
							s,
							s.status === "proposed"
								? s.proposed
								: s.claimed,
							false,
						);
				}
			};
			return attempt(
				from,
				"executeBatch",
				[f.nodeId, plan.map((s) => s.id)],
				check,
			);
		},
		settings: async () => {
			// Later terms are for later sessions: whatever changes here must not show
			// in the books of those that exist.
			const [fee, price, payout] = [
				BigInt(r.int(501)),
				r.pick(PRICES),
				r.pick([f.payout, f.stranger, f.treasury]),
			];
			const [window, grace] = [
				BigInt(r.pick([HOUR, DAY, 7 * DAY])),
				BigInt(r.pick([6 * HOUR, DAY, 7 * DAY])),
			];
			await chain.send(f.escrow, f.owner, "setFee", [fee]);
			await chain.send(f.registry, f.operator, "setPrice", [
				f.nodeId,
				NATIVE,
				price,
			]);
			await chain.send(f.registry, f.operator, "setPayout", [f.nodeId, payout]);
			await chain.send(f.registry, f.operator, "setWindows", [
				f.nodeId,
				window,
				grace,
			]);
			Object.assign(state, { fee, payout, window, grace });
			state.price[NATIVE] = price;
			m.now = BigInt(await chain.now());
		},
	};

	const check_books = async (full) => {
		for (const asset of [NATIVE, usd.target]) {
			let sum = 0n;
			for (const s of m.sessions.values()) if (s.asset === asset) sum += s.held;
			for (const [key, amount] of m.credits)
				if (key.endsWith(asset)) sum += amount;
			const balance =
				asset === NATIVE
					? await chain.balance(f.escrow.target)
					: await usd.balanceOf(f.escrow.target);
			assert.equal(balance, sum, `books of ${asset} at step ${tally.done}`);
		}
		if (!full) return;
		for (const s of m.sessions.values()) {
			const real = await f.session(s.id);
			assert.deepEqual(
				[
					real.claimedBytes,
					real.proposedBytes,
					real.boughtBytes,
					real.held,
					real.refundable,
				],
				[s.claimed, s.proposed, s.bought, s.held, s.refundable],
			);
		}
		for (const [key, amount] of m.credits)
			assert.equal(await f.withdrawable(...key.split(" ")), amount);
	};

	for (; tally.done < steps; tally.done++) {
		m.now += BigInt(r.pick([1, 1, 1, 60, HOUR, HOUR, 6 * HOUR, DAY, 2 * DAY]));
		const live = [...m.sessions.values()].filter(
			(s) => s.status !== "settled" || r.chance(0.1),
		);
		if (live.length < 4 || r.chance(0.12)) await buy();
		else {
			// Late stages are rare by chance: where a session is proposed or disputed,
			// its own calls come more often.
			const s = r.pick(live);
			const likely = {
				proposed: [
					"dispute",
					"dispute",
					"execute",
					"claim",
					"finalizeAttested",
				],
				disputed: ["resolve", "withdrawRefund", "claim", "execute"],
				settled: ["withdrawRefund"],
			}[s.status];
			const name =
				likely && r.chance(0.6)
					? r.pick(likely)
					: r.pick(Object.keys(ACTIONS));
			await ACTIONS[name](s);
		}
		await check_books(tally.done % 100 === 99);
	}

	// To the end: everything settles, everybody draws, and the escrow is empty to the last
	// unit.
	m.now += BigInt(200 * DAY);
	for (const s of m.sessions.values()) {
		m.now += 1n;
		if (s.status === "open" || s.status === "closed")
			await attempt(f.buyer, "reclaim", [s.id], () => m.reclaim(f.buyer, s));
		else if (s.status !== "settled")
			await attempt(
				f.stranger,
				"execute",
				[s.id],
				() =>
					void m.settle(
						s,
						s.status === "proposed" ? s.proposed : s.claimed,
						true,
					),
			);
		if (s.refundable)
			await attempt(f.buyer, "withdrawRefund", [s.id], () => void m.draw(s));
	}
	for (const key of [...m.credits.keys()]) {
		m.now += 1n;
		if (m.credits.get(key))
			await attempt(
				key.split(" ")[0],
				"withdraw",
				[key.split(" ")[1]],
				() => void m.credits.delete(key),
			);
	}
	await check_books(true);
	assert.equal(await chain.balance(f.escrow.target), 0n);
	assert.equal(await usd.balanceOf(f.escrow.target), 0n);
	return tally;
}

describe("fuzz", () => {
	const c = {};
	let snapshot;
	before(async () => {
		c.chain = await startChain();
		c.f = await Fixture.create(c.chain);
		c.usd = await c.chain.deploy(mocks().Stablecoin);
		await c.chain.send(c.f.registry, c.f.operator, "setPrice", [
			c.f.nodeId,
			c.usd.target,
			500000n,
		]);
		await c.chain.send(c.usd, c.f.buyer, "mint", [c.f.buyer, 1n << 128n]);
		await c.chain.send(c.usd, c.f.buyer, "approve", [
			c.f.escrow.target,
			ethers.MaxUint256,
		]);
		for (const account of c.chain.accounts)
			await c.chain.rpc(
				"anvil_setBalance",
				account,
				ethers.toQuantity(1n << 160n),
			);
		snapshot = await c.chain.snapshot();
	});
	after(() => c.chain?.stop());

	for (const seed of [SEED, SEED + 1]) {
		it(`orders of calls, seed ${seed}`, async (t) => {
			snapshot = await c.chain.revert(snapshot);
			const { refused } = await run(c, seed, STEPS);
			t.diagnostic(JSON.stringify(refused));
			// A run that refuses everything, or meets few reasons, would prove little.
			assert.ok(refused.none > STEPS / 4, `only ${refused.none} calls succeeded`);
			if (STEPS >= 500)
				assert.ok(
					Object.keys(refused).length >= 12,
					`only ${Object.keys(refused)}`,
				);
		});
	}
});

describe("split into claims", () => {
	const c = useFixture({ before, beforeEach: () => {}, after });

	it("any split ends with the balances of one claim, whatever price, fee and figures", async () => {
		const { chain, f } = c;
		const r = generator(SEED);
		await chain.rpc("anvil_setBalance", f.buyer, ethers.toQuantity(1n << 160n));
		for (let round = 0; round < 25; round++) {
			const price = r.chance(0.5) ? r.pick(PRICES) : 1n + r.below(10n ** 15n);
			const fee = BigInt(r.int(501));
			await chain.send(f.registry, f.operator, "setPrice", [
				f.nodeId,
				NATIVE,
				price,
			]);
			await chain.send(f.escrow, f.owner, "setFee", [fee]);
			const [whole, parts] = [
				await f.buy({ dataGB: 3n }, { price }),
				await f.buy({ dataGB: 3n }, { price }),
			];
			const total = r.below(3n * GB + 1n);
			const gains = async (act) => {
				const earlier = [
					await f.withdrawable(f.payout),
					await f.withdrawable(f.treasury),
					await chain.balance(f.escrow.target),
				];
				await act();
				return [
					(await f.withdrawable(f.payout)) - earlier[0],
					(await f.withdrawable(f.treasury)) - earlier[1],
					(await chain.balance(f.escrow.target)) - earlier[2],
				];
			};
			const one = await gains(() => f.finalize(whole, total));
			const many = await gains(async () => {
				let at = 0n;
				for (let i = 0; i < 6; i++) {
					at += r.chance(0.3) ? 1n : r.below((total - at) / 2n + 1n);
					if (at <= total) await f.claim(parts, at);
				}
				await f.finalize(parts, total);
			});
			assert.deepEqual(many, one, `price ${price}, fee ${fee}, ${total} bytes`);
			const expected = split(total, 3n * GB, price, fee);
			assert.deepEqual(one, [expected.operator, expected.fee, -expected.refund]);
		}
	});
});
