"""The bearertokenauth extension: tokens, checked at receivers and sent by exporters."""
