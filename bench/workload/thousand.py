"""1,000 parametrised definitions, drawn with a fixed seed from the twelve templates of workload.md.

SPECS is the list that every engine reads: run_polars.py, thousand_sql below (DuckDB) and ../definitions.py (Gyul).
Commands: `thou1 I` is definition I alone, `thou K` the hundred from 100 K on in one statement (sums of counts and checksums).
"""
import random

DAYS = [1, 3, 7, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365]
CH = ["email", "sms", "kakao", "push"]
SEED, NUMBER = 1000, 1000
KINDS = ["recency", "count", "spend", "top", "browse", "cart", "click", "openonly", "between", "lapsed", "distinct", "cell"]


def draw(seed=SEED, number=NUMBER):
    from generator import CATEGORIES, REGIONS
    r = random.Random(seed)
    n = lambda hi=6: r.randint(1, hi)
    days = lambda: r.choice(DAYS)
    spend = lambda: r.choice([20, 50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000]) * 1000
    def between():
        a, b = sorted(r.sample(DAYS, 2)); return ("between", a, b)
    make = {
        "recency": lambda: ("recency", days()),
        "count": lambda: ("count", n(), days()),
        "spend": lambda: ("spend", spend(), days()),
        "top": lambda: ("top", r.choice([1, 2, 5, 10, 20, 25]), days()),
        "browse": lambda: ("browse", r.choice(CATEGORIES), n(), days()),
        "cart": lambda: ("cart", r.choice([1, 2, 3, 6, 12, 24, 48, 72])),
        "click": lambda: ("click", r.choice(CH), days()),
        "openonly": lambda: ("openonly", r.choice(CH), n(), days()),
        "between": between,
        "lapsed": lambda: ("lapsed", n(), days()),
        "distinct": lambda: ("distinct", n(), days()),
        "cell": lambda: ("cell", r.choice(["female", "male"]), r.choice([10, 20, 30, 40, 50, 60]), r.choice(REGIONS), r.choice(CH)),
    }
    return [make[r.choice(KINDS)]() for _ in range(number)]


SPECS = draw()


def sql_parts(s, d):
    """(named aggregates, predicate, row filter); `top` has (name, percent) for a predicate, `cell` no row filter."""
    O, CART, VIEW = "type = 'order_completed'", "type = 'add_to_cart'", "type = 'product_view'"
    OPENED, CLICKED = "type = 'message_opened'", "type = 'message_clicked'"
    A, k = {}, s[0]
    def use(name, sql): A[name] = f"{sql} AS {name}"; return name
    w = lambda days: f"ts > {d.at(days)}"
    olast = lambda: use("olast", d.maxif("ts", O))
    n = lambda days: use(f"n{days}", d.cif(f"{O} AND {w(days)}"))
    sp = lambda days: use(f"sp{days}", d.sif("amount", f"{O} AND {w(days)}"))
    clicks = lambda ch, days: use(f"ck_{ch}_{days}", d.cif(f"{CLICKED} AND channel = '{ch}' AND {w(days)}"))
    if k == "recency": p, f = f"{olast()} > {d.at(s[1])}", f"{O} AND {w(s[1])}"
    elif k == "count": p, f = f"{n(s[2])} >= {s[1]}", f"{O} AND {w(s[2])}"
    elif k == "spend": p, f = f"{sp(s[2])} > {s[1]}", f"{O} AND {w(s[2])}"
    elif k == "top": p, f = (sp(s[2]), s[1]), f"{O} AND {w(s[2])}"
    elif k == "browse":
        v = use(f"v_{s[1]}_{s[3]}", d.cif(f"{VIEW} AND category = '{s[1]}' AND {w(s[3])}")); b = use(f"bo_{s[1]}", d.cif(f"{O} AND category = '{s[1]}'"))
        p, f = f"{v} >= {s[2]} AND {b} = 0", f"({VIEW} OR {O}) AND category = '{s[1]}'"
    elif k == "cart":
        c = use("clast", d.maxif("ts", CART)); o = olast()
        p, f = f"{c} > {d.at(0, s[1])} AND ({o} IS NULL OR {o} <= {c})", f"({CART} OR {O})"
    elif k == "click": p, f = f"{clicks(s[1], s[2])} > 0", f"{CLICKED} AND channel = '{s[1]}' AND {w(s[2])}"
    elif k == "openonly":
        o = use(f"op_{s[1]}_{s[3]}", d.cif(f"{OPENED} AND channel = '{s[1]}' AND {w(s[3])}"))
        p, f = f"{o} >= {s[2]} AND {clicks(s[1], s[3])} = 0", f"({OPENED} OR {CLICKED}) AND channel = '{s[1]}' AND {w(s[3])}"
    elif k == "between": o = olast(); p, f = f"{o} <= {d.at(s[1])} AND {o} > {d.at(s[2])}", O
    elif k == "lapsed": p, f = f"{use('nall', d.cif(O))} >= {s[1]} AND {n(s[2])} = 0", O
    elif k == "distinct":
        c = f"{O} AND {w(s[2])}"
        p, f = f"{use(f'dc{s[2]}', distinct(d, c))} >= {s[1]}", c
    else:
        p, f = f"gender = '{s[1]}' AND 2026 - birth_year BETWEEN {s[2]} AND {s[2] + 9} AND region = '{s[3]}' AND consent_{s[4]}", None
    return A, p, f


