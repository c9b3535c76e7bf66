// Whoever is not signed in is asked to, gets in with a good token alone, and is out again after signing out.
import assert from "node:assert/strict";

/** `pages`: `{ path }` each. */
export default async function (site, { token, name, pages }) {
  const visitor = await site.visitor();
  for (const { path } of pages) {
    await visitor.open(path);
    assert.match(visitor.page.url(), /\/sign-in/, `${path} is shown to anybody`);
  }
  await visitor.mustBeAccessible();
  await visitor.picture("sign-in");

  await visitor.page.getByLabel(/token/i).first().fill("activity_of_nobody");
  visitor.expectRefusal();
  await visitor.page.getByRole("button", { name: /sign in/i }).first().click();
  await visitor.mustShow("Sign in");
  assert.doesNotMatch(await visitor.page.content(), /activity_of_nobody/, "a token is shown again");

  await visitor.signIn(token);
  assert.match(await visitor.page.locator("header").innerText(), new RegExp(name), "who is signed in");
  const cookies = (await visitor.signedIn()).cookies;
  assert.ok(cookies.length > 0);
  for (const cookie of cookies) {
    assert.ok(cookie.httpOnly, `a script can read ${cookie.name}`);
    assert.notEqual(cookie.sameSite, "None", cookie.name);
    assert.ok(!cookie.value.includes(token), `the token is in ${cookie.name}`);
  }
  const before = await visitor.signedIn();
  await visitor.page.getByRole("button", { name: "Sign out" }).click();
  await visitor.mustShow(/^sign(ed)? (in|out)$/i);

  // Its cookie is worth nothing any more, whoever has kept it.
  const thief = await site.visitor({ signedIn: before });
  await thief.open("/");
  assert.match(thief.page.url(), /\/sign-in/);
}
