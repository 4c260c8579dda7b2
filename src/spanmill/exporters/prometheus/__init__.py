"""The prometheus exporter: received metrics as a page to scrape."""
