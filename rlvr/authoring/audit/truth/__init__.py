"""Probes of whether right answers, and no others, earn full reward."""
