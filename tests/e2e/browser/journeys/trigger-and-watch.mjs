// An operator triggers a run, and watches it to its end without touching the page again.
import assert from "node:assert/strict";

export default async function (site, { token, from, to, ready }) {
  const operator = await site.visitor();
  await operator.signIn(token);
  await trigger(operator, from, to);
  await operator.mustShow(/^Run /);
  const run = new URL(operator.page.url()).pathname.split("/").at(-1);

  // It is held at its source, and has to be seen there. From here on nobody touches the page.
  await operator.page.locator("main").getByText(/running/i).first().waitFor();
  await operator.page.evaluate(remember);
  await operator.mustBeAccessible();
  await operator.picture("run-under-way");
  await fetch(ready);

  await operator.page.waitForFunction(() => /succeeded: \d+ of \d+ stages done/i.test(sessionStorage.getItem("seen")));
  // Then it asks for itself once more: audits and actions are others than before.
  await operator.page.getByText(/what audits ask for/i).waitFor();
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
  if (!(await form.isVisible())) await operator.page.getByText(/^start a run$/i).click();
  await form.getByLabel(/from|first/i).fill(from);
  await form.getByLabel(/to\b|through|last/i).first().fill(to);
  await form.getByRole("button").click();
}

/** Runs in the page: keeps what it has shown, also beyond its end. */
function remember() {
  const main = document.querySelector("main");
  let seen = "";
  const look = () => sessionStorage.setItem("seen", (seen += main.innerText));
  new MutationObserver(look).observe(main, { subtree: true, childList: true, characterData: true });
}

/** The stages with their states. */
function outcome(page) {
  return page.locator('main [aria-labelledby="stages"]').locator("th, .state").allTextContents();
}
