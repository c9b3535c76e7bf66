// The console under test, and those who look at it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Far longer than needed, because the machine may be busy with other tests. */
export const PATIENCE = 120_000;

/** The narrowest window in which nothing may have to be scrolled sideways. */
const WINDOW = { width: 1280, height: 800 };

export const SCHEMES = ["light", "dark"];

export class Site {
  /** What went wrong that no step noticed: errors in a browser's console, and requests that must not happen. */
  problems = [];

  constructor(browser, axe, { site, pictures }) {
    this.browser = browser;
    this.axe = readFileSync(axe, "utf8");
    this.address = site;
    this.pictures = pictures;
  }

  /**
   * Somebody with a browser of their own: `signedIn` is what an earlier one's `signedIn()` returned, `script` says whether
   * the browser runs scripts.
   */
  async visitor({ scheme = "light", script = true, signedIn = undefined } = {}) {
    const context = await this.browser.newContext({
      baseURL: this.address,
      colorScheme: scheme,
      ignoreHTTPSErrors: true,
      javaScriptEnabled: script,
      locale: "en-GB",
      reducedMotion: "reduce",
      storageState: signedIn,
      timezoneId: "Europe/Prague",
      viewport: WINDOW,
    });
    context.setDefaultTimeout(PATIENCE);
    return new Visitor(this, context, await context.newPage(), scheme);
  }

  mustBeSpotless() {
    assert.deepEqual(this.problems, [], "what the browser complained about");
  }
}

export class Visitor {
  /** Whether an answer may be a refusal, which a browser reports as an error. */
  #isRefusalExpected = false;

  constructor(site, context, page, scheme) {
    Object.assign(this, { site, context, page, scheme });
    const complain = (what) => site.problems.push(`${page.url()}: ${what}`);
    page.on("console", (message) => {
      // Violations of the Content-Security-Policy are errors, too.
      if (message.type() === "error" && !this.#isExpected(message.text())) complain(message.text());
    });
    page.on("pageerror", (error) => complain(error.message));
    page.on("dialog", (dialog) => {
      complain(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      const isOurs = protocol === "data:" || origin === new URL(site.address).origin;
      if (!isOurs && !this.elsewhere?.test(request.url())) complain(`a request to ${request.url()}`);
    });
  }

  #isExpected(text) {
    return (this.#isRefusalExpected && text.startsWith("Failed to load resource")) || this.elsewhere?.test(this.page.url());
  }

  /** Lets the browser leave the site for addresses that match. */
  mayGoTo(elsewhere) {
    this.elsewhere = elsewhere;
  }

  /** The answers from here on may be refusals. */
  expectRefusal() {
    this.#isRefusalExpected = true;
  }

  /** Opens an address, and returns the page's heading. */
  async open(path, { status = 200 } = {}) {
    this.#isRefusalExpected = status >= 400;
    const answer = await this.page.goto(path);
    assert.equal(answer.status(), status, path);
    return this.heading();
  }

  async heading() {
    return (await this.page.getByRole("heading", { level: 1 }).innerText()).trim();
  }

  async mustShow(heading) {
    await this.page.getByRole("heading", { level: 1, name: heading }).waitFor();
  }

  /** The page's text, as one would read it. */
  text() {
    return this.page.locator("main").innerText();
  }

  /** Signs in with a token, on whichever page asks for it. */
  async signIn(token) {
    await this.open("/sign-in");
    await this.page.getByLabel(/token/i).first().fill(token);
    await this.page.getByRole("button", { name: /sign in/i }).first().click();
    await this.mustShow("Overview");
  }

  /** Cookies, for another browser of the same person. */
  signedIn() {
    return this.context.storageState();
  }

  /** What the page's forms have to send back. */
  formToken() {
    return this.page.locator('input[name="form_token"]').first().getAttribute("value");
  }

  /** Nothing keeps anybody from reading the page, as far as axe-core can tell. */
  async mustBeAccessible() {
    // Evaluated by the debugger, which the page's Content-Security-Policy does not concern.
    await this.page.evaluate(this.site.axe);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run(document));
    const found = violations.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${id}: ${help}: ${node.target.join(" ")}: ${node.failureSummary}`),
    );
    assert.deepEqual(found, [], `${this.page.url()}, ${this.scheme}`);
  }

  /** The window is wide enough. What is wider by nature scrolls in a box of its own. */
  async mustFit() {
    const width = await this.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= WINDOW.width, `${this.page.url()} is ${width} pixels wide`);
  }

  /** Keeps a picture of the page. */
  async picture(name) {
    if (!this.site.pictures) return;
    const path = join(this.site.pictures, this.scheme, `${name}.png`);
    mkdirSync(dirname(path), { recursive: true });
    await this.page.screenshot({ path, fullPage: true, animations: "disabled" });
  }

  leave() {
    return this.context.close();
  }
}
