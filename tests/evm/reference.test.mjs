// SPDX-License-Identifier: Apache-2.0
//
// The reference case to the wei by every road to a settlement: 10 GB at 0.001 ETH, 5.2 GB used:
// 0.005148 to the operator, 0.000052 to the treasury, 0.0048 back to the buyer. Written against the
// README's text alone: words are put together by hand here, the node itself hashes and signs, and
// gas is free, so that whole account balances are compared. Shares no encoder with other tests.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { artifact, startChain } from "./chain.mjs";

const ETH = 10n ** 18n;
const GB = 10n ** 9n;
const DAY = 86400n;
const USED = 5_200_000_000n;
const PAID = ETH / 100n;
const OPERATOR = 5_148_000_000_000_000n;
const FEE = 52_000_000_000_000n;
const BACK = 4_800_000_000_000_000n;
const ROOT = `0x${"c4".repeat(32)}`;
const KEY = `0x${"5e".repeat(32)}`;
const NONE = `0x${"00".repeat(20)}`;

const word = (x) => BigInt(x).toString(16).padStart(64, "0");
const words = (...list) => list.map(word).join("");
const string = (text) => {
	const octets = Buffer.from(text).toString("hex");
	return word(text.length) + octets.padEnd(Math.ceil(octets.length / 64) * 64, "0");
};

