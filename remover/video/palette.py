"""Pictures with few colours, as GIF wants them."""

from typing import Any

from av.filter import Graph

ALPHA_LEVEL = 128
"""Pixels with less alpha become transparent, the others opaque: GIF knows nothing between."""


def to_palette(frame: Any) -> Any:
    """``frame`` with a palette of its own: exact up to 255 colours, else the best 255.

    No dithering: it would flicker, and it would change pixels that were not touched.
    """
    graph = Graph()
    buffer = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    rgb = graph.add("format", "pix_fmts=bgra")
    split = graph.add("split")
    collect = graph.add("palettegen", "stats_mode=single:reserve_transparent=1")
    use = graph.add("paletteuse", f"new=1:dither=none:alpha_threshold={ALPHA_LEVEL}")
    sink = graph.add("buffersink")
    buffer.link_to(rgb)
    rgb.link_to(split)
    split.link_to(collect, output_idx=0)
    split.link_to(use, output_idx=1, input_idx=0)
    collect.link_to(use, input_idx=1)
    use.link_to(sink)
    graph.configure()
    graph.push(frame)
    graph.push(None)
    return graph.pull()
