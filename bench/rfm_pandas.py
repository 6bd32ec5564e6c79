"""RFM on the Online Retail data with pandas, as a check from outside: rfm_pandas.py online_retail.csv.zst > expected/online_retail_rfm.json

Cleaning rules (those of `gyul import`): rows without CustomerID are rejected; a row that repeats an earlier one in every column is
dropped; invoices that begin with C are refunds; everything else of one invoice is one order, its total the sum of quantity x price
(rows of price 0 stay), its instant that of its first row. Scores are `quintile(X) = 1 + floor(5 |{c: X_c < X}| / n)` among the
customers with an order in the window; R by the instant of the latest order, F by the number of orders, M by the sum of their totals
(refunds not taken off). The instant of evaluation is the latest row's. Sums are exact: prices are whole thousandths of a pound.
"""
import io, json, sys
import pandas as pd

SOURCE = "Chen, D. (2015). Online Retail. UCI Machine Learning Repository. doi:10.24432/C5BW33 (CRAN onlineretail 0.1.2)"


def read(path):
    import pyarrow as pa
    kind = "zstd" if path.endswith(".zst") else "gzip" if path.endswith(".gz") else None
    with pa.input_stream(path, compression=kind) as f: raw = f.read()
    return pd.read_csv(io.BytesIO(raw), dtype=str, keep_default_na=False)


def money(thousandths): return f"{thousandths / 1000:.3f}".rstrip("0").rstrip(".")


def quintiles(x): return 1 + 5 * (x.rank(method="min").astype("int64") - 1) // len(x)


def rfm(orders, after):
    o = orders[orders.ts > after] if after is not None else orders
    g = o.groupby("CustomerID").agg(r=("ts", "max"), f=("total", "size"), m=("total", "sum"))
    q = g.apply(quintiles)
    cells = q.groupby(["r", "f"]).size()
    champions = (q.r >= 4) & (q.f >= 4) & (q.m >= 4)
    return {
        "customers": len(g), "orders": len(o), "total": money(int(o.total.sum())),
        **{k.upper(): {int(i): int((q[k] == i).sum()) for i in range(1, 6)} for k in "rfm"},
        "R_x_F": {f"{r}{f}": int(n) for (r, f), n in cells.items()},
        "champions_R4_F4_M4": {"customers": int(champions.sum()), "total": money(int(g.m[champions].sum())), "customer_id_sum": int(g.index[champions].astype(int).to_series().sum())},
        "R5_F5_M5": int(((q.r == 5) & (q.f == 5) & (q.m == 5)).sum()),
        "lost_R1_F1_M1": int(((q.r == 1) & (q.f == 1) & (q.m == 1)).sum()),
    }


def main():
    rows = read(sys.argv[1])
    known = rows[rows.CustomerID.str.strip() != ""]
    kept = known.drop_duplicates().copy()
    kept["value"] = kept.Quantity.astype(int) * (kept.UnitPrice.astype(float) * 1000).round().astype("int64")
    kept["ts"] = pd.to_datetime(kept.InvoiceDate)
    back = kept.InvoiceNo.str.startswith("C")
    group = lambda d: d.groupby(["CustomerID", "InvoiceNo"]).agg(ts=("ts", "min"), total=("value", "sum"), times=("ts", "nunique"), lines=("value", "size")).reset_index()
    orders, refunds = group(kept[~back]), group(kept[back])
    end = kept["ts"].max()
    json.dump({
        "source": SOURCE, "made_by": f"bench/rfm_pandas.py, pandas {pd.__version__}", "as_of_local": str(end),
        "rows": {"all": len(rows), "without_customer": len(rows) - len(known), "repeated_with_customer": len(known) - len(kept), "kept": len(kept), "order_lines": int((~back).sum()), "refund_lines": int(back.sum()),
                 "order_lines_of_quantity_not_positive": int((kept.Quantity.astype(int)[~back] <= 0).sum()), "order_lines_of_price_0": int((kept.value[~back] == 0).sum())},
        "customers": int(kept.CustomerID.nunique()), "customers_with_an_order": int(orders.CustomerID.nunique()), "customers_with_refunds_only": int(len(set(refunds.CustomerID) - set(orders.CustomerID))),
        "orders": len(orders), "orders_with_rows_at_several_instants": int((orders.times > 1).sum()), "orders_of_total_0": int((orders.total == 0).sum()), "refunds": len(refunds),
        "gross_revenue": money(int(orders.total.sum())), "refunded": money(-int(refunds.total.sum())), "net_revenue": money(int(orders.total.sum() + refunds.total.sum())),
        "one_time_buyers": int((orders.groupby("CustomerID").size() == 1).sum()),
        "rfm_all": rfm(orders, None), "rfm_last_365d": rfm(orders, end - pd.Timedelta(days=365)),
    }, sys.stdout, indent=1)
    print()


if __name__ == "__main__": main()
