// What a marketer does with files and with single people.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { browse, owner, picture, sees, serve, settled, tab } from "./lib.mjs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

let server, me, browser, page, go, complaints;

before(async () => {
  server = await serve();
  me = await owner(server);
  browser = await browse();
  ({ page, go, complaints } = await tab(browser, { base: server.base, cookie: me.cookie }));
  page.on("dialog", (d) => d.accept());
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const follow = async (selector) => {
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click(selector)]);
  await settled(page);
};

// 31 orders in CP949 as an old shop program writes them: a column that nobody names like this, and a date that is none.
const FILE = Buffer.from("ufjIoyy6uLO9wMwsvvDBpiyw4cGmsd2+1wpBMDAxLLDtsLQyLDIwMjYuMTEuMDIgv8DIxCAzOjAxLCIxLDAwML/4IgpBMDAyLLDtsLQzLDIwMjYuMTEuMDMgv8DIxCAzOjAyLCIyLDAwML/4IgpBMDAzLLDtsLQ0LDIwMjYuMTEuMDQgv8DIxCAzOjAzLCIzLDAwML/4IgpBMDA0LLDtsLQ1LDIwMjYuMTEuMDUgv8DIxCAzOjA0LCI0LDAwML/4IgpBMDA1LLDtsLQ2LDIwMjYuMTEuMDYgv8DIxCAzOjA1LCI1LDAwML/4IgpBMDA2LLDtsLQ3LDIwMjYuMTEuMDcgv8DIxCAzOjA2LCI2LDAwML/4IgpBMDA3LLDtsLQ4LDIwMjYuMTEuMDggv8DIxCAzOjA3LCI3LDAwML/4IgpBMDA4LLDtsLQ5LDIwMjYuMTEuMDkgv8DIxCAzOjA4LCI4LDAwML/4IgpBMDA5LLDtsLQxMCwyMDI2LjExLjEwIL/AyMQgMzowOSwiOSwwMDC/+CIKQTAxMCyw7bC0MSwyMDI2LjExLjExIL/AyMQgMzoxMCwiMTAsMDAwv/giCkEwMTEssO2wtDIsMjAyNi4xMS4xMiC/wMjEIDM6MTEsIjExLDAwML/4IgpBMDEyLLDtsLQzLDIwMjYuMTEuMTMgv8DIxCAzOjEyLCIxMiwwMDC/+CIKQTAxMyyw7bC0NCwyMDI2LjExLjE0IL/AyMQgMzoxMywiMTMsMDAwv/giCkEwMTQssO2wtDUsMjAyNi4xMS4xNSC/wMjEIDM6MTQsIjE0LDAwML/4IgpBMDE1LLDtsLQ2LDIwMjYuMTEuMTYgv8DIxCAzOjE1LCIxNSwwMDC/+CIKQTAxNiyw7bC0NywyMDI2LjExLjE3IL/AyMQgMzoxNiwiMTYsMDAwv/giCkEwMTcssO2wtDgsMjAyNi4xMS4xOCC/wMjEIDM6MTcsIjE3LDAwML/4IgpBMDE4LLDtsLQ5LDIwMjYuMTEuMTkgv8DIxCAzOjE4LCIxOCwwMDC/+CIKQTAxOSyw7bC0MTAsMjAyNi4xMS4yMCC/wMjEIDM6MTksIjE5LDAwML/4IgpBMDIwLLDtsLQxLDIwMjYuMTEuMDEgv8DIxCAzOjIwLCIyMCwwMDC/+CIKQTAyMSyw7bC0MiwyMDI2LjExLjAyIL/AyMQgMzoyMSwiMjEsMDAwv/giCkEwMjIssO2wtDMsMjAyNi4xMS4wMyC/wMjEIDM6MjIsIjIyLDAwML/4IgpBMDIzLLDtsLQ0LDIwMjYuMTEuMDQgv8DIxCAzOjIzLCIyMywwMDC/+CIKQTAyNCyw7bC0NSwyMDI2LjExLjA1IL/AyMQgMzoyNCwiMjQsMDAwv/giCkEwMjUssO2wtDYsMjAyNi4xMS4wNiC/wMjEIDM6MjUsIjI1LDAwML/4IgpBMDI2LLDtsLQ3LDIwMjYuMTEuMDcgv8DIxCAzOjI2LCIyNiwwMDC/+CIKQTAyNyyw7bC0OCwyMDI2LjExLjA4IL/AyMQgMzoyNywiMjcsMDAwv/giCkEwMjgssO2wtDksMjAyNi4xMS4wOSC/wMjEIDM6MjgsIjI4LDAwML/4IgpBMDI5LLDtsLQxMCwyMDI2LjExLjEwIL/AyMQgMzoyOSwiMjksMDAwv/giCkEwMzAssO2wtDEsMjAyNi4xMS4xMSC/wMjEIDM6MzAsIjMwLDAwML/4IgpBOTk5LLDtsLQxLL7uwabC6ywiMSwwMDC/+CIK", "base64");

