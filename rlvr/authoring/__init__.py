"""For those who write environments: what finds a wrong reward before training does."""
