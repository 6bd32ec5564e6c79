# customers
