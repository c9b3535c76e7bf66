// An operator triggers a run, and watches it to its end without touching the page again.
import assert from "node:assert/strict";

export default async function (site, { token, from, to, ready }) {
  const operator = await site.visitor();
  await operator.signIn(token);
  await trigger(operator, from, to);
  await operator.mustShow(/^Run /);
  const run = new URL(operator.page.url()).pathname.split("/").at(-1);

  // It is held at its source, and has to be seen there. From here on nothing reloads the page.
  await operator.page.evaluate(() => (globalThis.isSamePage = true));
  await operator.page.locator("main").getByText(/running/i).first().waitFor();
  await operator.mustBeAccessible();
  await operator.picture("run-under-way");
  await fetch(ready);

  await operator.page.locator("main").getByText(/succeeded/i).first().waitFor();
  assert.equal(await operator.page.evaluate(() => globalThis.isSamePage), true, "the page was loaded again");
  await operator.picture("run-done");

  // Another look at the same address shows the same, and back leads to where one was.
  const watched = await outcome(operator.page);
  await operator.open(`/runs/${run}`);
  assert.deepEqual(await outcome(operator.page), watched);
  await operator.page.goto("/runs");
  await operator.page.locator(`a[href*="${run}"]`).first().click();
  await operator.mustShow(/^Run /);
  await operator.page.goBack();
  await operator.mustShow("Runs");
  return run;
}

/** Fills the form for a run over days. */
export async function trigger(operator, from, to) {
  await operator.open("/runs");
  const form = operator.page.locator('form[method="post"][action="/runs"]');
  if (!(await form.isVisible())) await operator.page.getByText(/trigger/i).first().click();
  await form.getByLabel(/from|first/i).fill(from);
  await form.getByLabel(/to\b|through|last/i).first().fill(to);
  const again = form.getByLabel(/again|force|publish/i);
  if ((await again.count()) > 0) await again.first().check();
  await form.getByRole("button").click();
}

/** The stages with their states, without times that go on. */
async function outcome(page) {
  const cells = await page.locator("main table tbody tr th").allTextContents();
  return { cells, isDone: /succeeded/i.test(await page.locator("main").innerText()) };
}
