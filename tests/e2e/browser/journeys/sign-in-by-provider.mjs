// People sign in with their identity provider, and come back to the page that they asked for.
import assert from "node:assert/strict";

export default async function (site, { provider, person, name, page, heading }) {
  const visitor = await site.visitor();
  visitor.mayGoTo(new RegExp(`^${provider.replaceAll(".", "\\.")}`));
  await visitor.open(page);
  await visitor.page.locator('[href*="/sign-in/provider"], form[action*="/sign-in/provider"] button').first().click();
  await atTheProvider(visitor.page, site.address, person);
  await visitor.mustShow(new RegExp(heading));
  assert.equal(new URL(visitor.page.url()).pathname, page);
  assert.match(await visitor.page.locator("header").innerText(), new RegExp(name));
  assert.doesNotMatch(visitor.page.url(), /code=|state=/, "what the provider says is still in the address");
}

/** The pages of the provider: who one is, and whether one consents. */
async function atTheProvider(page, site, person) {
  while (!page.url().startsWith(site)) {
    const login = page.locator('input[name="login"]');
    if ((await login.count()) > 0) {
      await login.fill(person);
      await page.locator('input[name="password"]').fill("anything");
    }
    await Promise.all([page.waitForNavigation(), page.locator('button[type="submit"]').first().click()]);
  }
}
