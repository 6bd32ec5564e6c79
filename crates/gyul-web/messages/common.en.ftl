# Words of all pages
common-brand = Gyul
common-nav = Main menu
common-nav-start = Start
common-nav-segments = Segments
common-nav-partitions = Partitions
common-nav-customers = Customers
common-nav-explore = Explore
common-nav-data = Data
common-nav-settings = Settings
common-skip = Skip to content
common-theme-light = Light theme
common-theme-dark = Dark theme
common-sign-out = Sign out
common-to-start = Go to the start page
common-to-sign-in = Go to sign in
common-close = Close
common-lost = The connection to the server was lost. Reconnecting.
common-failed = That did not work. Try again in a moment.
common-copied = Copied
common-as-table = Show as a table
common-as-csv = Download as CSV
common-customers =
    { $n-count ->
        [one] { $n } customer
       *[other] { $n } customers
    }
common-error-forbidden = You may not see this page
common-error-missing = There is no such page
common-error-busy = Too busy right now
common-error-ours = Something went wrong on the server
common-error-request = That request cannot be handled
common-error-code = Error code
common-error-request-id = request
common-warnings = { $n } things to look at
common-left-out = { $n-count ->
    [one] 1 customer who objects to profiling is counted here, and is in no list, file or live change.
   *[other] { $n } customers who object to profiling are counted here, and are in no list, file or live change.
 }
