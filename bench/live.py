"""The live server under load, as issue 3 asks: a million customers loaded, 20 / 100 / 1,000 live segments, events over HTTP from a second process.

    cargo build --release -p gyul -p gyul-bench
    python bench/live.py --store DIR --definitions thousand.yaml [--segments 20,100,1000] [--rates 10000,30000,60000] [--seconds 12] [--out FILE]

DIR is a data directory of the reference workload that ends now (`gyul-bench-store write … --ends NOW`: of old data the last 180 days are empty, and the
first orders move the thresholds of every rank over a million customers), which is copied; the definitions come from definitions.py. For each number of segments:
the server starts on the copy, takes each rate in batches of 100 over 4 connections with fsync before every answer, while ten times a second the event of a new
customer is followed from its acknowledgement to its change on /v1/changes; then questions about single customers are timed, five idle seconds are weighed once the
server is quiet (a checkpoint may still be at work), the process is killed with SIGKILL, and the time
until it is ready again is taken. A line of JSON for each thing measured; CPU is that of the server process alone.
"""
import argparse, json, os, pathlib, random, shutil, signal, subprocess, sys, tempfile, time, urllib.request, http.client

ROOT = pathlib.Path(__file__).resolve().parent.parent
PORT = 7072


def definitions(path, number):
    """The first `number` definitions, and one that the probes enter."""
    head, body = [], []
    for line in open(path):
        (body if line.startswith("  - { id:") else head).append(line)
    at = next(i for i, line in enumerate(head) if line.startswith("segments:"))
    # Over HTTP an order has the name that Segment's specification gives it.
    head = [line.replace("event: order_completed ", "event: [order_completed, Order Completed] ") for line in head]
    head.insert(at, "  probe: { event: bench_probe }\n")
    return "".join(head) + "".join(body[:number]) + '  - { id: probe, when: "count(probe, last 1d) >= 1" }\n'


def customer(i):
    """A customer of the reference workload, as its generator numbers them."""
    mask = (1 << 64) - 1
    z = (i + 1) * 0x9E3779B97F4A7C15 & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return (z ^ (z >> 31)) >> 1


def memory(pid, key="VmRSS"):
    return next(int(l.split()[1]) // 1024 for l in open(f"/proc/{pid}/status") if l.startswith(key))


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_quiet(pid, most=120):
    """Seconds until a whole second costs nothing: a checkpoint may be at work. None if that never comes."""
    begun = time.time()
    while time.time() - begun < most:
        before = cpu(pid)
        time.sleep(1)
        if cpu(pid) - before < 0.02:
            return round(time.time() - begun - 1, 1)
    return None


class Server:
    def __init__(self, gyul, data):
        self.begun = time.time()
        self.process = subprocess.Popen(
            [gyul, "serve", "--data", data, "--listen", f"127.0.0.1:{PORT}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready", timeout=1).read()
                break
            except OSError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.05)
        self.ready = time.time() - self.begun

    @property
    def pid(self):
        return self.process.pid


def decisions(key, number=3000):
    """Milliseconds of single questions over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    rng, ms = random.Random(5), []
    for _ in range(number):
        begun = time.perf_counter()
        connection.request("GET", f"/api/v1/customers/{customer(rng.randrange(1_000_000))}/decision", headers={"Authorization": f"Bearer {key}"})
        connection.getresponse().read()
        ms.append((time.perf_counter() - begun) * 1000)
    ms.sort()
    return {"p50": round(ms[number // 2], 3), "p99": round(ms[number * 99 // 100], 3), "max": round(ms[-1], 3)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--store", required=True)
    p.add_argument("--definitions", required=True)
    p.add_argument("--bin", default=str(ROOT / "target/release"))
    p.add_argument("--segments", default="20,100,1000")
    p.add_argument("--rates", default="10000,30000,60000")
    p.add_argument("--seconds", default="12")
    p.add_argument("--out")
    a = p.parse_args()
    out = open(a.out, "w") if a.out else None

    def say(**what):
        line = json.dumps(what)
        print(line, flush=True)
        if out: print(line, file=out, flush=True)

    for n in map(int, a.segments.split(",")):
        folder = tempfile.mkdtemp(prefix="gyul-live-", dir=os.path.dirname(os.path.abspath(a.store)))
        try:
            data, defs = folder + "/data", folder + "/definitions.yaml"
            shutil.copytree(a.store, data)
            open(defs, "w").write(definitions(a.definitions, n))
            # The hub's own bench makes the definitions the directory's.
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            subprocess.run([f"{a.bin}/gyul-bench-hub", data, "--defs", defs, "--at", now, "--rates", "1", "--seconds", "1", "--batch", "1"],
                           check=True, stdout=subprocess.DEVNULL)
            made = subprocess.run([f"{a.bin}/gyul", "serve", "--data", data, "--make-key"], check=True, capture_output=True, text=True)
            key = made.stdout.strip().split()[-1]
            server = Server(f"{a.bin}/gyul", data)
            say(segments=n, ready_s=round(server.ready, 1), cpu_s=round(cpu(server.pid), 1), rss_mib=memory(server.pid), load=os.getloadavg()[0])
            for rate in a.rates.split(","):
                before = cpu(server.pid)
                load = subprocess.run(
                    [f"{a.bin}/gyul-bench-load", "--url", f"127.0.0.1:{PORT}", "--key", key, "--read-key", key, "--probe", "probe",
                     "--rate", rate, "--seconds", a.seconds, "--customers", "1000000"], check=True, capture_output=True, text=True)
                result = json.loads(load.stdout)
                events = result["acked/s"] * float(a.seconds)
                say(segments=n, **result, server_cpu_us_an_event=round((cpu(server.pid) - before) / events * 1e6, 1), rss_mib=memory(server.pid), load=os.getloadavg()[0])
            say(segments=n, decision_ms=decisions(key))
            quiet = wait_until_quiet(server.pid)
            idle = cpu(server.pid)
            time.sleep(5)
            say(segments=n, quiet_after_s=quiet, idle_cpu_s_in_5_s=round(cpu(server.pid) - idle, 3))
            os.kill(server.pid, signal.SIGKILL)
            server.process.wait()
            again = Server(f"{a.bin}/gyul", data)
            say(segments=n, ready_after_kill_s=round(again.ready, 1), rss_mib=memory(again.pid), load=os.getloadavg()[0])
            again.process.terminate()
            again.process.wait()
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
