// SPDX-License-Identifier: Apache-2.0
//
// A chain with the contracts and many registered nodes, for tests that are shell scripts: writes where it
// is to a file, then serves until it is killed.
//
//   node many_nodes.mjs COUNT FILE
import { renameSync, writeFileSync } from "node:fs";
import { Chain, startChain } from "../evm/chain.mjs";
import { Fixture } from "../evm/fixture.mjs";

const [count, file] = process.argv.slice(2);
const chain = await startChain();
const f = await Fixture.create(chain);
for (let i = 1; i < Number(count); i++) await f.register({ name: `exit-${i}`, region: i % 2 ? "eu" : "us" });
writeFileSync(file + ".new", JSON.stringify({ rpcUrl: chain.url, chainId: chain.chainId, escrow: f.escrow.target, key: Chain.wallet(3).privateKey }));
renameSync(file + ".new", file);
process.on("SIGTERM", async () => {
	await chain.stop();
	process.exit(0);
});
setInterval(() => {}, 1 << 30);
