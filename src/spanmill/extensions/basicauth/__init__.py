"""The basicauth extension: users and passwords, checked at receivers or sent by exporters."""
