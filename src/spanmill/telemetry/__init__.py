"""What the daemon says about itself: metrics (the one list of names) and logs."""
