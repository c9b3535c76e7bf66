// Every page can be read: in light and dark, with and without scripts, by whoever cannot see or uses no mouse.
import assert from "node:assert/strict";

import { SCHEMES } from "../site.mjs";

/** `pages`: `{ path, name, heading }` each, `heading` a regular expression. */
export default async function (site, { token, pages }) {
  const first = await site.visitor();
  await first.signIn(token);
  const signedIn = await first.signedIn();
  await first.leave();

  for (const scheme of SCHEMES) {
    const visitor = await site.visitor({ scheme, signedIn });
    for (const { path, name, heading } of pages) {
      assert.match(await visitor.open(path), new RegExp(heading), path);
      await visitor.mustFit();
      await visitor.mustBeAccessible();
      await visitor.picture(name);
    }
    await visitor.leave();
  }

  const reader = await site.visitor({ signedIn });
  const withoutScript = await site.visitor({ signedIn, script: false });
  for (const { path, heading } of pages) {
    await reader.open(path);
    assert.match(await withoutScript.open(path), new RegExp(heading), path);
    // What a script adds is beside the outline of a page, not in it.
    assert.deepEqual(await outline(withoutScript.page), await outline(reader.page), path);
    await mustSkipToContent(reader.page, path);
  }
}

function outline(page) {
  return page.locator("main").locator("h1, h2, h3, caption, th, td, dt, dd").allTextContents();
}

/** The first key leads to the content, past the navigation. */
async function mustSkipToContent(page, path) {
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.className), "skip", path);
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "content", path);
}
