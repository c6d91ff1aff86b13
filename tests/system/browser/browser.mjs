// Debian's Chromium, and what every page has to keep to.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

// The driver lies where it was installed, not beside this file.
const require = createRequire(process.env.SDK_FOLDER + "/");
const { chromium } = require("playwright-core");

// As root, and with nothing that asks for hosts of its own.
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export const launch = () => chromium.launch({ executablePath: "/usr/bin/chromium", args });

// A page that reports to `faults` whatever no page may do: fail, be refused by its own policy, open a dialog, or ask another host.
export async function watched(browser, url, faults, options = {}) {
  const context = await browser.newContext({ baseURL: url, ...options });
  const page = await context.newPage();
  // A refused sign-in is one that the test asks for.
  const expected = (message) => message.text().includes("401 (Unauthorized)");
  page.on("console", (message) => message.type() === "error" && !expected(message) && faults.push(message.text()));
  page.on("pageerror", (fault) => faults.push(fault.message));
  page.on("dialog", (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => new URL(request.url()).origin === url || faults.push(`asks ${request.url()}`));
  return page;
}

// What a screen reader, a keyboard and weak eyes need, of the page as it is now.
export async function accessible(page) {
  const faults = await page.evaluate(() => {
    const faults = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    const shown = (element) => element.checkVisibility({ visibilityProperty: true });
    const say = (element, what) => faults.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
    if (document.documentElement.lang !== "en") faults.push("no language");
    if (all("h1").length !== 1) faults.push(`${all("h1").length} headings of the first rank`);
    if (all("main").length !== 1) faults.push("not one main");
    const ids = all("[id]").map((element) => element.id);
    for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) faults.push(`two of id ${id}`);
    for (const input of all("input:not([type=hidden]), select")) if (!input.labels.length) say(input, "no label");
    for (const one of all("button, a")) {
      if (!(one.getAttribute("aria-label") ?? one.textContent).trim()) say(one, "no name");
    }
    for (const svg of all("svg")) if (!svg.getAttribute("aria-label")) say(svg, "no words");
    for (const th of all("th")) if (!th.scope) say(th, "no scope");
    for (const scroll of all(".scroll")) if (scroll.tabIndex !== 0) say(scroll, "not to be scrolled by keys");
    const wide = document.documentElement.scrollWidth - innerWidth;
    if (wide > 0) faults.push(`the page is ${wide} pixels wider than its window`);

    // Contrast: WCAG 2.2, 1.4.3; 4.5 for text of every size.
    const numbers = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
      const linear = [r, g, b].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = numbers(getComputedStyle(at).backgroundColor);
        if (color.length === 3 || color[3] === 1) return color;
      }
      return [255, 255, 255];
    };
    for (const element of all("body *")) {
      const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      if (!says || !shown(element) || element.closest("svg, option, .unseen, noscript")) continue;
      const [front, back] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))];
      const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
      if (contrast < 4.5) say(element, `contrast ${contrast.toFixed(2)}`);
    }
    return faults;
  });
  assert.deepEqual(faults, [], page.url());
}