test("a file in CP949 with a column of an odd name is put right and comes in, with every row accounted for", async () => {
  const file = join(server.dir, "주문.csv");
  writeFileSync(file, FILE);
  await go("/data/import");
  const input = await page.waitForSelector("#file");
  await Promise.all([page.waitForNavigation({ timeout: 30_000 }), input.uploadFile(file)]);
  await settled(page);
  // Read in the right encoding, and nothing is taken before it is shown.
  await sees(page, "보낸이");
  await picture(page, "import");
  const kind = await page.$("select[name=kind]");
  if ((await kind.evaluate((e) => e.value)) !== "orders") {
    await kind.select("orders");
    await settled(page);
  }
  // The customers stand in a column of another name: it is chosen.
  const column = await page.$$eval("table.columns tbody tr", (rows) => rows.findIndex((r) => r.querySelector("th").textContent.includes("보낸이")));
  const value = await page.$eval(`select[name=column-${column}]`, (s) => [...s.options].find((o) => o.textContent.includes("고객"))?.value);
  assert.ok(value, "a role for customers is offered");
  await page.select(`select[name=column-${column}]`, value);
  await page.waitForSelector("[data-start]", { timeout: 15_000 });
  await settled(page);
  await follow("[data-start]");
  await page.waitForSelector("a.button[href='/segments']", { timeout: 30_000 });
  const counts = await page.$$eval(".progress .tiles dd", (all) => all.map((e) => e.textContent.trim()));
  assert.deepEqual(counts, ["31", "30", "0", "1"], "rows = events + duplicates + rejected");
  await go("/data/quarantine");
  await sees(page, "주문.csv");
  await go("/");
  await sees(page, "10명");
});

test("somebody is found, and why they are in a segment is told", async () => {
  await me.ask("/api/v1/segments/many", { method: "PUT", type: "application/yaml", body: "version: 1\nevents:\n  order: { event: Order Completed }\nsegments:\n  - id: many\n    name: { ko: 자주 산 고객, en: Many orders }\n    when: count(order) >= 3\n" });
  await go("/customers");
  await page.type("input[type=search]", "고객3");
  await sees(page, "고객3");
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.evaluate(() => [...document.querySelectorAll("main a")].find((a) => a.getAttribute("href") === `/customers/${encodeURIComponent("고객3")}`).click())]);
  await settled(page);
  await sees(page, "자주 산 고객");
  await page.evaluate(() => [...document.querySelectorAll("#memberships li")].find((li) => li.textContent.includes("자주 산 고객")).querySelector("summary").click());
  await page.waitForFunction(() => [...document.querySelectorAll("#memberships .reasons")].length > 0, { timeout: 15_000 });
  await sees(page, "3");
  await picture(page, "why");
});

test("two customers are joined, and parted again, and membership follows at once", async () => {
  const one = `/customers/${encodeURIComponent("고객1")}`;
  await go(`${one}/merge?q=${encodeURIComponent("고객2")}`);
  await sees(page, "고객2");
  await follow("main ul.feed form button");
  await sees(page, "두 고객을 합쳤습니다");
  const orders = () => page.$eval("main .tiles dd", (e) => e.firstChild.textContent.trim());
  assert.equal(await orders(), "6");
  await go("/");
  await sees(page, "9명");
  await go(one);
  await follow("main form[action$='/unmerge'] button");
  await sees(page, "합친 것을 되돌렸습니다");
  assert.equal(await orders(), "3");
  await go("/");
  await sees(page, "10명");
});

test("a threshold of the lifecycle is moved: who would go is told before it is saved", async () => {
  await go("/partitions/lifecycle/edit");
  const row = await page.$$eval("ol.rows > li", (all) => all.findIndex((li) => /count|since|orders/.test(li.querySelector("textarea")?.value ?? "") && li.textContent.includes("단골")));
  const area = await page.waitForSelector(`textarea[name="c.${row}.when"]`);
  const text = await area.evaluate((e) => e.value);
  assert.match(text, /orders_12mo >= 4/);
  // By the number field beside it, as a marketer would.
  const fields = await page.$$(`#class-${row} .thresholds input[type=number]`);
  const values = await Promise.all(fields.map((f) => f.evaluate((e) => e.value)));
  const four = fields[values.indexOf("4")];
  await four.click({ count: 3 });
  await four.type("2");
  await page.waitForFunction(() => document.querySelector("#preview .moved"), { timeout: 20_000 });
  // Numbers stand in words, and the words follow them.
  const said = () => page.$eval(`#class-${row} [data-says]`, (e) => e.textContent);
  await page.waitForFunction((row) => document.querySelector(`#class-${row} [data-says]`).textContent.includes("2건 이상"), {}, row);
  assert.equal(await said(), "마지막 주문 후 90일 이하 그리고 최근 1년 주문 수 2건 이상");
  const labels = await page.$$eval(`#class-${row} .thresholds label`, (all) => all.map((l) => l.textContent.replace(/\s+/g, " ").trim()));
  assert.deepEqual(labels, ["마지막 주문 후 일 이하", "최근 1년 주문 수 건 이상"]);
  assert.match(await page.$eval("#preview", (e) => e.textContent), /10/);
  await picture(page, "threshold");
  await follow("aside button.button[name=do][value=save]");
  assert.match(page.url(), /\/partitions\/lifecycle(\?|$)/);
  const { items } = await me.ask("/api/v1/partitions");
  const loyal = items.find((p) => p.id === "lifecycle").classes.find((c) => c.class === "loyal");
  assert.equal(loyal.size, 10);
});

