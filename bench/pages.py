"""How long the pages take at a million customers, as issue 4 asks: a page's HTML in under 50 ms.

    cargo build --release -p gyul -p gyul-bench
    python bench/pages.py --store DIR [--bin target/release] [--times 20] [--out FILE]

DIR is a data directory of the reference workload (`gyul-bench-store`), which is copied; the definitions are the starter library with the workload's names of events. The server is asked for every page and
every part that pages load behind, one at a time over one connection, with a key of an owner: once cold, then so many times. Milliseconds from the request to the last
byte, bytes as they are and as gzip sends them, CPU of the server. Then the builder's count is asked while conditions change, and the resident memory is taken.
"""
import argparse, gzip, http.client, json, os, pathlib, random, shutil, subprocess, sys, tempfile, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from live import PORT, ROOT, Server, cpu, memory, wait_until_quiet

PAGES = """
/ /start/week /start/flow /start/rfm
/segments /segments?sort=size /segments/new /segments/one_time /segments/one_time?tab=who /segments/one_time/who /segments/one_time/worth /segments/one_time/size
/segments/one_time/size?range=all /segments/one_time/causes /segments/one_time/overlap /segments/one_time/members /segments/one_time/quality
/segments/one_time?tab=definition /segments/one_time/edit
/partitions /partitions/lifecycle /partitions/lifecycle/flow /partitions/lifecycle/sizes /partitions/lifecycle/edit /partitions/lifecycle/classes/loyal
/partitions/lifecycle/classes/loyal/who
/customers /customers?q=4711 {someone}
/explore /explore/cohorts /explore/funnel /explore/paths /explore/hours /explore/regions /explore/distribution /explore/comparison
/explore?answer=part /explore/cohorts?answer=part /explore/funnel?answer=part&step1=product_view&step2=add_to_cart&step3=order_completed
/explore/paths?answer=part&event=order_completed /explore/hours?answer=part&event=order_completed /explore/regions?answer=part /explore/distribution?answer=part
/explore/comparison?answer=part&of1=one_time&of2=frequent
/data /data/daily /data/enough /data/events /data/import /data/quarantine /data/sources /data/sources/traffic
/settings /settings/users /settings/keys /settings/hooks /settings/audit
""".split()

CONDITIONS = [
    "count(order, last {n}d) >= 2", "spend_12mo > {n}000", "spend in top {n}%", "since(order) <= {n}d and orders >= 2",
    "count(view then cart then order within {n}d) >= 1", "count(view, last {n}d) >= 3 and count(order, last {n}d) = 0",
]


# What the starter library calls by other names.
NAMES = {
    "Order Completed": "order_completed", "Order Refunded": "order_refunded", "Product Viewed": "product_view", "Product Added": "add_to_cart",
    "Checkout Started": "checkout_started", "Message Sent": "message_sent", "Message Opened": "message_opened", "Message Clicked": "message_clicked",
    "Product Purchased": "order_completed", "order.total": "order.amount", "refund.total": "refund.amount",
}


def definitions(folder):
    os.mkdir(folder)
    for file in (ROOT / "segments").glob("*.yaml"):
        text = file.read_text()
        for ours, theirs in NAMES.items():
            text = text.replace(ours, theirs)
        (pathlib.Path(folder) / file.name).write_text(text)


class Asker:
    def __init__(self, key):
        self.key, self.connection = key, http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)

    def ask(self, path, method="GET", body=None, accept="text/html"):
        headers = {"Authorization": f"Bearer {self.key}", "Accept": accept, "Accept-Encoding": "gzip"}
        if body is not None:
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        while True:
            begun = time.perf_counter()
            self.connection.request(method, path, body=body, headers=headers)
            answer = self.connection.getresponse()
            data = answer.read()
            ms = (time.perf_counter() - begun) * 1000
            if answer.status != 429:
                break
            time.sleep(2)  # a key may ask only so often
        packed = answer.headers.get("content-encoding") == "gzip"
        whole = gzip.decompress(data) if packed else data
        return ms, answer.status, len(whole), len(data) if packed else len(gzip.compress(data, 6)), packed


    def someone(self):
        """The page of a customer who has bought something."""
        self.connection.request("GET", "/api/v1/segments/one_time/members?limit=1", headers={"Authorization": f"Bearer {self.key}"})
        return "/customers/" + json.loads(self.connection.getresponse().read())["items"][0]["customer"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--store", required=True)
    p.add_argument("--bin", default=str(ROOT / "target/release"))
    p.add_argument("--times", type=int, default=20)
    p.add_argument("--only", default="")
    p.add_argument("--out")
    a = p.parse_args()
    out = open(a.out, "w") if a.out else None

    def say(**what):
        line = json.dumps(what)
        print(line, flush=True)
        if out:
            print(line, file=out, flush=True)

    server = None
    folder = tempfile.mkdtemp(prefix="gyul-pages-", dir=os.path.dirname(os.path.abspath(a.store)))
    try:
        data = folder + "/data"
        shutil.copytree(a.store, data)
        definitions(folder + "/segments")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        subprocess.run([f"{a.bin}/gyul-bench-hub", data, "--defs", folder + "/segments", "--at", now, "--rates", "1", "--seconds", "1", "--batch", "1"],
                       check=True, stdout=subprocess.DEVNULL)
        made = subprocess.run([f"{a.bin}/gyul", "serve", "--data", data, "--make-key"], check=True, capture_output=True, text=True)
        asker = Asker(made.stdout.strip().split()[-1])
        server = Server(f"{a.bin}/gyul", data)
        say(ready_s=round(server.ready, 1), rss_mib=memory(server.pid), load=os.getloadavg()[0])
        wait_until_quiet(server.pid)
        someone = asker.someone()
        for path in PAGES:
            if not path.startswith(a.only):
                continue
            path = path.format(someone=someone)
            cold, status, size, packed, sent_packed = asker.ask(path)
            before, ms = cpu(server.pid), sorted(asker.ask(path)[0] for _ in range(a.times))
            say(
                page=path, status=status, cold_ms=round(cold, 1), p50_ms=round(ms[a.times // 2], 1), max_ms=round(ms[-1], 1),
                cpu_ms=round((cpu(server.pid) - before) / a.times * 1000, 1), kib=round(size / 1024, 1), gzip_kib=round(packed / 1024, 1), compressed=sent_packed,
            )
        rng, ms = random.Random(7), {}
        for turn in range(5):
            for text in CONDITIONS:
                when = text.format(n=rng.randrange(5, 60))
                yaml = f"version: 1\nsegments:\n  - id: bench_pages\n    when: {when}\n"
                took, status, *_ = asker.ask("/api/v1/segments/effects", "POST", {"yaml": yaml, "sample": 6}, "application/json")
                assert status == 200, (status, when)
                ms.setdefault(text, []).append(round(took, 1))
        for text, took in ms.items():
            say(builder=text, ms=took)
        say(rss_mib_after=memory(server.pid), load=os.getloadavg()[0])
    finally:
        if server:
            server.process.terminate()
            server.process.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
