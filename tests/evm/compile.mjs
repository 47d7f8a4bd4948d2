// SPDX-License-Identifier: Apache-2.0
//
// Compiles Solidity with the pinned compiler and settings. Pure: sources in, artifacts out; what is
// written where is the caller's matter. Artifacts hold the ABI, both byte codes and nothing that
// depends on the machine or the time.
import { createRequire } from "node:module";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));
export const root = resolve(here, "../..");
export const contractsDir = join(root, "controlplane/chain/evm/contracts");
export const artifactsDir = join(root, "controlplane/chain/evm/artifacts");
export const mocksDir = join(here, "contracts");

// The settings are part of the product: another value is another byte code. contracts/README.md
// says why each.
export const settings = {
	evmVersion: "cancun",
	optimizer: { enabled: true, runs: 500 },
	viaIR: false,
	metadata: { bytecodeHash: "none", appendCBOR: false },
	outputSelection: {
		"*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] },
	},
};

const load = (path) => readFileSync(path, "utf8");

function find_import(path) {
	if (path.startsWith("@openzeppelin/"))
		return { contents: load(join(root, "tests/node_modules", path)) };
	return { error: `import outside the tree: ${path}` };
}

// Every .sol file of the directories, named by its path from the root of the repository.
export function read_sources(...dirs) {
	const sources = {};
	for (const dir of dirs) {
		for (const name of readdirSync(dir)
			.filter((n) => n.endsWith(".sol"))
			.sort()) {
			sources[relative(root, join(dir, name))] = {
				content: load(join(dir, name)),
			};
		}
	}
	return sources;
}

// Returns { ContractName: { contractName, sourceName, compiler, settings, abi, bytecode,
// deployedBytecode } } for all contracts of `dirs`, interfaces and libraries left out. Throws on
// any error and on any warning of our own sources.
export function compile(...dirs) {
	return compile_sources(read_sources(...dirs));
}

export function compile_sources(sources) {
	const solc = require("solc");
	const input = { language: "Solidity", sources, settings };
	const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find_import }));
	const faults = (output.errors ?? []).filter(
		(e) => e.severity === "error" || e.sourceLocation?.file in sources,
	);
	if (faults.length) throw new Error(faults.map((e) => e.formattedMessage).join("\n"));
	const { outputSelection, ...kept } = settings;
	const artifacts = {};
	for (const [sourceName, contracts] of Object.entries(output.contracts)) {
		if (!(sourceName in sources)) continue;
		for (const [contractName, c] of Object.entries(contracts)) {
			if (!c.evm.bytecode.object) continue;
			artifacts[contractName] = {
				contractName,
				sourceName,
				compiler: solc.version(),
				settings: kept,
				abi: c.abi,
				bytecode: `0x${c.evm.bytecode.object}`,
				deployedBytecode: `0x${c.evm.deployedBytecode.object}`,
			};
		}
	}
	return artifacts;
}

export const artifact_text = (artifact) => `${JSON.stringify(artifact, null, "\t")}\n`;
