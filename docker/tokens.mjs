// Makes the static tokens of compose.yaml, if they are not there, and the file of their hashes.
//
//   node tokens.mjs HASHES TOKENS NAME...
//
// TOKENS/NAME holds the token of that name, HASHES/tokens what services know of all of them (docs/access.md).
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [hashes, tokens, ...names] = process.argv.slice(2);
const lines = names.map((name) => {
  const file = join(tokens, name);
  if (!existsSync(file)) {
    writeFileSync(file, `activity_${randomBytes(32).toString("hex")}`);
  }
  return `${createHash("sha256").update(readFileSync(file)).digest("hex")}  ${name}\n`;
});
writeFileSync(join(hashes, "tokens"), lines.join(""));
