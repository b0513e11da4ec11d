"""Random shapes of the networks."""

from hypothesis import strategies as st

from remover.models.config import DiTConfig, VaeConfig


@st.composite
def vaes(draw):
    """Small autoencoders."""
    halves = draw(st.lists(st.booleans(), min_size=1, max_size=3))
    factors = st.lists(st.integers(1, 3), min_size=len(halves), max_size=len(halves))
    z_dim = draw(st.integers(1, 4))
    return VaeConfig(
        base_dim=2 * draw(st.integers(1, 4)),
        dim_mult=(1, *draw(factors)),
        num_res_blocks=draw(st.integers(1, 3)),
        temperal_downsample=tuple(halves),
        z_dim=z_dim,
        latents_mean=(0.0,) * z_dim,
        latents_std=(1.0,) * z_dim,
    )


@st.composite
def dits(draw):
    """Small transformers."""
    heads, half_head = draw(st.integers(1, 4)), draw(st.integers(3, 16))
    return DiTConfig(
        num_attention_heads=heads,
        attention_head_dim=2 * half_head,
        num_layers=draw(st.integers(1, 3)),
        ffn_dim=draw(st.integers(1, 400)),
        freq_dim=2 * draw(st.integers(1, 40)),
        num_contrast_tokens=draw(st.sampled_from([0, 0, 3])),
    )
