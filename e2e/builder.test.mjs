// The segment builder: by keyboard, by text, two people at once, and cards that lose nothing of the language.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, browse, gyul, owner, serve, shot, tab } from "./lib.mjs";

let server, me, browser;

before(async () => {
  server = await serve({
    prepare: (dir) => {
      gyul("generate", "--customers", "800", "--months", "12", "--seed", "7", "-o", join(dir, "shop"));
      for (const [file, kind] of [["orders.csv", "orders"], ["profiles.csv", "profiles"]]) gyul("import", join(dir, "shop", file), "--as", kind, "--data", dir);
    },
  });
  me = await owner(server);
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const text = (page) => page.$eval("#builder-text textarea", (e) => e.value);
const size = (page) => page.$eval("#builder-size", (e) => e.textContent);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
/** The count has followed what was typed. */
async function counted(page) {
  await wait(700);
  await page.waitForFunction(() => !document.getElementById("builder").classList.contains("counting") && document.getElementById("builder-size").textContent !== "–");
}
const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
async function tabTo(page, label, most = 60) {
  for (let i = 0; i < most; i++) {
    if ((await focused(page)).includes(label)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`no way by Tab to ${label}`);
}
async function chord(page, key) {
  await page.keyboard.down("Control");
  await page.keyboard.press(key);
  await page.keyboard.up("Control");
}
async function write(page, words) {
  await page.focus("#builder-text textarea");
  await chord(page, "a");
  await page.keyboard.type(words);
  await counted(page);
}
const opened = async (path, more = {}) => {
  const one = await tab(browser, { base: server.base, cookie: me.cookie, ...more });
  await one.go(path);
  await one.page.waitForSelector("#builder-cards .menu");
  await counted(one.page);
  return one;
};

test("a segment is built and saved by keyboard alone, and the count moves on the way", async () => {
  const { page, complaints, close } = await opened("/segments/new");
  const everybody = await size(page);
  assert.match(everybody, /명$/);
  await page.keyboard.type("자주 사는 고객");
  await tabTo(page, "+ 조건 추가");
  await page.keyboard.press("Enter");
  await tabTo(page, "한 일, 하지 않은 일");
  await page.keyboard.press("Enter");
  await counted(page);
  assert.equal(await focused(page), "기간", "the focus goes into the new card");
  assert.equal(await text(page), "count(order, last 30d) >= 1");
  await tabTo(page, "값");
  await page.keyboard.press("Backspace");
  await page.keyboard.type("0");
  await counted(page);
  assert.equal(await size(page), everybody);
  await tabTo(page, "반대로 뒤집기");
  await page.keyboard.press("Enter");
  await counted(page);
  assert.equal(await text(page), "not count(order, last 30d) >= 0");
  assert.equal(await size(page), "0명");
  assert.equal(await focused(page), "반대로 뒤집기", "the focus stays");
  await chord(page, "z");
  await counted(page);
  assert.equal(await text(page), "count(order, last 30d) >= 0");
  assert.match(await page.$eval("#builder-cards .cond .effect", (e) => e.textContent), /이 조건만으로는 [\d,]+명 · 빼면 [\d,]+명/);
  assert.equal(await page.$eval("input[name=id]", (e) => e.value), "자주_사는_고객");
  await shot(page, "builder-keyboard");
  await Promise.all([page.waitForNavigation(), chord(page, "Enter")]);
  assert.equal(decodeURIComponent(new URL(page.url()).pathname), "/segments/자주_사는_고객");
  const kept = await me.ask(`/api/v1/segments/${encodeURIComponent("자주_사는_고객")}`);
  assert.match(kept.yaml, /when: count\(order, last 30d\) >= 0/);
  assert.deepEqual(complaints, []);
  await close();
});

test("text and cards follow each other, a slip is shown at its place and takes nothing away", async () => {
  const { page, complaints, close } = await opened("/segments/new");
  await write(page, "count(order, last 6mo) >= 2 and (gender = 'female' or age between 20 and 29) and not in segment full_price");
  assert.equal((await page.$$("#builder-cards .cond")).length, 4);
  const before = await size(page);
  assert.match(before, /명$/);
  await page.focus("#builder-text textarea");
  await chord(page, "End");
  await page.keyboard.type(" and count(ordr) > 1");
  await counted(page);
  assert.match(await page.$eval(".text-problems", (e) => e.textContent), /1행 \d+열.*'ordr'.*'order'/);
  assert.match(await page.$eval("#builder-cards > .group > .cards > .cond:last-child .wrong", (e) => e.textContent), /'ordr'/);
  assert.match(await page.$eval("#builder-cards .cond .effect", (e) => e.textContent), /[\d,]+명/, "the others still count");
  // Choosing the event on the card mends the text.
  await page.select("#builder-cards > .group > .cards > .cond:last-child select[aria-label=이벤트]", "order");
  await counted(page);
  assert.match(await text(page), /and count\(order\) > 1$/);
  await page.click("#builder-undo");
  await page.click("#builder-undo");
  await counted(page);
  assert.equal(await size(page), before);
  // A card that is not filled in is left out, and nothing is saved that way.
  await page.click("#builder-cards > .group > .menu > summary");
  await wait(200);
  await page.evaluate(() => [...document.querySelectorAll("#builder-cards > .group > .menu button")].find((b) => b.textContent === "식으로 쓰기").click());
  await counted(page);
  assert.equal(await size(page), before);
  assert.match(await page.$eval("#builder-share", (e) => e.textContent), /1개는 빼고/);
  await page.type("input[name=name_en]", "Half");
  await page.click("#builder-save");
  await page.waitForFunction(() => document.getElementById("builder-say").textContent.includes("채우"));
  assert.deepEqual(complaints, []);
  await close();
});

test("of two who edit at once the second is told and can go on from the other's version", async () => {
  const yaml = "version: 1\nsegments:\n  # why we have it\n  - id: shared\n    name: { ko: 함께, en: Shared }\n    when: count(order) >= 1\n";
  await me.ask("/api/v1/segments/shared", { method: "PUT", body: yaml, type: "application/yaml" });
  const one = await opened("/segments/shared/edit", { lang: "en" });
  const two = await opened("/segments/shared/edit", { lang: "en" });
  await write(two.page, "count(order) >= 2");
  await Promise.all([two.page.waitForNavigation(), two.page.click("#builder-save")]);
  await one.page.bringToFront();
  await write(one.page, "count(order) >= 3");
  await one.page.click("#builder-save");
  await one.page.waitForSelector("#notices .notice.bad button");
  assert.match(await one.page.$eval("#notices .notice", (e) => e.textContent), /version 2/);
  await one.page.evaluate(() => document.querySelector("#notices .actions button").click());
  await counted(one.page);
  assert.equal(await text(one.page), "count(order) >= 2");
  await write(one.page, "count(order) >= 3");
  assert.match(await one.page.$eval("#builder-delta", (e) => e.textContent), /From the saved [\d,]+ customers?: 0 customers enter/);
  await Promise.all([one.page.waitForNavigation(), one.page.click("#builder-save")]);
  assert.equal((await me.ask("/api/v1/segments/shared")).yaml, yaml.replace(">= 1", ">= 3"), "the rest of the file stays as it was");
  await one.close();
  await two.close();
});

test("a copy of a ready-made segment, compared, as of a past date", async () => {
  const { page, close } = await opened("/segments/new", { width: 390 });
  await page.select("#builder-start-select", "starter:one_time");
  await counted(page);
  assert.equal(await page.$eval("input[name=id]", (e) => e.value), "one_time_2");
  assert.equal(await page.$eval("input[name=name_ko]", (e) => e.value), "한 번만 산 고객");
  const now = await size(page);
  await page.select("#builder-compare", "one_time");
  await counted(page);
  assert.match(await page.$eval("#builder-compared", (e) => e.textContent), /100%/);
  await page.$eval("#builder-at", (e) => { e.value = "2020-01-31"; e.dispatchEvent(new Event("change")); });
  await counted(page);
  assert.equal(await size(page), "0명");
  await page.evaluate(() => document.getElementById("builder-now").click());
  await counted(page);
  assert.equal(await size(page), now);
  await shot(page, "builder-390");
  await close();
});

test("cards show every example of the reference and change nothing by showing it", async () => {
  const { page, complaints, close } = await opened("/segments/new");
  const reference = readFileSync(join(ROOT, "docs/reference/segments.md"), "utf8");
  const examples = [...reference.matchAll(/```gyul\n([^`]*)```/g)].flatMap(([, block]) => block.trim().split("\n"));
  assert.ok(examples.length > 30);
  const lost = await page.evaluate(async (examples) => {
    const { ask } = window.gyul;
    const vocabulary = await window.gyulBuilder.vocabulary();
    const lost = [];
    for (const text of examples) {
      const read = await ask("/api/v1/segments/form", { method: "POST", body: { text } });
      const cards = window.gyulBuilder.cards(document.createElement("div"), { form: structuredClone(read.form), vocabulary, changed: () => lost.push(`${text}: changed by itself`) });
      const written = await ask("/api/v1/segments/form", { method: "POST", body: { form: cards.form } });
      const normal = await ask("/api/v1/segments/form", { method: "POST", body: { form: read.form } });
      if (written.text !== normal.text || written.missing.length) lost.push(`${text} became ${written.text}`);
    }
    return lost;
  }, examples);
  assert.deepEqual(lost, []);
  assert.deepEqual(complaints, []);
  await close();
});
