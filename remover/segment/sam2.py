"""SAM 2: the network, built from plain values and loaded from a checkpoint.

The only importer of ``sam2``.
"""

import contextlib
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from remover.device import is_out_of_memory
from remover.errors import WeightsError


@dataclass(frozen=True, slots=True)
class Config:
    """What tells the sizes of SAM 2.1 apart; names and values are upstream's."""

    embed_dim: int
    num_heads: int
    stages: tuple[int, ...]
    global_att_blocks: tuple[int, ...]
    window_spec: tuple[int, ...] = (8, 4, 14, 7)
    background: tuple[int, int] = (7, 7)
    """Size of the positional embedding of the whole picture."""
    image_size: int = 1024
    """Side of the square input; the checkpoints were trained at 1024."""
    width: int = 256
    memory_width: int = 64


CONFIGS: Mapping[str, Config] = {
    "tiny": Config(96, 1, (1, 2, 7, 2), (5, 7, 9)),
    "small": Config(96, 1, (1, 2, 11, 2), (7, 10, 13)),
    "base-plus": Config(112, 2, (2, 3, 16, 3), (12, 16, 20), background=(14, 14)),
    "large": Config(144, 2, (2, 6, 36, 4), (23, 33, 43), window_spec=(8, 4, 16, 8)),
}


Weigh: TypeAlias = Callable[[torch.Tensor, Sequence[float]], Sequence[float]]
"""From candidates' logits (M, s, s) and expected overlaps to the scores of which the largest is
taken."""


class Network:
    """A built network; remembers how good it took its latest mask to be.

    Attributes:
        predictor: Upstream's video predictor.
        device: Where it computes.
        iou: Expected overlap of the latest mask with the truth, 0 to 1.
        candidates: Logits (M, s, s) of the masks that it was chosen from, 1 or 3.
        chosen: Which of them it is.
    """

    def __init__(self, predictor: Any, device: torch.device) -> None:
        """Watch ``predictor``, which is on ``device``."""
        self.predictor = predictor
        self.device = device
        self.iou = 1.0
        self.candidates = torch.empty(0)
        self.chosen = 0
        self._weigh: Weigh | None = None
        predictor.sam_mask_decoder.register_forward_hook(self._note)

    def _note(self, _module: Any, _given: Any, output: Any) -> Any:
        """Note what was decoded; what is returned goes on in place of it, None is no change."""
        masks, ious, *rest = output
        scores = ious
        if self._weigh is not None and ious.shape[1] > 1:
            weighed = self._weigh(masks[0], [float(iou) for iou in ious[0]])
            scores = torch.tensor([weighed], dtype=ious.dtype, device=ious.device)
        # Of several masks upstream takes the first of those with the largest score.
        self.candidates, self.chosen = masks[0], int(scores[0].argmax())
        self.iou = float(ious[0, self.chosen].clamp(0, 1))
        return None if scores is ious else (masks, scores, *rest)

    @contextlib.contextmanager
    def weighing(self, weigh: Weigh | None) -> Iterator[None]:
        """Let ``weigh`` score the candidates in place of the network, where there are several."""
        self._weigh = weigh
        try:
            yield
        finally:
            self._weigh = None

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """No gradients; half precision on CUDA, where it is trained for and fast."""
        on_cuda = self.device.type == "cuda"
        half = torch.autocast("cuda", dtype=torch.bfloat16, enabled=on_cuda)
        with torch.inference_mode(), half:
            yield


def build(config: Config, device: str = "cpu") -> Network:
    """A network with random weights, drawn from PyTorch's global generator."""
    with _no_trace_in_hydra():
        from sam2.modeling.backbones.hieradet import Hiera
        from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
        from sam2.sam2_video_predictor import SAM2VideoPredictor
    widths = [config.embed_dim * 2**stage for stage in reversed(range(4))]
    trunk = Hiera(
        embed_dim=config.embed_dim,
        num_heads=config.num_heads,
        stages=config.stages,
        global_att_blocks=config.global_att_blocks,
        window_spec=config.window_spec,
        window_pos_embed_bkg_spatial_size=config.background,
    )
    neck = FpnNeck(
        position_encoding=_position_encoding(config.width),
        d_model=config.width,
        backbone_channel_list=widths,
        fpn_top_down_levels=[2, 3],
        fpn_interp_model="nearest",
    )
    predictor = SAM2VideoPredictor(
        image_encoder=ImageEncoder(trunk=trunk, neck=neck, scalp=1),
        memory_attention=_memory_attention(config),
        memory_encoder=_memory_encoder(config),
        image_size=config.image_size,
        **_behaviour(),
    )
    return Network(predictor.to(device).eval(), torch.device(device))


