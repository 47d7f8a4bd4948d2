// SPDX-License-Identifier: Apache-2.0
//
// What a test of the contracts starts from: the people, a registered node, purchases, signatures,
// and the split computed anew in JavaScript. Written from the README's text, not from the Solidity.
import { ethers } from "ethers";
import { Chain, deployTollwire, startChain } from "./chain.mjs";

export const GB = 10n ** 9n;
export const HOUR = 3600;
export const DAY = 86400;
export const NATIVE = ethers.ZeroAddress;
export const ZERO32 = ethers.ZeroHash;
export const PRICE = ethers.parseEther("0.001");
export const ROOT = ethers.id("checkpoints");
export const Mode = { voucher: 0, attested: 1, optimistic: 2 };
export const Status = { none: 0n, open: 1n, closed: 2n, proposed: 3n, disputed: 4n, settled: 5n };
export const NO_VOUCHER = { cumulativeBytes: 0n, r: ZERO32, vs: ZERO32 };
export const NO_PERMIT = { value: 0n, deadline: 0n, v: 0, r: ZERO32, s: ZERO32 };

export const TYPES = {
	voucher: {
		UsageVoucher: [
			{ name: "sessionId", type: "bytes32" },
			{ name: "cumulativeBytes", type: "uint256" },
		],
	},
	attestation: {
		UsageAttestation: [
			{ name: "sessionId", type: "bytes32" },
			{ name: "bytesUsed", type: "uint256" },
			{ name: "checkpointsRoot", type: "bytes32" },
		],
	},
	checkpoint: {
		UsageCheckpoint: [
			{ name: "sessionId", type: "bytes32" },
			{ name: "sequence", type: "uint256" },
			{ name: "outBytes", type: "uint256" },
			{ name: "inBytes", type: "uint256" },
			{ name: "time", type: "uint256" },
			{ name: "previousHash", type: "bytes32" },
		],
	},
	terms: {
		SessionTerms: [
			{ name: "nodeId", type: "uint256" },
			{ name: "asset", type: "address" },
			{ name: "pricePerGB", type: "uint256" },
			{ name: "payout", type: "address" },
			{ name: "feeBps", type: "uint256" },
			{ name: "treasury", type: "address" },
			{ name: "attestor", type: "address" },
			{ name: "windowSec", type: "uint256" },
			{ name: "graceSec", type: "uint256" },
			{ name: "wgPublicKey", type: "bytes32" },
			{ name: "usageSigner", type: "address" },
		],
	},
};

// The split of a deposit after `bytes`, all in smallest units.
export function split(bytes, boughtBytes, pricePerGB, feeBps = 100n) {
	const cost = (BigInt(bytes) * pricePerGB) / GB;
	const fee = (cost * feeBps) / 10000n;
	return {
		cost,
		fee,
		operator: cost - fee,
		refund: (BigInt(boughtBytes) * pricePerGB) / GB - cost,
	};
}

// EIP-2098: 32 octets r, 32 octets s with the parity of y in its top bit.
export function compact(signature) {
	const { r, yParityAndS } = ethers.Signature.from(signature);
	return { r, vs: yParityAndS };
}

export class Fixture {
	// Accounts: 0 owner, 1 treasury, 2 operator, 3 settler, 4 payout, 5 buyer, 6 voucher
	// signer, 7 attestor, 8 stranger, 9 usage signer.
	static async create(chain, options = {}) {
		const f = new Fixture();
		f.chain = chain;
		Object.assign(f, await deployTollwire(chain, options));
		[
			,
			,
			f.operator,
			f.settler,
			f.payout,
			f.buyer,
			f.voucherSigner,
			f.attestor,
			f.stranger,
			f.usageSigner,
		] = chain.accounts;
		f.voucherWallet = Chain.wallet(6);
		f.attestorWallet = Chain.wallet(7);
		f.domain = {
			name: "tollwire EscrowPayment",
			version: "1",
			chainId: chain.chainId,
			verifyingContract: f.escrow.target,
		};
		f.salts = 0n;
		f.nodeId = await f.register();
		await chain.send(f.registry, f.operator, "setAttestor", [
			f.nodeId,
			f.attestor,
			true,
		]);
		return f;
	}

	settings(changes = {}) {
		return {
			payout: this.payout,
			usageSigner: this.usageSigner,
			settler: this.settler,
			wgPublicKey: ethers.id("wireguard"),
			metadataHash: ethers.id("metadata"),
			windowSec: 0,
			graceSec: 0,
			...changes,
		};
	}

