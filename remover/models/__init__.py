"""The networks of MiniMax-Remover: a config dataclass and modules each, nothing else."""
