"""Writes the 1,000 definitions of workload/thousand.py in Gyul's language: definitions.py > thousand.yaml
With --specs one template a line, which gyul-bench takes without the language: definitions.py --specs > thousand.txt"""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "workload"))
from thousand import SPECS

HEAD = """\
# 1,000 definitions drawn from twelve templates (workload/thousand.py); written by definitions.py.
version: 1
events:
  order:   { event: order_completed }
  cart:    { event: add_to_cart }
  view:    { event: product_view }
  opened:  { event: message_opened }
  clicked: { event: message_clicked }
segments:"""


def when(s):
    k, a = s[0], s[1:]
    if k == "recency": return f"count(order, last {a[0]}d) >= 1"
    if k == "count": return f"count(order, last {a[1]}d) >= {a[0]}"
    if k == "spend": return f"sum(order.amount, last {a[1]}d) > {a[0]}"
    # The peers rank buyers only: somebody without spend is never at the top.
    if k == "top": return f"sum(order.amount, last {a[1]}d) in top {a[0]}% and sum(order.amount, last {a[1]}d) > 0"
    if k == "browse": return f"count(view where category = '{a[0]}', last {a[2]}d) >= {a[1]} and count(order where category = '{a[0]}') = 0"
    if k == "cart": return f"count(cart, last {a[0]}h) >= 1 and count(order, since last cart) = 0"
    if k == "click": return f"count(clicked where channel = '{a[0]}', last {a[1]}d) >= 1"
    if k == "openonly": return f"count(opened where channel = '{a[0]}', last {a[2]}d) >= {a[1]} and count(clicked where channel = '{a[0]}', last {a[2]}d) = 0"
    if k == "between": return f"since(order) >= {a[0]}d and since(order) < {a[1]}d"
    if k == "lapsed": return f"count(order) >= {a[0]} and count(order, last {a[1]}d) = 0"
    if k == "distinct": return f"distinct(order.category, last {a[1]}d) >= {a[0]}"
    return f"gender = '{a[0]}' and 2026 - birth_year between {a[1]} and {a[1] + 9} and region = '{a[2]}' and consent({a[3]})"


def main():
    if "--specs" in sys.argv:
        for s in SPECS: print(*s)
        return
    print(HEAD)
    for i, s in enumerate(SPECS): print(f"  - {{ id: d{i:03d}, when: \"{when(s)}\" }}")


if __name__ == "__main__": main()
