"""Times: durations, windows, and times as people and providers write them."""
