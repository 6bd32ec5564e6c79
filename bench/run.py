#!/usr/bin/env python3
"""Gyul beside DuckDB and Polars on one machine, in one command: bench/run.py --size S

Makes what is missing (a virtual environment with the peers from PyPI, the data, the 1,000 definitions, a release build), runs all engines
interleaved, compares every count and checksum, and writes runs/<date>-<size>/{machine.txt, raw.jsonl, summary.md}.
Exit code 1: some answers differ.
"""
import argparse, datetime, json, os, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__)); ROOT = os.path.dirname(HERE); WORK = os.path.join(HERE, "workload")
NEEDS = ["duckdb", "polars", "numpy", "pyarrow"]
PEERS = "duckdb:native:each+single,duckdb:typed:each+single+thousand1,polars:native:each+single+thousand"
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))


def python(venv):
    """An interpreter that has the peers: this one, or that of a virtual environment made for them."""
    if subprocess.run([sys.executable, "-c", "import " + ", ".join(NEEDS)], stderr=subprocess.DEVNULL).returncode == 0: return sys.executable
    exe = os.path.join(venv, "bin", "python")
    if not os.path.exists(exe): subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([exe, "-m", "pip", "install", "--quiet", *NEEDS], check=True)
    return exe


def machine(py):
    def out(*cmd):
        try: return subprocess.run(cmd, capture_output=True, text=True, cwd=ROOT).stdout.strip()
        except OSError: return ""
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    mem = next(int(l.split()[1]) // 1024 for l in open("/proc/meminfo") if l.startswith("MemTotal"))
    versions = out(py, "-c", "import " + ", ".join(NEEDS) + "; print(*(f'{m.__name__} {m.__version__}' for m in (" + ", ".join(NEEDS) + ")), sep=', ')")
    return "\n".join([f"cpu: {cpu}, {os.cpu_count()} cores", f"memory: {mem} MiB", f"kernel: {os.uname().release}", f"load at start: {open('/proc/loadavg').read().split()[0]}",
                      f"peers: {versions}", f"rustc: {out('rustc', '--version')}", f"gyul: {out('git', 'rev-parse', '--short', 'HEAD')}{' with changes' if out('git', 'status', '--short', 'crates') else ''}"]) + "\n"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--size", default="S", choices=["S", "M"]); ap.add_argument("--reps", type=int, default=5)
    ap.add_argument("--data", help="folder of the data of this size; made if it does not exist (default: target/bench/SIZE)")
    ap.add_argument("--peers", default=PEERS, help="engine:mode:blocks, separated by commas; empty for Gyul alone"); ap.add_argument("--no-thousand", action="store_true")
    ap.add_argument("--by-hand", action="store_true", help="Gyul takes the definitions as trees made by hand, not as text")
    ap.add_argument("--no-build", action="store_true", help="takes the binary that is there"); ap.add_argument("--out", help="default: bench/runs/DATE-SIZE"); ap.add_argument("--report", help="only writes summary.md of an earlier run's folder")
    a = ap.parse_args()
    if a.report: return report(a.report, None)
    data = os.path.abspath(a.data or os.path.join(TARGET, "bench", a.size)); py = python(os.path.join(TARGET, "bench", "venv"))
    if not os.path.exists(os.path.join(data, "meta.json")): subprocess.run([py, os.path.join(WORK, "generator.py"), "--size", a.size, "--out", data], check=True)
    with open(os.path.join(data, "thousand.yaml"), "w") as f: subprocess.run([py, os.path.join(HERE, "definitions.py")], stdout=f, check=True)
    with open(os.path.join(data, "thousand.txt"), "w") as f: subprocess.run([py, os.path.join(HERE, "definitions.py"), "--specs"], stdout=f, check=True)
    if not a.no_build: subprocess.run(["cargo", "build", "--release", "-p", "gyul-bench"], cwd=ROOT, check=True)
    out = a.out or os.path.join(HERE, "runs", f"{datetime.date.today()}-{a.size}"); os.makedirs(out, exist_ok=True); raw = os.path.join(out, "raw.jsonl")
    open(os.path.join(out, "machine.txt"), "w").write(machine(py))
    if os.path.exists(raw): os.remove(raw)
    engines = [f"gyul:{'byhand' if a.by_hand else 'text'}:each+single" + ("" if a.no_thousand else "+thousand")] + [p for p in a.peers.split(",") if p]
    if a.no_thousand: engines = [e.replace("+thousand1", "").replace("+thousand", "") for e in engines]
    env = dict(os.environ, GYUL_BENCH=os.path.join(TARGET, "release", "gyul-bench"))
    subprocess.run([py, os.path.join(WORK, "drive.py"), "--data", data, "--engines", ",".join(engines), "--reps", str(a.reps), "--tag", a.size, "--delta", "--out", raw], check=True, env=env)
    alone(env["GYUL_BENCH"], data, raw, a.size, a.by_hand)
    expected = os.path.join(WORK, f"expected_{a.size}.json")
    sys.exit(report(out, json.load(open(expected)) if os.path.exists(expected) else None))


def alone(binary, data, raw, tag, by_hand):
    """What only Gyul can do: one simple segment, a refresh, history."""
    p = subprocess.Popen([binary, "--data", data, "--threads", "2", *([] if by_hand else ["--defs", os.path.join(HERE, "workload.yaml")])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ask = lambda q: (p.stdin.write(q + "\n"), p.stdin.flush(), json.loads(p.stdout.readline()))[2]
    with open(raw, "a") as f:
        put = lambda r, rep=0: f.write(json.dumps(dict(tag=tag, spec="gyul", block=r["id"].split()[0], q=r["id"], rep=rep, phase="alone", **{k: v for k, v in r.items() if k != "id"})) + "\n")
        load = json.loads(p.stdout.readline()); put(load)
        for rep in range(4):
            for q in ("s03", "keep s03", "beside s03", "history s01", "history s06", "history s16", "history s04", "fork", "refresh"): put(ask(q), rep)
    p.stdin.write("quit\n"); p.stdin.close(); p.wait()


def report(folder, expected):
    R = [json.loads(l) for l in open(os.path.join(folder, "raw.jsonl"))]
    med = lambda v: statistics.median(v) if v else None
    num = lambda v, n=3: "–" if v is None else f"{v:.{n}f}"
    def of(spec, block, key):
        warm = [r[key] for r in R if r["spec"] == spec and r["block"] == block and r["q"] == "*" and r["phase"] == "warm" and r.get("ok") and key in r]
        return med(warm)
    specs = sorted({r["spec"] for r in R if ":" in r["spec"]}, key=lambda s: (not s.startswith("gyul"), s)); L = []
    L.append(f"# {os.path.basename(folder)}\n\n```\n{open(os.path.join(folder, 'machine.txt')).read()}```\n")
    L.append("| engine | load CPU s | 24 each: CPU s | wall s | 24 in one: CPU s | wall s | 1,000: CPU s | wall s | peak MiB | after loading MiB |\n| --- " + "| ---: " * 9 + "|")
    best = {}
    for s in specs:
        load = next((r for r in R if r["spec"] == s and r["q"] == "load" and "cpu" in r), {})
        peak = max([r["peak"] for r in R if r["spec"] == s and r["phase"] == "warm" and r.get("peak") and r["block"] in ("each", "single")] or [0])
        row = [num(load.get("cpu"), 2)]
        for b in ("each", "single", "thousand"):
            for k in ("cpu", "wall"):
                v = of(s, b, k)
                if b == "thousand" and v is None: v = of(s, "thousand1", k)
                row.append(num(v))
                if v is not None and not s.startswith("gyul"):
                    name = ("24" if b != "thousand" else "1000", k); best[name] = min(best.get(name, (1e9, "")), (v, f"{s} {b}"))
        L.append(f"| {s} | " + " | ".join(row) + f" | {peak:.0f} | {num(load.get('rss'), 0)} |")
    L.append("\n| ratio to the fastest peer's best formulation | Gyul | best peer | times |\n| --- | ---: | ---: | ---: |")
    for name, b, title in (("24", "single", "24 segments"), ("1000", "thousand", "1,000 definitions")):
        for k in ("cpu", "wall"):
            v, p = next((v for s in specs if s.startswith("gyul:") and (v := of(s, b, k))), None), best.get((name, k))
            if v and p: L.append(f"| {title}, {k} s | {num(v)} | {num(p[0])} ({p[1]}) | **{p[0] / v:.1f}** |")
    one = [r for r in R if r["phase"] == "alone"]
    if one:
        L.append("\n| Gyul alone | CPU ms | wall ms | runs |\n| --- | ---: | ---: | ---: |")
        for q in dict.fromkeys(r["q"] for r in one if r["q"] != "fork"):
            x = [r for r in one if r["q"] == q]; good = [r for r in x if "error" not in r]
            if good: L.append(f"| {q} | {num(med([r['cpu'] * 1000 for r in good]), 1)} | {num(med([r['wall'] * 1000 for r in good]), 1)} | {len(good)} |")
            else: L.append(f"| {q} | {x[0]['error']} | | |")
        load = next((r for r in one if r["q"] == "load" and "r" in r), None)
        if load: L.append(f"\nMemory after loading: {load['rss']:.0f} MiB for {load['r']['events']:,} events: {load['rss'] * 1048576 / load['r']['events']:.1f} bytes an event, traits, definitions and all.")
    # agreement, by phase: before and after the delta
    bad = 0
    for phases, title in ((("warm", "warmup"), "before the delta"), (("after-delta",), "after the delta")):
        by = {}
        for r in R:
            if r["phase"] in phases and "r" in r and r["q"] not in ("*", "load", "delta", "thousand"):
                pairs = {f"s{i // 2 + 1:02d}": r["r"][i:i + 2] for i in range(0, 48, 2)} if r["q"] == "single" else {r["q"]: r["r"]}
                for q, v in pairs.items(): by.setdefault(q, {}).setdefault(tuple(x or 0 for x in v), set()).add(r["spec"])
        if expected and phases[0] == "warm":
            for q, v in expected.items(): by.setdefault(q, {}).setdefault(tuple(v), set()).add("expected")
        differ = {q: v for q, v in by.items() if len(v) > 1}; bad += len(differ)
        if by: L.append(f"\nAgreement {title}: {len(by)} questions, {len(differ)} differ." + "".join(f"\n- {q}: " + "; ".join(f"{k} {sorted(s)}" for k, s in v.items()) for q, v in sorted(differ.items())))
    errors = sorted({(r["spec"], r["q"], r["error"]) for r in R if "error" in r})
    if errors: L.append("\nRefused:" + "".join(f"\n- {s} {q}: {e}" for s, q, e in errors[:40]))
    text = "\n".join(L) + "\n"; open(os.path.join(folder, "summary.md"), "w").write(text); print(text)
    return 1 if bad else 0


if __name__ == "__main__": sys.exit(main())