def _behaviour() -> dict[str, Any]:
    """How upstream runs every SAM 2.1, and its defaults for videos, but for the filled holes."""
    switches = (
        "add_all_frames_to_correct_as_cond",
        "binarize_mask_from_pts_for_mem_enc",
        "directly_add_no_mem_embed",
        "fixed_no_obj_ptr",
        "iou_prediction_use_sigmoid",
        "multimask_output_for_tracking",
        "multimask_output_in_sam",
        "no_obj_embed_spatial",
        "only_obj_ptrs_in_the_past_for_eval",
        "pred_obj_scores",
        "pred_obj_scores_mlp",
        "proj_tpos_enc_in_obj_ptrs",
        "use_high_res_features_in_sam",
        "use_mask_input_as_output_without_sam",
        "use_mlp_for_obj_ptr_proj",
        "use_multimask_token_for_obj_ptr",
        "use_obj_ptrs_in_encoder",
        "use_signed_tpos_enc_to_obj_ptrs",
    )
    return {
        **dict.fromkeys(switches, True),
        "num_maskmem": 7,
        "max_obj_ptrs_in_encoder": 16,
        "multimask_min_pt_num": 0,
        "multimask_max_pt_num": 1,
        "sigmoid_scale_for_mem_enc": 20.0,
        "sigmoid_bias_for_mem_enc": -10.0,
        "sam_mask_decoder_extra_args": {
            "dynamic_multimask_via_stability": True,
            "dynamic_multimask_stability_delta": 0.05,
            "dynamic_multimask_stability_thresh": 0.98,
        },
    }


def _position_encoding(width: int) -> Any:
    from sam2.modeling.position_encoding import PositionEmbeddingSine

    return PositionEmbeddingSine(num_pos_feats=width, warmup_cache=False)


def _memory_attention(config: Config) -> Any:
    from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
    from sam2.modeling.sam.transformer import RoPEAttention

    grid = config.image_size // 16
    shape = {"embedding_dim": config.width, "num_heads": 1, "downsample_rate": 1, "dropout": 0.1}
    sizes = {"feat_sizes": (grid, grid), **shape}
    layer = MemoryAttentionLayer(
        activation="relu",
        dim_feedforward=2048,
        dropout=0.1,
        pos_enc_at_attn=False,
        self_attention=RoPEAttention(**sizes),
        d_model=config.width,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        cross_attention=RoPEAttention(rope_k_repeat=True, kv_in_dim=config.memory_width, **sizes),
    )
    return MemoryAttention(d_model=config.width, pos_enc_at_input=True, layer=layer, num_layers=4)


def _memory_encoder(config: Config) -> Any:
    from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder

    return MemoryEncoder(
        in_dim=config.width,
        out_dim=config.memory_width,
        position_encoding=_position_encoding(config.memory_width),
        mask_downsampler=MaskDownSampler(
            embed_dim=config.width, kernel_size=3, stride=2, padding=1
        ),
        fuser=Fuser(CXBlock(dim=config.width, kernel_size=7, padding=3), num_layers=2),
    )


@contextlib.contextmanager
def _no_trace_in_hydra() -> Iterator[None]:
    """Importing ``sam2`` fills Hydra's global state, which a program of its own may want."""
    from hydra.core.global_hydra import GlobalHydra

    was_filled = GlobalHydra.instance().is_initialized()
    yield
    if not was_filled:
        GlobalHydra.instance().clear()


def load(checkpoint: Path, size: str | None, device: str) -> tuple[str, Network]:
    """The network of a checkpoint, and its size.

    Args:
        checkpoint: A file of upstream's, ``{"model": weights by name}``.
        size: A key of ``CONFIGS``; None finds out from the weights.
        device: Where to compute.

    Raises:
        WeightsError: The file is no checkpoint, or one of another network.
    """
    weights = _read(checkpoint)
    found = next((name for name in CONFIGS if _is_of(weights, CONFIGS[name])), None)
    name = found if size is None else size
    if name is None or (found is not None and name != found):
        said = "no size of SAM 2.1" if found is None else f"`sam2:{found}`, not `sam2:{size}`"
        raise WeightsError(
            f"the checkpoint `{checkpoint}` is of {said}",
            hint="use the size that fits, or `--tracker sam2:auto`",
        )
    network = build(CONFIGS[name], device)
    try:
        network.predictor.load_state_dict(weights)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        own = network.predictor.state_dict()
        odd = sorted(
            key
            for key in own.keys() | weights.keys()
            if key not in own or key not in weights or own[key].shape != weights[key].shape
        )
        raise WeightsError(
            f"the checkpoint `{checkpoint}` does not fit `sam2:{name}`: {len(odd)} weights are "
            f"missing, unknown or of another shape, as `{odd[0]}`",
            hint="use a checkpoint of SAM 2.1, as `weights.lock` names them",
        ) from None
    return name, network


def _read(checkpoint: Path) -> dict[str, torch.Tensor]:
    try:
        found = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        if is_out_of_memory(error):
            raise
        found = None
    weights = found.get("model") if isinstance(found, dict) else None
    is_plain = isinstance(weights, dict) and all(torch.is_tensor(v) for v in weights.values())
    if weights is None or not is_plain:
        raise WeightsError(
            f"`{checkpoint}` is no checkpoint of SAM 2",
            hint="use a file that `weights.lock` names; other pickles are not opened",
        )
    return {str(key): value for key, value in weights.items()}


def _is_of(weights: Mapping[str, torch.Tensor], config: Config) -> bool:
    trunk = "image_encoder.trunk"
    first = weights.get(f"{trunk}.patch_embed.proj.weight")
    depth = sum(config.stages)
    return (
        first is not None
        and first.shape[:1] == (config.embed_dim,)
        and f"{trunk}.blocks.{depth - 1}.norm1.weight" in weights
        and f"{trunk}.blocks.{depth}.norm1.weight" not in weights
    )
