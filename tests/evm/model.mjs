// SPDX-License-Identifier: Apache-2.0
//
// The escrow as its README tells it, slow and obvious: amounts are kept here, where the contract
// derives them from bytes. Written for the fuzz test, which compares the two after every call.
// Knows no chain.
import { DAY, GB, Mode, NATIVE, split } from "./fixture.mjs";

// Seeded numbers (mulberry32), so that a failure can be run again.
export function generator(seed) {
	let a = seed >>> 0;
	const next = () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), 1 | a);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	const int = (n) => Math.floor(next() * n);
	return {
		int,
		chance: (p) => next() < p,
		pick: (list) => list[int(list.length)],
		below: (n) => (BigInt(int(2 ** 30)) * n) / (1n << 30n),
	};
}

export class Model {
	constructor(f) {
		this.f = f;
		this.sessions = new Map();
		this.credits = new Map();
		this.now = 0n;
	}

	credit(account, asset, amount) {
		const key = `${account} ${asset}`;
		this.credits.set(key, (this.credits.get(key) ?? 0n) + amount);
	}

	operator(who) {
		return who === this.f.operator || who === this.f.settler;
	}

	// Raises what the operator was paid for to n bytes.
	raise(s, n) {
		const [from, to] = [
			split(s.claimed, s.bought, s.price, s.fee),
			split(n, s.bought, s.price, s.fee),
		];
		this.credit(s.payout, s.asset, to.operator - from.operator);
		this.credit(s.treasury, s.asset, to.fee - from.fee);
		s.held -= to.cost - from.cost;
		s.claimed = n;
	}

	settle(s, n, push) {
		this.raise(s, n);
		s.status = "settled";
		s.refundable = s.held;
		if (push) this.draw(s);
	}

	draw(s) {
		s.held -= s.refundable;
		s.refundable = 0n;
	}

	// Each returns a reason, or undefined after it did what the call does.
	claim(who, s, n, good) {
		if (!this.operator(who)) return "NotOperatorOrSettler";
		if (s.status === "settled") return "WrongStatus";
		if (!good) return "BadVoucher";
		const limit =
			s.status === "proposed" || s.status === "disputed" ? s.proposed : s.bought;
		const target = n < limit ? n : limit;
		if (target > s.claimed) this.raise(s, target);
	}

	check_finalize(s, n, voucher, good) {
		if (s.status !== "open" && s.status !== "closed") return "WrongStatus";
		if (n < s.claimed) return "BytesBelowClaimed";
		if (n > s.bought) return "BytesAboveBought";
		if (voucher === undefined) return n === s.claimed ? undefined : "VoucherRequired";
		if (n > voucher) return "BytesAboveVoucher";
		return good ? undefined : "BadVoucher";
	}

	check_propose(s, n) {
		if (s.mode === Mode.voucher) return "WrongMode";
		if (s.status !== "open" && s.status !== "closed") return "WrongStatus";
		if (n < s.claimed) return "BytesBelowClaimed";
		if (n > s.bought) return "BytesAboveBought";
	}

	do_propose(s, n) {
		const end = this.now + s.window;
		s.deadline = s.status === "open" && s.expiry > end ? s.expiry : end;
		s.status = "proposed";
		s.proposed = n;
	}

	check_execute(who, s) {
		if (s.status !== "proposed" && s.status !== "disputed") return "WrongStatus";
		if (this.now >= s.deadline) return;
		return s.status === "proposed" && who === s.buyer ? undefined : "WindowOpen";
	}

	close(who, s) {
		if (who !== s.buyer) return "NotBuyer";
		if (s.status !== "open") return "WrongStatus";
		s.status = "closed";
		s.deadline = (s.expiry < this.now ? s.expiry : this.now) + s.grace;
	}

	dispute(who, s, n) {
		if (who !== s.buyer && who !== s.signer) return "NotBuyerOrVoucherSigner";
		if (s.status !== "proposed") return "WrongStatus";
		if (this.now >= s.deadline) return "WindowOver";
		if (n < s.claimed) return "BytesBelowClaimed";
		if (n >= s.proposed) return "BytesAboveProposed";
		this.raise(s, n);
		s.status = "disputed";
		s.deadline = this.now + BigInt(7 * DAY);
		s.refundable = split(s.proposed, s.bought, s.price, s.fee).refund;
	}

	resolve(s, n, good) {
		if (s.status !== "disputed") return "WrongStatus";
		if (this.now >= s.deadline) return "WindowOver";
		if (n < s.claimed) return "BytesBelowClaimed";
		if (n > s.proposed) return "BytesAboveProposed";
		if (!good || s.attestor === NATIVE) return "BadAttestation";
		this.settle(s, n, true);
	}

	attested(who, s, n, good) {
		if (!this.operator(who)) return "NotOperatorOrSettler";
		if (s.mode !== Mode.attested) return "WrongMode";
		if (s.status === "disputed" || s.status === "settled") return "WrongStatus";
		if (n < s.claimed) return "BytesBelowClaimed";
		if (n > s.bought) return "BytesAboveBought";
		if (!good) return "BadAttestation";
		this.settle(s, n, true);
	}

	reclaim(who, s) {
		if (who !== s.buyer) return "NotBuyer";
		if (s.status !== "open" && s.status !== "closed") return "WrongStatus";
		if (this.now < (s.status === "open" ? s.expiry + s.grace : s.deadline))
			return "GraceNotOver";
		this.settle(s, s.claimed, true);
	}

	// `paid` is what is sent with the native coin, the most that may be spent with a token.
	top_up(who, s, gb, extra, paid, asset = NATIVE) {
		if (who !== s.buyer) return "NotBuyer";
		if (s.status !== "open") return "WrongStatus";
		if (this.now >= s.expiry) return "Expired";
		if (s.asset !== asset) return "WrongAsset";
		if (gb === 0n) return "BadDataAmount";
		if (extra > BigInt(90 * DAY) || s.expiry + extra > this.now + BigInt(90 * DAY))
			return "BadDuration";
		const cost = gb * s.price;
		if (asset === NATIVE && paid !== cost) return "WrongValue";
		if (asset !== NATIVE && paid < cost) return "CostAboveMaximum";
		s.bought += gb * GB;
		s.expiry += extra;
		s.held += cost;
	}
}