test("a class's condition is edited as cards, and cards follow its text", async () => {
  await go("/partitions/lifecycle/edit");
  const area = await page.waitForSelector("textarea[name='c.1.when']");
  await page.click("#class-1 .as-text > summary");
  assert.match(await area.evaluate((e) => e.value), /^since\(order\) <= 90d/);
  await page.click("#class-1 button[aria-controls]");
  const days = await page.waitForSelector("#class-1 .class-cards input");
  await days.click({ count: 3 });
  await days.type("45");
  await page.waitForFunction((e) => e.value.startsWith("since(order) <= 45d"), {}, area);
  await days.press("Enter");
  assert.match(page.url(), /\/edit$/, "Enter in a card saves nothing");
  await area.evaluate((e) => e.select());
  await area.type("count(order, last 77d) >= 3");
  await page.waitForFunction(() => [...document.querySelectorAll("#class-1 .class-cards input")].some((i) => i.value === "77"));
});

test("what the data cannot tell stands apart on a customer's page, and no chart draws it", async () => {
  await go(`/customers/${encodeURIComponent("고객1")}`);
  const untold = await page.$eval("#memberships details.unknown", (e) => e.textContent);
  assert.match(untold, /쿠폰/);
  const told = await page.$$eval("#memberships > ul a", (all) => all.map((a) => a.getAttribute("href")));
  assert.ok(told.length > 0 && !told.includes("/segments/discount_seekers"), told.join(" "));
  await go("/explore/comparison?of1=many&of2=discount_seekers");
  await sees(page, "데이터 없음");
  assert.equal(await page.$("figure.chart"), null);
  await go("/segments/discount_seekers?tab=overlap");
  await sees(page, "데이터 없음");
});

test("who objects to profiling is counted, and every page with a count says so", async () => {
  const note = "프로파일링을 거부한 고객 1명도";
  const pages = ["/segments/many", "/segments/many?tab=overlap", "/explore/comparison?of1=many"];
  await me.ask(`/api/v1/customers/${encodeURIComponent("고객1")}/objection`, { method: "PUT" });
  for (const path of pages) {
    await go(path);
    await sees(page, note);
  }
  await go("/segments/many");
  await sees(page, "프로파일링을 거부한 1명 포함");
  await me.ask(`/api/v1/customers/${encodeURIComponent("고객1")}/objection`, { method: "DELETE" });
  await go("/segments/many?tab=overlap");
  assert.ok(!(await page.$eval("main", (e) => e.textContent)).includes("프로파일링"));
});

test("on a phone the answer of a funnel stands right under its steps", async () => {
  await page.setViewport({ width: 390, height: 844 });
  await go("/explore/funnel");
  await page.waitForSelector("figure.chart");
  const top = await page.$eval("figure.chart", (e) => e.getBoundingClientRect().top);
  assert.ok(top < 844, `${top}`);
  await page.click(".asked details > summary");
  assert.ok(await page.$eval("select[name=of1]", (e) => e.checkVisibility()));
  await page.setViewport({ width: 1440, height: 900 });
});

test("an erasure asks for the id, and its report proves it", async () => {
  const path = `/customers/${encodeURIComponent("고객5")}`;
  await go(path);
  await page.$eval("form[action$='/erase']", (f) => (f.closest("details").open = true));
  await page.type("[name=typed]", "고객6");
  await follow("form[action$='/erase'] button");
  await sees(page, "다릅니다");
  await page.$eval("form[action$='/erase']", (f) => (f.closest("details").open = true));
  await page.$eval("[name=typed]", (e) => (e.value = ""));
  await page.type("[name=typed]", "고객5");
  await follow("form[action$='/erase'] button");
  await sees(page, "삭제했습니다");
  const gone = await go(path);
  assert.equal(gone.status(), 404);
  // The page that was open still asked for a moment about somebody who is gone.
  assert.deepEqual(complaints.filter((c) => !c.includes("/memberships")), []);
});
