# The start page
start-title = Your customers now
