#!/usr/bin/env python3
"""`gyul import` beside DuckDB and Polars on the same CSV: bench/import/run.py [--rows 4000000] [--reps 3] [--out FOLDER]

Makes the seeded files (orders.py) under target/bench/import unless they are there, then lets the three take turns, each in a process of its own with two
threads. Gyul maps, validates, finds duplicates and refunds, makes orders of their lines, and syncs to disk. The peers read the same file with types, leave out
rows without a customer, sort by customer and time, and write one Parquet file with zstd level 1: less work than Gyul's. One line of JSON for each run goes to FOLDER/raw.jsonl.
"""
import argparse, json, os, shutil, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__)); ROOT = os.path.dirname(os.path.dirname(HERE))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
KEYS = {"lines": ("CustomerID", "InvoiceDate"), "orders": ("customer_id", "ordered_at")}
DUCKDB = """
import duckdb
c = duckdb.connect(); c.execute("SET threads = 2")
c.execute("COPY (SELECT * FROM read_csv('{file}') WHERE {who} IS NOT NULL ORDER BY {who}, {when}) TO '{out}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
"""
POLARS = """
import polars as pl
f = pl.read_csv('{file}', try_parse_dates=True, infer_schema_length=10000, schema_overrides={{"InvoiceNo": pl.String, "StockCode": pl.String}})
f.filter(pl.col('{who}').is_not_null()).sort('{who}', '{when}').write_parquet('{out}', compression='zstd', compression_level=1)
"""


def command(engine, kind, file, out, gyul):
    if engine == "gyul": return [gyul, "--data", out, "import", file, "--as", "orders"]
    who, when = KEYS[kind]
    return [sys.executable, "-c", {"duckdb": DUCKDB, "polars": POLARS}[engine].format(file=file, out=out, who=who, when=when)]


def measure(cmd):
    """Wall and CPU seconds and the most memory of one process."""
    start = time.monotonic()
    child = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ, POLARS_MAX_THREADS="2", RAYON_NUM_THREADS="2"))
    said = child.stderr.read().decode(errors="replace")
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    # Gyul says 1 when rows were rejected, as some are here.
    if os.waitstatus_to_exitcode(status) not in (0, 1) or "Traceback" in said: sys.exit(f"{cmd[0]}: {said}")
    return {"wall": round(wall, 2), "user": round(used.ru_utime, 2), "system": round(used.ru_stime, 2), "peak_mib": used.ru_maxrss // 1024}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rows", type=int, default=4_000_000); ap.add_argument("--reps", type=int, default=3); ap.add_argument("--kinds", default="lines,orders")
    ap.add_argument("--engines", default="gyul,duckdb,polars"); ap.add_argument("--gyul", default=os.path.join(TARGET, "release", "gyul")); ap.add_argument("--out")
    a = ap.parse_args()
    folder = os.path.join(TARGET, "bench", "import"); os.makedirs(folder, exist_ok=True)
    raw = open(os.path.join(a.out, "raw.jsonl"), "a") if a.out else None
    for kind in a.kinds.split(","):
        file = os.path.join(folder, f"{kind}-{a.rows}.csv")
        if not os.path.exists(file):
            with open(file + ".part", "w") as f: subprocess.run([sys.executable, os.path.join(HERE, "orders.py"), kind, str(a.rows)], stdout=f, check=True)
            os.rename(file + ".part", file)
        runs = {e: [] for e in a.engines.split(",")}
        for rep in range(a.reps):
            for engine in runs:
                out = os.path.join(folder, "out"); shutil.rmtree(out, ignore_errors=True)
                if os.path.isfile(out): os.remove(out)
                load = os.getloadavg()[0]
                found = measure(command(engine, kind, file, out, a.gyul))
                runs[engine].append(found)
                if raw: print(json.dumps({"kind": kind, "rows": a.rows, "engine": engine, "rep": rep, "load": round(load, 1), **found}), file=raw, flush=True)
        print(f"{kind}, {a.rows:,} rows ({os.path.getsize(file) >> 20} MiB); medians of {a.reps}\n{'':8}{'rows/s, clock':>15}{'CPU s':>9}{'µs CPU a row':>15}{'peak MiB':>10}")
        for engine, found in runs.items():
            middle = lambda f: statistics.median(f(r) for r in found)
            cpu = middle(lambda r: r["user"] + r["system"])
            print(f"{engine:8}{a.rows / middle(lambda r: r['wall']):15,.0f}{cpu:9.2f}{cpu / a.rows * 1e6:15.2f}{middle(lambda r: r['peak_mib']):10,.0f}", flush=True)


if __name__ == "__main__":
    main()
