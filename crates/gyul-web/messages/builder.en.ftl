# builder
