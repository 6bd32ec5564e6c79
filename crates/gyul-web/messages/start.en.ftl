# The start page
start-title = Your customers now
start-new-segment = Build a segment
start-counting = Counting…
start-empty = No customers yet
start-empty-lead = One file of orders is enough to begin. A minute from now you will see who your customers are.
start-empty-import = Import a file
start-empty-import-lead = Upload what your shop exports (CSV or Excel, orders or customers) as it is. Gyul works out which column is what, and shows you first.
start-empty-import-go = Upload a file
start-empty-ask = An owner or a marketer can import files.
start-empty-live = Connect your shop
start-empty-live-lead = Make an ingest-only key and put the script into your site, or connect your shop's webhooks: what customers do arrives at once.
start-empty-live-go = Make a key
start-empty-demo = Look around first
start-empty-demo-lead = See half a million orders of a real shop. Run this in a terminal.
start-not-writable = Events cannot be stored right now. Check the disk's space and permissions. Questions are still answered.
start-damaged = The log on disk is damaged: { $n ->
    [one] one record
   *[other] { $n } records
} could not be read. Everything else is counted. The server's output names the files and places; restore them from a backup.
start-failing-checkpoint = What was taken cannot be moved from the log into its files. Nothing is lost and every number is right. The server's output says why: check the disk's space and the damaged file.
start-failing-import = An imported file is not counted yet: a file of the data directory could not be read. The server's output says which one. Put it right, then start the server again.
start-failing-retention = How far back to look could not be moved; answers go by the span from before. The server's output says why, and it is tried again by itself.
start-failed = “{ $name }” could not be computed: something is wrong with its definition.
start-failed-look = Have a look
start-month = The last 30 days
start-month-net = Revenue (less refunds)
start-month-orders = Orders
start-month-buyers = Buyers
start-month-basket = Average order
start-month-change = { $change } against the 30 days before
start-month-none = No orders in the last 60 days.
start-week = The biggest movements of the last 7 days
start-live = Coming and going now
start-live-in = entered
start-live-out = left
start-live-entered = entered
start-live-left = left
start-live-waiting = connecting…
start-live-quiet = Nobody has moved yet. When an event arrives or time runs out, who came or went and why is shown here.
start-live-forbidden = This role does not see single customers.
start-cause-event = by an event
start-cause-time = as time passed
start-cause-rank = as ranks moved
start-cause-identity = by a merge, an undone one or an erasure
start-cause-definition = by a new definition
start-cause-import = by an import
start-cause-retention = by how far back Gyul looks
start-cause-objection = by an objection
start-flow = The lifecycle's flow over a month
start-rfm = Revenue by RFM class
start-health = Data health
start-customers = Customers
start-events = Events
start-lag = Delay
start-lag-none = under a second
start-lag-seconds = { $n } s
start-quarantine = Quarantined events
start-quarantine-look = have a look
start-health-more = More about the data
start-explore = Explore your customers
start-moved =
    { $n-count ->
        [one] { $n } customer moved from “{ $from }” to “{ $to }”
       *[other] { $n } customers moved from “{ $from }” to “{ $to }”
    }
start-moved-note = { $partition } · { $n } now
start-grown = { $name } grew by { $n }
start-shrunk = { $name } shrank by { $n }
start-grown-note = { $n } now · { $in } entered · { $out } left
start-week-none = Nothing moved in the last 7 days
start-week-none-lead = Movements appear here when events arrive or windows end.
start-flow-none = Too little has moved yet to draw a flow.
start-flow-more = Choose a period under Partitions
start-flow-new = New customers
start-flow-from = A month ago
start-flow-to = Now
start-flow-count = Customers
start-flow-says =
    { $n-count ->
        [one] { $n } customer changed class within a month. On the left a month ago, on the right now.
       *[other] { $n } customers changed class within a month. On the left a month ago, on the right now.
    }
start-rfm-none = There are no orders with revenue yet.
start-rfm-more = See the RFM map
start-rfm-says = { $n } customers of “{ $name }” made { $share } of all revenue.
start-rfm-class = Class
start-rfm-revenue = Revenue (net of refunds)