	registration(changes = {}) {
		const n = {
			name: "exit-1",
			region: "eu-central",
			pricePerGB: PRICE,
			bandwidthMbps: 10000,
			endpoint: "192.0.2.1:51820",
			apiUrl: "https://192.0.2.1:8443",
			settings: {},
			...changes,
		};
		return [
			n.name,
			n.region,
			n.pricePerGB,
			n.bandwidthMbps,
			n.endpoint,
			n.apiUrl,
			this.settings(n.settings),
		];
	}

	async register(changes = {}, from = this.operator) {
		const receipt = await this.chain.send(
			this.registry,
			from,
			"registerNode",
			this.registration(changes),
		);
		return receipt.events[0].args.nodeId;
	}

	async termsHash(asset = NATIVE, attestor = ethers.ZeroAddress, nodeId = this.nodeId) {
		return (
			await this.chain.call(this.escrow, this.buyer, "currentTerms", [
				nodeId,
				asset,
				attestor,
			])
		).termsHash;
	}

	// An order with defaults; a termsHash is asked of the chain unless one is given.
	async order(changes = {}) {
		const o = {
			nodeId: this.nodeId,
			dataGB: 10n,
			duration: DAY,
			mode: Mode.voucher,
			voucherSigner: this.voucherSigner,
			attestor:
				changes.mode === Mode.attested ? this.attestor : ethers.ZeroAddress,
			salt: ethers.toBeHex(++this.salts, 32),
			asset: NATIVE,
			...changes,
		};
		const { asset, ...order } = o;
		order.termsHash ??= await this.termsHash(asset, order.attestor, order.nodeId);
		return order;
	}

	static args(o) {
		return [
			o.nodeId,
			o.dataGB,
			o.duration,
			o.mode,
			o.voucherSigner,
			o.attestor,
			o.salt,
			o.termsHash,
		];
	}

	// Buys with the native coin and returns the session's id.
	async buy(changes = {}, { from = this.buyer, price = PRICE } = {}) {
		const order = await this.order(changes);
		const options = { value: BigInt(order.dataGB) * price };
		const receipt = await this.chain.send(
			this.escrow,
			from,
			"createSession",
			Fixture.args(order),
			options,
		);
		return receipt.events.find((e) => e.name === "SessionCreated").args.sessionId;
	}

	session(id) {
		return this.chain.call(this.escrow, this.stranger, "getSession", [id]);
	}

	withdrawable(account, asset = NATIVE) {
		return this.chain.call(this.escrow, this.stranger, "withdrawable", [
			account,
			asset,
		]);
	}

	async voucher(
		sessionId,
		cumulativeBytes,
		wallet = this.voucherWallet,
		domain = this.domain,
	) {
		const message = { sessionId, cumulativeBytes };
		return {
			cumulativeBytes,
			...compact(await wallet.signTypedData(domain, TYPES.voucher, message)),
		};
	}

	async attestation(
		sessionId,
		bytesUsed,
		checkpointsRoot = ROOT,
		wallet = this.attestorWallet,
		domain = this.domain,
	) {
		const message = { sessionId, bytesUsed, checkpointsRoot };
		return compact(await wallet.signTypedData(domain, TYPES.attestation, message));
	}

	// The short forms that most tests use.
	send(from, fn, args, options) {
		return this.chain.send(this.escrow, from, fn, args, options);
	}

	fails(from, fn, args, options, reason) {
		return this.chain.fails(this.escrow, from, fn, args, options, reason);
	}

	async claim(id, bytes, from = this.operator) {
		return this.send(from, "claim", [id, await this.voucher(id, bytes)]);
	}

	async finalize(id, bytes, from = this.operator) {
		return this.send(from, "finalizeSession", [
			id,
			bytes,
			ROOT,
			await this.voucher(id, bytes),
		]);
	}
}

// Gives a describe() block a chain of its own with the fixture on it; every test starts from the
// state that `prepare` left. Returns an object that is filled before the first test: { chain, f }
// and what `prepare` returns.
export function useFixture(
	{ before, beforeEach, after },
	prepare = async () => ({}),
	options = {},
) {
	const context = {};
	let snapshot;
	before(async () => {
		context.chain = await startChain(...(options.anvil ?? []));
		context.f = await Fixture.create(context.chain, options);
		Object.assign(context, await prepare(context));
		snapshot = await context.chain.snapshot();
	});
	beforeEach(async () => {
		snapshot = await context.chain.revert(snapshot);
	});
	after(() => context.chain?.stop());
	return context;
}
