// Every page that can be reached by links, in both languages and themes, wide and narrow.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { browse, gyul, owner, serve, settled, shot, tab } from "./lib.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let server, me, browser;

before(async () => {
  server = await serve({
    // A Korean shop with all kinds of events and known truth.
    prepare: (dir) => {
      gyul("generate", "--customers", "600", "--months", "6", "--seed", "7", "-o", join(dir, "shop"));
      for (const [file, kind] of [["profiles.csv", "profiles"], ["orders.csv", "orders"], ["events.jsonl", "events"]]) {
        gyul("import", join(dir, "shop", file), "--as", kind, "--data", dir);
      }
    },
  });
  me = await owner(server);
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Pages found by following links from the start page; of many of a kind, two. */
async function walk(from) {
  const seen = new Map();
  const kinds = new Map();
  const queue = [["/", "(start)"]];
  const dead = [];
  while (queue.length) {
    const [path, by] = queue.shift();
    if (seen.has(path)) continue;
    const answer = await fetch(server.base + path, { headers: { cookie: me.cookie, accept: "text/html" }, redirect: "manual" });
    seen.set(path, answer.status);
    if (![200, 303].includes(answer.status)) dead.push(`${path} (${answer.status}), linked on ${by}`);
    const html = (answer.headers.get("content-type") ?? "").includes("text/html") ? await answer.text() : "";
    // Parts of pages are looked at within them.
    if (answer.status === 200 && !html.includes("<html")) seen.set(path, "part");
    for (const [, href] of html.matchAll(/<a[^>]*\shref="([^"]*)"/g)) {
      const to = href.replaceAll("&amp;", "&").replaceAll("&#38;", "&").split("#")[0];
      if (!to || to.startsWith("/preferences") || to.startsWith("/assets/")) continue;
      if (!to.startsWith("/")) {
        dead.push(`${to} leads away, on ${path}`);
        continue;
      }
      // Filters and single things differ in data alone: two of each kind are looked at.
      const kind = to.replace(/\?.*/, "?").replace(/\/classes\/[^/?]+/, "/classes/*").replace(/^(\/[a-z]+)\/[^/?]+/, (m, place) => (["/settings", "/explore", "/data"].includes(place) || m.endsWith("/new") ? m : `${place}/*`));
      const n = kinds.get(kind) ?? 0;
      if (n < 2) {
        kinds.set(kind, n + 1);
        queue.push([to, path]);
      }
    }
  }
  return { seen, dead };
}

let pages = [];

test("no link leads nowhere, and none leads away", async () => {
  const { seen, dead } = await walk("/");
  pages = [...seen].filter(([path, status]) => status === 200 && !path.startsWith("/api/") && !/format=|\.csv|\/export|download/.test(path)).map(([path]) => path);
  assert.ok(pages.length >= 8, pages.join(" "));
  assert.deepEqual(dead, []);
});

test("every page is accessible, keeps to the screen and complains of nothing, in both languages and themes", async () => {
  assert.ok(pages.length >= 8);
  const problems = [];
  for (const [lang, theme, width] of [["ko", "light", 1440], ["en", "dark", 390], ["en", "light", 1440], ["ko", "dark", 390]]) {
    const { page, go, complaints, close } = await tab(browser, { base: server.base, cookie: me.cookie, lang, theme, width });
    for (const path of pages) {
      const where = `${path} ${lang} ${theme} ${width}`;
      const answer = await go(path);
      if (answer.status() !== 200) problems.push(`${where}: ${answer.status()}`);
      await settled(page);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wider > 0) problems.push(`${where}: wider than the screen by ${wider}`);
      // The bar that stays covers whatever is scrolled beneath it: pages are judged with the bar where it rests.
      await page.evaluate(() => document.querySelector(".builder-bar")?.style.setProperty("position", "static"));
      await page.evaluate(AXE);
      const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      for (const v of found.violations) problems.push(`${where}: ${v.id} (${v.impact}) ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(" | ")}`);
      await shot(page, `${path.replace(/[^a-z0-9가-힣]+/gi, "-").replace(/^-|-$/g, "") || "start"}-${lang}-${width}`);
      for (const c of complaints.splice(0)) problems.push(`${where}: ${c}`);
    }
    await close();
  }
  assert.deepEqual(problems, []);
});

test("without scripts the pages are there, and the numbers behind charts too", async () => {
  const { page, go, close } = await tab(browser, { base: server.base, cookie: me.cookie, scripts: false });
  for (const path of pages.slice(0, 12)) {
    const answer = await go(path);
    assert.equal(answer.status(), 200, path);
    assert.equal(await page.$$eval("h1", (all) => all.length), 1, path);
  }
  await close();
});
