"""Training of MiniMax-Remover (arXiv 2505.24873), which its authors never released.

Stage 1 learns with contrast tokens, stage 2 against bad noise. There is one loop (``loop``),
with two objectives (``objectives``) and one way of data (``shards``).
"""