describe("reference case, by hand-made calls", () => {
	let chain, people, registry, escrow, terms_hash;
	let salt = 0;

	const rpc = async (method, ...params) => {
		const response = await fetch(chain.url, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
		});
		const { result, error } = await response.json();
		if (error) throw new Error(`${method}: ${error.message}`);
		return result;
	};
	const keccak = (hex) => rpc("web3_sha3", `0x${hex}`);
	const hash_text = (text) => keccak(Buffer.from(text).toString("hex"));
	const data = async (signature, hex) => (await hash_text(signature)).slice(0, 10) + hex;
	const transact = async (from, to, input, value = 0n) => {
		const hash = await rpc("eth_sendTransaction", {
			from,
			...(to && { to }),
			data: input,
			value: `0x${value.toString(16)}`,
			gas: "0xf42400",
			gasPrice: "0x0",
		});
		const receipt = await chain.receipt(hash);
		assert.equal(receipt.status, "0x1");
		return receipt;
	};
	const send = async (from, signature, hex, value) =>
		transact(from, escrow, await data(signature, hex), value);
	const ask = async (to, signature, hex) => {
		const input = await data(signature, hex);
		const answer = await rpc("eth_call", { to, data: input }, "latest");
		return answer
			.slice(2)
			.match(/.{64}/g)
			.map((w) => BigInt(`0x${w}`));
	};
	const balance = async (who) => BigInt(await rpc("eth_getBalance", who, "latest"));
	const advance = async (seconds) => {
		await rpc("evm_increaseTime", Number(seconds));
		await rpc("evm_mine");
	};

	// r and vs of EIP-2098 from the node's own signature over typed data.
	const sign = async (who, primaryType, members, message) => {
		const types = {
			EIP712Domain: [
				{ name: "name", type: "string" },
				{ name: "version", type: "string" },
				{ name: "chainId", type: "uint256" },
				{ name: "verifyingContract", type: "address" },
			],
			[primaryType]: members.map((m) => {
				const [type, name] = m.split(" ");
				return { name, type };
			}),
		};
		const domain = {
			name: "tollwire EscrowPayment",
			version: "1",
			chainId: Number(await rpc("eth_chainId")),
			verifyingContract: escrow,
		};
		const signature = await rpc("eth_signTypedData_v4", who, {
			types,
			primaryType,
			domain,
			message,
		});
		const [r, s] = [signature.slice(2, 66), BigInt(`0x${signature.slice(66, 130)}`)];
		const odd = BigInt(`0x${signature.slice(130)}`) - 27n;
		return r + word((odd << 255n) | s);
	};
	const voucher = async (id, bytes) =>
		word(bytes) +
		(await sign(
			people.signer,
			"UsageVoucher",
			["bytes32 sessionId", "uint256 cumulativeBytes"],
			{ sessionId: id, cumulativeBytes: bytes.toString() },
		));
	const attestation = async (id, bytes) =>
		sign(
			people.attestor,
			"UsageAttestation",
			["bytes32 sessionId", "uint256 bytesUsed", "bytes32 checkpointsRoot"],
			{ sessionId: id, bytesUsed: bytes.toString(), checkpointsRoot: ROOT },
		);

	const CREATE =
		"createSession(uint256,uint256,uint256,uint8,address,address,bytes32,bytes32)";
	const VOUCHER = "(uint256,bytes32,bytes32)";
	const create = async () => {
		salt++;
		const order = words(
			1,
			10,
			DAY,
			1, // attested: every road is open
			people.signer,
			people.attestor,
			salt,
			terms_hash,
		);
		const chain_id = await rpc("eth_chainId");
		const id = await keccak(words(chain_id, escrow, people.buyer, salt));
		const receipt = await send(people.buyer, CREATE, order, PAID);
		assert.equal(receipt.logs[0].topics[1], id);
		return id;
	};
	const propose = (id, bytes) =>
		send(
			people.operator,
			"proposeSettlement(bytes32,uint256,bytes32)",
			words(id, bytes, ROOT),
		);
	const claim = async (id, bytes) =>
		send(
			people.operator,
			`claim(bytes32,${VOUCHER})`,
			word(id) + (await voucher(id, bytes)),
		);
	const finalize = async (id, bytes, signed) =>
		send(
			people.operator,
			`finalizeSession(bytes32,uint256,bytes32,${VOUCHER})`,
			words(id, bytes, ROOT) + (signed ?? words(0, 0, 0)),
		);
	const execute = (who, id) => send(who, "execute(bytes32)", word(id));

	before(async () => {
		chain = await startChain("--gas-price", "0", "--block-base-fee-per-gas", "0");
		const accounts = await rpc("eth_accounts");
		const names = "owner treasury operator payout buyer signer attestor stranger usage";
		people = Object.fromEntries(names.split(" ").map((n, i) => [n, accounts[i]]));
		const deploy = async (name, hex) => {
			const input = artifact(name).bytecode + hex;
			return (await transact(people.owner, null, input)).contractAddress;
		};
		registry = await deploy("NodeRegistry", "");
		escrow = await deploy(
			"EscrowPayment",
			words(registry, people.owner, people.treasury, 500),
		);
		await transact(
			people.owner,
			registry,
			await data("bindEscrow(address)", word(escrow)),
		);
		const REGISTER =
			"registerNode(string,string,uint256,uint32,string,string,(address,address,address,bytes32,bytes32,uint32,uint32))";
		const texts = ["exit", "eu", "192.0.2.1:51820", "https://192.0.2.1"].map(string);
		const HEAD = 13n * 32n;
		const at = texts.map((_, i) =>
			texts.slice(0, i).reduce((sum, t) => sum + BigInt(t.length / 2), HEAD),
		);
		await transact(
			people.operator,
			registry,
			await data(
				REGISTER,
				words(at[0], at[1], ETH / 1000n, 1000, at[2], at[3]) +
					words(people.payout, people.usage, NONE, KEY, 0, 0, 0) +
					texts.join(""),
			),
		);
		await transact(
			people.operator,
			registry,
			await data(
				"setAttestor(uint256,address,bool)",
				words(1, people.attestor, 1),
			),
		);
		const type =
			"SessionTerms(uint256 nodeId,address asset,uint256 pricePerGB,address payout,uint256 feeBps,address treasury,address attestor,uint256 windowSec,uint256 graceSec,bytes32 wgPublicKey,address usageSigner)";
		terms_hash = await keccak(
			(await hash_text(type)).slice(2) +
				words(
					1,
					NONE,
					ETH / 1000n,
					people.payout,
					100,
					people.treasury,
					people.attestor,
					DAY,
					DAY,
					KEY,
					people.usage,
				),
		);
	});
	after(() => chain?.stop());

	const ROADS = {
		"finalize with a voucher": async (id) =>
			finalize(id, USED, await voucher(id, USED)),
		"claim, then finalize without one": async (id) => {
			await claim(id, 1_234_567_890n);
			await claim(id, USED);
			return finalize(id, USED);
		},
		"claim, then finalize with one": async (id) => {
			await claim(id, 3n);
			return finalize(id, USED, await voucher(id, USED + 1n));
		},
		"a batch": async (id) => {
			const receipt = await send(
				people.operator,
				`finalizeBatch(uint256,(bytes32,uint256,bytes32,${VOUCHER})[])`,
				words(1, 64, 1, id, USED, ROOT) + (await voucher(id, USED)),
			);
			await send(people.buyer, "withdrawRefund(bytes32)", word(id));
			return receipt;
		},
		"propose, the buyer accepts": async (id) => {
			await propose(id, USED);
			return execute(people.buyer, id);
		},
		"propose, anyone executes after the window": async (id) => {
			await propose(id, USED);
			await advance(DAY + 1n);
			return execute(people.stranger, id);
		},
		"the attestor's word": async (id) =>
			send(
				people.operator,
				"finalizeAttested(bytes32,uint256,bytes32,(bytes32,bytes32))",
				words(id, USED, ROOT) + (await attestation(id, USED)),
			),
		"dispute, the excess drawn, resolve": async (id) => {
			await propose(id, 9n * GB);
			await send(people.buyer, "dispute(bytes32,uint256)", words(id, 1n));
			await send(people.buyer, "withdrawRefund(bytes32)", word(id));
			return send(
				people.stranger,
				"resolve(bytes32,uint256,bytes32,(bytes32,bytes32))",
				words(id, USED, ROOT) + (await attestation(id, USED)),
			);
		},
		"dispute at what was used, silence": async (id) => {
			await propose(id, USED + 1n);
			await send(people.buyer, "dispute(bytes32,uint256)", words(id, USED));
			await advance(7n * DAY);
			return execute(people.stranger, id);
		},
		"claim, the buyer reclaims": async (id) => {
			await claim(id, USED);
			await advance(2n * DAY);
			return send(people.buyer, "reclaim(bytes32)", word(id));
		},
	};

	for (const [name, road] of Object.entries(ROADS)) {
		it(name, async () => {
			const earlier = {};
			for (const who of ["buyer", "payout", "treasury"])
				earlier[who] = await balance(people[who]);
			assert.equal(await balance(escrow), 0n);
			const id = await create();
			assert.equal(await balance(escrow), PAID);
			const { logs } = await road(id);
			const topic = await hash_text(
				"SessionSettled(bytes32,uint8,uint256,bytes32,uint256,uint256,uint256)",
			);
			const log = logs.find((l) => l.topics[0] === topic);
			assert.equal(log.topics[1], id);
			const told = log.data
				.slice(2)
				.match(/.{64}/g)
				.map((w) => BigInt(`0x${w}`));
			assert.deepEqual(
				[told[1], told[3], told[4], told[5]],
				[USED, OPERATOR, FEE, BACK],
			);
			for (const [who, due] of [
				["payout", OPERATOR],
				["treasury", FEE],
			]) {
				const credit = await ask(
					escrow,
					"withdrawable(address,address)",
					words(people[who], NONE),
				);
				assert.deepEqual(credit, [due]);
				await send(people[who], "withdraw(address)", words(NONE));
				assert.equal((await balance(people[who])) - earlier[who], due, who);
			}
			assert.equal(earlier.buyer - (await balance(people.buyer)), PAID - BACK);
			assert.equal(await balance(escrow), 0n);
			assert.equal(OPERATOR + FEE + BACK, PAID);
		});
	}
});
