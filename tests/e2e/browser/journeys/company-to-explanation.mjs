// From a part of a name to the sources of one number; and the churn list as a file.
import assert from "node:assert/strict";

export default async function (site, { token, part, id, name, day, source, churn }) {
  const reader = await site.visitor();
  await reader.signIn(token);
  await reader.open("/companies");
  const search = reader.page.getByRole("search").or(reader.page.locator('main form[method="get"]')).first();
  await search.getByRole("textbox").or(search.getByRole("searchbox")).first().fill(part);
  await search.getByRole("button").first().click();
  await reader.page.waitForURL((url) => url.searchParams.size > 0);
  await reader.mustBeAccessible();
  await reader.page.locator("main table").getByRole("link", { name: id, exact: true }).click();
  await reader.mustShow(new RegExp(id));
  assert.ok((await reader.text()).includes(name), "the name is not shown");
  // Charts have their numbers in a table, too.
  assert.ok((await reader.page.locator('svg[role="img"]').count()) > 0, "there is no chart");

  const address = new URL(reader.page.url());
  address.searchParams.set("explain", day);
  await reader.open(address.toString());
  const explained = await reader.text();
  assert.match(explained, new RegExp(source), `the explanation does not name ${source}`);
  await reader.mustBeAccessible();
  await reader.picture("company-explained");

  await reader.open(churn);
  const link = reader.page.locator('a[href*="churn.csv"]').first();
  const file = await reader.context.request.get(await link.getAttribute("href"));
  assert.equal(file.status(), 200);
  assert.match(file.headers()["content-type"], /^text\/csv/);
  return await file.text();
}
