// A stage fails: its error is there in full, the alert is named, and a retry ends well.
import assert from "node:assert/strict";

import { trigger } from "./trigger-and-watch.mjs";

export default async function (site, { token, from, to, stage, error, mended }) {
  const operator = await site.visitor();
  await operator.signIn(token);
  await trigger(operator, from, to);
  await operator.mustShow(/^Run /);
  await operator.page.locator("main").getByText(/failed/i).first().waitFor();
  const run = new URL(operator.page.url()).pathname;

  await operator.open(run);
  const shown = await operator.text();
  for (const expected of [stage, error, /alert/i]) {
    assert.match(shown, new RegExp(expected, "i"), `${expected} is not shown`);
  }
  assert.match(shown, /activityctl retry/, "the command of the action");
  await operator.mustBeAccessible();
  await operator.picture("run-failed");

  await operator.open("/");
  assert.match(await operator.text(), new RegExp(run.split("/").at(-1)), "an incident on the overview");

  await fetch(mended);
  await operator.open(run);
  await operator.page.getByRole("button", { name: /retry/i }).first().click();
  await operator.page.locator("main").getByText(/succeeded/i).first().waitFor();
  return run.split("/").at(-1);
}
