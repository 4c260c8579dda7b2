"""Personal data and secrets in columns of text: finding them and masking them. Pure functions; no component is here."""
