// The guide's pictures, in both languages, of a made-up shop. Only with GYUL_GUIDE=1: pictures differ by a pixel on each machine.
import { test } from "node:test";
import { join } from "node:path";
import { GUIDE, browse, gyul, owner, picture, serve, settled, tab } from "./lib.mjs";

test("pictures for the guide", { skip: !GUIDE }, async () => {
  const server = await serve({
    prepare: (dir) => {
      gyul("generate", "--customers", "600", "--months", "12", "--seed", "7", "-o", join(dir, "shop"));
      for (const [file, kind] of [["profiles.csv", "profiles"], ["orders.csv", "orders"], ["events.jsonl", "events"]]) {
        gyul("import", join(dir, "shop", file), "--as", kind, "--data", dir);
      }
    },
  });
  const me = await owner(server);
  const browser = await browse();
  const { items } = await me.ask("/api/v1/segments/frequent/members?limit=1").catch(() => ({ items: [] }));
  const someone = items[0]?.customer ?? "C0000001";
  const pages = { segment: "/segments/one_time", builder: "/segments/overdue/edit", partition: "/partitions/lifecycle", customer: `/customers/${encodeURIComponent(someone)}`, explore: "/explore", data: "/data/import" };
  for (const lang of ["ko", "en"]) {
    const { page, go, close } = await tab(browser, { base: server.base, cookie: me.cookie, lang, width: 1200 });
    for (const [name, path] of Object.entries(pages)) {
      await go(path);
      await settled(page);
      await new Promise((f) => setTimeout(f, 2500));
      await picture(page, `${name}.${lang}`);
    }
    await close();
  }
  await server.stop();
  // What happens now, of a shop to which something happens: the made-up one ends with its last month.
  const demo = await serve({ verb: "demo" });
  const entered = await fetch(`${demo.base}/enter?token=${demo.token}`, { redirect: "manual" });
  const cookie = entered.headers.get("set-cookie").split(";")[0];
  for (const lang of ["ko", "en"]) {
    const { page, go, close } = await tab(browser, { base: demo.base, cookie, lang, width: 1200 });
    await go("/");
    await settled(page);
    await new Promise((f) => setTimeout(f, 2500));
    await picture(page, `start.${lang}`);
    await close();
  }
  await browser.close();
  await demo.stop();
});
