// A stage fails: its error is there in full, the alert is named, and a retry ends well.
import assert from "node:assert/strict";

import { trigger } from "./trigger-and-watch.mjs";

export default async function (site, { token, from, to, stage, error, mended }) {
  const operator = await site.visitor();
  await operator.signIn(token);
  await trigger(operator, from, to);
  await operator.mustShow(/^Run /);
  const run = new URL(operator.page.url()).pathname;
  // Offered once the run has ended, and the page has asked for itself again.
  const retry = operator.page.getByRole("button", { name: /retry/i });
  await retry.waitFor();
  // The alert is on record a moment after the run's end.
  while (!/a stage failed/.test(await operator.text())) await operator.open(run);
  const shown = await operator.text();
  for (const expected of [stage, error, "failed in", "alerts"]) {
    assert.match(shown, new RegExp(expected, "i"), `${expected} is not shown`);
  }
  assert.match(shown, /activityctl retry/, "the command of the action");
  await operator.mustBeAccessible();
  await operator.picture("run-failed");

  await operator.open("/");
  assert.ok((await operator.page.locator(`main a[href*="${run}"]`).count()) > 0, "the overview leads to the run");

  await fetch(mended);
  await operator.open(run);
  await retry.click();
  await operator.page.locator("main").getByText(/succeeded: \d+ of \d+ stages done/i).waitFor();
  return run.split("/").at(-1);
}
