// A reader can look, and change nothing; and no other site can act in an operator's name.
import assert from "node:assert/strict";

export default async function (site, { reader, operator, pages, actions }) {
  const looking = await site.visitor();
  await looking.signIn(reader);
  for (const { path } of pages) {
    await looking.open(path);
    const forms = await looking.page.locator('form[method="post"]').evaluateAll((all) => all.map((one) => one.action));
    const others = forms.filter((action) => !action.endsWith("/sign-out"));
    assert.deepEqual(others, [], `${path} offers a reader an action`);
  }
  const formToken = await looking.formToken();
  for (const { path, form } of actions) {
    const refused = await post(looking, path, { ...form, form_token: formToken });
    assert.equal(refused, 403, `a reader posts to ${path}`);
  }

  const acting = await site.visitor();
  await acting.signIn(operator);
  const own = await acting.formToken();
  for (const { path, form } of actions) {
    assert.equal(await post(acting, path, form), 403, `a form without its token is sent to ${path}`);
    const others = { ...form, form_token: formToken };
    assert.equal(await post(acting, path, others), 403, `a form with another's token is sent to ${path}`);
    const elsewhere = await post(acting, path, { ...form, form_token: own }, { origin: "https://evil.example" });
    assert.equal(elsewhere, 403, `a form of another site is sent to ${path}`);
  }
}

async function post(visitor, path, form, headers = {}) {
  const origin = new URL(visitor.site.address).origin;
  const answer = await visitor.context.request.post(path, { form, headers: { origin, ...headers }, maxRedirects: 0 });
  return answer.status();
}
