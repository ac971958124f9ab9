"""Adapters, which make an environment look native to a trainer: one package per trainer."""
