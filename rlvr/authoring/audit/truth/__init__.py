"""Probes that right answers earn full reward, and wrong ones don't."""
