// What a company is called is text on every page, whatever it says.
import assert from "node:assert/strict";

export default async function (site, { token, name, pages }) {
  const reader = await site.visitor();
  await reader.signIn(token);
  for (const path of pages) {
    await reader.open(path);
    assert.ok((await reader.text()).includes(name), `${path} does not show ${name}`);
    const scripts = await reader.page.locator("script").evaluateAll((all) => all.map((one) => one.textContent));
    assert.deepEqual(scripts.filter((text) => text !== ""), [], `${path} has a script of its own`);
    assert.equal(await reader.page.locator("main img, main iframe").count(), 0, path);
  }
}
