#!/usr/bin/env python3
"""Orders of a shop as CSV, the same for the same seed: bench/import/orders.py lines|orders ROWS > FILE

`lines`: Online Retail year after year, one row a line of an order. Some customers stay from year to year, others are new; of the rows without a customer
one in fifty is left, so that there is something to reject. `orders`: one row an order, with a coupon, a channel and a state.
"""
import os, random, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
RETAIL = os.path.join(HERE, "..", "..", "datasets", "online-retail", "online_retail.csv.zst")


def lines(rows, rng, out):
    text = subprocess.run(["zstd", "-dc", RETAIL], capture_output=True, check=True).stdout.decode()
    header, *template = text.splitlines()
    out.write(header + "\n")
    parsed = []
    for line in template:
        invoice, rest = line.split(",", 1)
        stock, rest = rest.split(",", 1)
        # What a description holds does not matter here: it ends where four cells from the right begin.
        middle, day, price, customer, country = rest.rsplit(",", 4)
        if customer or rng.random() < 0.02:
            letter, number = (invoice[0], invoice[1:]) if not invoice.isdigit() else ("", invoice)
            parsed.append((letter, int(number), stock, middle, int(day[:4]), day[4:], price, int(float(customer)) if customer else 0, country))
    written = year = 0
    while written < rows:
        stays = {}
        block = []
        for letter, number, stock, middle, y, day, price, customer, country in parsed[: rows - written]:
            shown = ""
            if customer:
                if customer not in stays: stays[customer] = year == 0 or rng.random() < 0.4
                shown = customer if stays[customer] else customer + 10_000 * year
            block.append(f"{letter}{number + 50_000 * year},{stock},{middle},{y + year % 14}{day},{price},{shown},{country}\n")
        out.write("".join(block))
        written += len(block)
        year += 1


def orders(rows, rng, out):
    out.write("order_id,customer_id,ordered_at,status,total,currency,coupon,channel\n")
    customers = max(rows // 6, 1)
    coupons = [""] * 8 + ["WELCOME10", "FREESHIP"]
    channels = ["web", "app", "app", "kakao", "store"]
    states = ["paid"] * 18 + ["cancelled", "pending"]
    block = []
    for i in range(rows):
        # Minute after minute; few customers order much.
        minute = i * 1_500_000 // rows
        day, minute = divmod(minute, 1440)
        month, day = divmod(day, 28)
        year, month = divmod(month, 12)
        who = int(customers * rng.random() ** 2.5)
        block.append(f"{20_000_000 + i},c{who:07d},{2021 + year}-{month + 1:02d}-{day + 1:02d} {minute // 60:02d}:{minute % 60:02d}:{i % 60:02d},{rng.choice(states)},"
                     f"{rng.randrange(50, 3000) * 100},KRW,{rng.choice(coupons)},{rng.choice(channels)}\n")
        if len(block) == 100_000:
            out.write("".join(block))
            block = []
    out.write("".join(block))


if __name__ == "__main__":
    kind, rows = sys.argv[1], int(sys.argv[2])
    {"lines": lines, "orders": orders}[kind](rows, random.Random(20261130), sys.stdout)
