// SPDX-License-Identifier: Apache-2.0
//
// What a chain says was paid, checked with a library of its own against the contract's rules and every
// account's balance; nothing is taken from the node or the buyer's tool. Used by scripts/demo and the
// end-to-end tests.
//
//	node ledger.mjs RPC-URL ESCROW ROLE=ADDRESS... [-- SESSION-ID...]
//
// ROLEs are names for the accounts: each must have gained what its sessions say, and those that are no
// party nothing. Prints {sessions: [...], disagreements: [...]}; a session that is not settled has
// settle_tx null. Amounts are decimal strings. Exit code 0 whatever was found: who asks decides.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ethers } from "ethers";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const artifact = join(root, "controlplane/chain/evm/artifacts/EscrowPayment.json");
const GB = 10n ** 9n;
const BPS = 10000n;
const NATIVE = ethers.ZeroAddress;
const ERC20 = ["function balanceOf(address) view returns (uint256)"];

const [rpcUrl, escrowAddress, ...rest] = process.argv.slice(2);
const split = rest.indexOf("--");
const roles = Object.fromEntries(
	(split < 0 ? rest : rest.slice(0, split)).map((pair) => {
		const [role, address] = pair.split("=");
		return [role, ethers.getAddress(address)];
	}),
);
const wanted = split < 0 ? [] : rest.slice(split + 1);

const provider = new ethers.JsonRpcProvider(rpcUrl, undefined, {
	staticNetwork: true,
	cacheTimeout: -1,
});
const escrow = new ethers.Contract(
	escrowAddress,
	JSON.parse(readFileSync(artifact, "utf8")).abi,
	provider,
);
const disagreements = [];
const expect = (what, got, want) => {
	if (got !== want) disagreements.push(`${what}: the chain has ${got}, expected ${want}`);
};
const is_wanted = (id) => wanted.length === 0 || wanted.includes(id);
const sum = (list) => list.reduce((total, n) => total + n, 0n);

async function read_events() {
	const events = [];
	for (const log of await provider.getLogs({ address: escrowAddress, fromBlock: 0 })) {
		const parsed = escrow.interface.parseLog(log);
		if (parsed)
			events.push({
				name: parsed.name,
				args: parsed.args,
				tx: log.transactionHash,
				block: log.blockNumber,
			});
	}
	return events;
}

// The cost of the bytes by the README's formula, and what becomes of it.
function split_deposit(bytes, terms, deposit) {
	const cost = (bytes * terms.pricePerGB) / GB;
	const fee = (cost * terms.feeBps) / BPS;
	return { cost, fee, operator: cost - fee, refund: deposit - cost };
}

async function read_session(id, events) {
	const own = events.filter((e) => e.args.sessionId === id);
	const named = (name) => own.filter((e) => e.name === name);
	const [created] = named("SessionCreated");
	if (!created) throw new Error(`${id} was never bought`);
	const { terms } = created.args;
	const deposit = created.args.deposit + sum(named("SessionToppedUp").map((e) => e.args.paid));
	const settled = named("SessionSettled");
	if (is_wanted(id) || settled.length > 1) expect(`${id}: settlements`, settled.length, 1);
	const view = await escrow.getSession(id);
	const session = {
		session_id: id,
		mode: ["voucher", "attested", "optimistic"][Number(created.args.mode)],
		asset: terms.asset,
		parties: { buyer: created.args.buyer, payout: terms.payout, treasury: terms.treasury },
		escrow_wei: deposit,
		settle_tx: null,
		held_wei: view.held,
	};
	expect(`${id}: deposit`, view.deposit, deposit);
	if (settled.length !== 1) {
		session.operator_wei = sum(named("SessionClaimed").map((e) => e.args.operatorAmount));
		session.fee_wei = sum(named("SessionClaimed").map((e) => e.args.feeAmount));
		session.cost_wei = session.operator_wei + session.fee_wei;
		return session;
	}
	const { args, tx } = settled[0];
	const parts = split_deposit(args.bytesUsed, terms, deposit);
	expect(`${id}: operator`, args.operatorAmount, parts.operator);
	expect(`${id}: fee`, args.feeAmount, parts.fee);
	expect(`${id}: refund`, args.refund, parts.refund);
	expect(`${id}: sum of the parts`, args.operatorAmount + args.feeAmount + args.refund, deposit);
	const proposed = named("SettlementProposed").at(-1);
	return Object.assign(session, {
		bytes_used: args.bytesUsed,
		cost_wei: args.operatorAmount + args.feeAmount,
		fee_wei: args.feeAmount,
		operator_wei: args.operatorAmount,
		refund_wei: args.refund,
		settle_tx: tx,
		gas_used: (await provider.getTransactionReceipt(tx)).gasUsed,
		checkpoints_root:
			args.checkpointsRoot === ethers.ZeroHash && proposed
				? proposed.args.checkpointsRoot
				: args.checkpointsRoot,
		chain_events: own.map((e) => e.name),
	});
}

// Gas of every transaction that the addresses ever sent, by address.
async function read_gas(head) {
	const gas = new Map(Object.values(roles).map((address) => [address, 0n]));
	for (let number = 0; number <= head; number++) {
		const block = await provider.getBlock(number, true);
		for (const tx of block.prefetchedTransactions) {
			if (!gas.has(tx.from)) continue;
			const receipt = await provider.getTransactionReceipt(tx.hash);
			gas.set(tx.from, gas.get(tx.from) + receipt.gasUsed * receipt.gasPrice);
		}
	}
	return gas;
}

function balance_of(asset, address, block) {
	if (asset === NATIVE) return provider.getBalance(address, block);
	return new ethers.Contract(asset, ERC20, provider).balanceOf(address, { blockTag: block });
}

// Every account has what it began with, less its gas, and what the sessions gave and took.
async function check_balances(asset, sessions, from, head, gas) {
	const due = new Map();
	const owe = (address, amount) => due.set(address, (due.get(address) ?? 0n) + amount);
	for (const session of sessions) {
		owe(session.parties.buyer, -session.cost_wei - session.held_wei);
		owe(session.parties.payout, session.operator_wei);
		owe(session.parties.treasury, session.fee_wei);
	}
	let credits = 0n;
	for (const [role, address] of Object.entries(roles)) {
		const gained =
			(await balance_of(asset, address, head)) -
			(await balance_of(asset, address, from)) +
			(asset === NATIVE ? gas.get(address) : 0n);
		const credit = await escrow.withdrawable(address, asset);
		credits += credit;
		expect(`${role}: gained`, gained + credit, due.get(address) ?? 0n);
	}
	expect(
		"the escrow's own balance",
		await balance_of(asset, escrowAddress, head),
		sum(sessions.map((s) => s.held_wei)) + credits,
	);
}

const head = await provider.getBlockNumber();
const events = await read_events();
const ids = events.filter((e) => e.name === "SessionCreated").map((e) => e.args.sessionId);
const all = [];
for (const id of ids) all.push(await read_session(id, events));
const gas = await read_gas(head);
for (const asset of new Set(all.map((s) => s.asset))) {
	const own = all.filter((s) => s.asset === asset);
	const first = events.find((e) => e.args.sessionId === own[0].session_id).block;
	await check_balances(asset, own, asset === NATIVE ? 0 : first - 1, head, gas);
}
for (const id of wanted) {
	if (!ids.includes(id)) disagreements.push(`${id} was never bought`);
}
const sessions = all.filter((s) => is_wanted(s.session_id));
const text = (_, value) => (typeof value === "bigint" ? value.toString() : value);
console.log(JSON.stringify({ sessions, disagreements }, text));
provider.destroy();
