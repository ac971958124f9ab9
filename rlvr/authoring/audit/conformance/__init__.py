"""Probes of the contract that trainers and evaluators rely on."""
