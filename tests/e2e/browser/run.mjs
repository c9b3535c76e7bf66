// Runs one journey of a person through the console, in a real browser:
//
//   node run.mjs TOOLS CHROMIUM JOURNEY GIVEN
//
// TOOLS is the folder that holds node_modules, JOURNEY the name of a file in journeys/, and GIVEN its input as JSON, with
// `site`, the console's address. What the journey returns is written to standard output as JSON; what went wrong goes to
// standard error, and the exit code is then 1.
import { createRequire } from "node:module";

import { Site } from "./site.mjs";

const [tools, chromium, journey, given] = process.argv.slice(2);
const installed = createRequire(`${tools}/package.json`);
const { chromium: driver } = installed("playwright-core");
const input = JSON.parse(given);

const browser = await driver.launch({
  executablePath: chromium,
  // Chromium's sandbox needs a user who is not root.
  chromiumSandbox: process.getuid() !== 0,
  // A developer's proxy knows nothing of this machine's ports.
  args: ["--no-proxy-server"],
});
try {
  const { default: go } = await import(`./journeys/${journey}.mjs`);
  const site = new Site(browser, installed.resolve("axe-core/axe.min.js"), input);
  const result = await go(site, input);
  site.mustBeSpotless();
  process.stdout.write(JSON.stringify(result ?? null));
} catch (error) {
  console.error(error.stack ?? error);
  process.exitCode = 1;
} finally {
  await browser.close();
}
