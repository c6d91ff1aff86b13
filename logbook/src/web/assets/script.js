// What pages cannot do by themselves. Every page works without it.
"use strict";

// The theme, at once, before anything is painted. "auto" is the system's.
const THEMES = ["auto", "light", "dark"];
const theme = () => {
  try {
    return THEMES.includes(localStorage.theme) ? localStorage.theme : "auto";
  } catch {
    return "auto";
  }
};
document.documentElement.dataset.theme = theme();

document.addEventListener("DOMContentLoaded", () => {
  themeButton();
  copyButtons();
  live();
});

function themeButton() {
  const button = document.getElementById("theme");
  if (!button) return;
  const show = () => {
    button.textContent = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[theme()];
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    try {
      localStorage.theme = next;
    } catch {
      // Storage is off: it holds for this page.
    }
    document.documentElement.dataset.theme = next;
    show();
  });
  show();
  button.hidden = false;
}

function copyButtons() {
  // Browsers let pages copy where they came by TLS or from this machine.
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
    });
  }
}

// Fetches the page again every so often, and replaces the part that is marked.
function live() {
  const first = document.querySelector("[data-refresh]");
  const pause = document.getElementById("pause");
  if (!first || !pause) return;
  let paused = false;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
  });
  const refresh = async () => {
    if (!paused && !document.hidden) {
      try {
        const reply = await fetch(location.href, { headers: { accept: "text/html" } });
        // The session is over: the sign-in page says so.
        if (reply.redirected) return location.reload();
        if (reply.ok) replace(first.id, await reply.text());
      } catch {
        // The server is away; the next time may find it.
      }
    }
    setTimeout(refresh, Number(first.dataset.refresh));
  };
  setTimeout(refresh, Number(first.dataset.refresh));
}

function replace(id, html) {
  // Parsed apart from this page, where nothing of it runs.
  const found = new DOMParser().parseFromString(html, "text/html").getElementById(id);
  const old = document.getElementById(id);
  if (!found || !old) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const scroll = old.querySelector(".scroll")?.scrollLeft;
  // The count stays, so that screen readers say it when it changes, and only then.
  const [count, counted] = [old.querySelector("#count"), found.querySelector("#count")];
  if (count.textContent !== counted.textContent) count.textContent = counted.textContent;
  for (const child of [...old.children]) if (child !== count) child.remove();
  for (const child of found.children) if (child !== counted) old.append(document.importNode(child, true));
  const table = document.getElementById(id).querySelector(".scroll");
  if (table && scroll) table.scrollLeft = scroll;
  if (focused) (document.getElementById(focused.id) ?? table ?? document.getElementById("pause"))?.focus();
}
