// People sign in with their identity provider, and come back to the page that they asked for.
import assert from "node:assert/strict";

export default async function (site, { provider, person, name, page, heading }) {
  const visitor = await site.visitor();
  visitor.mayGoTo(new RegExp(`^${provider.replaceAll(".", "\\.")}`));
  await visitor.open(page);
  await visitor.page.getByRole("link", { name: /^sign in with/i }).click();
  await atTheProvider(visitor.page, site.address, person);
  await visitor.mustShow(new RegExp(heading));
  assert.equal(new URL(visitor.page.url()).pathname, page);
  assert.match(await visitor.page.locator("header").innerText(), new RegExp(name));
  assert.doesNotMatch(visitor.page.url(), /code=|state=/, "what the provider says is still in the address");
}

/** The page of the provider, which asks who one is. */
async function atTheProvider(page, site, person) {
  await page.getByLabel("Login").fill(person);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.href.startsWith(site));
}
