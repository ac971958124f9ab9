"""What makes an environment look native to a trainer: one file each."""