def distinct(d, c):
    """DuckDB is fastest with a bit mask of the categories."""
    from segments import catbit
    return f"bit_count(bit_or(CASE WHEN {c} THEN {catbit(d)} ELSE 0 END))" if d.name == "duckdb" else d.dcif("category", c)


def thousand_sql(cmd, d):
    name, i = cmd.split(); i = int(i); key = "customer_id % 1000003"
    if name == "thou1":
        A, p, f = sql_parts(SPECS[i], d)
        if f is None: return f"SELECT count(*) AS n, sum({key}) AS c FROM {{P}} WHERE {p}"
        g = f"SELECT customer_id, {', '.join(A.values())} FROM {{E}} WHERE {f} GROUP BY customer_id"
        if isinstance(p, tuple):
            return (f"SELECT count(*) AS n, sum({key}) AS c FROM (SELECT customer_id, rank() OVER (ORDER BY {p[0]} DESC) AS r FROM ({g}) g) q "
                    f"WHERE r <= (SELECT {d.div(f'count(*) * {p[1]} + 99', '100')} FROM {{P}})")
        return f"SELECT count(*) AS n, sum({key}) AS c FROM ({g}) g WHERE {p}"
    A, ps, ranks = {}, [], {}
    for s in SPECS[i * 100:(i + 1) * 100]:
        a, p, _ = sql_parts(s, d); A.update(a)
        if isinstance(p, tuple):
            ranks[p[0]] = f"rank() OVER (ORDER BY coalesce({p[0]}, 0) DESC) AS r_{p[0]}"
            p = f"{p[0]} > 0 AND r_{p[0]} <= {d.div(f'np * {p[1]} + 99', '100')}"
        ps.append(p)
    prof = "SELECT customer_id AS pid, gender, birth_year, region, " + ", ".join("consent_" + c for c in CH) + ", count(*) OVER () AS np FROM {P}"
    g = f"SELECT customer_id, {', '.join(A.values())} FROM {{E}} GROUP BY customer_id"
    joined = f"SELECT * {'EXCLUDE' if d.name == 'duckdb' else 'EXCEPT'} (customer_id){''.join(', ' + r for r in ranks.values())} FROM ({prof}) p LEFT JOIN ({g}) g ON p.pid = g.customer_id"
    n = " + ".join(f"count(*) FILTER (WHERE {p})" for p in ps)
    c = " + ".join(f"coalesce(sum(pid % 1000003) FILTER (WHERE {p}), 0)" for p in ps)
    return f"SELECT {n} AS n, {c} AS c FROM ({joined}) j"
