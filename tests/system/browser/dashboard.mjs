// The dashboard as people use it: dashboard.mjs URL TOKEN [FOLDER FOR SCREENSHOTS].
// Expects what logbook/tests/it/web/served.rs serves.
import assert from "node:assert/strict";
import { accessible, launch, watched } from "./browser.mjs";

const [, , url, token, folder] = process.argv;
const browser = await launch();
const faults = [];
const show = async (page, name) => {
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
};
const texts = (page, selector) => page.locator(selector).allTextContents();

const page = await watched(browser, url, faults, { permissions: ["clipboard-read", "clipboard-write"] });

// Signing in leads to the page that was asked for.
await page.goto("/requests?status=failed");
assert.equal(new URL(page.url()).pathname, "/signin");
await accessible(page);
await page.getByLabel("Token").fill("not-it");
await page.getByRole("button", { name: "Sign in" }).click();
await page.getByRole("alert").waitFor();
await page.getByLabel("Token").fill(token);
await page.keyboard.press("Enter");
await page.waitForURL("**/requests?status=failed");
assert.ok((await texts(page, "tbody .status")).every((status) => !/^200$/.test(status)));
assert.equal((await page.context().cookies())[0].httpOnly, true);

// The first stop of the keyboard skips what every page begins with.
await page.goto("/");
await page.keyboard.press("Tab");
assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
await page.keyboard.press("Enter");
assert.equal(await page.evaluate(() => document.activeElement.id), "main");

// The overview: charts, the same as a table, and lists that lead on.
assert.equal(await page.locator("figure.chart svg[role=img]").count(), 5);
assert.ok((await page.locator("svg rect.s1").count()) > 40);
await page.getByText("All figures as a table").click();
assert.ok((await page.getByRole("region", { name: "Figures over time" }).locator("tbody tr").count()) >= 48);
await show(page, "overview");
await page.getByRole("link", { name: "qwen3-32b" }).click();
await page.waitForURL("**/requests?*model=qwen3-32b*");
const models = await texts(page, ".requests tbody td:nth-child(5)");
assert.ok(models.length > 10 && models.every((model) => model.trim() === "qwen3-32b"), models.join());

// Filters: the form says it in the URL, and a wrong one is told beside the form.
await page.getByLabel("User").fill("alice");
await page.getByLabel("Status").selectOption("5xx");
await page.getByRole("button", { name: "Show" }).click();
await page.waitForURL("**user=alice**status=5xx**");
assert.ok((await texts(page, ".requests .status")).every((status) => status === "502"));
await page.getByLabel("Took at least").fill("long");
await page.getByRole("button", { name: "Show" }).click();
assert.match(await page.getByRole("alert").textContent(), /whole number/);
assert.equal(await page.getByLabel("Took at least").getAttribute("aria-invalid"), "true");
// That reply is a 400, of which the browser tells.
faults.splice(0, faults.length, ...faults.filter((fault) => !fault.includes("400 (Bad Request)")));
await page.getByRole("link", { name: "Clear" }).click();

// Pages.
const started = () => page.locator(".requests tbody th a").evaluateAll((links) => links.map((link) => link.href));
const first = await started();
await page.getByRole("link", { name: "Older" }).click();
await page.waitForURL("**after=*");
const second = await started();
assert.ok(first.length === 50 && second.length === 50 && !second.some((link) => first.includes(link)));
await page.getByRole("link", { name: "Newest" }).click();
assert.deepEqual(await started(), first);
await show(page, "requests");
const [csv] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "CSV" }).click()]);
assert.equal(csv.suggestedFilename(), "requests.csv");
assert.equal(await csv.failure(), null);

// One request.
await page.locator(".requests tbody a").first().click();
await page.getByText("<b>empty</b>").first().waitFor();
assert.ok((await page.locator(".talk .turn").count()) >= 4);
await page.getByRole("button", { name: "Copy" }).first().click();
await page.getByRole("button", { name: "Copied" }).waitFor();
const copied = await page.evaluate(() => navigator.clipboard.readText());
assert.ok(copied.startsWith("curl ") && copied.includes("$API_KEY"), copied);
await page.getByText(/^Request body/).click();
await show(page, "request");

// What runs goes on without a click; one is cancelled by the keyboard, and the others stay.
await page.getByRole("link", { name: "In flight" }).click();
const rows = page.locator("#live tbody tr");
assert.equal(await rows.count(), 4);
const written = () => page.locator("#live tbody tr:first-child td:nth-child(8)").textContent();
const before = await written();
await page.waitForFunction((before) => document.querySelector("#live tbody tr:first-child td:nth-child(8)").textContent !== before, before);
await page.getByRole("button", { name: /of alice/ }).focus();
await page.keyboard.press("Enter");
await page.getByText("3 requests are in flight.").waitFor();
assert.equal(await rows.count(), 3);
// A focused button is still focused when the table was replaced.
await page.getByRole("button", { name: /of bob/ }).focus();
const now = await written();
await page.waitForFunction((now) => document.querySelector("#live tbody tr:first-child td:nth-child(8)").textContent !== now, now);
assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /of bob/);
await page.getByRole("button", { name: "Pause" }).click();
assert.equal(await page.getByRole("button", { name: "Pause" }).getAttribute("aria-pressed"), "true");
await show(page, "inflight");

// The theme that was chosen stays.
const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const light = await back();
const button = page.getByRole("button", { name: /^Theme/ });
await button.click();
assert.equal(await back(), light);
await button.click();
const dark = await back();
assert.notEqual(dark, light);
await page.goto("/requests");
assert.equal(await back(), dark);

// Every page, light and dark, wide and narrow.
const request = new URL(first[0]).pathname;
for (const colorScheme of ["light", "dark"]) {
  await page.evaluate(() => delete localStorage.theme);
  await page.emulateMedia({ colorScheme });
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    for (const path of ["/", "/requests", request, "/inflight", "/requests/none"]) {
      await page.goto(path);
      await accessible(page);
      const name = path === request ? "one" : path.slice(1).replace("/", "-") || "overview";
      await show(page, `${name}-${colorScheme}-${width}`);
    }
  }
}
faults.splice(0, faults.length, ...faults.filter((fault) => !fault.includes("404 (Not Found)")));

// Without the script, forms do the same.
const state = await page.context().storageState();
const plain = await watched(browser, url, faults, { javaScriptEnabled: false, storageState: state });
await plain.goto("/inflight");
await plain.getByRole("button", { name: /of bob/ }).click();
await plain.getByText("2 requests are in flight.").waitFor();

// Signed out is out, in every window.
await page.goto("/");
await page.getByRole("button", { name: "Sign out" }).click();
await page.waitForURL("**/signin");
await plain.goto("/requests");
assert.equal(new URL(plain.url()).pathname, "/signin");
await page.goBack();
assert.equal(new URL(page.url()).pathname, "/signin");

assert.deepEqual(faults, []);
await browser.close();
console.log("ok");
