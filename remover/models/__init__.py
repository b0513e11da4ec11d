"""The networks: a config dataclass and modules each, nothing else."""
